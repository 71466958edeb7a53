/* SPDX-License-Identifier: MIT */

/*
 * What the two halves of the module share: checks of presented tokens, and
 * requests that are proxied with the host's own credential.
 */

#ifndef MOD_MONIME_H
#define MOD_MONIME_H

#include "ap_mmn.h"
#include "httpd.h"
#include "http_config.h"
#include "http_core.h"
#include "http_log.h"

#include <monime.h>

#include "refusal.h"

#if !AP_MODULE_MAGIC_AT_LEAST(20120211, 116)
#error the module needs httpd 2.4.49 or later
#endif

/* A directive's, for errors that are found when all have been read. */
typedef struct {
    const char *file;
    int line;
} mod_monime_place;

typedef struct {
    const char *name;
    mod_monime_place place;

    struct monime *handle;

    const char *environment;

    /* of its origin */
    const char *host;
    const char *host_port;
    apr_port_t port;
} mod_monime_profile;

typedef enum {
    MOD_MONIME_AUTHORIZE_UNSET,
    MOD_MONIME_AUTHORIZE_OFF,
    MOD_MONIME_AUTHORIZE_ON,
    MOD_MONIME_AUTHORIZE_PUBLIC
} mod_monime_authorize;

typedef struct {
    mod_monime_profile *profile;
    mod_monime_authorize authorize;
    mod_monime_place authorize_place;
} mod_monime_dir_conf;

/* What became of one request; each redirect and subrequest has its own. */
typedef struct {
    /* The check.  Without a profile there was none. */
    mod_monime_profile *profile;
    int result;
    int presented;
    const char *environment;
    const char *fingerprint;
    const char *source;

    /* The status of an answer whose body is our JSON. */
    int json;

    /* The request's own, while a backend is shown others. */
    apr_table_t *headers_in;

    /* The profile whose credential the request is to be sent with. */
    mod_monime_profile *authorize;
    struct monime_call *call;
    int sent;
    int refusal;
    const char *retry_after;
} mod_monime_request;

extern module AP_MODULE_DECLARE_DATA monime_module
    __attribute__((visibility("default")));

/* The request's record, or NULL; made where there is none. */
mod_monime_request *mod_monime_get_request(request_rec *r);
mod_monime_request *mod_monime_make_request(request_rec *r);

/*
 * Was this request accepted by that profile?  Where httpd itself does not ask
 * again after an internal redirect, the earlier request's verdict holds.
 */
int mod_monime_is_accepted(request_rec *r, const mod_monime_profile *profile);

/*
 * Prepare an answer that refuses, and return its status.  after is the seconds
 * of Retry-After, or NULL.
 */
int mod_monime_refuse(request_rec *r, struct mn_refusal refusal,
                      const char *after);

/* What to say for Retry-After.  Lives as long as the request. */
const char *mod_monime_retry_after(request_rec *r,
                                   const struct monime_call *call);

/*
 * Between these two, lines of the library are the request's.  The queue of
 * OpenSSL's errors is as empty afterwards as httpd expects to find it.
 */
void mod_monime_enter(request_rec *r);
void mod_monime_leave(void);

/*
 * One of the places of a child in which a thread may wait for an answer of the
 * API, so that some are left for other requests.  Returns 0 where there is none
 * within so many milliseconds.
 */
int mod_monime_take_place(int patience);
void mod_monime_leave_place(void);

/* What "MonimeAuthorize" lacks where it stands beside its profile, or NULL. */
const char *mod_monime_authorize_lacks(const mod_monime_dir_conf *conf);

void mod_monime_register_authorize(apr_pool_t *p);

#endif
