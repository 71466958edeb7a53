// SPDX-License-Identifier: MIT

package monime

// #include "binding.h"
import "C"

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Transport is an http.RoundTripper that adds the profile's credential to
// requests for the profile's own origin, as its "allow" permits, and to nothing
// else.  It tells the library the status of each answer, so that a credential
// that is refused gets renewed, or rested.
//
// Whoever holds the Transport spends the credential: give it to no client that
// takes URLs from others unless "allow" is as narrow as it should be.
type Transport struct {
	handle *Handle
	base   *http.Transport
	once   *http.Transport // the same, and no connection is used twice
}

// Transport makes one that sends by a copy of base, or for nil by one that has
// no proxy.  The origin's certificate and name are always verified: a base that
// would not do that, or leaves it to a function of its own, is ErrInvalid.
//
// Authorities are those of base.TLSClientConfig, else the system's, which Go
// finds by SSL_CERT_FILE and SSL_CERT_DIR where those are set.
func (h *Handle) Transport(base *http.Transport) (*Transport, error) {
	if base == nil {
		base = &http.Transport{
			ForceAttemptHTTP2:   true,
			IdleConnTimeout:     90 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second,
		}
	} else {
		base = base.Clone()
	}
	if base.TLSClientConfig == nil {
		base.TLSClientConfig = &tls.Config{}
	}
	if text := h.unverified(base); text != "" {
		return nil, failed(ErrInvalid, text)
	}
	if base.TLSClientConfig.MinVersion < tls.VersionTLS12 {
		base.TLSClientConfig.MinVersion = tls.VersionTLS12
	}
	once := base.Clone()
	once.DisableKeepAlives = true
	return &Transport{h, base, once}, nil
}

// unverified tells why a transport could take somebody else for the origin.
func (h *Handle) unverified(base *http.Transport) string {
	origin, err := url.Parse(h.Get("origin"))
	switch c := base.TLSClientConfig; {
	case err != nil:
		return err.Error()
	// DialTLS is deprecated, and goes round the verification all the same.
	case base.DialTLS != nil || base.DialTLSContext != nil:
		return "a transport that makes TLS connections by itself"
	case c.InsecureSkipVerify:
		return "a transport that does not verify certificates"
	case c.ServerName != "" && c.ServerName != origin.Hostname():
		return "a transport that verifies another name, " + c.ServerName
	}
	return ""
}

// RoundTrip sends the request, its body untouched.  An error that came from the
// library is an *Error; then nothing was sent.  What a redirect leads to is
// ErrProto, wherever it is.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	call, out, err := t.prepare(r)
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	defer t.handle.free(call)
	answer, err := t.sender(out).RoundTrip(out)
	if err != nil {
		return nil, err
	}
	t.handle.report(call, answer.StatusCode)
	return answer, nil
}

// sender is who sends a request.  http.Transport takes any that has one of two
// headers for one that may be sent again, and does so when a connection that
// was kept dies, whatever the provider makes of that header; on a new
// connection it sends once.
func (t *Transport) sender(r *http.Request) *http.Transport {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead:
		return t.base
	}
	for name := range r.Header {
		switch http.CanonicalHeaderKey(name) {
		case "Idempotency-Key", "X-Idempotency-Key":
			return t.once
		}
	}
	return t.base
}

// CloseIdleConnections is called by the method of http.Client.
func (t *Transport) CloseIdleConnections() {
	t.base.CloseIdleConnections()
	t.once.CloseIdleConnections()
}

// prepare makes a request that is the caller's but for its headers.
func (t *Transport) prepare(r *http.Request) (*C.struct_monime_call,
	*http.Request, error) {
	if r.Response != nil {
		return nil, nil, failed(ErrProto,
			"a redirect, which is not followed with a credential")
	}
	out := r.Clone(r.Context())
	if err := lawful(out); err != nil {
		return nil, nil, err
	}
	method := out.Method
	if method == "" {
		method = http.MethodGet
	}
	// Byte for byte what http.Transport will send, and to whom.
	where := out.URL.Scheme + "://" + out.URL.Host + out.URL.RequestURI()
	call, err := t.handle.authorize(out.Context(), method, where)
	if err != nil {
		return nil, nil, err
	}
	if !setHeaders(out, call) {
		t.handle.free(call)
		return nil, nil, failed(ErrInvalid,
			"a trailer in the place of the profile's header")
	}
	out.Host = ""
	return call, out, nil
}

// What lets a client change what was judged, or whose it is.
var forbidden = map[string]bool{
	"X-Http-Method-Override": true,
	"X-Http-Method":          true,
	"X-Method-Override":      true,
	"Monime-Space-Id":        true,
}

func lawful(r *http.Request) error {
	if r.URL == nil || r.URL.Opaque != "" || r.URL.User != nil {
		return failed(ErrInvalid, "a URL of another form than "+
			"https://HOST/PATH?QUERY")
	}
	for name := range r.Trailer {
		if forbidden[plainName(name)] {
			return failed(ErrInvalid, "the trailer "+name)
		}
	}
	for name, values := range r.Header {
		name = plainName(name)
		if forbidden[name] {
			return failed(ErrInvalid, "the header "+name)
		}
		if name == "Connection" && !plainConnection(values) {
			return failed(ErrInvalid,
				"a Connection that names more than close or keep-alive")
		}
	}
	return nil
}

// plainName is a header's name as those read it to whom "_" is "-": what is
// behind the origin's own proxy may.
func plainName(name string) string {
	return http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
}

func plainConnection(values []string) bool {
	for _, word := range strings.Split(strings.Join(values, ","), ",") {
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "", "close", "keep-alive":
		default:
			return false
		}
	}
	return true
}

// setHeaders puts those of the call in the place of any of the same name,
// however that is written.
func setHeaders(r *http.Request, call *C.struct_monime_call) bool {
	var value *C.char

	if r.Header == nil {
		r.Header = make(http.Header)
	}
	for i := C.size_t(0); ; i++ {
		text := C.monime_call_header_at(call, i, &value)
		if text == nil {
			return true
		}
		name := http.CanonicalHeaderKey(C.GoString(text))
		for other := range r.Header {
			if plainName(other) == name {
				delete(r.Header, other)
			}
		}
		for other := range r.Trailer {
			if plainName(other) == name {
				return false
			}
		}
		r.Header[name] = []string{C.GoString(value)}
	}
}

func (h *Handle) authorize(ctx context.Context, method, target string) (
	*C.struct_monime_call, error) {
	var t texts
	defer t.drop()
	how, where := t.add(method), t.add(target)
	if t.odd {
		return nil, failed(ErrInvalid, "a method or URL with a NUL")
	}
	call, code, err := h.perform(ctx,
		func(call **C.struct_monime_call) C.int {
			return C.monime_authorize_start(h.m, how, where, nil, call)
		})
	if err != nil {
		return nil, err
	}
	if code != C.MONIME_OK {
		defer h.free(call)
		return nil, failedCall(call, code)
	}
	return call, nil
}

func (h *Handle) report(call *C.struct_monime_call, status int) {
	h.life.RLock()
	defer h.leave()
	C.monime_call_report(call, C.int(status))
}
