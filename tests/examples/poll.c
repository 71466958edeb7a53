/* SPDX-License-Identifier: MIT */

/* From monime(3), an example of an event loop: by poll(2). */

#include <err.h>
#include <monime.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const paths[] = {
	"/v1/financial-accounts", "/v1/payouts", "/v1/payments"
};
static int left;

/* One call at a time comes back, whichever is first. */
static void
take(struct monime *m)
{
	struct monime_call *call;

	while ((call = monime_next(m)) != NULL) {
		printf("%s: %s\n", (const char *)monime_call_data(call),
		    monime_strerror(monime_call_result(call)));
		monime_call_free(call);
		left--;
	}
}

int
main(int argc, char **argv)
{
	struct pollfd watched = { .events = POLLIN };
	struct monime_call *call;
	struct monime *m;
	size_t i;
	int r;

	if (monime_open("test/payouts", argc > 1 ? argv[1] : NULL, &m) !=
	    MONIME_OK)
		errx(1, "%s", monime_error(m));
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		r = monime_request_start(m, "GET", paths[i], NULL, NULL, 0,
		    (void *)paths[i], &call);
		if (r != MONIME_EPENDING)
			errx(1, "%s", monime_call_error(call));
		left++;
	}
	if ((watched.fd = monime_fd(m)) < 0)
		errx(1, "%s", monime_strerror(watched.fd));
	/* No time limit: the calls' own deadlines wake it. */
	while (left > 0) {
		if (poll(&watched, 1, -1) < 0)
			err(1, "poll");
		take(m);
	}
	monime_close(m);
	return 0;
}
