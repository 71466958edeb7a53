// SPDX-License-Identifier: MIT

// What a remembered verdict costs a program in Go, against one in C.
//
// Both sides take turns of a few milliseconds in one process and on one thread,
// the order swapped each time; what counts is the median of the ratios.
package main

/*
#cgo pkg-config: monime
#include <monime.h>
#include <stdlib.h>
#include <time.h>

// Nanoseconds that this thread had a processor: what others take is not ours.
static double
worked(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static void
nothing(void)
{
}

static int
check(struct monime *m, const char *token, size_t len, size_t n)
{
	int r = MONIME_OK;

	while (n-- > 0 && r == MONIME_OK)
		r = monime_check_token(m, token, len, NULL);
	return r;
}
*/
import "C"

import (
	"context"
	"fmt"
	"log"
	"os"
	"runtime"
	"sort"

	"libmonime/monime"
)

const (
	profile = "test/check"
	token   = "mon_test_0000000000000000000000000000001" // 40 bytes
	turn    = 4e6                                        // ns
)

// A side does something n times.
type side struct {
	run  func(n int)
	n    int // of a turn
	cost []float64
}

func (s *side) once() float64 {
	start := C.worked()
	s.run(s.n)
	return float64(C.worked()-start) / float64(s.n)
}

// settle finds out how many make a turn.
func (s *side) settle() {
	for s.n = 64; ; s.n *= 2 {
		if took := s.once() * float64(s.n); took > turn/2 {
			s.n = int(float64(s.n) * turn / took)
			return
		}
	}
}

func pairs() int {
	if os.Getenv("BENCH") == "quick" {
		return 31
	}
	return 301
}

func figure(what, unit string, values []float64) {
	sort.Float64s(values)
	n := len(values)
	fmt.Printf("figure\t%s\t%s\t\t%g\t%g\t%g\n", what, unit, values[n/2],
		values[n/4], values[n*3/4])
}

func inGo(h *monime.Handle) func(int) {
	ctx := context.Background()
	return func(n int) {
		for i := 0; i < n; i++ {
			v, err := h.CheckToken(ctx, token)
			if err != nil || v.Source != "cache" {
				log.Fatal(v, err)
			}
		}
	}
}

func inC(folder string) func(int) {
	var m *C.struct_monime
	name, where := C.CString(profile), C.CString(folder)
	text := C.CString(token)
	if C.monime_open(name, where, &m) != C.MONIME_OK {
		log.Fatal(C.GoString(C.monime_error(m)))
	}
	return func(n int) {
		if C.check(m, text, C.size_t(len(token)), C.size_t(n)) !=
			C.MONIME_OK {
			log.Fatal("another verdict")
		}
	}
}

func byCgo(n int) {
	for i := 0; i < n; i++ {
		C.nothing()
	}
}

func main() {
	runtime.LockOSThread()
	folder := os.Getenv("BENCH_FOLDER")
	h, err := monime.Open(profile, &monime.Options{Folder: folder})
	if err == nil {
		_, err = h.CheckToken(context.Background(), token)
	}
	if err != nil {
		log.Fatal(err)
	}
	sides := []*side{{run: inGo(h)}, {run: inC(folder)}, {run: byCgo}}
	for _, s := range sides {
		s.settle()
	}
	for i := 0; i < pairs(); i++ {
		for j := range sides {
			s := sides[j]
			if i%2 == 1 {
				s = sides[len(sides)-1-j]
			}
			s.cost = append(s.cost, s.once())
		}
	}
	ratios := make([]float64, pairs())
	for i := range ratios {
		ratios[i] = sides[0].cost[i] / sides[1].cost[i]
	}
	figure("a remembered verdict from Go, time against C", "ratio", ratios)
	figure("  Handle.CheckToken", "ns", sides[0].cost)
	figure("  monime_check_token from C", "ns", sides[1].cost)
	figure("  a call by cgo that does nothing", "ns", sides[2].cost)
}
