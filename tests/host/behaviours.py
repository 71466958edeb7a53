# SPDX-License-Identifier: MIT
"""How the API can behave while a bearer's token is checked, and what comes of
it: one table for every host.

Each row has

    name        what the API does
    token       whose: "good", "unknown", or a name of the sandbox's tokens
    faults      scripted in the sandbox for this check alone
    settings    of the sandbox
    result      the library's word for the outcome, as in its counters
    asked       how many requests the API sees, over fresh connections: a
                refusal that is local sends nothing, and whoever was refused
                is not asked for more
    after       the Retry-After that the API's own leads to; None: the host's
    log         a pattern that the log line matches at the default level, or
                None: that of a yes is told at debug level alone
    profile     of profiles() below

WEB has what the result means to a web server.
"""

from collections import namedtuple

YES = '{"status":{"isAuthenticated":true,"environment":"test"}}'


class Behaviour(namedtuple("Behaviour", "name token faults settings result "
                           "asked after log profile")):
    def present(self, sandbox):
        """A token of that kind, which nobody has presented before."""
        if self.token == "good":
            return sandbox.token()
        if self.token == "unknown":
            return sandbox.unknown()
        return sandbox.tokens.get(self.token, self.token)


def row(name, result, asked, log, *faults, token="good", settings=None,
        after=None, profile="test/space"):
    return Behaviour(name, token, faults, settings or {}, result, asked, after,
                     log, profile)


def text(body):
    return {"path": "/", "text": body}


def status(value, environment='"test"'):
    return text('{"status":{"isAuthenticated":%s,"environment":%s}}' % (
        value, environment))


ODD = "isAuthenticated is not a boolean"

# Outage, refusal and bug are told apart; a value of the wrong
# type is no verdict; the body decides, not the status.
BEHAVIOURS = (
    row("accepts the token", "ok", 2, None),
    row("accepts it with the fewest words", "ok", 2, None, text(YES)),
    row("refuses it with 200", "denied", 1, "expired or revoked",
        token="unknown", settings={"unauthenticated_status": 200}),
    row("refuses it with 401", "denied", 1, "status 401.*expired or revoked",
        token="unknown", settings={"unauthenticated_status": 401}),
    row("refuses the path with 401", "denied", 2, "status 401",
        {"path": "/v1", "status": 401}),
    row("knows it as a stranger's", "forbidden", 2, "status 403",
        token="stranger_test"),
    row("forbids the token test with 403", "forbidden", 1, "status 403",
        {"path": "/", "status": 403}),
    row("says live to a test token", "environment", 1,
        "a live token where test is meant", status("true", '"live"')),
    row("is not asked about a live token", "environment", 0,
        "a live token where test is meant; it was not sent", token="live"),
    row("is not asked about what is no token", "denied", 0,
        "not a token of monime", token="pk_test_canary"),
    row('says "true", a string', "proto", 1, ODD, status('"true"')),
    row('says "false", a string', "proto", 1, ODD, status('"false"')),
    row("says 1", "proto", 1, ODD, status("1")),
    row("says null", "proto", 1, ODD, status("null")),
    row("says false, then true", "proto", 1, "a key twice",
        status('false,"isAuthenticated":true')),
    row("says test and a NUL", "proto", 1, "a NUL",
        status("true", '"test\\u0000"')),
    row("names no environment", "proto", 1, "environment is neither",
        status("true", "null")),
    row("answers in HTML", "proto", 1, "not JSON",
        {"path": "/", "text": "<html>%s</html>" % YES}),
    row("redirects", "proto", 1, "status 302: a redirect",
        {"redirect": "elsewhere"}),
    row("answers with garbage", "proto", 1, "HTTP/0.9", {"garbage": True}),
    row("answers 128 KiB", "proto", 1, "larger than", {"huge": 131072}),
    row("is at its limit, and says how long", "limit", 1, "status 429",
        {"status": 429, "headers": [["Retry-After", "7"]]}, after="7"),
    row("is at its limit, and says rubbish", "limit", 1, "status 429",
        {"status": 429, "headers": [["Retry-After", "soon"]]}),
    row("fails with 500", "http", 1, "status 500", {"status": 500}),
    row("fails with 503, and says how long", "http", 1, "status 503",
        {"status": 503, "headers": [["Retry-After", "11"]]}, after="11"),
    row("closes before the status", "lost", 1, "reply|closed|empty",
        {"drop": "status"}),
    row("closes in the body", "lost", 1, "closed", {"drop": "body"}),
    row("does not answer in time", "lost", 1, "time limit", {"hold": True}),
    row("cannot be connected to", "net", 0, "connect",
        profile="test/refused"),
    row("has a certificate of its own making", "net", 0, "self-signed",
        profile="test/self-signed"),
    row("has somebody else's certificate", "net", 0, "does not match|matches",
        profile="test/wrong-name"),
)

assert len(BEHAVIOURS) >= 20

# The profiles of the rows; limits and memory of verdicts are not their topic.
CHECK = """\
reload = "1 h";
check = {
	ttl = "60 s"; negative_ttl = "60 s"; timeout = "%d s";
	probes = 512; probe_rate = 10000;
};
"""

PROFILES = {"test/space": "monime", "test/refused": "refused",
            "test/self-signed": "self_signed", "test/wrong-name": "wrong_name"}


def profiles(origins, seconds=1):
    """{name: text} for the origins of sandbox.json, and the deadline of a
    check."""
    return {name: 'provider = "monime";\nspace = "spc-sandbox";\n'
            'base_url = "%s";\n' % origins[server] + CHECK % seconds
            for name, server in PROFILES.items()}


# result: status, what a web server calls the verdict, RFC 6750 3.1 error, and
# whether the client is told when to come back.
Web = namedtuple("Web", "status verdict error retry")
UNKNOWN = Web(503, "unknown", None, True)
WEB = {
    "ok": Web(200, "accepted", None, False),
    "denied": Web(401, "denied", "invalid_token", False),
    "environment": Web(401, "environment", "invalid_token", False),
    "forbidden": Web(403, "forbidden", "insufficient_scope", False),
    "proto": UNKNOWN, "limit": UNKNOWN, "http": UNKNOWN, "lost": UNKNOWN,
    "net": UNKNOWN,
}
