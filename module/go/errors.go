// SPDX-License-Identifier: MIT

package monime

/*
#cgo pkg-config: monime
#include "binding.h"
*/
import "C"

import (
	"errors"
	"strconv"
	"time"
)

// A Code is a result code of monime.h.  Each but success is an error by
// itself, for errors.Is:
//
//	if errors.Is(err, monime.ErrLimit) {
type Code int

// The result codes; monime(3) tells what each of them means and what to do.
// New ones may come: an error that is none of these is a failure like others.
const (
	ErrDenied      Code = C.MONIME_EDENIED
	ErrForbidden   Code = C.MONIME_EFORBIDDEN
	ErrEnvironment Code = C.MONIME_EENVIRONMENT
	ErrPolicy      Code = C.MONIME_EPOLICY
	ErrLimit       Code = C.MONIME_ELIMIT
	ErrHTTP        Code = C.MONIME_EHTTP
	ErrNet         Code = C.MONIME_ENET
	ErrLost        Code = C.MONIME_ELOST
	ErrProto       Code = C.MONIME_EPROTO
	ErrInvalid     Code = C.MONIME_EINVAL
	ErrConfig      Code = C.MONIME_ECONFIG
	ErrUnsafe      Code = C.MONIME_EUNSAFE
	ErrNoMemory    Code = C.MONIME_ENOMEM
	ErrSystem      Code = C.MONIME_ESYS
	ErrPending     Code = C.MONIME_EPENDING
	ErrCanceled    Code = C.MONIME_ECANCELED
)

// Error is the library's phrase for the code.
func (c Code) Error() string {
	return "monime: " + c.phrase()
}

func (c Code) phrase() string {
	return C.GoString(C.monime_strerror(C.int(c)))
}

// An Error is what every function of this package fails with.
type Error struct {
	Code       Code
	Status     int           // HTTP status of the last attempt, or 0
	Reason     string        // the provider's word for it, or ""
	RequestID  string        // what the provider's support asks for, or ""
	RetryAfter time.Duration // when to ask again; 0: nobody said
	Text       string        // for a log: a line, or several
	Answer     *Answer       // all that came; nil where nothing was asked

	cause error
}

func (e *Error) Error() string {
	return "monime: " + e.Text
}

// Is reports whether target is the error's Code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// Unwrap returns the context's error where that ended the call, else nil.
func (e *Error) Unwrap() error {
	return e.cause
}

// HTTPStatus says what to answer a bearer over HTTP: 200 for nil, 401 or 403
// where the error says no, 503 where nobody knows, 500 where the fault is ours.
func HTTPStatus(err error) int {
	if err == nil {
		return int(C.monime_http_status(C.MONIME_OK))
	}
	var whole *Error
	var code Code
	if errors.As(err, &whole) {
		code = whole.Code
	} else if !errors.As(err, &code) {
		code = ErrSystem
	}
	// No error is a yes, whatever somebody made it of.
	if code == C.MONIME_OK {
		code = ErrSystem
	}
	return int(C.monime_http_status(C.int(code)))
}

// failed is an error that no call tells of.
func failed(code Code, text string) *Error {
	return &Error{Code: code, Text: text}
}

// failedCall is the error of a finished call.
func failedCall(call *C.struct_monime_call, code Code) *Error {
	e := &Error{
		Code:   code,
		Text:   C.GoString(C.monime_call_error(call)),
		Answer: answer(call),
	}
	e.Status = e.Answer.Status
	e.Reason = e.Answer.Facts["reason"]
	e.RequestID = e.Answer.Facts["request-id"]
	seconds, err := strconv.Atoi(e.Answer.Facts["retry-after"])
	if err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	if e.Text == "" {
		e.Text = code.phrase()
	}
	return e
}
