// SPDX-License-Identifier: MIT

package monime

// #include "binding.h"
import "C"

import (
	"context"
	"os"
	"syscall"
)

// A starter is a function of monime.h whose name ends in _start.
type starter func(call **C.struct_monime_call) C.int

// perform starts a call and waits until it has finished, while the goroutine
// is parked: what waits in a thread is the runtime's poller alone.  The call
// is to be freed with h.free; nil stands for one that memory was too short for.
func (h *Handle) perform(ctx context.Context, start starter) (
	*C.struct_monime_call, Code, error) {
	if ctx.Err() != nil {
		return nil, 0, canceled(ctx, "nothing was sent")
	}
	call, done, code, err := h.start(start)
	if err != nil || done == nil {
		return call, code, err
	}
	select {
	case <-done:
	case <-ctx.Done():
		if h.abandon(call) {
			return nil, 0, canceled(ctx,
				"what was sent until then may have been executed")
		}
	}
	return call, Code(C.monime_call_result(call)), nil
}

func canceled(ctx context.Context, what string) error {
	e := failed(ErrCanceled, ctx.Err().Error()+": "+what)
	e.cause = ctx.Err()
	return e
}

// start's channel is nil where the call has finished already.
func (h *Handle) start(start starter) (*C.struct_monime_call, chan struct{},
	Code, error) {
	var call *C.struct_monime_call

	if err := h.enter(); err != nil {
		return nil, nil, 0, err
	}
	defer h.leave()
	h.loop.Lock()
	defer h.loop.Unlock()
	if err := h.watch(); err != nil {
		return nil, nil, 0, err
	}
	code := start(&call)
	if code != C.MONIME_EPENDING {
		return call, nil, Code(code), nil
	}
	done := make(chan struct{})
	h.pending[call] = done
	return call, done, ErrPending, nil
}

// abandon cancels a call, unless it has finished.
func (h *Handle) abandon(call *C.struct_monime_call) bool {
	h.life.RLock()
	defer h.leave()
	h.loop.Lock()
	defer h.loop.Unlock()
	if _, pending := h.pending[call]; !pending {
		return false
	}
	delete(h.pending, call)
	C.monime_call_free(call)
	return true
}

// free frees a call that has finished; the handle may be closed by now.
func (h *Handle) free(call *C.struct_monime_call) {
	h.life.RLock()
	defer h.leave()
	C.monime_call_free(call)
}

// watch has the runtime's poller watch the library's descriptor, from the
// first call on that has to wait.
func (h *Handle) watch() error {
	if h.watched != nil {
		return nil
	}
	fd := C.monime_fd(h.m)
	if fd < 0 {
		return failed(Code(fd), "no descriptor for the event loop")
	}
	own, err := duplicate(uintptr(fd))
	if err != nil {
		return failed(ErrSystem, "no descriptor for the event loop: "+
			err.Error())
	}
	file := os.NewFile(own, "monime")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return failed(ErrSystem, err.Error())
	}
	h.watched, h.stopped = file, make(chan struct{})
	go func() {
		// It ends when the file is closed.
		raw.Read(h.turn)
		close(h.stopped)
	}()
	return nil
}

// The poller keeps a descriptor of its own, since it closes it.
func duplicate(fd uintptr) (uintptr, error) {
	own, _, e := syscall.Syscall(syscall.SYS_FCNTL, fd,
		syscall.F_DUPFD_CLOEXEC, 0)
	if e != 0 {
		return 0, e
	}
	return own, nil
}

// unwatch comes when nobody starts anything any more.
func (h *Handle) unwatch() {
	h.loop.Lock()
	file := h.watched
	h.loop.Unlock()
	if file != nil {
		file.Close()
		<-h.stopped
	}
}

// turn is called when the descriptor may be readable.  False has the poller
// wait for the next time.
func (h *Handle) turn(uintptr) bool {
	h.life.RLock()
	defer h.log.fetchApart()
	defer h.life.RUnlock()
	h.loop.Lock()
	defer h.loop.Unlock()
	for {
		call := C.monime_next(h.m)
		if call == nil {
			return false
		}
		done := h.pending[call]
		delete(h.pending, call)
		close(done)
	}
}
