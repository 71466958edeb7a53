/* SPDX-License-Identifier: MIT */

/* Descriptors of processes, from another process.  See broker.h. */

#include "broker.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "descriptor.h"

int pidfd_broker = -1;

static int
ask_broker(pid_t pid)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int fd = -1;

	pthread_mutex_lock(&lock);
	if (send(pidfd_broker, &pid, sizeof(pid), MSG_NOSIGNAL) ==
	    sizeof(pid))
		fd = receive_descriptor(pidfd_broker);
	pthread_mutex_unlock(&lock);
	if (fd < 0)
		errno = ESRCH;
	return fd;
}

static int
signal_process(int fd, int number)
{
	char path[64], line[256];
	int pid = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "Pid: %d", &pid);
	if (f != NULL)
		fclose(f);
	if (pid > 0)
		return kill(pid, number);
	errno = ESRCH;
	return -1;
}

static long (*real)(long, ...);

__attribute__((constructor)) static void
find_real(void)
{
	real = (long (*)(long, ...))(uintptr_t)dlsym(RTLD_NEXT, "syscall");
}

/* The module's calls come here first. */
long
syscall(long number, ...)
{
	long a[6];
	va_list ap;
	size_t i;

	va_start(ap, number);
	for (i = 0; i < sizeof(a) / sizeof(a[0]); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_pidfd_open && pidfd_broker >= 0)
		return ask_broker((pid_t)a[0]);
	if (number == SYS_pidfd_send_signal && pidfd_broker >= 0)
		return signal_process((int)a[0], (int)a[1]);
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
