/* SPDX-License-Identifier: MIT */

/* See calls.h. */

#include "calls.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "descriptor.h"

#define MARK	0x6d6f6e69	/* where the window begins, and ends */

static int
install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		/* By this the listener is handed over. */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_sendmsg, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* These do not return, or what they do cannot be undone by saying no. */
static bool
can_fail(int nr)
{
	return nr != __NR_exit && nr != __NR_exit_group &&
	    nr != __NR_rt_sigreturn;
}

int
calls_watch(int to)
{
	int listener;

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener = install_filter();
	if (listener < 0)
		return -1;
	send_descriptor(to, listener);
	return close(listener);
}

void
calls_mark(void)
{
	(void)syscall(SYS_getpriority, MARK, 0);
}

void
calls_supervise(int from, struct calls_tally *tally)
{
	struct seccomp_notif request;
	struct seccomp_notif_resp answer;
	struct pollfd fds = { .events = POLLIN };
	bool open = false;
	pid_t host = 0;

	fds.fd = receive_descriptor(from);
	while (fds.fd >= 0 && poll(&fds, 1, -1) >= 0 &&
	    (fds.revents & POLLIN) != 0) {
		memset(&request, 0, sizeof(request));
		if (ioctl(fds.fd, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
			continue;
		memset(&answer, 0, sizeof(answer));
		answer.id = request.id;
		answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		if (host == 0)
			host = (pid_t)request.pid;	/* the first is ours */
		else if (request.data.nr == __NR_getpriority &&
		    request.data.args[0] == MARK)
			open = !open;
		else if (open && can_fail(request.data.nr) &&
		    (tally->can_fail == NULL ||
		    tally->can_fail(request.data.nr)) &&
		    ++tally->calls == tally->at) {
			answer.flags = 0;
			answer.error = -tally->number;
			tally->failed = request.data.nr;
			tally->by_host = (pid_t)request.pid == host;
		}
		(void)ioctl(fds.fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
	if (fds.fd >= 0)
		(void)close(fds.fd);
}
