// SPDX-License-Identifier: MIT

package monime

// #include <stdlib.h>
// #include "binding.h"
import "C"

import (
	"log/syslog"
	"os"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// Options of Open; nil stands for none of them.
type Options struct {
	// Folder is the configuration folder, an absolute path, in the place
	// of the built-in one.
	Folder string

	// Log receives the library's lines up to LogLevel, by default notices
	// and what is worse; one at a time, from goroutines that use the
	// handle or one of its own, soon.  It may use the handle.
	Log      func(level syslog.Priority, line string)
	LogLevel syslog.Priority
}

// A Handle is one profile, opened.  Any number of goroutines may use it.
type Handle struct {
	m    *C.struct_monime
	name string // and environment: what every verdict repeats
	env  string

	// Held for reading by whoever is inside the library for a moment.
	life   sync.RWMutex
	closed bool

	// The functions of monime.h that are marked (loop) belong to whoever
	// has this.  None of them waits for anything.
	loop    sync.Mutex
	pending map[*C.struct_monime_call]chan struct{}
	watched *os.File      // a duplicate of monime_fd()
	stopped chan struct{} // closed when the loop's goroutine has ended

	// The one verb that blocks a thread: one thread, whoever asks.
	asking chan struct{}

	log lines
}

// Open opens a profile, "test/payouts" say.  It reads files and sends nothing.
// What is wrong is told in the error's Text, a line for each fault, with the
// command that mends it.
func Open(profile string, options *Options) (*Handle, error) {
	if options == nil {
		options = &Options{}
	}
	var t texts
	defer t.drop()
	name, folder := t.add(profile), (*C.char)(nil)
	if options.Folder != "" {
		folder = t.add(options.Folder)
	}
	if t.odd {
		return nil, failed(ErrInvalid, "a profile or folder with a NUL")
	}
	h := &Handle{
		pending: make(map[*C.struct_monime_call]chan struct{}),
		asking:  make(chan struct{}, 1),
	}
	if r := C.monime_open(name, folder, &h.m); r != C.MONIME_OK {
		text := C.GoString(C.monime_error(h.m))
		C.monime_close(h.m)
		return nil, failed(Code(r), text)
	}
	h.name, h.env = h.Get("profile"), h.Get("environment")
	if err := h.log.open(h.m, options); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// Close ends the handle and with it all that goes on: calls that are pending
// fail with ErrCanceled, and so does whatever is asked later.  It waits for
// CheckCredential.
func (h *Handle) Close() error {
	h.life.Lock()
	again := h.closed
	h.closed = true
	h.life.Unlock()
	if again {
		return failed(ErrCanceled, "the handle is closed")
	}
	h.asking <- struct{}{}
	h.unwatch()

	h.life.Lock()
	h.loop.Lock()
	C.monime_close(h.m)
	for call, done := range h.pending {
		delete(h.pending, call)
		close(done)
	}
	h.m = nil
	h.loop.Unlock()
	h.life.Unlock()
	<-h.asking
	h.log.fetch()
	runtime.SetFinalizer(h, func(h *Handle) { h.log.free() })
	return nil
}

// enter is to be followed by leave, after a moment.
func (h *Handle) enter() error {
	h.life.RLock()
	if h.closed {
		h.life.RUnlock()
		return failed(ErrCanceled, "the handle is closed")
	}
	return nil
}

func (h *Handle) leave() {
	h.life.RUnlock()
	h.log.fetch()
}

// Get tells a fact that stays true while the handle is open, or "": "profile",
// "provider", "product", "environment", "origin" or "space".
func (h *Handle) Get(name string) string {
	var t texts
	defer t.drop()
	fact := t.add(name)
	if t.odd || h.enter() != nil {
		return ""
	}
	defer h.leave()
	return C.GoString(C.monime_get(h.m, fact))
}

// Metrics tells the counters of handles, each once, summed over all processes
// that share them.  The format is "openmetrics", or "html" for a page that
// people read.
func Metrics(format string, handles ...*Handle) (string, error) {
	var t texts
	defer t.drop()
	how := t.add(format)
	if t.odd {
		return "", failed(ErrInvalid, "a format with a NUL")
	}
	list := make([]*C.struct_monime, 0, len(handles)+1)
	inside := make(map[*Handle]bool)
	defer func() {
		for h := range inside {
			h.life.RUnlock()
		}
		for h := range inside {
			h.log.fetch()
		}
	}()
	for _, h := range handles {
		if inside[h] {
			continue
		}
		if err := h.enter(); err != nil {
			return "", err
		}
		inside[h] = true
		list = append(list, h.m)
	}
	n := C.size_t(len(list))
	list = append(list, nil) // so that there is a first one
	for room := C.size_t(1024); ; {
		text := (*C.char)(C.malloc(room))
		size := C.monime_metrics(&list[0], n, how, text, room)
		if size < room {
			defer C.free(unsafe.Pointer(text))
			if size == 0 {
				return "", failed(ErrInvalid, "no such format")
			}
			return C.GoString(text), nil
		}
		C.free(unsafe.Pointer(text))
		room = size + 1024 // counters grow
	}
}

// texts are strings for C.  What somebody put into a header, a path or a URL
// may have been a secret: all of them are wiped.
type texts struct {
	list []*C.char
	odd  bool // C would take one of them for a shorter one
}

func (t *texts) add(s string) *C.char {
	t.odd = t.odd || strings.IndexByte(s, 0) >= 0
	text := C.CString(s)
	t.list = append(t.list, text)
	return text
}

func (t *texts) drop() {
	for _, text := range t.list {
		C.mn_binding_drop(text)
	}
}
