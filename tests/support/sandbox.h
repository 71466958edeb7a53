/* SPDX-License-Identifier: MIT */

/*
 * The sandbox for tests in C: starts tests/sandbox/sandbox.py, scripts its
 * faults, asks what it has seen.
 *
 *	struct sandbox *s = sandbox_start();
 *	const char *folder = sandbox_folder(s);
 *
 *	sandbox_fault(s, "{\"method\": \"POST\", \"drop\": \"status\","
 *			 " \"execute\": true}");
 *	... open "test/payouts" in folder, and use it ...
 *	assert_int_equal(sandbox_effects(s), 1);
 *	sandbox_stop(s);
 *
 * sandbox_start answers NULL, and says why on standard error, when there is
 * no sandbox to be had.  Everything else that goes wrong is a mistake of the
 * test or of the sandbox, never a result: it is told, and the process aborts.
 *
 * A sandbox may be used by any thread.  In a child made by fork it may be
 * used as well; there sandbox_stop only forgets it.  The members of faults
 * and settings are described at the top of sandbox.py.
 */
#ifndef TESTS_SUPPORT_SANDBOX_H
#define TESTS_SUPPORT_SANDBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <json-c/json.h>

struct sandbox;

/*
 * Starts one and waits until it listens.  It dies with this process, however
 * that ends.  The script is found in $MONIME_TESTS, else in TESTS_DIR.
 */
struct sandbox *
sandbox_start(void);

/* Ends it and removes all its folders.  NULL is fine. */
void
sandbox_stop(struct sandbox *s);

/* What sandbox.json says.  The texts belong to the sandbox. */
unsigned int
sandbox_port(struct sandbox *s, const char *server);
const char *
sandbox_origin(struct sandbox *s, const char *server);
const char *
sandbox_token(struct sandbox *s, const char *name);
const char *
sandbox_space(struct sandbox *s, const char *name);
const char *
sandbox_object(struct sandbox *s, const char *name);
const char *
sandbox_ca_file(struct sandbox *s);
const char *
sandbox_ca_path(struct sandbox *s);
/* "server", "wrong_name", ...; its key lies beside it as NAME.key. */
const char *
sandbox_certificate(struct sandbox *s, const char *name);
pid_t
sandbox_pid(struct sandbox *s);

/* Forgets log, effects, faults, objects, revocations and settings. */
void
sandbox_reset(struct sandbox *s);

/* One fault, or an array of them, in JSON. */
void
sandbox_fault(struct sandbox *s, const char *json);
void
sandbox_setting(struct sandbox *s, const char *json);
/* TOKEN is a name, or "oauth" for all that were issued. */
void
sandbox_revoke(struct sandbox *s, const char *token);
/* Lets held requests go, and tells how many that were. */
size_t
sandbox_release(struct sandbox *s);
/* Closes the connections of SERVER (NULL: all) that are not in use. */
size_t
sandbox_close_idle(struct sandbox *s, const char *server);

/*
 * Any action of the control interface.  JSON may be NULL.  The caller puts
 * the answer with json_object_put.
 */
struct json_object *
sandbox_post(struct sandbox *s, const char *path, const char *json);
struct json_object *
sandbox_get(struct sandbox *s, const char *path);

/* Writes that were really carried out. */
long
sandbox_effects(struct sandbox *s);

/* Numbers of one listener since the last reset; NULL: of all listeners. */
size_t
sandbox_requests(struct sandbox *s, const char *server);
size_t
sandbox_connections(struct sandbox *s, const char *server);
size_t
sandbox_bytes(struct sandbox *s, const char *server);
/* The same by name: "open", "handshakes", "raw", "held", ... */
size_t
sandbox_count(struct sandbox *s, const char *what, const char *server);

/*
 * Waits until a number is at least AT_LEAST, for ten seconds at most, and
 * aborts when it never is.  WHAT is a member of GET /counts; SERVER may be
 * NULL.
 */
void
sandbox_wait(struct sandbox *s, const char *what, const char *server,
	     size_t at_least);
/* The same for a number that falls, such as "open" or "held". */
void
sandbox_wait_down(struct sandbox *s, const char *what, const char *server,
		  size_t at_most);

/* GET /log and GET /effects; the caller puts them. */
struct json_object *
sandbox_log(struct sandbox *s);
struct json_object *
sandbox_effect_list(struct sandbox *s);

/*
 * One request of the log, or NULL: the Nth of SERVER, from 0, or from -1
 * backwards.  LOG keeps it.
 */
struct json_object *
sandbox_logged(struct json_object *log, const char *server, long nth);
/* A member of it as text, NULL where it is null; NAME "target", "body", .. */
const char *
sandbox_text(struct json_object *request, const char *name);
/* The Nth value of a header of it, names compared without case, or NULL. */
const char *
sandbox_header(struct json_object *request, const char *name, size_t nth);

/*
 * A fresh configuration folder with the profiles of sandbox/folder.py, where
 * the library trusts files: below /run for root, else below
 * $XDG_RUNTIME_DIR, else below $BUILD_DIR or the macro of that name.  It is
 * gone after sandbox_stop.
 */
const char *
sandbox_folder(struct sandbox *s);

/*
 * Replaces NAME, such as "test/x.conf", in a folder; the mode is exactly
 * MODE, whatever the umask.
 */
void
sandbox_write_file(const char *folder, const char *name, mode_t mode,
		   const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
