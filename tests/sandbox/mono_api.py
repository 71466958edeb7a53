# SPDX-License-Identifier: MIT
"""Mono as its documentation tells it: static keys under /v1, OAuth 2.0 under
/api/v1.  The shapes of single objects are illustrations."""

import base64
import hmac
import itertools
import json
import re
import time
import urllib.parse

from monime_api import bearer, encode
from state import APIS, OAUTH_CLIENT, Token
from wire import PHRASES, Answer

TOKEN_PATH = "/api/v1/oauth/token"
COLLECTION = re.compile(r"[a-z][a-z0-9_]{0,63}")
IDENTITY = re.compile(r"[A-Za-z0-9_-]{1,128}")

SERIAL = itertools.count(1)

# Collections that the sandbox knows, with the prefix of the ids made there.
COLLECTIONS = {
    "bank_accounts": "bac", "transfers": "trf", "batches": "bat",
    "collections": "col", "outgoing_transfers": "otr",
    "target_resolutions": "res", "tenant_accounts": "tac", "webhooks": "whk",
}

CODES = {400: "validation_error", 401: "invalid_token",
         403: "not_authorized", 404: "item_not_found",
         405: "validation_error", 409: "validation_error",
         422: "validation_error", 500: "internal_error",
         502: "service_is_unavailable", 503: "service_is_unavailable",
         504: "service_is_unavailable"}


def reply(status, value, headers=()):
    return Answer(status, encode(value),
                  [("Content-Type", "application/json")] + list(headers))


def error(status, message="Scripted by the sandbox", code=None, path=None):
    """The provider's envelope for a status; also what a fault sends."""
    phrase = PHRASES.get(status, "Unknown")
    return reply(status, {
        "code": "%d %s" % (status, phrase),
        "errors": [{"error_code": code or CODES.get(status,
                                                    "internal_error"),
                    "message": message, "path": path, "url": None}],
        "id": "log_sandbox%08d" % next(SERIAL), "message": message})


def oauth_error(status, name, description, headers=()):
    return reply(status, {"error": name, "error_description": description},
                 [("Cache-Control", "no-store")] + list(headers))


def answer(request, state):
    """The genuine answer to a request, with its side effect carried out."""
    api = APIS[request.server]
    if request.path == TOKEN_PATH:
        state.token_requests += 1
        made = _issue(request, state, api)
        state.changed()
        return made
    for prefix, oauth in (("/v1/", False), ("/api/v1/", True)):
        if request.path.startswith(prefix):
            break
    else:
        return error(404, "There is no such resource")
    if not request.all("Authorization"):
        return error(401, "No credential was sent",
                     "missing_authorization_header")
    token = state.tokens.get(bearer(request))
    if token is None or token.api != api or token.client != oauth:
        return error(401, "The credential is not known here")
    if token.revoked or expired(token):
        return error(401, "The credential has expired or was revoked",
                     "expired_token" if oauth else "invalid_token")
    segments = request.path[len(prefix):].split("/")
    if segments[0] not in COLLECTIONS or not all(
            IDENTITY.fullmatch(segment) for segment in segments) \
            or len(segments) > 2:
        return error(404, "There is no such resource")
    return _collection(request, state, api, token, segments)


def expired(token):
    ends = getattr(token, "ends", None)
    return ends is not None and time.monotonic() >= ends


def _collection(request, state, api, token, segments):
    items = state.collection((api, token.owner, segments[0]))
    method = request.method
    if len(segments) == 2 and segments[1] not in items:
        return error(404, "There is no such object")
    if method in ("GET", "HEAD"):
        if len(segments) == 2:
            return reply(200, items[segments[1]])
        return reply(200, {segments[0]: list(items.values())})
    if method not in ("POST", "PUT", "PATCH", "DELETE") or \
            (method == "POST") != (len(segments) == 1):
        return error(405, "The method is not understood here")
    return _write(request, state, api, token, segments, items)


def _write(request, state, api, token, segments, items):
    method = request.method
    keys = request.all("X-Idempotency-Key") if method != "DELETE" else []
    if len(keys) > 1 or any(not 1 <= len(key) <= 255 for key in keys):
        return error(400, "X-Idempotency-Key has at most 255 characters",
                     path="X-Idempotency-Key")
    key = keys[0] if keys else None
    wanted = (method, request.target, request.body)
    slot = (api, token.owner, key)
    if key is not None and slot in state.replays:
        before, answered = state.replays[slot]
        if before != wanted:
            return error(409, "The key was used for another request")
        return Answer(answered.status, answered.body, answered.headers)
    value = {}
    if method != "DELETE":
        try:
            value = json.loads(request.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            return error(400, "The body is a JSON object")
    state.effect(request, key, token)
    if method == "DELETE":
        del items[segments[1]]
        return Answer(204)
    if method == "POST":
        item = dict({"state": "created"}, **value)
        item["id"] = state.next_identity(COLLECTIONS[segments[0]], "_")
    else:
        item = dict(items[segments[1]] if method == "PATCH" else {}, **value)
        item["id"] = segments[1]
    items[item["id"]] = item
    made = reply(201 if method == "POST" else 200, item)
    if key is not None:
        state.replays[slot] = (wanted, made)
    return made


def _same(left, right):
    return isinstance(left, str) and hmac.compare_digest(
        left.encode("utf-8"), right.encode("utf-8"))


def _parameters(request):
    """The body of a token request: a form or JSON; None when neither."""
    kind = (request.one("Content-Type") or "").partition(";")[0].strip()
    try:
        if kind.lower() == "application/json":
            value = json.loads(request.body)
            return value if isinstance(value, dict) else None
        if kind.lower() == "application/x-www-form-urlencoded":
            pairs = urllib.parse.parse_qsl(
                request.body.decode("ascii"), keep_blank_values=True,
                strict_parsing=True)
            # RFC 6749 3.2: parameters must not be repeated.
            return dict(pairs) if len(dict(pairs)) == len(pairs) else None
    except ValueError:
        pass
    return None


def _basic(request):
    """Id and secret of HTTP Basic, form-decoded (RFC 6749 2.3.1)."""
    value = request.one("Authorization") or ""
    if value[:6].lower() != "basic ":
        return None
    try:
        text = base64.b64decode(value[6:], validate=True).decode("ascii")
    except ValueError:
        return None
    identity, _, secret = text.partition(":")
    return urllib.parse.unquote_plus(identity), \
        urllib.parse.unquote_plus(secret)


def _issue(request, state, api):
    settings = state.settings
    if request.method != "POST":
        return oauth_error(405, "invalid_request", "POST is needed")
    given = _parameters(request)
    if given is None:
        return oauth_error(400, "invalid_request", "The body is no form and "
                           "no JSON object, or repeats a parameter")
    identity, secret = given.get("client_id"), given.get("client_secret")
    if request.all("Authorization"):
        basic = _basic(request) if settings["oauth_basic"] else None
        if basic is None or secret is not None:
            return oauth_error(401, "invalid_client", "The client is known "
                               "by its body alone",
                               [("WWW-Authenticate", "Basic")])
        identity, secret = basic
    if not _same(identity, OAUTH_CLIENT["oauth_client_id"]) or \
            not _same(secret, settings["oauth_client_secret"]):
        return oauth_error(401, "invalid_client", "The client is not known")
    grant = given.get("grant_type")
    if grant is None:
        return oauth_error(400, "invalid_request", "grant_type is missing")
    if grant not in settings["oauth_grants"]:
        return oauth_error(400, "unsupported_grant_type",
                           "This grant is not offered")
    if grant == "password" and not (
            _same(given.get("username"), OAUTH_CLIENT["oauth_username"]) and
            _same(given.get("password"), OAUTH_CLIENT["oauth_password"])):
        return oauth_error(400, "invalid_grant", "No such user")
    scopes = str(given.get("scope") or " ".join(
        settings["oauth_scopes"])).split(" ")
    if not set(scopes) <= set(settings["oauth_scopes"]):
        return oauth_error(400, "invalid_scope", "A scope is not known")
    return _token_answer(state, api, scopes)


def _token_answer(state, api, scopes):
    settings = state.settings
    state.tokens_issued += 1
    number = state.tokens_issued
    token = Token("oauth_%d" % number, "canary_oauth_%06d_%s" % (
        number, settings["oauth_ends"][0]), api, "us", client=True)
    lifetime = settings["oauth_lifetime"]
    if lifetime is None and isinstance(settings["oauth_expires_in"], int):
        lifetime = settings["oauth_expires_in"]
    if lifetime:
        token.ends = time.monotonic() + lifetime
    state.add_token(token)
    value = {"access_token": token.literal, "scope": " ".join(scopes)}
    if settings["oauth_token_type"] is not None:
        value["token_type"] = settings["oauth_token_type"]
    if settings["oauth_expires_in"] is not None:
        value["expires_in"] = settings["oauth_expires_in"]
    if settings["oauth_refresh_token"]:
        value["refresh_token"] = "canary_refresh_%06d_%s" % (
            number, settings["oauth_ends"][1])
    return reply(200, value, [("Cache-Control", "no-store")])
