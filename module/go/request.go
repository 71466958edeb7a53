// SPDX-License-Identifier: MIT

package monime

// #include <stdlib.h>
// #include "binding.h"
import "C"

import (
	"context"
	"net/http"
	"unsafe"
)

// Request performs one API request with the profile's credential and Space.
// The path is sent byte for byte; monime(3) lists the headers allowed.  A nil
// error means a 2xx status.
//
// Where the provider honours idempotency keys the request carries one: that of
// the header, or a fresh one, which the answer's fact "idempotency-key" tells;
// with an error it is the Answer of that.  A call that its context ended tells
// nothing: for a write whose context can end, make the key with NewKey first.
func (h *Handle) Request(ctx context.Context, method, path string,
	header http.Header, body []byte) (*Answer, error) {
	var t texts
	defer t.drop()
	how, where := t.add(method), t.add(path)
	list := t.header(header)
	defer C.free(unsafe.Pointer(list))
	if t.odd {
		return nil, failed(ErrInvalid, "a method, path or header with a NUL")
	}
	p, n := bytesOf(body)
	call, code, err := h.perform(ctx,
		func(call **C.struct_monime_call) C.int {
			return C.monime_request_start(h.m, how, where, list, p,
				n, nil, call)
		})
	if err != nil {
		return nil, err
	}
	defer h.free(call)
	if code != C.MONIME_OK {
		return nil, failedCall(call, code)
	}
	return answer(call), nil
}

// header is a list in C's memory, as monime_request() takes it.
func (t *texts) header(header http.Header) **C.char {
	n := 1
	for _, values := range header {
		n += len(values)
	}
	list := (**C.char)(C.calloc(C.size_t(n), C.size_t(unsafe.Sizeof(uintptr(0)))))
	slots := unsafe.Slice(list, n)
	for name, values := range header {
		for _, value := range values {
			slots[0] = t.add(name + ": " + value)
			slots = slots[1:]
		}
	}
	return list
}

// NewKey makes a random idempotency key.
func NewKey() (string, error) {
	var buf [C.MONIME_KEY_SIZE]C.char

	if r := C.monime_new_key(&buf[0], C.MONIME_KEY_SIZE); r != C.MONIME_OK {
		return "", failed(Code(r), Code(r).phrase())
	}
	return C.GoString(&buf[0]), nil
}
