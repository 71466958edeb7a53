/* SPDX-License-Identifier: MIT */

/*
 * Checks of the tokens that clients present, by libmonime.
 *
 * "AuthType Monime" asks for a token, "Require monime" lets in whom the place's
 * profile accepts.  A verdict that is remembered costs no wait; for any other
 * the thread waits, since authentication cannot be suspended, and only so many
 * of a child's threads do.
 *
 * Only MONIME_OK lets anybody in.
 */

#include "mod_monime.h"

#include "ap_mpm.h"
#include "ap_provider.h"
#include "http_protocol.h"
#include "http_request.h"
#include "mod_auth.h"
#include "mod_core.h"
#include "util_filter.h"

#include "apr_lib.h"
#include "apr_strings.h"
#include "apr_uri.h"

#include <errno.h>
#include <openssl/err.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/param.h>
#include <syslog.h>
#include <time.h>

#include "status.h"

APLOG_USE_MODULE(monime);

/*
 * Handles outlive the configuration: the next one opens its own first, so that
 * verdicts and counters go on.
 */
typedef struct {
    struct monime **handles;
    int count;
} kept_handles;

#define KEPT_HANDLES "mod_monime handles"

/* Of the configuration that is being read, or was read last. */
static const char *folder;
static apr_array_header_t *profiles;    /* mod_monime_profile * */
static apr_array_header_t *places;      /* mod_monime_dir_conf * */
static kept_handles *kept;
static server_rec *main_server;

static sem_t waiting_places;

static ap_filter_rec_t *json_filter_handle;

/* The request that is inside the library in this thread. */
static _Thread_local request_rec *inside;

mod_monime_request *mod_monime_get_request(request_rec *r)
{
    return ap_get_module_config(r->request_config, &monime_module);
}

mod_monime_request *mod_monime_make_request(request_rec *r)
{
    mod_monime_request *own = mod_monime_get_request(r);

    if (own == NULL) {
        own = apr_pcalloc(r->pool, sizeof(*own));
        own->result = MN_REFUSAL_UNKNOWN;   /* nothing is a yes but MONIME_OK */
        ap_set_module_config(r->request_config, &monime_module, own);
    }

    return own;
}

void mod_monime_enter(request_rec *r)
{
    inside = r;
}

void mod_monime_leave(void)
{
    inside = NULL;
    ERR_clear_error();
}

int mod_monime_take_place(int patience)
{
    struct timespec until;
    int rv;

    if (sem_trywait(&waiting_places) == 0) {
        return 1;
    }

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)patience * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;

    do {
        rv = sem_timedwait(&waiting_places, &until);
    } while (rv != 0 && errno == EINTR);

    return rv == 0;
}

void mod_monime_leave_place(void)
{
    sem_post(&waiting_places);
}

/* Checks. */

/* Of the last check in this request, in those before it and around it. */
static const mod_monime_request *last_check(request_rec *r)
{
    const mod_monime_request *own;

    for (; r != NULL; r = r->prev ? r->prev : r->main) {
        own = mod_monime_get_request(r);
        if (own != NULL && own->profile != NULL) {
            return own;
        }
    }

    return NULL;
}

/* A subrequest begins with what its request has. */
static void set_variable(request_rec *r, const char *name, const char *value)
{
    if (value != NULL) {
        apr_table_setn(r->subprocess_env, name, value);
    }
    else {
        apr_table_unset(r->subprocess_env, name);
    }
}

static void set_environment(request_rec *r, const mod_monime_request *check)
{
    set_variable(r, "MONIME_VERDICT", mn_refusal_verdict(check->result));
    set_variable(r, "MONIME_ENVIRONMENT", check->environment);
    set_variable(r, "MONIME_FINGERPRINT", check->fingerprint);
    set_variable(r, "MONIME_SOURCE", check->source);
}

static const char *copy_fact(request_rec *r, const struct monime_call *call,
                             const char *name)
{
    return apr_pstrdup(r->pool, monime_call_get(call, name));
}

const char *mod_monime_retry_after(request_rec *r,
                                   const struct monime_call *call)
{
    const char *after = copy_fact(r, call, "retry-after");

    return after != NULL ? after : MN_REFUSAL_RETRY_AFTER;
}

static const char *ask(request_rec *r, mod_monime_request *own,
                       const char *token, apr_size_t len)
{
    const char *after = NULL;
    struct monime_call *call;

    mod_monime_enter(r);
    own->result = monime_check_token(own->profile->handle, token, len, &call);
    own->environment = copy_fact(r, call, "environment");
    own->fingerprint = copy_fact(r, call, "fingerprint");
    own->source = copy_fact(r, call, "source");
    if (monime_http_status(own->result) == HTTP_SERVICE_UNAVAILABLE) {
        after = mod_monime_retry_after(r, call);
    }
    monime_call_free(call);
    mod_monime_leave();

    return after;
}

/* The library may have to ask the API, but not about nothing. */
static const char *ask_and_wait(request_rec *r, mod_monime_request *own,
                                const char *token, apr_size_t len)
{
    const char *after;

    if (len == 0) {
        return ask(r, own, token, len);
    }

    if (!mod_monime_take_place(0)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "%s: not asked: too many threads of this child wait for "
                      "answers", own->profile->name);
        own->result = MN_REFUSAL_UNKNOWN;
        return MN_REFUSAL_RETRY_AFTER;
    }

    after = ask(r, own, token, len);
    mod_monime_leave_place();

    return after;
}

/* The name of a token, or NULL. */
static const char *get_fingerprint(request_rec *r, const char *token,
                                   apr_size_t len)
{
    char *name = apr_palloc(r->pool, MONIME_FINGERPRINT_SIZE);

    return monime_fingerprint(token, len, name, MONIME_FINGERPRINT_SIZE)
               == MONIME_OK ? name : NULL;
}

/* Whose verdict is remembered needs no call to tell of it. */
static void set_remembered(request_rec *r, mod_monime_request *own,
                           const char *token, apr_size_t len)
{
    own->source = "cache";

    if (own->result == MONIME_OK) {
        own->environment = own->profile->environment;
        own->fingerprint = get_fingerprint(r, token, len);
    }
}

static int refuse_token(request_rec *r, const mod_monime_request *own,
                        const char *header, const char *after)
{
    struct mn_refusal refusal;

    if (own->presented) {
        refusal = mn_refusal_of_token(own->result);
    }
    else {
        refusal = mn_refusal_of_nobody(own->result, header,
                                       header != NULL ? strlen(header) : 0);
    }

    set_environment(r, own);

    return mod_monime_refuse(r, refusal, after);
}

static int check_authn(request_rec *r)
{
    const char *type = ap_auth_type(r);
    const mod_monime_dir_conf *conf;
    const char *after = NULL, *header, *token = NULL;
    mod_monime_request *own;
    size_t len = 0;

    if (type == NULL || ap_cstr_casecmp(type, "Monime") != 0) {
        return DECLINED;
    }

    conf = ap_get_module_config(r->per_dir_config, &monime_module);
    if (conf->profile == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "\"AuthType Monime\" needs \"MonimeProfile\": %s",
                      r->uri);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    header = apr_table_get(r->headers_in, "Authorization");
    if (header != NULL) {
        token = monime_bearer(header, strlen(header), &len);
        if (memchr(token, ',', len) != NULL) {
            /* httpd has joined several headers: RFC 6750 2.1 has no comma. */
            len = 0;
        }
    }

    own = mod_monime_make_request(r);
    own->profile = conf->profile;
    own->presented = (len != 0);
    own->result = MONIME_EPENDING;

    if (len != 0) {
        mod_monime_enter(r);
        own->result = monime_check_token_start(conf->profile->handle, token,
                                               len, NULL, NULL);
        inside = NULL;
    }

    if (own->result == MONIME_EPENDING) {
        after = ask_and_wait(r, own, token, len);
    }
    else {
        set_remembered(r, own, token, len);
    }

    if (own->result != MONIME_OK) {
        return refuse_token(r, own, header, after);
    }

    if (own->fingerprint == NULL) {
        /* Short of memory: httpd lets nobody in who has no name. */
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    r->user = (char *)own->fingerprint;
    r->ap_auth_type = (char *)"Monime";

    return OK;
}

int mod_monime_is_accepted(request_rec *r, const mod_monime_profile *profile)
{
    const mod_monime_request *own;

    for (;;) {
        own = mod_monime_get_request(r);
        if (own != NULL && own->profile != NULL) {
            return own->profile == profile && own->result == MONIME_OK;
        }
        if (r->prev == NULL
            || r->prev->per_dir_config != r->per_dir_config) {
            return 0;
        }
        r = r->prev;
    }
}

static authz_status require_monime(request_rec *r, const char *line,
                                   const void *parsed)
{
    const mod_monime_request *own = mod_monime_get_request(r);
    const mod_monime_dir_conf *conf;

    if (own == NULL || own->profile == NULL) {
        return AUTHZ_DENIED_NO_USER;
    }

    conf = ap_get_module_config(r->per_dir_config, &monime_module);
    if (own->profile == conf->profile && own->result == MONIME_OK) {
        return AUTHZ_GRANTED;
    }

    return AUTHZ_DENIED;
}

static const char *parse_require(cmd_parms *cmd, const char *line,
                                 const void **parsed)
{
    while (apr_isspace(*line)) {
        line++;
    }

    return *line ? "\"Require monime\" takes no arguments" : NULL;
}

static const authz_provider provider = {
    require_monime,
    parse_require
};

static int note_auth_failure(request_rec *r, const char *type)
{
    if (ap_cstr_casecmp(type, "Monime") != 0) {
        return DECLINED;
    }

    apr_table_setn(r->err_headers_out, "WWW-Authenticate",
                   mn_refusal_of_status(HTTP_UNAUTHORIZED).challenge);

    return OK;
}

/* CGI programs and access logs see them; those of a refusal are set with it. */
static int fixups(request_rec *r)
{
    const mod_monime_request *check = last_check(r);

    if (check == NULL) {
        return DECLINED;
    }

    set_environment(r, check);

    return OK;
}

/* Answers. */

static int is_for_people(request_rec *r)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");

    return accept != NULL && mn_status_for_people(accept, strlen(accept));
}

/* An "ErrorDocument" comes first. */
static void set_json(request_rec *r, int status, const char *body)
{
    if (is_for_people(r)
        || ap_response_code_string(r, ap_index_of_response(status)) != NULL) {
        return;
    }

    ap_custom_response(r, status, body);
    mod_monime_make_request(r)->json = status;
}

int mod_monime_refuse(request_rec *r, struct mn_refusal refusal,
                      const char *after)
{
    if (refusal.challenge != NULL) {
        apr_table_setn(r->err_headers_out, "WWW-Authenticate",
                       refusal.challenge);
    }

    if (after != NULL) {
        apr_table_setn(r->err_headers_out, "Retry-After", after);
    }

    set_json(r, refusal.status, refusal.body);

    return refusal.status;
}

/* What httpd takes for a text it calls text/html. */
static apr_status_t json_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    ap_set_content_type(f->r, "application/json");
    ap_remove_output_filter(f);

    return ap_pass_brigade(f->next, bb);
}

static void insert_error_filter(request_rec *r)
{
    const mod_monime_request *own = mod_monime_get_request(r);

    if (own != NULL && own->json != 0 && own->json == r->status) {
        ap_add_output_filter_handle(json_filter_handle, NULL, r,
                                    r->connection);
    }
}

static apr_status_t free_text(void *text)
{
    free(text);

    return APR_SUCCESS;
}

static int status_handler(request_rec *r)
{
    const struct mn_status *status;
    char *text;
    size_t len;
    int rv;

    if (r->handler == NULL || strcmp(r->handler, "monime-status") != 0) {
        return DECLINED;
    }

    if (r->method_number != M_GET) {
        ap_allow_methods(r, REPLACE_ALLOW, "GET", NULL);
        return HTTP_METHOD_NOT_ALLOWED;
    }

    rv = ap_discard_request_body(r);
    if (rv != OK) {
        return rv;
    }

    status = mn_status_choose(is_for_people(r) != 0);
    text = mn_status_text(status, kept->handles, (size_t)kept->count, &len);
    if (text == NULL) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_pool_cleanup_register(r->pool, text, free_text, apr_pool_cleanup_null);

    apr_table_setn(r->headers_out, "Cache-Control", MN_STATUS_CACHE_CONTROL);
    ap_set_content_type(r, status->type);
    ap_set_content_length(r, (apr_off_t)len);
    if (!r->header_only) {
        ap_rwrite(text, (int)len, r);
    }

    return OK;
}

/* Profiles. */

/*
 * Levels of syslog(3) are httpd's.  A refusal is a notice of the library's;
 * httpd would write that whatever LogLevel says, and to syslog only from there.
 */
static void log_line(void *data, int level, const char *line)
{
    if (inside != NULL) {
        ap_log_rerror(APLOG_MARK, level == LOG_NOTICE ? APLOG_WARNING : level,
                      0, inside, "%s", line);
    }
    else {
        ap_log_error(APLOG_MARK, level, 0, main_server, "%s", line);
    }
}

static void set_log(server_rec *s)
{
    int i, level = LOG_NOTICE;

    main_server = s;

    for (; s != NULL; s = s->next) {
        level = MAX(level, ap_get_server_module_loglevel(
                               s, monime_module.module_index));
    }

    for (i = 0; i < kept->count; i++) {
        monime_set_log(kept->handles[i], MIN(level, LOG_DEBUG), log_line,
                       NULL);
    }
}

static int set_facts(mod_monime_profile *profile, apr_pool_t *p)
{
    apr_uri_t uri;

    if (apr_uri_parse(p, monime_get(profile->handle, "origin"), &uri)
            != APR_SUCCESS
        || uri.hostname == NULL) {
        return 0;
    }

    profile->environment = monime_get(profile->handle, "environment");
    profile->host = uri.hostname;
    profile->port = uri.port ? uri.port : apr_uri_port_of_scheme("https");
    profile->host_port = apr_psprintf(
        p, strchr(uri.hostname, ':') ? "[%s]:%hu" : "%s:%hu", uri.hostname,
        profile->port);

    return 1;
}

static void tell_errors(const mod_monime_profile *profile, server_rec *s)
{
    const char *line;
    size_t len;

    for (line = monime_error(profile->handle); *line; line += len) {
        len = strcspn(line, "\n");
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, s,
                     "%.*s, for \"MonimeProfile\" in %s:%d", (int)len, line,
                     profile->place.file, profile->place.line);
        len += (line[len] == '\n');
    }
}

static int open_profile(mod_monime_profile *profile, apr_pool_t *p,
                        server_rec *s)
{
    if (monime_open(profile->name, folder, &profile->handle) == MONIME_OK) {
        return set_facts(profile, p);
    }

    tell_errors(profile, s);

    return 0;
}

static void close_handles(void)
{
    int i;

    for (i = 0; i < kept->count; i++) {
        monime_close(kept->handles[i]);
    }
    free(kept->handles);

    kept->handles = NULL;
    kept->count = 0;
}

/* The new handles are open: what they share with the old ones stays. */
static void keep_handles(void)
{
    mod_monime_profile **profile = (mod_monime_profile **)profiles->elts;
    struct monime **handles;
    int i;

    handles = ap_calloc((size_t)profiles->nelts + 1, sizeof(*handles));
    for (i = 0; i < profiles->nelts; i++) {
        handles[i] = profile[i]->handle;
    }

    close_handles();
    kept->handles = handles;
    kept->count = profiles->nelts;
}

/*
 * The log function is gone when the module has been unloaded.  Only the parent
 * ends by this, and closes; in a child threads may still be inside.
 */
static apr_status_t leave_handles(void *data)
{
    int i;

    for (i = 0; i < kept->count; i++) {
        monime_set_log(kept->handles[i], LOG_EMERG, NULL, NULL);
    }

    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_EXITING) {
        close_handles();
    }

    return APR_SUCCESS;
}

static int check_places(server_rec *s)
{
    mod_monime_dir_conf **conf = (mod_monime_dir_conf **)places->elts;
    const char *wrong;
    int i, rv = OK;

    for (i = 0; i < places->nelts; i++) {
        wrong = mod_monime_authorize_lacks(conf[i]);
        if (wrong != NULL) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, s,
                         "%s: the profile needs %s, for \"MonimeAuthorize\" in "
                         "%s:%d", conf[i]->profile->name, wrong,
                         conf[i]->authorize_place.file,
                         conf[i]->authorize_place.line);
            rv = HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return rv;
}

/*
 * Runs as root, at each start and restart and for a test alone, and all that is
 * wrong is told at once.
 */
static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                        server_rec *s)
{
    mod_monime_profile **profile = (mod_monime_profile **)profiles->elts;
    int i, rv = OK;

    for (i = 0; i < profiles->nelts; i++) {
        if (!open_profile(profile[i], pconf, s)) {
            rv = HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    keep_handles();
    apr_pool_cleanup_register(pconf, NULL, leave_handles,
                              apr_pool_cleanup_null);

    return rv == OK ? check_places(s) : rv;
}

static void test_config(apr_pool_t *pconf, server_rec *s)
{
    set_log(s);
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                       server_rec *s)
{
    /* The first of two times that httpd reads the configuration. */
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) {
        set_log(s);
    }

    return OK;
}

static void child_init(apr_pool_t *p, server_rec *s)
{
    int threads;

    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) != APR_SUCCESS
        || threads < 2) {
        threads = 2;
    }

    sem_init(&waiting_places, 0, (unsigned int)threads / 2);
}

/* Configuration. */

static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    folder = NULL;
    main_server = NULL;
    profiles = apr_array_make(pconf, 4, sizeof(mod_monime_profile *));
    places = apr_array_make(pconf, 4, sizeof(mod_monime_dir_conf *));

    kept = ap_retained_data_get(KEPT_HANDLES);
    if (kept == NULL) {
        kept = ap_retained_data_create(KEPT_HANDLES, sizeof(*kept));
    }

    return OK;
}

static void *create_dir_conf(apr_pool_t *p, char *dir)
{
    return apr_pcalloc(p, sizeof(mod_monime_dir_conf));
}

static void *merge_dir_conf(apr_pool_t *p, void *parent, void *child)
{
    const mod_monime_dir_conf *base = parent, *over = child;
    mod_monime_dir_conf *conf = apr_pmemdup(p, base, sizeof(*base));

    if (over->profile != NULL) {
        conf->profile = over->profile;
    }
    if (over->authorize != MOD_MONIME_AUTHORIZE_UNSET) {
        conf->authorize = over->authorize;
        conf->authorize_place = over->authorize_place;
    }

    return conf;
}

static void note_place(const cmd_parms *cmd, mod_monime_place *place)
{
    place->file = cmd->directive->filename;
    place->line = cmd->directive->line_num;
}

static const char *set_folder(cmd_parms *cmd, void *conf, const char *dir)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    if (wrong != NULL) {
        return wrong;
    }
    if (*dir != '/') {
        return "MonimeFolder must be an absolute path";
    }

    folder = dir;

    return NULL;
}

/*
 * "AllowOverrideList" could name them, too; and inside of <Limit> they would
 * hold for every method.
 */
static const char *check_place(cmd_parms *cmd)
{
    return ap_check_cmd_context(cmd, NOT_IN_HTACCESS | NOT_IN_LIMIT);
}

static const char *set_profile(cmd_parms *cmd, void *dir_conf,
                               const char *name)
{
    const char *wrong = check_place(cmd);
    mod_monime_profile **known = (mod_monime_profile **)profiles->elts;
    mod_monime_dir_conf *conf = dir_conf;
    mod_monime_profile *profile;
    int i;

    if (wrong != NULL) {
        return wrong;
    }

    for (i = 0; i < profiles->nelts; i++) {
        if (strcmp(known[i]->name, name) == 0) {
            conf->profile = known[i];
            return NULL;
        }
    }

    profile = apr_pcalloc(cmd->pool, sizeof(*profile));
    profile->name = name;
    note_place(cmd, &profile->place);
    APR_ARRAY_PUSH(profiles, mod_monime_profile *) = profile;

    conf->profile = profile;

    return NULL;
}

static const char *set_authorize(cmd_parms *cmd, void *dir_conf,
                                 const char *word)
{
    static const struct {
        const char *word;
        mod_monime_authorize authorize;
    } words[] = {
        { "On", MOD_MONIME_AUTHORIZE_ON },
        { "Public", MOD_MONIME_AUTHORIZE_PUBLIC },
        { "Off", MOD_MONIME_AUTHORIZE_OFF },
        { NULL, MOD_MONIME_AUTHORIZE_UNSET }
    };
    const char *wrong = check_place(cmd);
    mod_monime_dir_conf *conf = dir_conf;
    int i;

    if (wrong != NULL) {
        return wrong;
    }

    for (i = 0; words[i].word != NULL; i++) {
        if (ap_cstr_casecmp(words[i].word, word) == 0) {
            break;
        }
    }
    if (words[i].word == NULL) {
        return "MonimeAuthorize must be On, Public or Off";
    }

    conf->authorize = words[i].authorize;
    note_place(cmd, &conf->authorize_place);
    APR_ARRAY_PUSH(places, mod_monime_dir_conf *) = conf;

    return NULL;
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("MonimeFolder", set_folder, NULL, RSRC_CONF,
                  "the configuration folder, an absolute path"),
    AP_INIT_TAKE1("MonimeProfile", set_profile, NULL, RSRC_CONF | ACCESS_CONF,
                  "the profile, as test/payouts or live/payouts"),
    AP_INIT_TAKE1("MonimeAuthorize", set_authorize, NULL,
                  RSRC_CONF | ACCESS_CONF,
                  "On, Public or Off: whether requests are proxied with the "
                  "profile's own credential"),
    { NULL }
};

static void register_hooks(apr_pool_t *p)
{
    static const char *const after[] = { "mod_env.c", "mod_setenvif.c", NULL };

    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(test_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);

    ap_hook_check_authn(check_authn, NULL, NULL, APR_HOOK_MIDDLE,
                        AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "monime",
                              AUTHZ_PROVIDER_VERSION, &provider,
                              AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_note_auth_failure(note_auth_failure, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_fixups(fixups, after, NULL, APR_HOOK_LAST);
    ap_hook_handler(status_handler, NULL, NULL, APR_HOOK_MIDDLE);

    ap_hook_insert_error_filter(insert_error_filter, NULL, NULL,
                                APR_HOOK_MIDDLE);
    json_filter_handle = ap_register_output_filter(
        "MONIME_JSON", json_filter, NULL, AP_FTYPE_CONTENT_SET);

    mod_monime_register_authorize(p);
}

module AP_MODULE_DECLARE_DATA monime_module = {
    STANDARD20_MODULE_STUFF,
    create_dir_conf,
    merge_dir_conf,
    NULL,                       /* per-server configuration */
    NULL,                       /* its merge */
    commands,
    register_hooks,
    AP_MODULE_FLAG_NONE
};
