# SPDX-License-Identifier: MIT
"""Monime as its documentation tells it: the token test and /v1.

The shapes of single objects are illustrations.  The provider publishes no
catalogue of error reasons: the ones here, but for `idempotency_key_in_use`
and `too_many_requests`, are the sandbox's own words.
"""

import base64
import hashlib
import json
import re
import time
import urllib.parse

from state import MONIME
from wire import Answer

PLATFORM = "Monime - \u24c2\ufe0f"
TAGLINE = "APIs Beyond Payments \u26a1\ufe0f\u2699\U0001f4b0\ufe0f"
SCHEMA = ("https://github.com/monimesl/monime-developer-apis/blob/main/"
          "api-versions/-/specifications/openapi.yaml")
VERSIONS = ("caph.2025-06-20", "caph.2025-08-23")

# The lists that any valid token sees, whatever its Space.
GLOBAL = {
    "banks": ({"providerId": "slb001", "name": "Sandbox Bank",
               "country": "SL"},),
    "momos": ({"providerId": "m17", "name": "Sandbox Money",
               "country": "SL"},),
    "countries": ({"code": "SL", "name": "Sierra Leone"},),
    "provider-kyc": (),
}

# Collections of a Space, with the prefix of the ids that are made there.
COLLECTIONS = {
    "financial-accounts": "fac", "financial-transactions": "ftx",
    "internal-transfers": "trn", "payment-codes": "pmc", "payments": "pay",
    "payouts": "pot", "checkout-sessions": "cos", "receipts": "rcp",
    "ussd-otps": "uop", "webhooks": "whk",
}

REASONS = {400: "bad_request", 401: "unauthorized", 403: "forbidden",
           404: "not_found", 405: "method_not_allowed",
           409: "idempotency_key_in_use", 429: "too_many_requests",
           500: "internal_error", 502: "bad_gateway",
           503: "service_unavailable", 504: "gateway_timeout"}

SEGMENT = re.compile(r"[A-Za-z0-9_-]{1,128}")


def encode(value):
    return json.dumps(value, ensure_ascii=False,
                      separators=(",", ":")).encode("utf-8")


def reply(status, value, headers=()):
    return Answer(status, encode(value),
                  [("Content-Type", "application/json")] + list(headers))


def success(result, status=200, pagination=None):
    value = {"success": True, "messages": [], "result": result}
    if pagination is not None:
        value["pagination"] = pagination
    return reply(status, value)


def error(status, message="Scripted by the sandbox", reason=None):
    """The provider's envelope for a status; also what a fault sends."""
    headers = [("Monime-Rate-Limit", "token-limit")] if status == 429 else []
    return reply(status, {
        "success": False, "messages": [],
        "error": {"code": status,
                  "reason": reason or REASONS.get(status, "error_%d" % status),
                  "message": message, "details": []}}, headers)


def finish(answer, state, began):
    """Add the headers that every answer of Monime carries."""
    answer.headers += [
        ("Monime-Request-Id", "req-sandbox%08d" % next(state.answers)),
        ("Monime-Request-Timestamp",
         time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())),
        ("Monime-Request-Duration",
         "%.3fms" % ((time.monotonic() - began) * 1000)),
        ("Monime-Request-Checksum", hashlib.sha256(answer.body).hexdigest()),
    ]


def bearer(request):
    """The credential of a request, or None."""
    value = request.one("Authorization")
    scheme, space, token = (value or "").partition(" ")
    if not space or scheme.lower() != "bearer":
        return None
    return token


def find_token(request, state):
    token = state.tokens.get(bearer(request))
    if token is None or token.revoked or token.api != MONIME:
        return None
    return token


def answer(request, state):
    """The genuine answer to a request, with its side effect carried out."""
    began = time.monotonic()
    made = _route(request, state)
    finish(made, state, began)
    return made


def _route(request, state):
    if request.path == "/":
        if request.method not in ("GET", "HEAD"):
            return error(405, "Only GET is understood here")
        return _token_test(request, state)
    if not request.path.startswith("/v1/"):
        return error(404, "There is no such resource")
    token = find_token(request, state)
    if token is None:
        return error(401, "The access token is missing, invalid or expired")
    segments = request.path[len("/v1/"):].split("/")
    if not all(SEGMENT.fullmatch(segment) for segment in segments):
        return error(404, "There is no such resource")
    if token.environment == "test" and any(
            request.path.startswith(prefix)
            for prefix in state.settings["test_mode_unsupported"]):
        return error(403, "Test mode is not supported for this endpoint")
    if segments[0] in GLOBAL:
        return _global(request, segments)
    if segments[0] not in COLLECTIONS:
        return error(404, "There is no such resource")
    space = request.one("Monime-Space-Id")
    if space is None or space not in token.spaces:
        return error(403, "The token's owner has no access to this Space")
    return _collection(request, state, token, space, segments)


def _token_test(request, state):
    settings = state.settings
    token = find_token(request, state)
    version = settings["api_version"] if token else None
    asked = request.one("Monime-Version")
    if isinstance(version, str):
        name, _, date = (asked if asked in VERSIONS else version).partition(
            ".")
        version = {"id": name + "." + date,
                   "release": {"name": name, "date": date},
                   "deprecated": settings["api_version_deprecated"],
                   "apiSchemas": {"openApi": SCHEMA}}
    value = {
        "platform": PLATFORM, "tagline": TAGLINE,
        "status": {"environment": token.environment if token else None,
                   "isAuthenticated": token is not None},
        "apiVersion": version,
        "requestOrigin": {"country": settings["origin_country"],
                          "ipAddress": settings["origin_address"]},
    }
    value.update(settings["root_extra"])
    return reply(200 if token else settings["unauthenticated_status"], value)


def _global(request, segments):
    if request.method not in ("GET", "HEAD"):
        return error(405, "Only GET is understood here")
    if len(segments) == 1:
        return _page(request, GLOBAL[segments[0]])
    for item in GLOBAL[segments[0]]:
        if segments[1:] == [item.get("providerId") or item.get("code")]:
            return success(item)
    return error(404, "There is no such object")


def _page(request, items):
    """A page of a list; `after` is a position, opaque to the client."""
    query = urllib.parse.parse_qs(request.query, keep_blank_values=True)
    limit = query.get("limit", ["10"])
    if len(limit) != 1 or not re.fullmatch(r"[0-9]{1,3}", limit[0]) \
            or not 1 <= int(limit[0]) <= 50:
        return error(400, "limit is a number from 1 to 50")
    first = 0
    if "after" in query:
        try:
            first = int(base64.urlsafe_b64decode(query["after"][0]))
        except ValueError:
            return error(400, "after is a cursor of an earlier answer")
    page = list(items)[first:first + int(limit[0])]
    last = first + len(page)
    after = None
    if last < len(items):
        after = base64.urlsafe_b64encode(b"%012d" % last).decode("ascii")
    return success(page, pagination={"count": len(page), "next": after})


def _collection(request, state, token, space, segments):
    place = (MONIME, space, segments[0])
    items = state.collection(place)
    method = request.method
    if method in ("GET", "HEAD"):
        if len(segments) > 2:
            return error(404, "There is no such resource")
        if len(segments) == 2:
            item = items.get(segments[1])
            if item is None:
                return error(404, "There is no such object")
            return success(item)
        if not token.lists:
            return error(403, "The token has no permission to list this")
        return _page(request, list(items.values()))
    if method not in ("POST", "PATCH", "DELETE") or \
            (method != "POST" and len(segments) != 2):
        return error(405, "The method is not understood here")
    return _write(request, state, token, space, segments, items)


def _write(request, state, token, space, segments, items):
    method = request.method
    key = request.one("Idempotency-Key")
    if method == "POST" and not (key and len(key) <= 64):
        return error(400, "Idempotency-Key is needed, once, with at most "
                     "64 characters")
    wanted = (method, request.target, request.body)
    slot = (MONIME, space, key)
    if method == "POST" and slot in state.replays:
        before, answered = state.replays[slot]
        if before != wanted:
            return error(409, "The key was used for another request")
        return Answer(answered.status, answered.body,
                      answered.headers + [("Monime-Cache", "irc")])
    value = {}
    if method != "DELETE":
        value = _object(request)
        if value is None:
            return error(400, "The body is a JSON object, and Content-Type "
                         "says so")
    if len(segments) > 1 and segments[1] not in items:
        return error(404, "There is no such object")
    state.effect(request, key, token)
    if method == "DELETE":
        del items[segments[1]]
        return reply(200, {"success": True, "messages": []})
    if len(segments) > 1:
        items[segments[1]].update(value, id=segments[1])
        made = success(items[segments[1]])
    else:
        item = dict({"status": "pending"}, **value)
        item["id"] = state.next_identity(COLLECTIONS[segments[0]], "-")
        items[item["id"]] = item
        made = success(item)
    if method == "POST":
        state.replays[slot] = (wanted, Answer(made.status, made.body,
                                              made.headers))
    return made


def _object(request):
    kind = (request.one("Content-Type") or "").partition(";")[0].strip()
    if kind.lower() != "application/json":
        return None
    try:
        value = json.loads(request.body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
