/* SPDX-License-Identifier: MIT */

/*
 * Requests that are proxied with the host's own credential.
 *
 * The credential is in no table of httpd's, where a log format, a program or a
 * line of trace could show it.  Once mod_proxy has written the head of a
 * request, a filter of the connection reads it there: it lets the library judge
 * the method and the URI that really stand in it, looks at every header, waits
 * for the credential if need be, and passes on the head with the library's
 * headers in it; and only over a connection whose certificate proves the
 * origin's name.  The filter stands between mod_ssl's two, so that nothing but
 * the encryption itself sees what it wrote.
 *
 * mod_proxy builds a request, connects and writes in one thread, and nothing
 * else comes between: that is how the filter knows whose head it has.
 */

#include "mod_monime.h"

#include "http_connection.h"
#include "http_protocol.h"
#include "http_request.h"
#include "http_ssl.h"
#include "mod_proxy.h"
#include "mod_ssl_openssl.h"
#include "util_filter.h"

#include "apr_strings.h"

#include <openssl/crypto.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/param.h>

APLOG_USE_MODULE(monime);

#define ORIGIN_SCHEME "https://"

/* Of a request's head, in bytes. */
#define HEAD_MAX (64 * 1024)

/* For a place to wait in, in ms: most requests have theirs at once. */
#define PATIENCE 200

/* What a handshake with a backend has shown, for as long as it is kept. */
typedef struct {
    X509 *certificate;
    int is_required;
    long result;
} proof;

/* A piece of a request's head. */
typedef struct {
    const char *data;
    apr_size_t len;
} piece;

typedef struct {
    piece name;
    piece value;
    piece whole;                /* with its CRLF */
} header_line;

/* The request whose head this thread is to write next. */
static _Thread_local request_rec *armed;

/* Does any place have "MonimeAuthorize"? */
static ap_filter_rec_t *filter_handle;

static int is_named(const piece *name, const char *other)
{
    return mn_refusal_same_name(name->data, name->len, other);
}

static int is_word(const char *data, apr_size_t len, const char *word)
{
    return strlen(word) == len && ap_cstr_casecmpn(data, word, len) == 0;
}

/* What else it names would be taken out on the way. */
static int names_more(const piece *connection)
{
    const char *p = connection->data, *end = p + connection->len;
    apr_size_t len;

    while (p < end) {
        for (len = 0; p + len < end && !strchr(", \t", p[len]); len++) {
            continue;
        }
        if (len > 0 && !is_word(p, len, "close")
            && !is_word(p, len, "keep-alive")) {
            return 1;
        }
        p += len + 1;
    }

    return 0;
}

static int is_smuggled(const piece *name, const piece *value)
{
    return mn_refusal_smuggles(name->data, name->len)
           || (is_named(name, "Connection") && names_more(value));
}

static const mod_monime_dir_conf *get_conf(request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &monime_module);
}

static int is_authorizing(const mod_monime_dir_conf *conf)
{
    return conf->authorize == MOD_MONIME_AUTHORIZE_ON
           || conf->authorize == MOD_MONIME_AUTHORIZE_PUBLIC;
}

/* Before anybody is asked for a token. */
static int refuse_smuggled(request_rec *r)
{
    const apr_table_entry_t *header;
    piece name, value;
    int i;

    if (!is_authorizing(get_conf(r))) {
        return DECLINED;
    }

    header = (const apr_table_entry_t *)apr_table_elts(r->headers_in)->elts;
    for (i = 0; i < apr_table_elts(r->headers_in)->nelts; i++) {
        name.data = header[i].key;
        name.len = strlen(header[i].key);
        value.data = header[i].val;
        value.len = strlen(header[i].val);
        if (is_smuggled(&name, &value)) {
            ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                          "client sent \"%s\" where requests are authorized",
                          header[i].key);
            return mod_monime_refuse(
                r, mn_refusal_of_status(HTTP_BAD_REQUEST), NULL);
        }
    }

    return DECLINED;
}

/*
 * What the profile lacks, or NULL.  The profile's terms are asked for without
 * a request: nothing is sent, and nothing is counted.
 */
const char *mod_monime_authorize_lacks(const mod_monime_dir_conf *conf)
{
    const char *accept, *allow, *wrong = NULL;
    struct monime_call *call;

    if (conf->profile == NULL || !is_authorizing(conf)) {
        return NULL;
    }

    if (monime_authorize(conf->profile->handle, NULL, NULL, &call)
        == MONIME_OK) {
        monime_call_free(call);
        return "not to authorize everything";
    }

    accept = monime_call_get(call, "accept");
    allow = monime_call_get(call, "allow");

    if (allow == NULL || strcmp(allow, "yes") != 0) {
        wrong = "allow.methods and allow.paths";
    }
    else if (conf->authorize == MOD_MONIME_AUTHORIZE_ON
             && (accept == NULL || strcmp(accept, "any") == 0)) {
        wrong = "check.accept = \"space\" or \"path\", since with \"any\" a "
                "token may be anybody's";
    }

    monime_call_free(call);

    return wrong;
}

/* The URL that mod_proxy is about to ask for, or NULL. */
static const char *proxied_url(const request_rec *r)
{
    static const char mark[] = "proxy:";
    const char *s = r->proxyreq ? r->filename : r->handler;

    if (s == NULL || strncmp(s, mark, sizeof(mark) - 1) != 0) {
        return NULL;
    }

    return s + sizeof(mark) - 1;
}

static int has_scheme(const char *url, const char *scheme)
{
    return ap_cstr_casecmpn(url, scheme, strlen(scheme)) == 0;
}

/* Why no request from here is authorized, or NULL. */
static const char *place_lacks(request_rec *r, const char *url)
{
    const mod_monime_dir_conf *conf = get_conf(r);

    if (conf->profile == NULL) {
        return "\"MonimeAuthorize\" needs \"MonimeProfile\"";
    }

    if (!has_scheme(url, ORIGIN_SCHEME) && !has_scheme(url, "balancer://")) {
        return "the request is not proxied to \"https://\"";
    }

    if (conf->authorize == MOD_MONIME_AUTHORIZE_ON
        && (r->main != NULL || !mod_monime_is_accepted(r, conf->profile))) {
        return "the request was not checked here: \"MonimeAuthorize On\" "
               "needs \"AuthType Monime\" and \"Require monime\"";
    }

    return NULL;
}

/*
 * Is a token that it presents ours to check, here or where it comes from?  Also
 * where something else than the token let it in.
 */
static int is_bearer(request_rec *r)
{
    const char *type = ap_auth_type(r);
    const mod_monime_request *own;

    if (type != NULL && ap_cstr_casecmp(type, "Monime") == 0) {
        return 1;
    }

    for (; r != NULL; r = r->prev ? r->prev : r->main) {
        own = mod_monime_get_request(r);
        if (own != NULL && own->profile != NULL && own->presented) {
            return 1;
        }
    }

    return 0;
}

static int hides_token(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);

    return core->cgi_pass_auth != AP_CGI_PASS_AUTH_ON && is_bearer(r);
}

/*
 * What mod_proxy sends over HTTP/1 goes through its fixups, and programs are
 * not told of the header; others are given the request's headers as they are.
 * A cache keeps no answer to a request that has a token, and is not to keep one
 * to a request whose token we have hidden.
 */
static void hide_token(request_rec *r, const char *url)
{
    static const char *const schemes[] = {
        "ajp:", "h2:", "h2c:", "balancer:", NULL
    };
    mod_monime_request *own;
    int i;

    for (i = 0; schemes[i] != NULL && !has_scheme(url, schemes[i]); i++) {
        continue;
    }
    if (schemes[i] == NULL || !hides_token(r)) {
        return;
    }

    own = mod_monime_make_request(r);
    own->headers_in = r->headers_in;
    r->headers_in = apr_table_copy(r->pool, r->headers_in);
    apr_table_unset(r->headers_in, "Authorization");
    r->no_cache = 1;
}

static apr_status_t forget_call(void *data)
{
    mod_monime_request *own = data;

    monime_call_free(own->call);
    own->call = NULL;

    return APR_SUCCESS;
}

static int prepare_authorized(request_rec *r, const char *url)
{
    mod_monime_request *own;
    const char *lacks;

    /* An answer to our credential is nobody else's. */
    r->no_cache = 1;

    lacks = place_lacks(r, url);
    if (lacks != NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "not authorized: %s",
                      lacks);
        return mod_monime_refuse(
            r, mn_refusal_of_status(HTTP_INTERNAL_SERVER_ERROR), NULL);
    }

    own = mod_monime_make_request(r);
    if (own->authorize == NULL) {
        apr_pool_cleanup_register(r->pool, own, forget_call,
                                  apr_pool_cleanup_null);
    }
    own->authorize = get_conf(r)->profile;

    return DECLINED;
}

/* Runs before mod_proxy's handler, whatever has sent the request there. */
static int prepare(request_rec *r)
{
    const char *url = proxied_url(r);
    int rv;

    armed = NULL;

    if (url == NULL) {
        return DECLINED;
    }

    if (is_authorizing(get_conf(r))) {
        rv = prepare_authorized(r, url);
        if (rv != DECLINED) {
            return rv;
        }
    }

    hide_token(r, url);

    return DECLINED;
}

static int proxy_fixups(request_rec *r)
{
    mod_monime_request *own = mod_monime_get_request(r);

    /* These are the backend's, a copy. */
    if (hides_token(r)) {
        apr_table_unset(r->headers_in, "Authorization");
    }

    armed = NULL;

    if (own == NULL || own->authorize == NULL) {
        return OK;
    }

    /* A balancer may have tried another member before. */
    forget_call(own);
    own->sent = 0;
    own->refusal = 0;
    apr_table_unset(r->notes, "proxy-status");

    armed = r;

    return OK;
}

/* The head as it is written. */

static const char *find_end(const char *data, apr_size_t len)
{
    return memmem(data, len, CRLF CRLF, 4);
}

/*
 * Take the head out of a brigade, in one piece.  mod_proxy writes it whole, and
 * perhaps the beginning of a body behind it.
 */
static apr_status_t take_head(request_rec *r, apr_bucket_brigade *bb,
                              piece *head)
{
    apr_bucket *e = APR_BRIGADE_FIRST(bb), *next;
    const char *data, *end = NULL;
    apr_off_t whole = -1;
    apr_size_t before, len, size;
    char *buf;
    apr_status_t rv;

    apr_brigade_length(bb, 0, &whole);
    size = whole < 0 || whole > HEAD_MAX ? HEAD_MAX : (apr_size_t)whole;
    buf = apr_palloc(r->pool, size);
    head->data = buf;
    head->len = 0;

    for (; e != APR_BRIGADE_SENTINEL(bb) && end == NULL; e = next) {
        if (!APR_BUCKET_IS_METADATA(e)) {
            rv = apr_bucket_read(e, &data, &len, APR_BLOCK_READ);
            if (rv != APR_SUCCESS) {
                return rv;
            }
            before = head->len;
            head->len += MIN(len, size - before);
            memcpy(buf + before, data, head->len - before);
            end = find_end(buf, head->len);
            if (end != NULL) {
                head->len = (apr_size_t)(end - buf) + 4;
                rv = apr_bucket_split(e, head->len - before);
                if (rv != APR_SUCCESS) {
                    return rv;
                }
            }
        }
        next = APR_BUCKET_NEXT(e);
        apr_bucket_delete(e);
    }

    return end != NULL ? APR_SUCCESS : APR_EGENERAL;
}

/* Take the next line off the rest; the empty one has no name. */
static int parse_line(piece *rest, header_line *line)
{
    const char *p = rest->data, *last = p + rest->len, *end, *colon;

    end = memchr(p, '\n', rest->len);
    if (end == NULL || end == p || end[-1] != '\r') {
        return 0;
    }

    line->whole.data = p;
    line->whole.len = (apr_size_t)(end + 1 - p);
    rest->data = end + 1;
    rest->len = (apr_size_t)(last - rest->data);

    end--;
    line->name.len = 0;
    if (end == p) {
        return 1;
    }

    colon = memchr(p, ':', (apr_size_t)(end - p));
    if (colon == NULL || colon == p || memchr(p, '\r', (apr_size_t)(end - p))
        || memchr(p, '\0', (apr_size_t)(end - p))) {
        return 0;
    }

    line->name.data = p;
    line->name.len = (apr_size_t)(colon - p);
    if (memchr(p, ' ', line->name.len) || memchr(p, '\t', line->name.len)) {
        return 0;
    }

    for (p = colon + 1; p < end && (*p == ' ' || *p == '\t'); p++) {
        continue;
    }
    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    line->value.data = p;
    line->value.len = (apr_size_t)(end - p);

    return 1;
}

/*
 * Method and URL as they stand in the request line, which is taken off the
 * rest.
 */
static int parse_request_line(request_rec *r, const char *origin, piece *rest,
                              const char **method, const char **url)
{
    static const char version[] = " HTTP/1.";
    const char *p = rest->data, *end, *uri;

    end = memmem(p, rest->len, CRLF, 2);
    if (end == NULL || memchr(p, '\0', (apr_size_t)(end - p))) {
        return 0;
    }

    rest->len -= (apr_size_t)(end + 2 - p);
    rest->data = end + 2;

    /* The version's last digit */
    if (end - p < (apr_ssize_t)sizeof(version)
        || (end[-1] != '0' && end[-1] != '1')) {
        return 0;
    }
    end -= sizeof(version);
    if (memcmp(end, version, sizeof(version) - 1) != 0) {
        return 0;
    }

    uri = memchr(p, ' ', (apr_size_t)(end - p));
    if (uri == NULL || uri == p
        || memchr(uri + 1, ' ', (apr_size_t)(end - uri - 1))) {
        return 0;
    }

    *method = apr_pstrmemdup(r->pool, p, (apr_size_t)(uri - p));
    *url = apr_pstrcat(r->pool, origin,
                       apr_pstrmemdup(r->pool, uri + 1,
                                      (apr_size_t)(end - uri - 1)), NULL);

    return 1;
}

static int is_origin_host(const mod_monime_profile *profile,
                          const piece *value)
{
    return is_word(value->data, value->len, profile->host_port)
           || (profile->port == DEFAULT_HTTPS_PORT
               && is_word(value->data, value->len, profile->host));
}

static int is_set_by_library(const struct monime_call *call,
                             const piece *name)
{
    const char *other, *value;
    size_t i;

    for (i = 0; (other = monime_call_header_at(call, i, &value)) != NULL;
         i++) {
        if (is_named(name, other)) {
            return 1;
        }
    }

    return 0;
}

static void append(char **out, const char *data, apr_size_t len)
{
    memcpy(*out, data, len);
    *out += len;
}

/*
 * The headers that are sent, behind the request line: all that the library sets
 * is taken out, whoever wrote it; what is left must be for the origin.  Returns
 * what is wrong, or NULL.
 */
static const char *write_headers(const mod_monime_request *own, piece rest,
                                 char **out)
{
    header_line line;
    int hosts = 0;

    for (;;) {
        if (!parse_line(&rest, &line)) {
            return "a header of the request is malformed";
        }
        if (line.name.len == 0) {
            break;
        }
        if (is_set_by_library(own->call, &line.name)) {
            continue;
        }
        if (is_named(&line.name, "Host")) {
            hosts += is_origin_host(own->authorize, &line.value) ? 1 : 2;
        }
        if (is_smuggled(&line.name, &line.value)) {
            return "it has a header that must not be sent like this, or a "
                   "\"Connection\" that names one";
        }
        append(out, line.whole.data, line.whole.len);
    }

    return hosts == 1 ? NULL
                      : "\"Host\" must be that of the profile's origin, once: "
                        "proxy to that, without \"ProxyPreserveHost\"";
}

static void write_library_headers(const struct monime_call *call, char **out)
{
    const char *name, *value;
    size_t i;

    for (i = 0; (name = monime_call_header_at(call, i, &value)) != NULL; i++) {
        append(out, name, strlen(name));
        append(out, ": ", 2);
        append(out, value, strlen(value));
        append(out, CRLF, 2);
    }

    append(out, CRLF, 2);
}

static apr_size_t library_headers_length(const struct monime_call *call)
{
    const char *name, *value;
    apr_size_t len = 2;
    size_t i;

    for (i = 0; (name = monime_call_header_at(call, i, &value)) != NULL; i++) {
        len += strlen(name) + strlen(value) + 4;
    }

    return len;
}

/* Judging it. */

static apr_status_t refuse(request_rec *r, int status, const char *after)
{
    mod_monime_request *own = mod_monime_get_request(r);

    own->refusal = status;
    own->retry_after = after;

    return APR_EGENERAL;
}

static apr_status_t fail(request_rec *r, const char *reason)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "not authorized: %s", reason);

    return refuse(r, HTTP_INTERNAL_SERVER_ERROR, NULL);
}

static apr_status_t refuse_result(request_rec *r, int result)
{
    const mod_monime_request *own = mod_monime_get_request(r);
    int status = monime_http_status(result);

    if (status == HTTP_SERVICE_UNAVAILABLE) {
        return refuse(r, status, mod_monime_retry_after(r, own->call));
    }

    /* A credential of ours that is refused is no fault of a client. */
    return refuse(r, result == MONIME_EPOLICY ? status
                                              : HTTP_INTERNAL_SERVER_ERROR,
                  NULL);
}

static apr_status_t authorize(request_rec *r, const char *method,
                              const char *url)
{
    mod_monime_request *own = mod_monime_get_request(r);
    const char *accept;
    int result;

    if (!mod_monime_take_place(PATIENCE)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "%s: not authorized: too many threads of this child "
                      "wait for answers", own->authorize->name);
        return refuse(r, HTTP_SERVICE_UNAVAILABLE, "1");
    }

    mod_monime_enter(r);
    result = monime_authorize(own->authorize->handle, method, url, &own->call);
    mod_monime_leave();
    mod_monime_leave_place();

    if (result != MONIME_OK) {
        return refuse_result(r, result);
    }

    /* The profile may have changed since it was configured. */
    accept = monime_call_get(own->call, "accept");
    if (get_conf(r)->authorize != MOD_MONIME_AUTHORIZE_PUBLIC
        && (accept == NULL || strcmp(accept, "any") == 0)) {
        return fail(r, "check.accept is \"any\", so that a check says nothing "
                       "of the bearer");
    }

    return APR_SUCCESS;
}

/* Connections. */

static apr_status_t free_certificate(void *certificate)
{
    X509_free(certificate);

    return APR_SUCCESS;
}

static int note_handshake(conn_rec *c, SSL *ssl)
{
    /* mod_ssl sets both for "require", and the first alone for less. */
    const int required = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    proof *p = apr_pcalloc(c->pool, sizeof(*p));

    p->is_required = (SSL_get_verify_mode(ssl) & required) == required;
    p->result = SSL_get_verify_result(ssl);
    p->certificate = SSL_get_peer_certificate(ssl);
    if (p->certificate != NULL) {
        apr_pool_cleanup_register(c->pool, p->certificate, free_certificate,
                                  apr_pool_cleanup_null);
    }

    ap_set_module_config(c->conn_config, &monime_module, p);

    return DECLINED;
}

/*
 * Why the other end is not proven to be the profile's origin, or NULL.  A
 * connection that was kept may have been made for another place, which asked
 * for less; and mod_ssl writes in the clear once it has shut down.
 */
static const char *distrust(conn_rec *c, const mod_monime_profile *profile)
{
    const proof *p = ap_get_module_config(c->conn_config, &monime_module);

    if (p == NULL || !ap_ssl_conn_is_ssl(c)) {
        return "the connection is not encrypted by mod_ssl";
    }

    if (!p->is_required) {
        return "\"SSLProxyVerify\" is not \"require\"";
    }

    if (p->certificate == NULL || p->result != X509_V_OK) {
        return "the certificate was not verified";
    }

    if (X509_check_host(p->certificate, profile->host, 0, 0, NULL) != 1
        && X509_check_ip_asc(p->certificate, profile->host, 0) != 1) {
        return "the certificate is for another name than the origin's";
    }

    if (c->client_addr == NULL || c->client_addr->port != profile->port) {
        return "the port is not the origin's";
    }

    return NULL;
}

/* A handshake is made when something is to be written. */
static apr_status_t prove(ap_filter_t *f, request_rec *r,
                          const mod_monime_profile *profile)
{
    conn_rec *c = f->c;
    apr_bucket_brigade *bb;
    const char *reason;
    apr_status_t rv;

    if (ap_get_module_config(c->conn_config, &monime_module) == NULL) {
        bb = apr_brigade_create(c->pool, c->bucket_alloc);
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(c->bucket_alloc));
        rv = ap_pass_brigade(f->next, bb);
        apr_brigade_destroy(bb);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }

    reason = distrust(c, profile);

    return reason == NULL ? APR_SUCCESS : fail(r, reason);
}

/* The head with the library's headers, and then what else there is. */
static apr_status_t pass_head(ap_filter_t *f, apr_bucket_brigade *bb,
                              mod_monime_request *own, char *head,
                              apr_size_t len)
{
    apr_status_t rv;

    APR_BRIGADE_INSERT_HEAD(bb, apr_bucket_immortal_create(
                                    head, len, f->c->bucket_alloc));
    own->sent = 1;
    rv = ap_pass_brigade(f->next, bb);
    /* Encrypted or not at all, it is needed no more. */
    apr_brigade_cleanup(bb);

    return rv;
}

static apr_status_t write_head(ap_filter_t *f, apr_bucket_brigade *bb,
                               request_rec *r, const piece *line, piece rest)
{
    mod_monime_request *own = mod_monime_get_request(r);
    apr_size_t size = line->len + rest.len + library_headers_length(own->call);
    char *head = ap_malloc(size), *out = head;
    const char *wrong;
    apr_status_t rv;

    append(&out, line->data, line->len);
    wrong = write_headers(own, rest, &out);
    if (wrong == NULL) {
        rv = prove(f, r, own->authorize);
        if (rv == APR_SUCCESS) {
            write_library_headers(own->call, &out);
            rv = pass_head(f, bb, own, head, (apr_size_t)(out - head));
        }
    }
    else {
        rv = fail(r, wrong);
    }

    OPENSSL_cleanse(head, size);
    free(head);

    return rv;
}

static apr_status_t send_authorized(ap_filter_t *f, apr_bucket_brigade *bb,
                                    request_rec *r)
{
    mod_monime_request *own = mod_monime_get_request(r);
    const char *method, *url;
    apr_status_t rv;
    piece head, line, rest;

    if (take_head(r, bb, &head) != APR_SUCCESS) {
        return fail(r, "the request has no head of 64 KiB at most");
    }

    rest = head;
    if (!parse_request_line(r, monime_get(own->authorize->handle, "origin"),
                            &rest, &method, &url)) {
        return fail(r, "no request line that the profile could judge");
    }
    line.data = head.data;
    line.len = head.len - rest.len;

    rv = authorize(r, method, url);

    return rv == APR_SUCCESS ? write_head(f, bb, r, &line, rest) : rv;
}

static int has_data(apr_bucket_brigade *bb)
{
    apr_bucket *e;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e)) {
        if (!APR_BUCKET_IS_METADATA(e)) {
            return 1;
        }
    }

    return 0;
}

static apr_status_t authorize_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = armed;
    apr_status_t rv;

    if (r == NULL || !has_data(bb)) {
        return ap_pass_brigade(f->next, bb);
    }

    armed = NULL;

    rv = send_authorized(f, bb, r);
    if (rv != APR_SUCCESS) {
        apr_brigade_cleanup(bb);
    }

    return rv;
}

static int pre_connection(conn_rec *c, void *csd)
{
    if (c->outgoing) {
        ap_add_output_filter_handle(filter_handle, NULL, NULL, c);
    }

    return OK;
}

/* What became of it. */

static void report(request_rec *r, mod_monime_request *own)
{
    const char *status = apr_table_get(r->notes, "proxy-status");
    int number = status != NULL ? atoi(status) : 0;

    /* An answer to a request without our credential says nothing of it. */
    if (own->sent && ap_is_HTTP_VALID_RESPONSE(number)
        && !ap_is_HTTP_INFO(number)) {
        mod_monime_enter(r);
        monime_call_report(own->call, number);
        mod_monime_leave();
    }

    forget_call(own);
}

static int request_status(int *status, request_rec *r)
{
    mod_monime_request *own = mod_monime_get_request(r);

    armed = NULL;

    if (own != NULL && own->headers_in != NULL) {
        r->headers_in = own->headers_in;
        own->headers_in = NULL;
    }

    if (own == NULL || own->authorize == NULL) {
        return DECLINED;
    }

    report(r, own);

    if (own->refusal == 0) {
        return DECLINED;
    }

    /* mod_proxy's own words are about its backend. */
    apr_table_unset(r->notes, "error-notes");
    *status = mod_monime_refuse(r, mn_refusal_of_status(own->refusal),
                                own->retry_after);

    return OK;
}

void mod_monime_register_authorize(apr_pool_t *p)
{
    static const char *const ssl[] = { "mod_ssl.c", NULL };
    static const char *const proxy[] = { "mod_proxy.c", NULL };

    ap_hook_post_perdir_config(refuse_smuggled, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(prepare, NULL, proxy, APR_HOOK_REALLY_FIRST);
    APR_OPTIONAL_HOOK(proxy, fixups, proxy_fixups, NULL, NULL, APR_HOOK_LAST);
    APR_OPTIONAL_HOOK(proxy, request_status, request_status, NULL, NULL,
                      APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, proxy_post_handshake, note_handshake, NULL, NULL,
                      APR_HOOK_LAST);

    /* Below mod_ssl's first filter, which is of the same type. */
    ap_hook_pre_connection(pre_connection, ssl, NULL, APR_HOOK_LAST);
    filter_handle = ap_register_output_filter("MONIME_AUTHORIZE",
                                              authorize_filter, NULL,
                                              AP_FTYPE_CONNECTION + 4);
}
