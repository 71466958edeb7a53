/* SPDX-License-Identifier: MIT */

/*
 * Requests that are proxied with the host's own credential.
 *
 * A variable cannot be what "proxy_set_header" needs: it is asked for before
 * the request line is written, it does not know for which header, and what it
 * answers ends up in the debug log.  So the variables are but placeholders, and
 * worth nothing.  Once the proxy module has written the whole request into
 * memory, this module reads it there: it lets the library judge the method and
 * the URI that really stand in it, waits for the credential if need be, looks
 * at every header, and then writes the request anew, with the library's headers
 * in the place of the placeholders.  That is what nginx sends, and only over a
 * connection whose certificate proves the origin's name.
 *
 * To stand between building and sending, the content handler runs the proxy
 * module's with r->aio set: nginx then stops before it builds the request, as
 * it does when something else is still under way for it.
 */


#include "ngx_http_monime_module.h"


typedef struct {
    ngx_str_t   name;
    ngx_str_t   value;
} ngx_http_monime_line_t;


static ngx_uint_t ngx_http_monime_is_smuggled(ngx_str_t *name,
    ngx_str_t *value);
static ngx_uint_t ngx_http_monime_is_named(ngx_str_t *name, const char *other);
static ngx_uint_t ngx_http_monime_smuggles(ngx_http_request_t *r);
static void ngx_http_monime_body_handler(ngx_http_request_t *r);

static ngx_int_t ngx_http_monime_content_handler(ngx_http_request_t *r);
static char *ngx_http_monime_destination(ngx_http_request_t *r,
    ngx_http_monime_profile_t *profile);
static char *ngx_http_monime_settings(ngx_http_upstream_conf_t *ucf,
    ngx_uint_t ssl);
static ngx_uint_t ngx_http_monime_is_host(ngx_http_monime_profile_t *profile,
    ngx_str_t *name, ngx_uint_t needed);
static ngx_int_t ngx_http_monime_build(ngx_http_request_t *r,
    ngx_http_monime_authorize_t *a);
static void ngx_http_monime_ask(ngx_http_request_t *r,
    ngx_http_monime_authorize_t *a);
static ngx_int_t ngx_http_monime_written(ngx_http_request_t *r,
    ngx_http_monime_authorize_t *a, char **method, char **url);
static void ngx_http_monime_authorize_resume(ngx_http_request_t *r);
static void ngx_http_monime_proceed(ngx_http_request_t *r,
    ngx_http_monime_authorize_t *a);
static void ngx_http_monime_fail(ngx_http_request_t *r, ngx_int_t status,
    const char *after);
static ngx_int_t ngx_http_monime_rewrite(ngx_http_request_t *r,
    ngx_http_monime_authorize_t *a);
static u_char *ngx_http_monime_parse_line(u_char *p, u_char *last,
    ngx_http_monime_line_t *line);
static ngx_uint_t ngx_http_monime_is_set(ngx_http_monime_authorize_t *a,
    ngx_str_t *name);
static const char *ngx_http_monime_next_header(ngx_http_monime_authorize_t *a,
    size_t *i, const char **value);
static ngx_uint_t ngx_http_monime_has_placeholder(ngx_http_request_t *r,
    u_char *p, u_char *last);
static void ngx_http_monime_send(ngx_http_request_t *r);
static ngx_int_t ngx_http_monime_create_request(ngx_http_request_t *r);
static ngx_int_t ngx_http_monime_output_filter(void *data, ngx_chain_t *in);
static char *ngx_http_monime_distrust(ngx_http_request_t *r,
    ngx_connection_t *c);


static ngx_str_t  ngx_http_monime_host = ngx_string("Host");
static ngx_str_t  ngx_http_monime_authorization = ngx_string("Authorization");


ngx_int_t
ngx_http_monime_authorize_handler(ngx_http_request_t *r,
    ngx_http_monime_loc_conf_t *mlcf)
{
    ngx_int_t                     rc;
    ngx_http_monime_ctx_t        *ctx;
    ngx_http_monime_authorize_t  *a;

    ctx = ngx_http_monime_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_monime_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_http_monime_smuggles(r)) {
        return ngx_http_monime_refuse(
                   r, mn_refusal_of_status(NGX_HTTP_BAD_REQUEST), NULL);
    }

    if (!mlcf->proxied || r->content_handler == NULL) {
        return NGX_DECLINED;
    }

    if (mlcf->authorize == NGX_HTTP_MONIME_AUTHORIZE_ON
        && !ngx_http_monime_is_accepted(r, mlcf))
    {
        return NGX_DECLINED;
    }

    /* a body that is there already keeps the content handler from waiting */

    if (r == r->main && r->request_body == NULL && !r->discard_body
        && (r->headers_in.content_length_n >= 0 || r->headers_in.chunked))
    {
        rc = ngx_http_read_client_request_body(r, ngx_http_monime_body_handler);
        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            return rc;
        }

        ngx_http_finalize_request(r, NGX_DONE);
        return NGX_DONE;
    }

    a = &ctx->authorize;

    ngx_http_monime_forget(a);

    a->wait.request = r;
    a->wait.profile = mlcf->profile;
    a->wait.resume = ngx_http_monime_authorize_resume;

    a->content_handler = r->content_handler;
    r->content_handler = ngx_http_monime_content_handler;

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_monime_smuggles(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_monime_is_smuggled(&h[i].key, &h[i].value)) {
                ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                              "monime: client sent \"%V\" where requests are "
                              "authorized", &h[i].key);
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_monime_is_smuggled(ngx_str_t *name, ngx_str_t *value)
{
    u_char  *p, *last, *token;
    size_t   len;

    if (mn_refusal_smuggles((char *) name->data, name->len)) {
        return 1;
    }

    if (!ngx_http_monime_is_named(name, "Connection")) {
        return 0;
    }

    /* whoever is named there is taken out by the next proxy */

    p = value->data;
    last = p + value->len;

    while (p < last) {

        if (*p == ' ' || *p == '\t' || *p == ',') {
            p++;
            continue;
        }

        for (token = p; p < last && *p != ','; p++) { /* void */ }

        for (len = p - token; len; len--) {
            if (token[len - 1] != ' ' && token[len - 1] != '\t') {
                break;
            }
        }

        if ((len != sizeof("close") - 1
             || ngx_strncasecmp(token, (u_char *) "close", len) != 0)
            && (len != sizeof("keep-alive") - 1
                || ngx_strncasecmp(token, (u_char *) "keep-alive", len) != 0))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_monime_is_named(ngx_str_t *name, const char *other)
{
    return mn_refusal_same_name((char *) name->data, name->len, other);
}


static void
ngx_http_monime_body_handler(ngx_http_request_t *r)
{
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_monime_content_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_upstream_t          *u;
    ngx_http_monime_ctx_t        *ctx;
    ngx_http_monime_authorize_t  *a;

    ctx = ngx_http_get_module_ctx(r, ngx_http_monime_module);

    a = &ctx->authorize;
    u = r->upstream;

    r->aio = 1;

    rc = a->content_handler(r);

    r->aio = 0;

    if (rc != NGX_DONE || r->upstream == u) {
        return rc;
    }

    /* from here on the request is to be finalized as the upstream does it */

    a->reason = ngx_http_monime_destination(r, a->wait.profile);

    if (a->reason) {
        ngx_http_upstream_init(r);
        a->reason = NULL;
        return NGX_DONE;
    }

    if (ngx_http_monime_build(r, a) != NGX_OK) {
        ngx_http_monime_fail(r, NGX_HTTP_INTERNAL_SERVER_ERROR, NULL);
        return NGX_DONE;
    }

    r->upstream->create_request = ngx_http_monime_create_request;

    if (a->asked) {
        ngx_http_monime_ask(r, a);

    } else {
        ngx_http_upstream_init(r);
    }

    return NGX_DONE;
}


/* Why no request that goes there is authorized, or NULL. */

static char *
ngx_http_monime_destination(ngx_http_request_t *r,
    ngx_http_monime_profile_t *profile)
{
    char                 *reason;
    ngx_str_t             name;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u->conf->module.len != sizeof("proxy") - 1
        || ngx_strncmp(u->conf->module.data, "proxy", sizeof("proxy") - 1) != 0)
    {
        return "the request is not proxied by \"proxy_pass\"";
    }

    reason = ngx_http_monime_settings(u->conf, u->ssl);

    if (reason) {
        return reason;
    }

    if (u->conf->ssl_name) {
        if (ngx_http_complex_value(r, u->conf->ssl_name, &name) != NGX_OK) {
            return "\"proxy_ssl_name\" has no value";
        }

    } else if (u->resolved) {
        name = u->resolved->host;

    } else {
        name = u->conf->upstream->host;
    }

    if (!ngx_http_monime_is_host(profile, &name, 0)) {
        return "the upstream is to prove another name than the profile's "
               "origin has: set \"proxy_ssl_name\" to the origin's";
    }

    return NULL;
}


static char *
ngx_http_monime_settings(ngx_http_upstream_conf_t *ucf, ngx_uint_t ssl)
{
    if (!ssl) {
        return "\"proxy_pass\" is not to \"https://\"";
    }

    if (!ucf->ssl_verify) {
        return "\"proxy_ssl_verify\" is off";
    }

    if (!ucf->ssl_server_name) {
        return "\"proxy_ssl_server_name\" is off";
    }

#if (NGX_HTTP_CACHE)
    if (ucf->cache) {
        return "answers are cached";
    }
#endif

    if (ucf->store) {
        return "answers are stored";
    }

    return NULL;
}


/* "host" or "host:port"; the port, where it stands, must be the origin's. */

static ngx_uint_t
ngx_http_monime_is_host(ngx_http_monime_profile_t *profile, ngx_str_t *name,
    ngx_uint_t needed)
{
    size_t     len;
    ngx_int_t  port;

    len = profile->host.len;

    if (name->len < len
        || ngx_strncasecmp(name->data, profile->host.data, len) != 0)
    {
        return 0;
    }

    if (name->len == len) {
        return !needed || profile->port == 443;
    }

    if (name->data[len] != ':') {
        return 0;
    }

    port = ngx_atoi(name->data + len + 1, name->len - len - 1);

    return port == profile->port;
}


static ngx_int_t
ngx_http_monime_build(ngx_http_request_t *r, ngx_http_monime_authorize_t *a)
{
    ngx_int_t             rc;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (r->request_body) {
        u->request_bufs = r->request_body->bufs;
    }

    a->asked = 0;
    a->building = 1;

    rc = u->create_request(r);

    a->building = 0;

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    a->upstream = u;
    a->request = u->request_bufs;

    return NGX_OK;
}


static void
ngx_http_monime_ask(ngx_http_request_t *r, ngx_http_monime_authorize_t *a)
{
    char                    *method, *url;
    ngx_int_t                rc;
    ngx_http_monime_wait_t  *wait;

    rc = ngx_http_monime_written(r, a, &method, &url);

    if (rc != NGX_OK) {
        ngx_http_monime_fail(r, rc, NULL);
        return;
    }

    wait = &a->wait;

    ngx_http_monime_request_log = r->connection->log;

    wait->result = monime_authorize_start(wait->profile->handle, method, url,
                                          wait, &wait->call);

    ngx_http_monime_request_log = NULL;

    ngx_http_monime_started(wait);

    if (!wait->pending) {
        ngx_http_monime_proceed(r, a);
        return;
    }

    if (ngx_http_monime_suspend(r) != NGX_AGAIN) {
        ngx_http_monime_fail(r, NGX_HTTP_INTERNAL_SERVER_ERROR, NULL);
    }
}


/* Method and URL as they stand in the request. */

static ngx_int_t
ngx_http_monime_written(ngx_http_request_t *r, ngx_http_monime_authorize_t *a,
    char **method, char **url)
{
    size_t       len;
    u_char      *p, *uri, *end;
    ngx_buf_t   *b;
    const char  *origin;

    b = a->request->buf;

    uri = r->upstream->uri.data;
    end = uri + r->upstream->uri.len;

    if (uri - b->pos < 2
        || uri[-1] != ' '
        || b->last - end < (ssize_t) sizeof(" HTTP/1.1" CRLF) - 1
        || (ngx_strncmp(end, " HTTP/1.1" CRLF, 11) != 0
            && ngx_strncmp(end, " HTTP/1.0" CRLF, 11) != 0)
        || ngx_strlchr(b->pos, end, '\0'))
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "monime: not authorized: no request line that the "
                      "profile could judge");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    origin = monime_get(a->wait.profile->handle, "origin");

    len = ngx_strlen(origin);

    p = ngx_pnalloc(r->pool, (uri - b->pos) + len + (end - uri) + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    *method = (char *) p;

    p = ngx_cpymem(p, b->pos, uri - b->pos - 1);
    *p++ = '\0';

    *url = (char *) p;

    p = ngx_cpymem(p, origin, len);
    p = ngx_cpymem(p, uri, end - uri);
    *p = '\0';

    return NGX_OK;
}


static void
ngx_http_monime_authorize_resume(ngx_http_request_t *r)
{
    ngx_http_monime_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_monime_module);

    r->read_event_handler = ngx_http_block_reading;

    ngx_http_monime_proceed(r, &ctx->authorize);
}


static void
ngx_http_monime_proceed(ngx_http_request_t *r, ngx_http_monime_authorize_t *a)
{
    int                          result;
    ngx_int_t                    status;
    const char                  *after, *accept;
    ngx_http_monime_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_monime_module);

    result = a->wait.result;
    after = NULL;

    if (result != MONIME_OK) {
        status = monime_http_status(result);

        if (status == NGX_HTTP_SERVICE_UNAVAILABLE) {
            after = ngx_http_monime_retry_after(a->wait.call);

        } else if (result != MONIME_EPOLICY) {

            /* a credential of ours that is refused is no fault of a client */

            status = NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_http_monime_fail(r, status, after);
        return;
    }

    /* the profile may have changed since it was configured */

    accept = monime_call_get(a->wait.call, "accept");

    if (mlcf->authorize == NGX_HTTP_MONIME_AUTHORIZE_ON
        && (accept == NULL || ngx_strcmp(accept, "any") == 0))
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "monime: %V: not authorized: check.accept is \"any\", "
                      "so that a check says nothing of the bearer",
                      &mlcf->profile->name);
        ngx_http_monime_fail(r, NGX_HTTP_INTERNAL_SERVER_ERROR, NULL);
        return;
    }

    if (ngx_http_monime_rewrite(r, a) != NGX_OK) {
        ngx_http_monime_fail(r, NGX_HTTP_INTERNAL_SERVER_ERROR, NULL);
        return;
    }

    ngx_http_monime_send(r);
}


static void
ngx_http_monime_fail(ngx_http_request_t *r, ngx_int_t status,
    const char *after)
{
    status = ngx_http_monime_refuse(r, mn_refusal_of_status(status), after);

    if (status != NGX_DONE) {
        ngx_http_finalize_request(r, status);
    }
}


/*
 * The same request with the library's headers.  All that the library sets is
 * taken out first, whoever wrote it; what is left must be for the origin, and
 * must not ask for the credential in another place.
 */

static ngx_int_t
ngx_http_monime_rewrite(ngx_http_request_t *r, ngx_http_monime_authorize_t *a)
{
    size_t                   i, len;
    u_char                  *p, *next, *out;
    ngx_buf_t               *b;
    ngx_str_t               *wrong;
    ngx_uint_t               hosts;
    const char              *name, *value;
    ngx_http_monime_line_t   line;

    b = a->request->buf;

    len = b->last - b->pos;

    for (i = 0; (name = ngx_http_monime_next_header(a, &i, &value)); /**/ ) {
        len += ngx_strlen(name) + ngx_strlen(value)
               + sizeof(": " CRLF) - 1;
    }

    out = ngx_pnalloc(r->pool, len);
    if (out == NULL) {
        return NGX_ERROR;
    }

    a->secret.data = out;
    a->secret.len = len;

    next = r->upstream->uri.data + r->upstream->uri.len
           + sizeof(" HTTP/1.1" CRLF) - 1;

    out = ngx_cpymem(out, b->pos, next - b->pos);

    hosts = 0;
    wrong = NULL;

    for ( ;; ) {
        p = next;

        next = ngx_http_monime_parse_line(p, b->last, &line);
        if (next == NULL) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "monime: not authorized: a header of the request "
                          "is malformed");
            return NGX_ERROR;
        }

        if (line.name.len == 0) {
            break;
        }

        if (ngx_http_monime_is_set(a, &line.name)) {
            continue;
        }

        if (ngx_http_monime_is_named(&line.name, "Host")) {
            hosts++;

            if (!ngx_http_monime_is_host(a->wait.profile, &line.value, 1)) {
                wrong = &ngx_http_monime_host;
                break;
            }
        }

        if (ngx_http_monime_is_smuggled(&line.name, &line.value)
            || ngx_http_monime_has_placeholder(r, p, next))
        {
            wrong = &line.name;
            break;
        }

        out = ngx_cpymem(out, p, next - p);
    }

    if (wrong == NULL && hosts != 1) {
        wrong = &ngx_http_monime_host;
    }

    if (wrong == NULL
        && (ngx_http_monime_has_placeholder(r, next, b->last)
            || ngx_http_monime_has_placeholder(r, b->pos,
               r->upstream->uri.data + r->upstream->uri.len)))
    {
        wrong = &ngx_http_monime_authorization;
    }

    if (wrong == &ngx_http_monime_host) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "monime: not authorized: \"Host\" must be that of %s, "
                      "once: set it by \"proxy_set_header\"",
                      monime_get(a->wait.profile->handle, "origin"));
        return NGX_ERROR;
    }

    if (wrong) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "monime: not authorized: \"%V\" must not be sent to %s "
                      "like this", wrong,
                      monime_get(a->wait.profile->handle, "origin"));
        return NGX_ERROR;
    }

    for (i = 0; (name = ngx_http_monime_next_header(a, &i, &value)); /**/ ) {
        out = ngx_cpymem(out, name, ngx_strlen(name));
        *out++ = ':'; *out++ = ' ';
        out = ngx_cpymem(out, value, ngx_strlen(value));
        *out++ = CR; *out++ = LF;
    }

    /* the empty line, and a body that stands in the configuration */

    out = ngx_cpymem(out, p, b->last - p);

    b->start = a->secret.data;
    b->pos = b->start;
    b->last = out;
    b->end = b->start + len;

    return NGX_OK;
}


/* The next line, or NULL; the empty one has no name. */

static u_char *
ngx_http_monime_parse_line(u_char *p, u_char *last,
    ngx_http_monime_line_t *line)
{
    u_char  *end, *colon;

    end = ngx_strlchr(p, last, LF);

    if (end == NULL || end == p || end[-1] != CR) {
        return NULL;
    }

    end--;

    if (ngx_strlchr(p, end, CR) || ngx_strlchr(p, end, '\0')) {
        return NULL;
    }

    ngx_memzero(line, sizeof(ngx_http_monime_line_t));

    if (end == p) {
        return end + 2;
    }

    colon = ngx_strlchr(p, end, ':');

    if (colon == NULL || colon == p) {
        return NULL;
    }

    line->name.data = p;
    line->name.len = colon - p;

    for (p = colon + 1; p < end && *p == ' '; p++) { /* void */ }

    line->value.data = p;
    line->value.len = end - p;

    return end + 2;
}


static ngx_uint_t
ngx_http_monime_is_set(ngx_http_monime_authorize_t *a, ngx_str_t *name)
{
    size_t       i;
    const char  *set, *value;

    for (i = 0; (set = ngx_http_monime_next_header(a, &i, &value)); /**/ ) {
        if (ngx_http_monime_is_named(name, set)) {
            return 1;
        }
    }

    return 0;
}


/* The credential is sent where it is asked for, the rest with it. */

static const char *
ngx_http_monime_next_header(ngx_http_monime_authorize_t *a, size_t *i,
    const char **value)
{
    const char  *name;

    while ((name = monime_call_header_at(a->wait.call, *i, value)) != NULL) {
        (*i)++;

        if ((a->asked & NGX_HTTP_MONIME_AUTHORIZATION)
            || ngx_strcasecmp((u_char *) name, (u_char *) "Authorization") != 0)
        {
            break;
        }
    }

    return name;
}


static ngx_uint_t
ngx_http_monime_has_placeholder(ngx_http_request_t *r, u_char *p, u_char *last)
{
    ngx_str_t                    *placeholder;
    ngx_http_monime_main_conf_t  *mmcf;

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_monime_module);

    placeholder = &mmcf->placeholder;

    return ngx_strlcasestrn(p, last, placeholder->data, placeholder->len - 1)
           != NULL;
}


static void
ngx_http_monime_send(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    u->output.output_filter = ngx_http_monime_output_filter;
    u->output.filter_ctx = r;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_upstream_init(r);
}


static ngx_int_t
ngx_http_monime_create_request(ngx_http_request_t *r)
{
    ngx_http_monime_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_monime_module);

    r->upstream->request_bufs = ctx->authorize.request;

    return NGX_OK;
}


/*
 * A connection that was kept may have been made for another location, which
 * asked for less.
 */

static ngx_int_t
ngx_http_monime_output_filter(void *data, ngx_chain_t *in)
{
    ngx_http_request_t *r = data;

    char                         *reason;
    ngx_connection_t             *c;
    ngx_http_upstream_t          *u;
    ngx_http_monime_ctx_t        *ctx;
    ngx_http_monime_authorize_t  *a;

    ctx = ngx_http_get_module_ctx(r, ngx_http_monime_module);

    a = &ctx->authorize;
    u = r->upstream;
    c = u->peer.connection;

    if (a->proven != c->number) {
        reason = ngx_http_monime_distrust(r, c);

        if (reason) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "monime: not authorized: %s, upstream: %V",
                          reason, u->peer.name);
            return NGX_ERROR;
        }

        a->proven = c->number;
    }

    return ngx_chain_writer(&u->writer, in);
}


static char *
ngx_http_monime_distrust(ngx_http_request_t *r, ngx_connection_t *c)
{
    ngx_http_monime_profile_t   *profile;
    ngx_http_monime_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_monime_module);

    profile = mlcf->profile;

    if (c->ssl == NULL || !c->ssl->handshaked) {
        return "the connection is not encrypted";
    }

    if (SSL_get_verify_result(c->ssl->connection) != X509_V_OK) {
        return "the connection was made without verification";
    }

    if (ngx_ssl_check_host(c, &profile->host) != NGX_OK) {
        return "the certificate is for another name than the origin's";
    }

    if (ngx_inet_get_port(r->upstream->peer.sockaddr) != profile->port) {
        return "the port is not the origin's";
    }

    return NULL;
}


void
ngx_http_monime_forget(ngx_http_monime_authorize_t *a)
{
    /* an answer to a request without our credential says nothing of it */

    if (a->wait.result == MONIME_OK && a->wait.call
        && (a->asked & NGX_HTTP_MONIME_AUTHORIZATION)
        && a->upstream->headers_in.status_n)
    {
        monime_call_report(a->wait.call, a->upstream->headers_in.status_n);
    }

    ngx_http_monime_drop(&a->wait);

    if (a->secret.len) {
        ngx_explicit_memzero(a->secret.data, a->secret.len);
    }

    ngx_memzero(a, sizeof(ngx_http_monime_authorize_t));
}


/* A placeholder, while a request is built in which the library puts a value. */

ngx_int_t
ngx_http_monime_credential_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_monime_ctx_t        *ctx;
    ngx_http_monime_main_conf_t  *mmcf;
    ngx_http_monime_authorize_t  *a;

    ctx = ngx_http_get_module_ctx(r, ngx_http_monime_module);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    a = &ctx->authorize;

    if (a->reason) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "monime: not authorized: %s", a->reason);
        a->reason = NULL;
    }

    if (!a->building
        || (data == NGX_HTTP_MONIME_SPACE
            && monime_get(a->wait.profile->handle, "space") == NULL))
    {
        v->not_found = 1;
        return NGX_OK;
    }

    a->asked |= data;

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_monime_module);

    v->len = mmcf->placeholder.len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->data = mmcf->placeholder.data;

    return NGX_OK;
}


/*
 * What the profile lacks, or NULL.  Its terms are asked for without a request:
 * nothing is sent, and nothing is counted.
 */

char *
ngx_http_monime_authorize_lacks(ngx_http_monime_loc_conf_t *conf)
{
    char                *wrong;
    const char          *accept, *allow;
    struct monime_call  *call;

    if (monime_authorize(conf->profile->handle, NULL, NULL, &call)
        == MONIME_OK)
    {
        monime_call_free(call);
        return "not to authorize everything";
    }

    accept = monime_call_get(call, "accept");
    allow = monime_call_get(call, "allow");

    wrong = NULL;

    if (allow == NULL || ngx_strcmp(allow, "yes") != 0) {
        wrong = "allow.methods and allow.paths";

    } else if (conf->authorize == NGX_HTTP_MONIME_AUTHORIZE_ON
               && (accept == NULL || ngx_strcmp(accept, "any") == 0))
    {
        wrong = "check.accept = \"space\" or \"path\", since with \"any\" a "
                "token may be anybody's";
    }

    monime_call_free(call);

    return wrong;
}


/*
 * The proxy module's own configuration is its own; but its commands tell where
 * in it the settings of the upstream stand.
 */

void
ngx_http_monime_authorize_init(ngx_conf_t *cf, ngx_array_t *locations)
{
    char                        *reason;
    size_t                       offset;
    ngx_uint_t                   i;
    ngx_module_t                *module;
    ngx_command_t               *cmd;
    ngx_http_upstream_conf_t    *ucf;
    ngx_http_monime_loc_conf_t  *conf;
    ngx_http_monime_location_t  *location;

    module = NULL;

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name, "ngx_http_proxy_module")
            == 0)
        {
            module = cf->cycle->modules[i];
            break;
        }
    }

    if (module == NULL) {
        return;
    }

    for (cmd = module->commands; cmd->name.len; cmd++) {
        if (ngx_strcmp(cmd->name.data, "proxy_ssl_verify") == 0) {
            break;
        }
    }

    if (cmd->name.len == 0) {
        return;
    }

    offset = cmd->offset - offsetof(ngx_http_upstream_conf_t, ssl_verify);

    location = locations->elts;

    for (i = 0; i < locations->nelts; i++) {
        ucf = (ngx_http_upstream_conf_t *)
                  ((u_char *) location[i].loc_conf[module->ctx_index]
                   + offset);

        /* "https://", or what may become that by variables */

        conf = location[i].conf;
        conf->proxied = (ucf->ssl != NULL);

        reason = ngx_http_monime_settings(ucf, conf->proxied);

        if (reason && (ucf->upstream || conf->proxied)) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"monime_authorize\" has no effect where %s "
                          "in %V:%ui", reason, &conf->authorize_place.file,
                          conf->authorize_place.line);
        }
    }
}
