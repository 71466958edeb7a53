// SPDX-License-Identifier: MIT

package monime

// #include "binding.h"
import "C"

import (
	"net/http"
	"unsafe"
)

// An Answer is what came of one operation, copied out of the library.
type Answer struct {
	Status int // HTTP status of the last attempt, or 0
	Header http.Header
	Body   []byte
	// What monime_call_get() tells, by the names that monime(3) lists;
	// what was not told is not in it.
	Facts map[string]string
}

func answer(call *C.struct_monime_call) *Answer {
	var size C.size_t
	var value *C.char

	body := C.monime_call_body(call, &size)
	a := &Answer{
		Status: int(C.monime_call_status(call)),
		Header: make(http.Header),
		Body:   copied(body, size),
		Facts:  make(map[string]string),
	}
	for i := C.size_t(0); ; i++ {
		name := C.monime_call_header_at(call, i, &value)
		if name == nil {
			break
		}
		a.Header.Add(C.GoString(name), C.GoString(value))
	}
	for i := C.size_t(0); ; i++ {
		name := C.mn_binding_fact(i)
		if name == nil {
			break
		}
		if value := C.monime_call_get(call, name); value != nil {
			a.Facts[C.GoString(name)] = C.GoString(value)
		}
	}
	return a
}

// copied is C.GoBytes() for more than an int can count.
func copied(p *C.char, size C.size_t) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(p)), size)...)
}
