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


#define NGX_HTTP_MONIME_AUTHORIZE_OFF     0
#define NGX_HTTP_MONIME_AUTHORIZE_ON      1
#define NGX_HTTP_MONIME_AUTHORIZE_PUBLIC  2


typedef struct {
    ngx_str_t                        name;
    ngx_str_t                        file;       /* where it is named first */
    ngx_uint_t                       line;

    struct monime                   *handle;

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
} ngx_http_monime_main_conf_t;


typedef struct {
    ngx_http_monime_profile_t       *profile;
    ngx_flag_t                       check;
    ngx_uint_t                       authorize;
    ngx_flag_t                       forward_token;
} ngx_http_monime_loc_conf_t;


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
    ngx_http_monime_loc_conf_t      *conf;       /* of the last check */
    ngx_http_monime_wait_t           check;
    ngx_str_t                        authorization;

    ngx_table_elt_t                 *challenge;
    ngx_table_elt_t                 *retry_after;

    unsigned                         finished:1;
    unsigned                         presented:1;
    unsigned                         malformed:1;
} ngx_http_monime_ctx_t;


ngx_int_t ngx_http_monime_refuse(ngx_http_request_t *r,
    ngx_http_monime_ctx_t *ctx, ngx_int_t status, char *error,
    const char *after);
void ngx_http_monime_wait(ngx_http_monime_wait_t *wait);
void ngx_http_monime_drop(ngx_http_monime_wait_t *wait);


extern ngx_module_t  ngx_http_monime_module;


#endif /* _NGX_HTTP_MONIME_MODULE_H_INCLUDED_ */
