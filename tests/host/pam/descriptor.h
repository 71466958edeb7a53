/* SPDX-License-Identifier: MIT */

/* Descriptors from one process to another, over a socket. */

#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

void send_descriptor(int to, int fd);

/* -1: none came. */
int receive_descriptor(int from);

/*
 * A socket to whoever opens descriptors of processes for us, or -1.  What is
 * sent there is a pid_t.  valgrind does not know pidfd_open(2) and its kin
 * before 3.21.
 */
extern int pidfd_broker;

#endif
