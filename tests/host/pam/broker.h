/* SPDX-License-Identifier: MIT */

/* Descriptors of processes where this one cannot open any. */

#ifndef BROKER_H
#define BROKER_H

/*
 * A socket to whoever opens descriptors of processes for us, or -1.  What is
 * sent there is a pid_t.  valgrind does not know pidfd_open(2) and its kin
 * before 3.21.
 */
extern int pidfd_broker;

#endif
