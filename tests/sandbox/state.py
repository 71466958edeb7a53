# SPDX-License-Identifier: MIT
"""What the sandbox knows and remembers: tokens, objects, effects, the log."""

import asyncio
import collections
import itertools
import json

MONIME = "monime"
MONO_SANDBOX = "mono_sandbox"
MONO_PRODUCTION = "mono_production"

# The listeners, each with what it is behind: a provider's API whose objects
# it shares, or None.
APIS = {
    "monime": MONIME, "mono_sandbox": MONO_SANDBOX,
    "mono_production": MONO_PRODUCTION, "wrong_name": MONIME,
    "self_signed": MONIME, "expired": MONIME, "plain": MONIME,
}

LOG_LIMIT = 100000

COUNTERS = ("requests", "connections", "open", "handshakes",
            "refused_handshakes", "bytes", "raw", "held")


class Token:
    """A credential, whose it is and what it opens."""

    def __init__(self, name, literal, api, owner, environment=None,
                 spaces=(), lists=True, client=False):
        self.name = name
        self.literal = literal
        self.api = api
        self.owner = owner
        self.environment = environment
        self.spaces = tuple(spaces)
        self.lists = lists
        self.client = client
        self.revoked = False


# Fixed, well known and worth nothing.  "canary" is in each of them, so that a
# test can search logs and memory for the word.
TOKENS = (
    ("test", "mon_test_canary_7hQ2mVx9LrT4kWz8NbY3dPs6", MONIME,
     "us", "test", ("spc-sandbox",)),
    ("live", "mon_canary_live_Xc5RjG8uEo2BtKf7MwZq9HaD", MONIME,
     "us", "live", ("spc-live",)),
    ("stranger_test", "mon_test_canary_stranger_4fJp8RzU6yCeL2s", MONIME,
     "stranger", "test", ("spc-stranger-test",)),
    ("stranger_live", "mon_canary_live_stranger_9vTn3XqB7kMwE5h", MONIME,
     "stranger", "live", ("spc-stranger-live",)),
    ("revoked_test", "mon_test_canary_revoked_Yd6Gs1KjP8oVuA3n", MONIME,
     "us", "test", ("spc-sandbox",)),
    ("limited_test", "mon_test_canary_limited_Qb7Wc4ZfR2tNxE9m", MONIME,
     "us", "test", ("spc-sandbox",), False),
    ("mono_sandbox", "canary_sandbox_key_5Lw9TzHd3VnRk7QyXp2G", MONO_SANDBOX,
     "us", "test"),
    ("mono_production", "canary_production_key_8Jf4CsMu6BoWe1ZaN",
     MONO_PRODUCTION, "us", "live"),
    ("mono_stranger", "canary_stranger_key_2KxRv7PgYt5DhLq9UiS4",
     MONO_SANDBOX, "stranger", "test"),
    ("mono_stranger_production", "canary_stranger_production_6EzNb3WmTj",
     MONO_PRODUCTION, "stranger", "live"),
)

# The OAuth client of both Mono origins: not a token, but as secret as one.
OAUTH_CLIENT = {"oauth_client_id": "client_canary_id_3Gt8XyPw",
                "oauth_client_secret": "canary_client_secret_V6mKd9RzQf2LsB4h",
                "oauth_username": "canary.user@sandbox.invalid",
                "oauth_password": "canary_password_H8cTq5NxWj3EbY7u"}

SPACES = {"test": "spc-sandbox", "live": "spc-live",
          "stranger_test": "spc-stranger-test",
          "stranger_live": "spc-stranger-live"}

SETTINGS = {
    # Monime, GET /
    "unauthenticated_status": 200,
    "origin_address": "2c0f:2a80:4ea:1f08:2c1b:e667:f921:ddcf",
    "origin_country": "SL",
    "api_version": "caph.2025-06-20",
    "api_version_deprecated": False,
    "root_extra": {},
    # Monime, /v1: prefixes of paths that answer test tokens with 403
    "test_mode_unsupported": [],
    # Mono, the token endpoint
    "oauth_basic": False,
    "oauth_grants": ["client_credentials"],
    "oauth_expires_in": 3600,
    "oauth_lifetime": None,
    "oauth_token_type": "Bearer",
    "oauth_refresh_token": True,
    # Another client's secret, and how access and refresh tokens end.
    "oauth_client_secret": OAUTH_CLIENT["oauth_client_secret"],
    "oauth_ends": ["Rk5VzTq8Xw2HnB7", "Jw4Ls9YpE6"],
    "oauth_scopes": ["collections", "collections:readonly",
                     "outgoing_transfers", "outgoing_transfers:readonly",
                     "target_resolutions", "target_resolutions:readonly",
                     "tenant_accounts:readonly"],
}


class State:
    """Everything that a reset forgets."""

    def __init__(self):
        self.counts = {}
        self.waiting = []
        self.holding = []
        self.connections = 0
        self.answers = itertools.count(1)
        self.forget()

    # Forgetting, in the parts that POST /reset can name.

    def forget(self, parts=("log", "effects", "faults", "store", "tokens",
                            "settings")):
        for part in parts:
            getattr(self, "_forget_" + part)()
        self.changed()

    def _forget_log(self):
        self.log = collections.deque(maxlen=LOG_LIMIT)
        self.forgotten = 0
        self.streams = []
        for counts in self.counts.values():
            for name in COUNTERS:
                if name not in ("open", "held"):
                    counts[name] = 0

    def _forget_effects(self):
        self.effects = []

    def _forget_faults(self):
        self.faults = []
        self.release()

    def _forget_store(self):
        self.serial = 0
        self.replays = {}
        self.store = {}
        for place, identity, value in (
                ((MONIME, "spc-sandbox", "financial-accounts"), "fac-sandbox",
                 {"name": "Sandbox", "currency": "SLE", "balance": {
                     "available": {"currency": "SLE", "value": 250000}}}),
                ((MONIME, "spc-live", "financial-accounts"), "fac-live",
                 {"name": "Live", "currency": "SLE", "balance": {
                     "available": {"currency": "SLE", "value": 250000}}}),
                ((MONO_SANDBOX, "us", "bank_accounts"), "bac_sandbox",
                 {"number": "000000001", "currency": "COP"}),
                ((MONO_PRODUCTION, "us", "bank_accounts"), "bac_production",
                 {"number": "000000002", "currency": "COP"})):
            self.store.setdefault(place, {})[identity] = dict(
                {"id": identity}, **value)

    def _forget_tokens(self):
        self.tokens = {}
        self.names = {}
        self.token_requests = 0
        self.tokens_issued = 0
        for row in TOKENS:
            self.add_token(Token(*row))
        self.names["revoked_test"].revoked = True

    def _forget_settings(self):
        self.settings = json.loads(json.dumps(SETTINGS))

    # Tokens.

    def add_token(self, token):
        self.tokens[token.literal] = token
        self.names[token.name] = token

    def literal(self, text):
        """The token that a name or a literal stands for, as a literal."""
        token = self.names.get(text)
        return token.literal if token else text

    def token_name(self, literal):
        """How the log calls a bearer; it never repeats an unknown one."""
        if literal is None:
            return None
        token = self.tokens.get(literal)
        return token.name if token else "unknown"

    # Objects and what happened to them.

    def collection(self, place):
        return self.store.setdefault(place, {})

    def next_identity(self, prefix, separator):
        self.serial += 1
        return "%s%ssandbox%06d" % (prefix, separator, self.serial)

    def effect(self, request, key, token):
        self.effects.append({
            "server": request.server, "method": request.method,
            "path": request.target, "key": key, "token": token.name,
            "body": request.body.decode("latin-1")})

    # The log.

    def record(self, request, token):
        if len(self.log) == LOG_LIMIT:
            self.forgotten += 1
        entry = {"server": request.server, "method": request.method,
                 "target": request.target, "head": request.head,
                 "headers": request.headers, "body": b"",
                 "connection": request.connection,
                 "sequence": request.sequence, "token": token,
                 "at": asyncio.get_running_loop().time(),
                 "answered": None, "status": None, "fault": None,
                 "error": None}
        self.log.append(entry)
        self.counts[request.server]["requests"] += 1
        self.changed()
        return entry

    def record_refused(self, connection, bad):
        self.log.append({
            "server": connection.listener.name, "method": None,
            "target": None, "head": bad.head, "headers": [], "body": b"",
            "connection": connection.number, "sequence": None,
            "token": None, "at": asyncio.get_running_loop().time(),
            "answered": None, "status": bad.status, "fault": None,
            "error": str(bad)})
        connection.counts["requests"] += 1
        self.changed()

    # Waiting for something to happen, instead of sleeping.

    def value(self, what, server):
        if what == "effects":
            return len(self.effects)
        if what == "token_requests":
            return self.token_requests
        if server is not None:
            return self.counts[server][what]
        return sum(counts[what] for counts in self.counts.values())

    def changed(self):
        if not self.waiting:
            return
        for waiter in self.waiting:
            condition, future = waiter
            if not future.done() and condition():
                future.set_result(True)

    async def wait(self, condition, seconds):
        if condition():
            return True
        future = asyncio.get_running_loop().create_future()
        waiter = (condition, future)
        self.waiting.append(waiter)
        try:
            return await asyncio.wait_for(future, seconds)
        except asyncio.TimeoutError:
            return False
        finally:
            self.waiting.remove(waiter)

    # Held requests.

    async def hold(self, server):
        future = asyncio.get_running_loop().create_future()
        self.holding.append(future)
        self.counts[server]["held"] += 1
        self.changed()
        try:
            await future
        finally:
            if future in self.holding:
                self.holding.remove(future)
            self.counts[server]["held"] -= 1
            self.changed()

    def release(self, count=None):
        """Let the first COUNT held requests go, or all of them."""
        chosen = self.holding[:count]
        for future in chosen:
            self.holding.remove(future)
            if not future.done():
                future.set_result(None)
        return len(chosen)
