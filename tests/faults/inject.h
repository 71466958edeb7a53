/* SPDX-License-Identifier: MIT */

/*
 * Faults on demand.  inject.so stands before libc and before the libraries
 * that libmonime uses, linked or preloaded, and lets one of their calls fail
 * where a test says so:
 *
 *	fault->kinds = FAULT_ALLOC_OURS;
 *	fault->at = 7;
 *	fault->armed = 1;
 *	...				the seventh allocation fails
 *	fault->armed = 0;
 *
 * Whose a call is tells the address that it returns to.  In a program of which
 * no line is ours the block is the file FAULT_CONTROL, mapped; or else the
 * environment sets its first words: FAULT_KINDS, FAULT_AT, FAULT_HOW, and at
 * the end the counts are written to the file FAULT_COUNT.  FAULT_MAIN tells
 * what the program itself is: "ours" or "host", else a test.
 */

#ifndef TESTS_FAULTS_INJECT_H
#define TESTS_FAULTS_INJECT_H

#include <stdint.h>

enum {
	FAULT_ALLOC_OURS = 1,	/* allocations that our own code asks for */
	FAULT_CALL_OURS = 2,	/* its system calls, and what it asks of the */
				/* libraries */
	FAULT_OPEN_OURS = 4,	/* those of them that give a descriptor */
	FAULT_ALLOC_OTHERS = 8,	/* allocations of those libraries */
	FAULT_ALLOC_TLS = 16,	/* and of OpenSSL */
	FAULT_ALLOC_HOST = 32,	/* and of the program, where it is a host */
	FAULT_KINDS = 6
};

enum { FAULT_OBJECTS = 6 };

/* In the order of the file; all numbers little-endian, as they are here. */
struct fault {
	uint32_t armed;
	uint32_t kinds;
	uint32_t at;		/* the first that fails; 0: none */
	uint32_t lasting;	/* and all that follow it */
	uint32_t how;		/* which of the errors that it can give */
	uint32_t count;		/* of those kinds, since it was set to 0 */
	uint32_t failed;	/* of these */
	uint32_t tracking;	/* remember what is allocated */
	int64_t clock;		/* ms that the clocks are ahead */
	int32_t objects[FAULT_OBJECTS];	/* open: fault_object_names */
	uint32_t blocks_ours;	/* allocated since tracking, and not freed */
	uint32_t blocks_others;
	uint32_t blocks_tls;
	uint32_t counts[FAULT_KINDS];	/* of every kind, by its bit */
	char what[64];		/* the first that failed */
	char where[128];	/* and who called it */
};

extern struct fault *fault;

extern const char *const fault_object_names[FAULT_OBJECTS];

/* Forget what is open and allocated, and remember what comes. */
void
fault_track(void);

/* Write down who asked for the blocks that one of the three counts. */
void
fault_tell_blocks(char *text, unsigned long size, const uint32_t *of);

/* In a handler of a signal: who is on the stack; the first of them is ours? */
int
fault_backtrace(char *text, unsigned long size);

#endif
