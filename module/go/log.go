// SPDX-License-Identifier: MIT

package monime

// #include <stdlib.h>
// #include <syslog.h>
// #include "binding.h"
import "C"

import (
	"fmt"
	"log/syslog"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// lines brings the library's log lines to a function of Go, which C never
// calls: they wait in C's memory until whoever had them written comes back.
type lines struct {
	tell    func(level syslog.Priority, line string)
	waiting *int32
	telling sync.Mutex
	kept    *C.struct_mn_lines
}

func (l *lines) open(m *C.struct_monime, options *Options) error {
	if options.Log == nil {
		return nil
	}
	l.kept = C.mn_lines_new()
	if l.kept == nil {
		return failed(ErrNoMemory, ErrNoMemory.phrase())
	}
	l.tell = options.Log
	l.waiting = (*int32)(unsafe.Pointer(C.mn_lines_waiting(l.kept)))
	level := C.int(options.LogLevel)
	if level == 0 {
		level = C.LOG_NOTICE
	}
	C.monime_set_log(m, level, (*C.monime_log_fn)(C.mn_lines_add),
		unsafe.Pointer(l.kept))
	l.fetch()
	return nil
}

// fetch tells what waits, unless somebody else is telling: that one looks once
// more when it is done.  So a Log function may use the handle that it logs.
func (l *lines) fetch() {
	for l.waiting != nil && atomic.LoadInt32(l.waiting) != 0 &&
		l.telling.TryLock() {
		l.take()
		l.telling.Unlock()
	}
	runtime.KeepAlive(l)
}

// fetchApart is for the loop, which a Log function could otherwise wait for.
func (l *lines) fetchApart() {
	if l.waiting != nil && atomic.LoadInt32(l.waiting) != 0 {
		go l.fetch()
	}
}

// free comes when nobody can fetch any more.
func (l *lines) free() {
	C.mn_lines_free(l.kept)
}

func (l *lines) take() {
	var lost C.size_t

	for line := C.mn_lines_take(l.kept, &lost); line != nil; {
		l.tell(syslog.Priority(line.level), C.GoString(line.text))
		next := line.next
		C.free(unsafe.Pointer(line))
		line = next
	}
	if lost > 0 {
		l.tell(syslog.LOG_WARNING, fmt.Sprintf(
			"%d lines of the log were lost", uint64(lost)))
	}
}
