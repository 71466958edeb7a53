// SPDX-License-Identifier: MIT

// Package heap tells what C has allocated.  Tests may not use cgo by themselves.
package heap

/*
#include <malloc.h>

// Of several arenas mallinfo2() would tell the first.
static void __attribute__((constructor))
one_arena(void)
{
	mallopt(M_ARENA_MAX, 1);
}

static size_t
used(void)
{
	return mallinfo2().uordblks;
}
*/
import "C"

// InUse is how many bytes C's allocator has given out.
func InUse() int {
	return int(C.used())
}
