/* SPDX-License-Identifier: MIT */

/* Descriptors from one process to another, over a socket. */

#ifndef TESTS_SUPPORT_DESCRIPTOR_H
#define TESTS_SUPPORT_DESCRIPTOR_H

void send_descriptor(int to, int fd);

/* -1: none came. */
int receive_descriptor(int from);

#endif
