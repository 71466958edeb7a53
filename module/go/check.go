// SPDX-License-Identifier: MIT

package monime

/*
#include <stdint.h>

#include "binding.h"

// A token is read where it lies: there is no copy of it that has to be wiped.

// A number, because cgo makes an object of each pointer to an opaque struct.
static int
look(uintptr_t m, _GoString_ token)
{
	return monime_check_token_start((struct monime *)m,
	    _GoStringPtr(token), _GoStringLen(token), NULL, NULL);
}

static int
check_start(struct monime *m, _GoString_ token, struct monime_call **call)
{
	return monime_check_token_start(m, _GoStringPtr(token),
	    _GoStringLen(token), NULL, call);
}

struct place {
	size_t at;
	size_t len;
};

static struct place
bearer(_GoString_ header)
{
	struct place p;

	p.at = (size_t)(monime_bearer(_GoStringPtr(header),
	    _GoStringLen(header), &p.len) - _GoStringPtr(header));
	return p;
}

static int
fingerprint(_GoString_ token, char *buf)
{
	return monime_fingerprint(_GoStringPtr(token), _GoStringLen(token),
	    buf, MONIME_FINGERPRINT_SIZE);
}

static int
verify(struct monime *m, _GoString_ signature, const void *body, size_t len)
{
	return monime_verify_webhook(m, _GoStringPtr(signature),
	    _GoStringLen(signature), body, len);
}
*/
import "C"

import (
	"context"
	"unsafe"
)

// A Verdict tells of a token that was accepted.
type Verdict struct {
	Profile     string // who accepted it
	Environment string // "test" or "live"
	Source      string // "network", "cache" or "stale"
}

// CheckToken asks whether a token that somebody presents is acceptable.  Only
// a nil error is a yes; ErrDenied, ErrForbidden and ErrEnvironment are a no;
// with any other error nobody knows.
//
// A verdict that is remembered is answered at once, whatever the context.
func (h *Handle) CheckToken(ctx context.Context, token string) (Verdict,
	error) {
	if err := h.enter(); err != nil {
		return Verdict{}, err
	}
	code := C.look(C.uintptr_t(uintptr(unsafe.Pointer(h.m))), token)
	h.leave()
	switch code {
	case C.MONIME_OK:
		return Verdict{h.name, h.env, "cache"}, nil
	case C.MONIME_EPENDING:
		return h.ask(ctx, token)
	}
	return Verdict{}, h.remembered(Code(code))
}

// remembered is a refusal of which no more is known.
func (h *Handle) remembered(code Code) error {
	e := failed(code, h.name+": remembered: "+code.phrase())
	e.Answer = &Answer{Facts: map[string]string{"source": "cache"}}
	return e
}

func (h *Handle) ask(ctx context.Context, token string) (Verdict, error) {
	call, code, err := h.perform(ctx,
		func(call **C.struct_monime_call) C.int {
			return C.check_start(h.m, token, call)
		})
	if err != nil {
		return Verdict{}, err
	}
	defer h.free(call)
	if code != C.MONIME_OK {
		return Verdict{}, failedCall(call, code)
	}
	return Verdict{h.name, h.env, fact(call, "source")}, nil
}

// CheckCredential asks whether the API accepts the profile's own credential.
// monime.h has this as a verb that blocks only, so it holds a thread; the
// second one to ask waits for the first.  Where the context ends before it has
// an answer, the question is not taken back.
func (h *Handle) CheckCredential(ctx context.Context) (*Answer, error) {
	type outcome struct {
		answer *Answer
		err    error
	}
	select {
	case h.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, canceled(ctx, "nothing was sent")
	}
	came := make(chan outcome, 1)
	go func() {
		answer, err := h.askCredential()
		<-h.asking
		h.log.fetch()
		came <- outcome{answer, err}
	}()
	select {
	case o := <-came:
		return o.answer, o.err
	case <-ctx.Done():
		return nil, canceled(ctx, "the API is being asked")
	}
}

func (h *Handle) askCredential() (*Answer, error) {
	var call *C.struct_monime_call

	if err := h.enter(); err != nil {
		return nil, err
	}
	h.leave() // Close waits for h.asking
	code := Code(C.monime_check_credential(h.m, &call))
	defer h.free(call)
	if code != C.MONIME_OK {
		return nil, failedCall(call, code)
	}
	return answer(call), nil
}

// Bearer finds the token in the value of an Authorization header, by RFC 6750
// 2.1; "" where there is none.
func Bearer(header string) string {
	p := C.bearer(header)
	if p.len == 0 {
		return ""
	}
	return header[p.at : p.at+p.len]
}

// Fingerprint is a name for a token that does not betray it, the same on every
// host.  Tell it of tokens that were accepted, and of no others.
func Fingerprint(token string) (string, error) {
	var buf [C.MONIME_FINGERPRINT_SIZE]C.char

	if r := C.fingerprint(token, &buf[0]); r != C.MONIME_OK {
		return "", failed(Code(r), Code(r).phrase())
	}
	return C.GoString(&buf[0]), nil
}

// VerifyWebhook asks whether the provider signed a delivery: nil, ErrDenied, or
// ErrConfig for a profile without webhook secrets.  The signature is the value
// of the provider's header, the body the exact bytes received.
func (h *Handle) VerifyWebhook(signature string, body []byte) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.leave()
	p, n := bytesOf(body)
	if r := C.verify(h.m, signature, p, n); r != C.MONIME_OK {
		return failed(Code(r), h.name+": webhook: "+Code(r).phrase())
	}
	return nil
}

func bytesOf(b []byte) (unsafe.Pointer, C.size_t) {
	if len(b) == 0 {
		return nil, 0
	}
	return unsafe.Pointer(&b[0]), C.size_t(len(b))
}

// fact is one fact of a call, or "".
func fact(call *C.struct_monime_call, name string) string {
	var t texts
	defer t.drop()
	return C.GoString(C.monime_call_get(call, t.add(name)))
}

// Version is that of the library that runs.
func Version() string {
	return C.GoString(C.monime_version())
}

// HeaderVersion is that of the header with which this package was built.
const HeaderVersion = C.MONIME_VERSION
