/* SPDX-License-Identifier: MIT */

/*
 * What the two halves of the module share: checks of presented tokens, and
 * requests that are authorized with the host's own credential.
 */


#ifndef _NGX_HTTP_MONIME_MODULE_H_INCLUDED_
#define _NGX_HTTP_MONIME_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <monime.h>

#include "refusal.h"


#if !(NGX_HTTP_SSL)
#error the module needs an nginx with SSL
#endif


#define NGX_HTTP_MONIME_AUTHORIZE_OFF     0
#define NGX_HTTP_MONIME_AUTHORIZE_ON      1
#define NGX_HTTP_MONIME_AUTHORIZE_PUBLIC  2

/* the variables of requests that are authorized */

#define NGX_HTTP_MONIME_AUTHORIZATION     1
#define NGX_HTTP_MONIME_SPACE             2


/* of a directive, for errors that are found when all have been read */

typedef struct {
    ngx_str_t                        file;
    ngx_uint_t                       line;
} ngx_http_monime_place_t;


typedef struct {
    ngx_str_t                        name;
    ngx_http_monime_place_t          place;

    struct monime                   *handle;

    ngx_str_t                        host;       /* of its origin */
    in_port_t                        port;

    /* of a worker */

    ngx_connection_t                *connection; /* watches monime_fd() */
    ngx_event_t                      hold;
    ngx_uint_t                       pending;
} ngx_http_monime_profile_t;


typedef struct {
    ngx_str_t                        folder;
    ngx_array_t                      profiles;
                                     /* ngx_http_monime_profile_t * */
    struct monime                  **handles;

    ngx_array_t                      locations;
                                     /* ngx_http_monime_location_t */
    ngx_str_t                        placeholder;
    ngx_int_t                        index;      /* of a remembered yes */
} ngx_http_monime_main_conf_t;


typedef struct {
    ngx_http_monime_profile_t       *profile;
    ngx_flag_t                       check;
    ngx_uint_t                       authorize;
    ngx_flag_t                       forward_token;

    ngx_http_monime_place_t          check_place;
    ngx_http_monime_place_t          authorize_place;

    ngx_uint_t                       proxied;    /* perhaps by "https://" */
} ngx_http_monime_loc_conf_t;


/* where requests are authorized */

typedef struct {
    ngx_http_monime_loc_conf_t      *conf;
    void                           **loc_conf;
} ngx_http_monime_location_t;


typedef void (*ngx_http_monime_resume_pt)(ngx_http_request_t *r);


/* a call of the library, and who goes on when it has finished */

typedef struct {
    ngx_http_request_t              *request;
    ngx_http_monime_profile_t       *profile;
    ngx_http_monime_resume_pt        resume;
    struct monime_call              *call;
    int                              result;
    unsigned                         pending:1;
} ngx_http_monime_wait_t;


typedef struct {
    ngx_http_monime_wait_t           wait;
    ngx_http_handler_pt              content_handler;
    ngx_http_upstream_t             *upstream;
    ngx_chain_t                     *request;    /* as it is sent */
    ngx_str_t                        secret;     /* the head of it */
    ngx_atomic_uint_t                proven;     /* a connection's number */
    char                            *reason;     /* why there is no value */

    unsigned                         building:1;
    unsigned                         asked:2;    /* for these values */
} ngx_http_monime_authorize_t;


typedef struct {
    ngx_http_monime_loc_conf_t      *conf;       /* of the last check */
    ngx_http_monime_wait_t           check;

    ngx_http_monime_authorize_t      authorize;

    ngx_table_elt_t                 *challenge;
    ngx_table_elt_t                 *retry_after;

    unsigned                         finished:1;
    unsigned                         presented:1;
} ngx_http_monime_ctx_t;


ngx_http_monime_ctx_t *ngx_http_monime_get_ctx(ngx_http_request_t *r);
ngx_http_monime_ctx_t *ngx_http_monime_create_ctx(ngx_http_request_t *r);
ngx_uint_t ngx_http_monime_is_accepted(ngx_http_request_t *r,
    ngx_http_monime_loc_conf_t *mlcf);
ngx_int_t ngx_http_monime_refuse(ngx_http_request_t *r,
    struct mn_refusal refusal, const char *after);
const char *ngx_http_monime_retry_after(struct monime_call *call);
ngx_int_t ngx_http_monime_suspend(ngx_http_request_t *r);
void ngx_http_monime_started(ngx_http_monime_wait_t *wait);
void ngx_http_monime_drop(ngx_http_monime_wait_t *wait);

ngx_int_t ngx_http_monime_authorize_handler(ngx_http_request_t *r,
    ngx_http_monime_loc_conf_t *mlcf);
void ngx_http_monime_forget(ngx_http_monime_authorize_t *a);
ngx_int_t ngx_http_monime_credential_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
char *ngx_http_monime_authorize_lacks(ngx_http_monime_loc_conf_t *conf);
void ngx_http_monime_authorize_init(ngx_conf_t *cf, ngx_array_t *locations);


extern ngx_log_t    *ngx_http_monime_request_log;
extern ngx_module_t  ngx_http_monime_module;


#endif /* _NGX_HTTP_MONIME_MODULE_H_INCLUDED_ */
