/* SPDX-License-Identifier: MIT */

/* From monime(3), an example of an event loop: by libevent. */

#include <err.h>
#include <event2/event.h>
#include <monime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct visitor {
	const char *name;
	const char *token;
};

static int left;

static void
finish(const struct visitor *v, int r)
{
	printf("%s: HTTP status %d\n", v->name, monime_http_status(r));
	left--;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct monime *m = arg;
	struct monime_call *call;

	(void)fd;
	(void)what;
	while ((call = monime_next(m)) != NULL) {
		finish(monime_call_data(call), monime_call_result(call));
		monime_call_free(call);
	}
}

/* A token that is refused here, or remembered, is answered at once. */
static void
ask(struct monime *m, struct visitor *v)
{
	struct monime_call *call;
	int r;

	left++;
	r = monime_check_token_start(m, v->token, strlen(v->token), v,
	    &call);
	if (r == MONIME_EPENDING)
		return;
	finish(v, r);
	monime_call_free(call);
}

int
main(int argc, char **argv)
{
	struct visitor visitors[] = {
		{ "the bearer", argc > 2 ? argv[2] : "" },
		{ "nobody", "" },
	};
	struct event_base *base = event_base_new();
	struct event *readable;
	struct monime *m;
	size_t i;

	if (monime_open("test/gateway", argc > 1 ? argv[1] : NULL, &m) !=
	    MONIME_OK)
		errx(1, "%s", monime_error(m));
	readable = base == NULL ? NULL : event_new(base, monime_fd(m),
	    EV_READ | EV_PERSIST, on_readable, m);
	if (readable == NULL || event_add(readable, NULL) != 0)
		errx(1, "libevent does not start");
	for (i = 0; i < sizeof(visitors) / sizeof(visitors[0]); i++)
		ask(m, &visitors[i]);
	while (left > 0 && event_base_loop(base, EVLOOP_ONCE) == 0)
		continue;
	/* Before the descriptor goes. */
	event_free(readable);
	event_base_free(base);
	monime_close(m);
	return 0;
}
