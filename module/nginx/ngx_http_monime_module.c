/* SPDX-License-Identifier: MIT */

/*
 * Checks of the tokens that clients present, by libmonime.
 *
 * The access handler starts a check and, where the answer is not known yet,
 * waits as limit_req does.  The library's one descriptor is watched like a
 * connection; when it tells that a check has finished, the phases of that
 * request go on.  Nothing here blocks.
 *
 * Only MONIME_OK lets anybody in.
 */


#include "ngx_http_monime_module.h"

#include <sys/prctl.h>
#include <syslog.h>

#include "status.h"


/* how often a worker looks whether it still has to wait, in ms */

#define NGX_HTTP_MONIME_HOLD  60000


static ngx_int_t ngx_http_monime_access_handler(ngx_http_request_t *r);
static void ngx_http_monime_check(ngx_http_request_t *r,
    ngx_http_monime_ctx_t *ctx, const char *token, size_t len);
static ngx_int_t ngx_http_monime_verdict(ngx_http_request_t *r,
    ngx_http_monime_loc_conf_t *mlcf, ngx_http_monime_ctx_t *ctx);
static ngx_int_t ngx_http_monime_accept(ngx_http_request_t *r,
    ngx_http_monime_loc_conf_t *mlcf);
static void ngx_http_monime_remember(ngx_http_request_t *r,
    ngx_http_monime_loc_conf_t *mlcf);
static ngx_http_monime_loc_conf_t *ngx_http_monime_remembered(
    ngx_http_request_t *r);
static void ngx_http_monime_check_resume(ngx_http_request_t *r);
static ngx_int_t ngx_http_monime_refuse_token(ngx_http_request_t *r,
    ngx_http_monime_ctx_t *ctx);
static ngx_uint_t ngx_http_monime_wants_json(ngx_http_request_t *r,
    ngx_int_t status);
static ngx_int_t ngx_http_monime_send_json(ngx_http_request_t *r,
    struct mn_refusal refusal);
static ngx_int_t ngx_http_monime_precontent_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_monime_hide_token(ngx_http_request_t *r);

static ngx_int_t ngx_http_monime_set_header(ngx_http_request_t *r,
    ngx_table_elt_t **header, char *name, const char *value);
static ngx_uint_t ngx_http_monime_for_people(ngx_http_request_t *r);

static void ngx_http_monime_cleanup_ctx(void *data);

static ngx_int_t ngx_http_monime_watch(ngx_http_monime_profile_t *profile);
static void ngx_http_monime_read_handler(ngx_event_t *rev);
static void ngx_http_monime_hold_handler(ngx_event_t *ev);
static void ngx_http_monime_unhold(ngx_http_monime_profile_t *profile);
static void ngx_http_monime_log_line(void *data, int level, const char *line);

static ngx_int_t ngx_http_monime_status_handler(ngx_http_request_t *r);
static void ngx_http_monime_cleanup_text(void *data);

static ngx_int_t ngx_http_monime_verdict_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_monime_fact_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

static const char *ngx_http_monime_remembered_fact(ngx_http_request_t *r,
    ngx_http_monime_loc_conf_t *mlcf, const char *name);
static void ngx_http_monime_set_value(ngx_http_variable_value_t *v,
    const char *value);
static ngx_int_t ngx_http_monime_no_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

static ngx_int_t ngx_http_monime_add_variables(ngx_conf_t *cf);
static void *ngx_http_monime_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_monime_init_main_conf(ngx_conf_t *cf, void *conf);
static ngx_int_t ngx_http_monime_open(ngx_conf_t *cf,
    ngx_http_monime_main_conf_t *mmcf, ngx_http_monime_profile_t *profile);
static void ngx_http_monime_set_origin(ngx_http_monime_profile_t *profile);
static void ngx_http_monime_close(void *data);
static void *ngx_http_monime_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_monime_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_monime_set_profile(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_monime_set_check(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_monime_set_authorize(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void ngx_http_monime_note_place(ngx_conf_t *cf,
    ngx_http_monime_place_t *place);
static char *ngx_http_monime_set_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_monime_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_monime_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_monime_init_process(ngx_cycle_t *cycle);
static void ngx_http_monime_exit_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_http_monime_authorize[] = {
    { ngx_string("off"), NGX_HTTP_MONIME_AUTHORIZE_OFF },
    { ngx_string("on"), NGX_HTTP_MONIME_AUTHORIZE_ON },
    { ngx_string("public"), NGX_HTTP_MONIME_AUTHORIZE_PUBLIC },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_monime_commands[] = {

    { ngx_string("monime_folder"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_monime_main_conf_t, folder),
      NULL },

    { ngx_string("monime_profile"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LMT_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_monime_set_profile,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("monime_check"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LMT_CONF
                        |NGX_CONF_FLAG,
      ngx_http_monime_set_check,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_monime_loc_conf_t, check),
      NULL },

    { ngx_string("monime_authorize"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_monime_set_authorize,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_monime_loc_conf_t, authorize),
      &ngx_http_monime_authorize },

    { ngx_string("monime_forward_token"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_monime_loc_conf_t, forward_token),
      NULL },

    { ngx_string("monime_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_monime_set_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_monime_module_ctx = {
    ngx_http_monime_add_variables,         /* preconfiguration */
    ngx_http_monime_init,                  /* postconfiguration */

    ngx_http_monime_create_main_conf,      /* create main configuration */
    ngx_http_monime_init_main_conf,        /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_monime_create_loc_conf,       /* create location configuration */
    ngx_http_monime_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_monime_module = {
    NGX_MODULE_V1,
    &ngx_http_monime_module_ctx,           /* module context */
    ngx_http_monime_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_monime_init_module,           /* init module */
    ngx_http_monime_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_monime_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_monime_vars[] = {

    { ngx_string("monime remembered"), NULL,
      ngx_http_monime_no_variable, 0, 0, 0 },

    { ngx_string("monime_verdict"), NULL,
      ngx_http_monime_verdict_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("monime_environment"), NULL,
      ngx_http_monime_fact_variable, (uintptr_t) "environment",
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("monime_fingerprint"), NULL,
      ngx_http_monime_fact_variable, (uintptr_t) "fingerprint",
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("monime_source"), NULL,
      ngx_http_monime_fact_variable, (uintptr_t) "source",
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("monime_authorization"), NULL,
      ngx_http_monime_credential_variable, NGX_HTTP_MONIME_AUTHORIZATION,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("monime_space"), NULL,
      ngx_http_monime_credential_variable, NGX_HTTP_MONIME_SPACE,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


/* of the request that is inside the library, so that its lines name it */

ngx_log_t  *ngx_http_monime_request_log;


static ngx_int_t
ngx_http_monime_access_handler(ngx_http_request_t *r)
{
    int                          result;
    size_t                       len;
    ngx_str_t                   *value;
    const char                  *token;
    ngx_http_monime_ctx_t       *ctx;
    ngx_http_monime_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_monime_module);

    if (!mlcf->check) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_monime_module);

    if (ctx && ctx->finished) {
        ctx->finished = 0;
        return ngx_http_monime_verdict(r, mlcf, ctx);
    }

    token = NULL;
    len = 0;

    if (r->headers_in.authorization) {
        value = &r->headers_in.authorization->value;
        token = monime_bearer((char *) value->data, value->len, &len);
    }

    result = MONIME_EPENDING;

    if (len) {
        ngx_http_monime_request_log = r->connection->log;

        result = monime_check_token_start(mlcf->profile->handle, token, len,
                                          NULL, NULL);

        ngx_http_monime_request_log = NULL;

        if (result == MONIME_OK) {
            ngx_http_monime_remember(r, mlcf);
            return ngx_http_monime_accept(r, mlcf);
        }
    }

    ctx = ngx_http_monime_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_monime_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ngx_http_monime_remember(r, NULL);

    ngx_http_monime_drop(&ctx->check);

    ctx->conf = mlcf;
    ctx->presented = (len != 0);
    ctx->check.result = result;

    if (result == MONIME_EPENDING) {
        ngx_http_monime_check(r, ctx, token, len);

        if (ctx->check.pending) {
            return ngx_http_monime_suspend(r);
        }
    }

    return ngx_http_monime_verdict(r, mlcf, ctx);
}


static void
ngx_http_monime_check(ngx_http_request_t *r, ngx_http_monime_ctx_t *ctx,
    const char *token, size_t len)
{
    ngx_http_monime_wait_t  *wait;

    wait = &ctx->check;

    wait->profile = ctx->conf->profile;

    ngx_http_monime_request_log = r->connection->log;

    wait->result = monime_check_token_start(wait->profile->handle, token, len,
                                            wait, &wait->call);

    ngx_http_monime_request_log = NULL;

    ngx_http_monime_started(wait);
}


static ngx_int_t
ngx_http_monime_verdict(ngx_http_request_t *r,
    ngx_http_monime_loc_conf_t *mlcf, ngx_http_monime_ctx_t *ctx)
{
    if (ctx->check.result == MONIME_OK) {
        return ngx_http_monime_accept(r, mlcf);
    }

    return ngx_http_monime_refuse_token(r, ctx);
}


static ngx_int_t
ngx_http_monime_accept(ngx_http_request_t *r, ngx_http_monime_loc_conf_t *mlcf)
{
    if (!mlcf->forward_token && ngx_http_monime_hide_token(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


/*
 * A token that is remembered needs no context: that its location's profile
 * accepts it is all there is to know.  It stands among the values of variables,
 * which internal redirects leave alone.
 */

static void
ngx_http_monime_remember(ngx_http_request_t *r,
    ngx_http_monime_loc_conf_t *mlcf)
{
    ngx_http_variable_value_t    *v;
    ngx_http_monime_main_conf_t  *mmcf;

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_monime_module);

    v = &r->variables[mmcf->index];

    v->valid = (mlcf != NULL);
    v->data = (u_char *) mlcf;
}


static ngx_http_monime_loc_conf_t *
ngx_http_monime_remembered(ngx_http_request_t *r)
{
    ngx_http_variable_value_t    *v;
    ngx_http_monime_main_conf_t  *mmcf;

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_monime_module);

    v = &r->main->variables[mmcf->index];

    return v->valid ? (ngx_http_monime_loc_conf_t *) v->data : NULL;
}


/* Was it accepted in this location?  A subrequest was never checked itself. */

ngx_uint_t
ngx_http_monime_is_accepted(ngx_http_request_t *r,
    ngx_http_monime_loc_conf_t *mlcf)
{
    ngx_http_monime_ctx_t  *ctx;

    if (r != r->main) {
        return 0;
    }

    if (ngx_http_monime_remembered(r) == mlcf) {
        return 1;
    }

    ctx = ngx_http_monime_get_ctx(r);

    return ctx && ctx->conf == mlcf && ctx->check.result == MONIME_OK;
}


ngx_int_t
ngx_http_monime_suspend(ngx_http_request_t *r)
{
    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else {
        if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_AGAIN;
}


static void
ngx_http_monime_check_resume(ngx_http_request_t *r)
{
    ngx_http_monime_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_monime_module);

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ctx->finished = 1;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_monime_refuse_token(ngx_http_request_t *r, ngx_http_monime_ctx_t *ctx)
{
    ngx_str_t           value;
    const char         *after;
    struct mn_refusal   refusal;

    if (ctx->presented) {
        refusal = mn_refusal_of_token(ctx->check.result);

    } else {
        ngx_str_null(&value);

        if (r->headers_in.authorization) {
            value = r->headers_in.authorization->value;
        }

        refusal = mn_refusal_of_nobody(ctx->check.result, (char *) value.data,
                                       value.len);
    }

    after = NULL;

    if (refusal.status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        after = ngx_http_monime_retry_after(ctx->check.call);
    }

    return ngx_http_monime_refuse(r, refusal, after);
}


const char *
ngx_http_monime_retry_after(struct monime_call *call)
{
    const char  *after;

    after = monime_call_get(call, "retry-after");

    return after ? after : MN_REFUSAL_RETRY_AFTER;
}


/*
 * The answer of a phase handler that refuses: a status, with which nginx goes
 * on as it does with any other, or NGX_DONE where JSON was sent.
 */

ngx_int_t
ngx_http_monime_refuse(ngx_http_request_t *r, struct mn_refusal refusal,
    const char *after)
{
    ngx_http_monime_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_monime_module);

    if (refusal.challenge) {
        if (ngx_http_monime_set_header(r, &ctx->challenge, "WWW-Authenticate",
                                       refusal.challenge)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        r->headers_out.www_authenticate = ctx->challenge;
    }

    if (after) {
        if (ngx_http_monime_set_header(r, &ctx->retry_after, "Retry-After",
                                       after)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (!ngx_http_monime_wants_json(r, refusal.status)) {
        return refusal.status;
    }

    return ngx_http_monime_send_json(r, refusal);
}


/*
 * Whatever else may decide on the answer comes first: "satisfy any",
 * "auth_delay", "error_page".
 */

static ngx_uint_t
ngx_http_monime_wants_json(ngx_http_request_t *r, ngx_int_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY
        || (status == NGX_HTTP_UNAUTHORIZED && clcf->auth_delay))
    {
        return 0;
    }

    if (clcf->error_pages) {
        page = clcf->error_pages->elts;

        for (i = 0; i < clcf->error_pages->nelts; i++) {
            if (page[i].status == status) {
                return 0;
            }
        }
    }

    return !ngx_http_monime_for_people(r);
}


static ngx_int_t
ngx_http_monime_send_json(ngx_http_request_t *r, struct mn_refusal refusal)
{
    ngx_str_t                  type;
    ngx_http_complex_value_t   cv;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    /* a copy: filters of bodies may write where they read */

    cv.value.len = ngx_strlen(refusal.body);

    cv.value.data = ngx_pnalloc(r->pool, cv.value.len);
    if (cv.value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(cv.value.data, refusal.body, cv.value.len);

    ngx_str_set(&type, "application/json");

    /* nobody is asked for the body of a request that is refused */

    r->expect_tested = 1;

    ngx_http_finalize_request(r, ngx_http_send_response(r, refusal.status,
                                                        &type, &cv));
    return NGX_DONE;
}


/* Access handlers are passed over by "satisfy any", and in subrequests. */

static ngx_int_t
ngx_http_monime_precontent_handler(ngx_http_request_t *r)
{
    ngx_http_monime_ctx_t       *ctx;
    ngx_http_monime_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_monime_module);

    if (!mlcf->check && mlcf->authorize == NGX_HTTP_MONIME_AUTHORIZE_OFF) {

        /* "error_page" may have led here from a location that refused it */

        ctx = ngx_http_monime_get_ctx(r);

        if (ctx && ctx->conf && ctx->presented && !ctx->conf->forward_token
            && ngx_http_monime_hide_token(r) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_DECLINED;
    }

    if (!mlcf->forward_token
        && (r != r->main || ngx_http_monime_remembered(r) != mlcf)
        && ngx_http_monime_hide_token(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (mlcf->authorize == NGX_HTTP_MONIME_AUTHORIZE_OFF) {
        return NGX_DECLINED;
    }

    return ngx_http_monime_authorize_handler(r, mlcf);
}


/*
 * What goes to upstreams is the list; it is cut in two around the header.  The
 * others stay where they are, since r->headers_in points to them, as it still
 * does to this one: a location of an internal redirect may want it checked.  A
 * subrequest has a list of its own, so nothing is noted in the header itself.
 */

static ngx_int_t
ngx_http_monime_hide_token(ngx_http_request_t *r)
{
    ngx_list_t       *list;
    ngx_uint_t        i, n, size;
    ngx_list_part_t  *part, *prev, *rest;
    ngx_table_elt_t  *h, *header;

    h = r->headers_in.authorization;

    if (h == NULL) {
        return NGX_OK;
    }

    list = &r->headers_in.headers;
    prev = NULL;

    for (part = &list->part; part; part = part->next) {
        header = part->elts;

        if (h >= header && h < header + part->nelts) {
            break;
        }

        prev = part;
    }

    if (part == NULL) {
        return NGX_OK;
    }

    i = h - header;
    n = part->nelts - i - 1;

    /* what is left of the last part has room for so many less */

    size = (list->last == part) ? list->nalloc - i - 1 : list->nalloc;

    if (i && n) {
        rest = ngx_palloc(r->pool, sizeof(ngx_list_part_t));
        if (rest == NULL) {
            return NGX_ERROR;
        }

        rest->elts = h + 1;
        rest->nelts = n;
        rest->next = part->next;

        part->nelts = i;
        part->next = rest;

        if (list->last == part) {
            list->last = rest;
        }

    } else if (i) {
        part->nelts = i;

        size = (list->last == part) ? i : size;

    } else if (n || prev == NULL) {
        part->elts = h + 1;
        part->nelts = n;

    } else {

        /* no part but the first may be empty */

        prev->next = part->next;

        if (list->last == part) {
            list->last = prev;
            size = list->nalloc;
        }
    }

    list->nalloc = size;

    return NGX_OK;
}


/* An earlier value of ours is replaced. */

static ngx_int_t
ngx_http_monime_set_header(ngx_http_request_t *r, ngx_table_elt_t **header,
    char *name, const char *value)
{
    size_t            len;
    u_char           *p;
    ngx_table_elt_t  *h;

    len = ngx_strlen(value);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, value, len);

    h = *header;

    if (h == NULL) {
        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(h, sizeof(ngx_table_elt_t));

        h->key.len = ngx_strlen(name);
        h->key.data = (u_char *) name;

        *header = h;
    }

    h->hash = 1;
    h->value.len = len;
    h->value.data = p;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_monime_for_people(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == sizeof("Accept") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "Accept",
                                   sizeof("Accept") - 1) == 0
                && mn_status_for_people((char *) h[i].value.data,
                                        h[i].value.len))
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_http_monime_ctx_t *
ngx_http_monime_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_monime_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_monime_module);

    if (ctx || (!r->internal && !r->filter_finalize)) {
        return ctx;
    }

    /* an internal redirect has reset the contexts of modules */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_monime_cleanup_ctx) {
            ctx = cln->data;

            if (ctx->check.request == r) {
                ngx_http_set_ctx(r, ctx, ngx_http_monime_module);
                return ctx;
            }
        }
    }

    return NULL;
}


ngx_http_monime_ctx_t *
ngx_http_monime_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_monime_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_monime_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_monime_ctx_t));

    ctx->check.request = r;
    ctx->check.resume = ngx_http_monime_check_resume;
    ctx->check.result = MN_REFUSAL_UNKNOWN;

    cln->handler = ngx_http_monime_cleanup_ctx;

    ngx_http_set_ctx(r, ctx, ngx_http_monime_module);

    return ctx;
}


static void
ngx_http_monime_cleanup_ctx(void *data)
{
    ngx_http_monime_ctx_t  *ctx = data;

    ngx_http_monime_forget(&ctx->authorize);
    ngx_http_monime_drop(&ctx->check);
}


/*
 * A call that is pending is reported by the descriptor of its profile, which
 * is watched from the first such call on: what this process never needs, as
 * the cache manager does not, is not opened.
 *
 * Wherever the library may have used connections, what it left in OpenSSL's
 * queue of errors is taken away: nginx would find it there and think it its
 * own.
 */

void
ngx_http_monime_started(ngx_http_monime_wait_t *wait)
{
    ngx_http_monime_profile_t  *profile;

    ERR_clear_error();

    if (wait->result != MONIME_EPENDING) {
        return;
    }

    profile = wait->profile;

    if (profile->connection == NULL
        && ngx_http_monime_watch(profile) != NGX_OK)
    {
        ngx_http_monime_drop(wait);
        wait->result = MONIME_ESYS;
        return;
    }

    wait->pending = 1;
    profile->pending++;

    /* a worker that is to leave waits for timers alone */

    if (!profile->hold.timer_set) {
        ngx_add_timer(&profile->hold, NGX_HTTP_MONIME_HOLD);
    }
}


/* Forget a call, pending or not. */

void
ngx_http_monime_drop(ngx_http_monime_wait_t *wait)
{
    monime_call_free(wait->call);
    wait->call = NULL;

    if (wait->pending) {
        wait->pending = 0;
        ngx_http_monime_unhold(wait->profile);

        ERR_clear_error();
    }
}


static ngx_int_t
ngx_http_monime_watch(ngx_http_monime_profile_t *profile)
{
    int                fd;
    ngx_log_t         *log;
    ngx_connection_t  *c;

    log = ngx_cycle->log;

    fd = monime_fd(profile->handle);

    if (fd < 0) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "monime: %V: no descriptor: %s",
                      &profile->name, monime_strerror(fd));
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = profile;
    c->log = log;

    c->read->handler = ngx_http_monime_read_handler;
    c->read->log = log;
    c->write->log = log;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        c->fd = (ngx_socket_t) -1;
        ngx_free_connection(c);
        return NGX_ERROR;
    }

    profile->connection = c;

    profile->hold.handler = ngx_http_monime_hold_handler;
    profile->hold.data = c;
    profile->hold.log = log;

    return NGX_OK;
}


static void
ngx_http_monime_read_handler(ngx_event_t *rev)
{
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    struct monime_call         *call;
    ngx_http_monime_wait_t     *wait;
    ngx_http_monime_profile_t  *profile;

    c = rev->data;
    profile = c->data;

    for ( ;; ) {
        call = monime_next(profile->handle);

        ERR_clear_error();

        if (call == NULL) {
            return;
        }

        wait = monime_call_data(call);

        wait->pending = 0;
        wait->result = monime_call_result(call);

        ngx_http_monime_unhold(profile);

        r = wait->request;
        c = r->connection;

        ngx_http_set_log_request(c->log, r);

        wait->resume(r);

        ngx_http_run_posted_requests(c);
    }
}


static void
ngx_http_monime_hold_handler(ngx_event_t *ev)
{
    /* it is set exactly while calls are pending */

    ngx_add_timer(ev, NGX_HTTP_MONIME_HOLD);
}


static void
ngx_http_monime_unhold(ngx_http_monime_profile_t *profile)
{
    if (--profile->pending == 0) {
        ngx_del_timer(&profile->hold);
    }
}


/* Levels of syslog(3) are one below nginx's. */

static void
ngx_http_monime_log_line(void *data, int level, const char *line)
{
    ngx_log_t  *log;

    log = ngx_http_monime_request_log ? ngx_http_monime_request_log
                                      : ngx_cycle->log;

    ngx_log_error((ngx_uint_t) level + 1, log, 0, "monime: %s", line);
}


static ngx_int_t
ngx_http_monime_status_handler(ngx_http_request_t *r)
{
    char                         *text;
    size_t                        len;
    ngx_int_t                     rc;
    ngx_buf_t                    *b;
    ngx_chain_t                   out;
    ngx_table_elt_t              *h;
    ngx_pool_cleanup_t           *cln;
    const struct mn_status       *status;
    ngx_http_monime_main_conf_t  *mmcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_monime_module);

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    status = mn_status_choose(ngx_http_monime_for_people(r));

    text = mn_status_text(status, mmcf->handles, mmcf->profiles.nelts, &len);
    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_monime_cleanup_text;
    cln->data = text;

    h = NULL;

    if (ngx_http_monime_set_header(r, &h, "Cache-Control",
                                   MN_STATUS_CACHE_CONTROL)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = len;
    r->headers_out.content_type.len = ngx_strlen(status->type);
    r->headers_out.content_type.data = (u_char *) status->type;
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = (u_char *) text;
    b->last = b->pos + len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static void
ngx_http_monime_cleanup_text(void *data)
{
    free(data);
}


static ngx_int_t
ngx_http_monime_verdict_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    int                     result;
    ngx_http_monime_ctx_t  *ctx;

    result = MONIME_OK;

    if (ngx_http_monime_remembered(r) == NULL) {
        ctx = ngx_http_monime_get_ctx(r->main);

        if (ctx == NULL || ctx->conf == NULL) {
            v->not_found = 1;
            return NGX_OK;
        }

        result = ctx->check.result;
    }

    ngx_http_monime_set_value(v, mn_refusal_verdict(result));

    return NGX_OK;
}


static ngx_int_t
ngx_http_monime_fact_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const char                  *fact, *name;
    ngx_http_monime_ctx_t       *ctx;
    ngx_http_monime_loc_conf_t  *mlcf;

    name = (const char *) data;
    fact = NULL;

    mlcf = ngx_http_monime_remembered(r);
    ctx = mlcf ? NULL : ngx_http_monime_get_ctx(r->main);

    if (ctx && ctx->check.call) {
        fact = monime_call_get(ctx->check.call, name);

    } else if (mlcf || (ctx && ctx->conf)) {
        fact = ngx_http_monime_remembered_fact(r, mlcf, name);
    }

    if (fact) {
        ngx_http_monime_set_value(v, fact);

    } else {
        v->not_found = 1;
    }

    return NGX_OK;
}


/* What a call would tell; without a location: of a refusal. */

static const char *
ngx_http_monime_remembered_fact(ngx_http_request_t *r,
    ngx_http_monime_loc_conf_t *mlcf, const char *name)
{
    char        *buf;
    size_t       len;
    ngx_str_t   *value;
    const char  *token;

    if (ngx_strcmp(name, "source") == 0) {
        return "cache";
    }

    if (mlcf == NULL) {
        return NULL;
    }

    if (ngx_strcmp(name, "environment") == 0) {
        return monime_get(mlcf->profile->handle, name);
    }

    value = &r->main->headers_in.authorization->value;

    token = monime_bearer((char *) value->data, value->len, &len);

    buf = ngx_pnalloc(r->pool, MONIME_FINGERPRINT_SIZE);

    if (buf == NULL
        || monime_fingerprint(token, len, buf, MONIME_FINGERPRINT_SIZE)
           != MONIME_OK)
    {
        return NULL;
    }

    return buf;
}


static void
ngx_http_monime_set_value(ngx_http_variable_value_t *v, const char *value)
{
    v->len = ngx_strlen(value);
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = (u_char *) value;
}


/* It has no name that a configuration could write, and no value of its own. */

static ngx_int_t
ngx_http_monime_no_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    v->not_found = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_monime_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_monime_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static void *
ngx_http_monime_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_monime_main_conf_t  *mmcf;

    mmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_monime_main_conf_t));
    if (mmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     mmcf->folder = { 0, NULL };
     *     mmcf->handles = NULL;
     */

    if (ngx_array_init(&mmcf->profiles, cf->pool, 4,
                       sizeof(ngx_http_monime_profile_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&mmcf->locations, cf->pool, 4,
                       sizeof(ngx_http_monime_location_t))
        != NGX_OK)
    {
        return NULL;
    }

    return mmcf;
}


static char *
ngx_http_monime_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_monime_main_conf_t *mmcf = conf;

    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_pool_cleanup_t          *cln;
    ngx_http_monime_profile_t  **profile;

    if (mmcf->profiles.nelts == 0) {
        return NGX_CONF_OK;
    }

    mmcf->handles = ngx_pcalloc(cf->pool,
                                mmcf->profiles.nelts * sizeof(struct monime *));
    if (mmcf->handles == NULL) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->cycle->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_monime_close;
    cln->data = mmcf;

    mmcf->placeholder.data = ngx_pnalloc(cf->pool, MONIME_KEY_SIZE);
    if (mmcf->placeholder.data == NULL) {
        return NGX_CONF_ERROR;
    }

    mmcf->placeholder.len = MONIME_KEY_SIZE - 1;

    /* nobody is to know it, so that nobody can send it */

    if (monime_new_key((char *) mmcf->placeholder.data, MONIME_KEY_SIZE)
        != MONIME_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "monime: the system gives no random bytes");
        return NGX_CONF_ERROR;
    }

    profile = mmcf->profiles.elts;
    rc = NGX_OK;

    /* all that is wrong is told at once */

    for (i = 0; i < mmcf->profiles.nelts; i++) {

        if (ngx_http_monime_open(cf, mmcf, profile[i]) != NGX_OK) {
            rc = NGX_ERROR;
        }

        mmcf->handles[i] = profile[i]->handle;
    }

    return (rc == NGX_OK) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_monime_open(ngx_conf_t *cf, ngx_http_monime_main_conf_t *mmcf,
    ngx_http_monime_profile_t *profile)
{
    size_t       len;
    const char  *line;

    if (monime_open((char *) profile->name.data, (char *) mmcf->folder.data,
                    &profile->handle)
        == MONIME_OK)
    {
        ngx_http_monime_set_origin(profile);
        return NGX_OK;
    }

    for (line = monime_error(profile->handle); *line; line += len) {
        len = strcspn(line, "\n");

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "monime: %*s, for \"monime_profile\" in %V:%ui",
                      len, line, &profile->place.file, profile->place.line);

        if (line[len]) {
            len++;
        }
    }

    return NGX_ERROR;
}


/* "https://", a host and perhaps a port. */

static void
ngx_http_monime_set_origin(ngx_http_monime_profile_t *profile)
{
    u_char  *p, *last;

    p = (u_char *) monime_get(profile->handle, "origin");
    last = p + ngx_strlen(p);

    profile->host.data = p + sizeof("https://") - 1;

    p = ngx_strlchr(profile->host.data, last, ':');

    profile->host.len = (p ? p : last) - profile->host.data;
    profile->port = p ? ngx_atoi(p + 1, last - p - 1) : 443;
}


static void
ngx_http_monime_close(void *data)
{
    ngx_http_monime_main_conf_t *mmcf = data;

    ngx_uint_t  i;

    for (i = 0; i < mmcf->profiles.nelts; i++) {
        monime_close(mmcf->handles[i]);
    }
}


static void *
ngx_http_monime_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_monime_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_monime_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->profile = NGX_CONF_UNSET_PTR;
    conf->check = NGX_CONF_UNSET;
    conf->authorize = NGX_CONF_UNSET_UINT;
    conf->forward_token = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_monime_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_monime_loc_conf_t *prev = parent;
    ngx_http_monime_loc_conf_t *conf = child;

    char                         *wrong;
    ngx_http_monime_location_t   *location;
    ngx_http_monime_main_conf_t  *mmcf;

    if (conf->check == NGX_CONF_UNSET) {
        conf->check_place = prev->check_place;
    }

    if (conf->authorize == NGX_CONF_UNSET_UINT) {
        conf->authorize_place = prev->authorize_place;
    }

    ngx_conf_merge_ptr_value(conf->profile, prev->profile, NULL);
    ngx_conf_merge_value(conf->check, prev->check, 0);
    ngx_conf_merge_uint_value(conf->authorize, prev->authorize,
                              NGX_HTTP_MONIME_AUTHORIZE_OFF);
    ngx_conf_merge_value(conf->forward_token, prev->forward_token, 0);

    if (conf->check && conf->profile == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"monime_check\" needs \"monime_profile\" in %V:%ui",
                      &conf->check_place.file, conf->check_place.line);
        return NGX_CONF_ERROR;
    }

    if (conf->authorize == NGX_HTTP_MONIME_AUTHORIZE_OFF) {
        return NGX_CONF_OK;
    }

    wrong = NULL;

    if (conf->profile == NULL) {
        wrong = "\"monime_profile\"";

    } else if (conf->authorize == NGX_HTTP_MONIME_AUTHORIZE_ON
               && !conf->check)
    {
        wrong = "\"monime_check on\", or to be \"public\",";
    }

    if (wrong) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"monime_authorize\" needs %s in %V:%ui", wrong,
                      &conf->authorize_place.file, conf->authorize_place.line);
        return NGX_CONF_ERROR;
    }

    wrong = ngx_http_monime_authorize_lacks(conf);

    if (wrong) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "monime: %V: the profile needs %s, for "
                      "\"monime_authorize\" in %V:%ui",
                      &conf->profile->name, wrong,
                      &conf->authorize_place.file, conf->authorize_place.line);
        return NGX_CONF_ERROR;
    }

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_monime_module);

    location = ngx_array_push(&mmcf->locations);
    if (location == NULL) {
        return NGX_CONF_ERROR;
    }

    location->conf = conf;
    location->loc_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf;

    return NGX_CONF_OK;
}


static char *
ngx_http_monime_set_profile(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_monime_loc_conf_t *mlcf = conf;

    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_http_monime_profile_t    *profile, **p;
    ngx_http_monime_main_conf_t  *mmcf;

    if (mlcf->profile != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_monime_module);

    value = cf->args->elts;

    p = mmcf->profiles.elts;

    for (i = 0; i < mmcf->profiles.nelts; i++) {
        if (ngx_strcmp(p[i]->name.data, value[1].data) == 0) {
            mlcf->profile = p[i];
            return NGX_CONF_OK;
        }
    }

    profile = ngx_pcalloc(cf->pool, sizeof(ngx_http_monime_profile_t));
    if (profile == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_array_push(&mmcf->profiles);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    *p = profile;

    profile->name = value[1];

    ngx_http_monime_note_place(cf, &profile->place);

    mlcf->profile = profile;

    return NGX_CONF_OK;
}


static char *
ngx_http_monime_set_check(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_monime_loc_conf_t *mlcf = conf;

    ngx_http_monime_note_place(cf, &mlcf->check_place);

    return ngx_conf_set_flag_slot(cf, cmd, conf);
}


static char *
ngx_http_monime_set_authorize(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_monime_loc_conf_t *mlcf = conf;

    ngx_http_monime_note_place(cf, &mlcf->authorize_place);

    return ngx_conf_set_enum_slot(cf, cmd, conf);
}


static void
ngx_http_monime_note_place(ngx_conf_t *cf, ngx_http_monime_place_t *place)
{
    place->file = cf->conf_file->file.name;
    place->line = cf->conf_file->line;
}


static char *
ngx_http_monime_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    clcf->handler = ngx_http_monime_status_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_monime_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt          *h;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_monime_main_conf_t  *mmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_monime_access_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_monime_precontent_handler;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_monime_module);

    mmcf->index = ngx_http_get_variable_index(cf,
                                              &ngx_http_monime_vars[0].name);
    if (mmcf->index == NGX_ERROR) {
        return NGX_ERROR;
    }

    ngx_http_monime_authorize_init(cf, &mmcf->locations);

    return NGX_OK;
}


/*
 * By now the error log is that of the configuration.  Refusals are formatted
 * in any case: the log of a server may want them where the main one does not.
 */

static ngx_int_t
ngx_http_monime_init_module(ngx_cycle_t *cycle)
{
    int                            level;
    ngx_uint_t                     i;
    ngx_http_monime_main_conf_t   *mmcf;

    mmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_monime_module);

    if (mmcf == NULL) {
        return NGX_OK;
    }

    level = ngx_min(cycle->log->log_level, NGX_LOG_DEBUG) - 1;

    ngx_http_monime_request_log = cycle->log;

    for (i = 0; i < mmcf->profiles.nelts; i++) {
        monime_set_log(mmcf->handles[i], ngx_max(level, LOG_NOTICE),
                       ngx_http_monime_log_line, NULL);
    }

    ngx_http_monime_request_log = NULL;

    return NGX_OK;
}


/*
 * nginx lets its workers be traced by whoever has their user, as programs of
 * other servers often do, so that they may dump core.  They hold credentials.
 */

static ngx_int_t
ngx_http_monime_init_process(ngx_cycle_t *cycle)
{
    ngx_http_monime_main_conf_t  *mmcf;

    mmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_monime_module);

    if (mmcf == NULL || mmcf->profiles.nelts == 0) {
        return NGX_OK;
    }

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "monime: prctl(PR_SET_DUMPABLE) failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_monime_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i;
    ngx_connection_t              *c;
    ngx_http_monime_profile_t    **profile;
    ngx_http_monime_main_conf_t   *mmcf;

    mmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_monime_module);

    if (mmcf == NULL) {
        return;
    }

    profile = mmcf->profiles.elts;

    for (i = 0; i < mmcf->profiles.nelts; i++) {
        c = profile[i]->connection;

        if (c == NULL) {
            continue;
        }

        /* the descriptor is the library's, which closes it */

        if (c->read->active) {
            ngx_del_event(c->read, NGX_READ_EVENT, 0);
        }

        c->fd = (ngx_socket_t) -1;
        ngx_free_connection(c);

        profile[i]->connection = NULL;
    }
}
