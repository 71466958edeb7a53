#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The host's own credential in requests that nginx proxies, by the bytes that
the upstreams saw: to the profile's origin and nobody else, in its own header,
once, for what the profile allows."""

import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import unittest

import common
from client import bearer, request
from server import Server
from support import CANARY, PATIENCE, profile
from upstream import Recorder

ONCE, NEVER, SAFE = "once", "never", "at most once"

HEADERS = """
    proxy_set_header Authorization $monime_authorization;
    proxy_set_header Monime-Space-Id $monime_space;
    proxy_set_header X-Row row;
"""
ON = "monime_profile test/pay; monime_check on; monime_authorize on;" + HEADERS
PUBLIC = ON.replace("check on", "check off").replace("authorize on",
                                                     "authorize public")
NAMED = PUBLIC.replace("test/pay", "test/named")
API = "proxy_pass {origins[monime]};"


class Row:
    def __init__(self, name, wanted, location, path, method="GET", sent=None,
                 headers=(), token=True, status=None, main=None):
        self.name, self.wanted, self.location = name, wanted, location
        self.path, self.method, self.headers = path, method, list(headers)
        self.sent, self.token, self.status = sent, token, status
        self.main = main


GOOD = "/v1/financial-accounts"


def api(name, wanted, more="", path=GOOD, on=ON, **rest):
    """A row whose location goes to the API as it is asked."""
    return Row(name, wanted, "location /v1/ { %s %s %s }" % (on, API, more),
               path, **rest)


def to(name, wanted, target, more="", on=ON, place="/", path=GOOD, **rest):
    return Row(name, wanted, "location %s { %s proxy_pass %s; %s }" % (
        place, on, target, more), path, **rest)


def inner(name, wanted, outer, on=ON, more="", **rest):
    """A location that asks another one, in one way or the other."""
    return Row(name, wanted, "location = /outer { %s } location = %s { "
               "internal; %s %s %s }" % (outer, GOOD, on, API, more), "/outer",
               **rest)


O = "{origins[monime]}"  # noqa: E741
CHECKED = "monime_profile test/pay; monime_check on;"

ROWS = (
    # What is meant.
    api("as asked", ONCE, sent="GET " + GOOD),
    api("with a query", ONCE, path=GOOD + "?limit=1&after=x%3D",
        sent="GET " + GOOD + "?limit=1&after=x%3D"),
    api("over a kept connection", ONCE, "proxy_http_version 1.1;"
        "proxy_set_header Connection '';", sent="GET " + GOOD),
    api("a POST", ONCE, path="/v1/payouts/x", method="POST",
        sent="POST /v1/payouts/x"),
    api("public, with a token", ONCE, on=PUBLIC),
    api("public, without one", ONCE, on=PUBLIC, token=False),
    api("on, without a token", NEVER, token=False, status=401),
    api("on, with a bad one", NEVER, token="bad", status=401),
    api("on, with a stranger's", NEVER, token="stranger", status=403),
    api("authorize off", NEVER, on=ON.replace("authorize on",
                                              "authorize off")),
    # What the profile allows, as it is written.
    api("a method that is not allowed", NEVER, method="DELETE"),
    api("a path that is not allowed", NEVER, path="/v1/banks"),
    api("a path above", NEVER, path="/v1/"),
    api("a longer path", NEVER, path=GOOD + "x"),
    api("encoded letters", NEVER, path="/v1/%66inancial-accounts"),
    api("two slashes", NEVER, path="/v1//financial-accounts"),
    api("dots", NEVER, path="/v1/payouts/../financial-accounts"),
    api("encoded dots", NEVER, path="/v1/payouts/%2e%2e/banks"),
    api("dots encoded twice", NEVER, path="/v1/payouts/%252e%252e/banks"),
    api("an encoded slash", NEVER, path="/v1/payouts/..%2fbanks"),
    api("a semicolon", NEVER, path="/v1/payouts/;/x"),
    api("a backslash", NEVER, path="/v1/payouts/..\\banks"),
    api("an encoded question mark", NEVER, path=GOOD + "%3Flimit=1"),
    api("an encoded NUL", NEVER, path="/v1/payouts/x%00", status=400),
    api("a byte above ASCII", NEVER, path="/v1/payouts/\xe9"),
    api("a fragment", NEVER, path="/v1/payouts/x#y"),
    api("the absolute form", SAFE, path="http://localhost" + GOOD),
    api("proxy_method that is not allowed", NEVER, "proxy_method DELETE;"),
    api("proxy_method that is", ONCE, "proxy_method POST;",
        path="/v1/payouts/x", sent="POST /v1/payouts/x"),
    api("proxy_method for one that is not", ONCE, "proxy_method GET;",
        method="DELETE", sent="GET " + GOOD),
    api("proxy_method by a variable", NEVER, "proxy_method $arg_m;",
        path=GOOD + "?m=DELETE"),
    to("proxy_pass with a URI", ONCE, O + "/v1/", place="/pay/",
       path="/pay/financial-accounts", sent="GET " + GOOD),
    to("with a URI, another path", NEVER, O + "/v1/", place="/pay/",
       path="/pay/banks"),
    to("with a URI, the asked one is allowed", NEVER, O + "/v1/banks",
       place="= " + GOOD),
    to("with a URI, encoded letters", SAFE, O + "/v1/", place="/pay/",
       path="/pay/%66inancial-accounts"),
    to("with a URI, dots", SAFE, O + "/v1/", place="/pay/",
       path="/pay/x/../financial-accounts"),
    to("with a URI, an encoded slash", NEVER, O + "/v1/payouts/",
       place="/pay/", path="/pay/..%2fbanks"),
    to("with variables", ONCE, O + "$request_uri", sent="GET " + GOOD),
    to("with variables, another path", NEVER, O + "/v1/banks$is_args$args"),
    to("with variables for the host", SAFE, "https://$target$request_uri",
       "set $target localhost:{ports[monime]};"),
    to("with variables, elsewhere", NEVER, "https://$target$request_uri",
       "set $target localhost:{ports[elsewhere]};"),
    to("with variables, the client's choice", NEVER,
       "https://localhost:$arg_port$uri", path=GOOD +
       "?port={ports[elsewhere]}"),
    api("rewritten to what is allowed", ONCE, "rewrite ^ %s break;" % GOOD,
        path="/v1/banks", sent="GET " + GOOD),
    api("rewritten to what is not", NEVER, "rewrite ^ /v1/banks break;"),
    api("rewritten with a query", SAFE, "rewrite ^ %s?limit=2? break;" % GOOD),
    api("rewritten to odd bytes", ONCE,
        'rewrite ^ "/v1/payouts/a b" break;', sent="GET /v1/payouts/a%20b"),
    Row("rewritten to this location", ONCE, "location /old { rewrite ^ %s "
        "last; } location /v1/ { %s %s }" % (GOOD, ON, API), "/old"),
    Row("rewritten, and not checked there", NEVER,
        "location /old { %s rewrite ^ %s last; } location /v1/ { %s %s }" % (
            CHECKED, GOOD, ON.replace("monime_check on", "monime_check off").
            replace("authorize on", "authorize off"), API), "/old"),
    Row("try_files to this location", ONCE, "location /v1/ { try_files /no "
        "@pay; } location @pay { %s %s }" % (ON, API), GOOD),
    Row("try_files, without a token", NEVER, "location /v1/ { try_files /no "
        "@pay; } location @pay { %s %s }" % (ON, API), GOOD, token=False,
        status=401),
    Row("error_page to this location", ONCE, "location /v1/ { error_page 404 "
        "= @pay; try_files /no =404; } location @pay { %s %s }" % (ON, API),
        GOOD),
    Row("error_page after another profile's no", ONCE, "location /v1/ { "
        "monime_profile test/other; monime_check on; error_page 403 = @pay; "
        "try_files /page =404; } location @pay { %s %s }" % (ON, API), GOOD),
    Row("error_page after another profile's yes", NEVER, "location /v1/ { "
        "monime_profile test/other; monime_check on; error_page 404 = @pay; "
        "try_files /no =404; } location @pay { %s %s }" % (ON, API), GOOD,
        token="stranger", status=403),
    Row("satisfy any by address, without a token", NEVER,
        "satisfy any; allow all; location /v1/ { %s %s }" % (ON, API), GOOD,
        token=False),
    Row("satisfy any by address, with a bad one", NEVER,
        "satisfy any; allow all; location /v1/ { %s %s }" % (ON, API), GOOD,
        token="bad"),
    Row("satisfy any by token", ONCE,
        "satisfy any; deny all; location /v1/ { %s %s }" % (ON, API), GOOD),
    # To whom.
    to("plain HTTP", NEVER, "http://127.0.0.1:{ports[plain]}"),
    to("plain HTTP by name", NEVER, "http://localhost:{ports[plain]}"),
    to("another port", NEVER, "https://localhost:{ports[elsewhere]}"),
    to("an address for the name", NEVER, "https://127.0.0.1:{ports[monime]}",
       "proxy_ssl_name localhost;"),
    to("another case", SAFE, "https://LOCALHOST:{ports[monime]}"),
    to("upstream{} of another name", NEVER, "https://api",
       main="upstream api { server localhost:{ports[monime]}; }",
       more="proxy_ssl_name localhost;"),
    to("the origin's name, another port", NEVER, "https://localhost",
       main="upstream localhost { server 127.0.0.1:{ports[monime]}; }",
       on=NAMED),
    to("the origin's name, somebody else's certificate", NEVER,
       "https://localhost",
       main="upstream localhost { server 127.0.0.1:{ports[wrong_name]}; }",
       on=NAMED, status=502),
    to("the origin's name, a certificate of its own making", NEVER,
       "https://localhost",
       main="upstream localhost { server 127.0.0.1:{ports[self_signed]}; }",
       on=NAMED, status=502),
    to("the origin's name, one that is over", NEVER, "https://localhost",
       main="upstream localhost { server 127.0.0.1:{ports[expired]}; }",
       on=NAMED, status=502),
    to("the origin's name, without TLS", NEVER, "http://localhost",
       main="upstream localhost { server 127.0.0.1:{ports[plain]}; }",
       on=NAMED),
    to("the origin of another profile", NEVER, O, on=PUBLIC.replace(
        "test/pay", "test/elsewhere")),
    to("a Unix socket", NEVER, "http://unix:@sockets@/http:"),
    to("a Unix socket with TLS", NEVER, "https://unix:@sockets@/https:",
       "proxy_ssl_name localhost;"),
    # How it is verified.
    api("proxy_ssl_verify off", NEVER, "proxy_ssl_verify off;"),
    api("proxy_ssl_server_name off", NEVER, "proxy_ssl_server_name off;"),
    api("proxy_ssl_name of another", NEVER,
        "proxy_ssl_name elsewhere.invalid;"),
    api("proxy_ssl_name of the same", SAFE, "proxy_ssl_name localhost;"),
    to("proxy_ssl_name that fits the wrong certificate", NEVER,
       "{origins[wrong_name]}", "proxy_ssl_name elsewhere.invalid;",
       on=PUBLIC.replace("test/pay", "test/wrong-name")),
    to("the wrong certificate", NEVER, "{origins[wrong_name]}",
       on=PUBLIC.replace("test/pay", "test/wrong-name"), status=502),
    api("a CA that did not sign it", NEVER, "proxy_ssl_trusted_certificate "
        "/etc/ssl/certs/ca-certificates.crt; proxy_ssl_session_reuse off;",
        status=502),
    api("proxy_ssl_name by a variable", NEVER, "proxy_ssl_name $arg_name;",
        path=GOOD + "?name=elsewhere.invalid"),
    # In which header, and where else.
    api("another header", NEVER, "proxy_set_header X-Leak "
        "$monime_authorization;", on=ON.replace(
            "Authorization $monime", "X-Also $monime")),
    api("another header as well", SAFE,
        "proxy_set_header X-Leak $monime_authorization;"
        "proxy_set_header X-Space $monime_space;"),
    api("the other's header", SAFE, on=ON.replace(
        "Authorization $monime_authorization", "Authorization $monime_space")
        .replace("Id $monime_space", "Id $monime_authorization")),
    api("a header by map", SAFE, "proxy_set_header X-Leak $mapped;"),
    api("the header by map", SAFE, on=ON.replace(
        "$monime_authorization", "$mapped")),
    api("a header that has more in it", SAFE, on=ON.replace(
        "Authorization $monime_authorization",
        'Authorization "x $monime_authorization"')),
    api("set before", NEVER, on=ON.replace(
        "Authorization $monime_authorization", "Authorization $early"),
        more="set $early $monime_authorization;"),
    api("the body", SAFE, "proxy_set_body $monime_authorization;",
        path="/v1/payouts/x", method="POST"),
    api("the Host", SAFE, "proxy_set_header Host h$monime_authorization;"),
    to("the URI", NEVER, O + "/v1/payouts/$monime_authorization"),
    api("the method", SAFE, "proxy_method G$monime_authorization;"),
    api("the answer's header", ONCE,
        "add_header X-Leak $monime_authorization always;"
        "add_header X-Space $monime_space always;"),
    Row("the answer", NEVER, "location / { %s return 200 "
        "'<$monime_authorization$monime_space>'; }" % ON, GOOD),
    api("sub_filter", ONCE, "sub_filter_types *; sub_filter success "
        "$monime_authorization; sub_filter_once off;"),
    api("a cached location", NEVER, "proxy_cache cache; "
        "proxy_cache_valid any 1m; proxy_ignore_headers Cache-Control;"),
    api("a cached location, bypassed", NEVER, "proxy_cache cache;"
        "proxy_cache_bypass 1; proxy_no_cache 1;"),
    api("the cache's key", NEVER, "proxy_cache cache; "
        "proxy_cache_key $monime_authorization$uri; proxy_cache_valid any 1m;"),
    api("proxy_cache off", ONCE, "proxy_cache off;"),
    Row("FastCGI", NEVER, "location / { %s fastcgi_pass 127.0.0.1:@fastcgi@; "
        "fastcgi_param HTTP_AUTHORIZATION $monime_authorization; }" % ON,
        GOOD),
    Row("uwsgi", NEVER, "location / { %s uwsgi_pass 127.0.0.1:@uwsgi@; "
        "uwsgi_param HTTP_AUTHORIZATION $monime_authorization; }" % ON, GOOD),
    Row("SCGI", NEVER, "location / { %s scgi_pass 127.0.0.1:@scgi@; "
        "scgi_param HTTP_AUTHORIZATION $monime_authorization; }" % ON, GOOD),
    # Subrequests: nginx checks nobody there.
    inner("auth_request", NEVER, "auth_request %s; try_files /page =404;" %
          GOOD),
    inner("auth_request of who was checked elsewhere", NEVER, CHECKED +
          "auth_request %s; try_files /page =404;" % GOOD),
    inner("auth_request, public", SAFE, "auth_request %s; "
          "try_files /page =404;" % GOOD, on=PUBLIC),
    inner("mirror", NEVER, "mirror %s; try_files /page =404;" % GOOD),
    inner("mirror of who was checked elsewhere", NEVER, CHECKED +
          "mirror %s; try_files /page =404;" % GOOD),
    inner("SSI", NEVER, "ssi on; ssi_types *; try_files /ssi =404;"),
    inner("SSI of who was checked elsewhere", NEVER, CHECKED +
          "ssi on; ssi_types *; try_files /ssi =404;"),
    inner("add_after_body", NEVER, "addition_types *; add_after_body %s; "
          "try_files /page =404;" % GOOD),
    inner("add_after_body of who was checked elsewhere", NEVER, CHECKED +
          "addition_types *; add_after_body %s; try_files /page =404;" % GOOD),
    api("slices", SAFE, "slice 10; proxy_set_header Range $slice_range; "
        "proxy_http_version 1.1;"),
    # What a client adds.
    api("another Space", NEVER, headers=["Monime-Space-Id: spc-evil"],
        status=400),
    api("our own Space", NEVER, headers=["monime-space-id: spc-sandbox"],
        status=400),
    api("X-HTTP-Method-Override", NEVER, status=400,
        headers=["X-HTTP-Method-Override: DELETE"]),
    api("X-HTTP-Method", NEVER, headers=["x-http-method: DELETE"], status=400),
    api("X-Method-Override", NEVER, headers=["X-Method-Override: DELETE"],
        status=400),
    api("Connection names a header", NEVER, status=400,
        headers=["Connection: Monime-Space-Id"]),
    api("Connection: close and a header", NEVER, status=400,
        headers=["Connection: close, Authorization"]),
    api("Connection: upgrade", NEVER, status=400,
        headers=["Connection: Upgrade", "Upgrade: websocket"]),
    api("two Connection headers", NEVER, status=400,
        headers=["Connection: keep-alive", "Connection: Authorization"]),
    api("Connection: close", ONCE, headers=["Connection: close"]),
    api("Connection: Keep-Alive", ONCE, headers=["Connection: Keep-Alive"]),
    api("public, another Space", NEVER, on=PUBLIC, token=False, status=400,
        headers=["Monime-Space-Id: spc-evil"]),
    api("public, Connection names a header", NEVER, on=PUBLIC, token=False,
        status=400, headers=["Connection: Monime-Space-Id"]),
    api("authorize off, another Space", NEVER, on=ON.replace(
        "authorize on", "authorize off"), headers=["Monime-Space-Id: spc-x"],
        status=401),
)

HTTP = """
    proxy_cache_path {folder}/cache keys_zone=cache:1m;
    map $uri $mapped { default $monime_authorization; }
    log_format all '$request $monime_verdict $monime_environment '
        '$monime_fingerprint $monime_source <$monime_authorization> '
        '<$monime_space> <$mapped>';
    proxy_ssl_trusted_certificate {ca};
    proxy_ssl_verify on;
    proxy_ssl_server_name on;
"""


class Authorize(common.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = cls.sandbox.tokens["test"]
        cls.lines = []
        cls.etc = cls.sandbox.profiles()
        cls.write_profiles()
        cls.sockets = cls.sandbox.profiles()
        os.chmod(cls.sockets, 0o755)
        cls.recorders = {
            "http": Recorder("http", os.path.join(cls.sockets, "http")),
            "https": Recorder("http", os.path.join(cls.sockets, "https"),
                              cls.sandbox.facts["certificates"]["server"]),
            "fastcgi": Recorder("fastcgi"), "uwsgi": Recorder("uwsgi"),
            "scgi": Recorder("scgi")}
        for recorder in cls.recorders.values():
            cls.addClassCleanup(recorder.stop)
        cls.server = Server(cls.sandbox, HTTP + "".join(
            cls.block(row) for row in ROWS if not row.main), etc=cls.etc)
        cls.server.tolerated = r"\[crit\].*SSL_do_handshake\(\) failed"
        cls.server.html("ssi", '<!--#include virtual="%s" -->' % GOOD)

    @classmethod
    def write_profiles(cls):
        allow = 'allow = { methods = ["GET", "POST"]; paths = [' \
            '"/v1/financial-accounts", "/v1/payouts/*"]; };'
        for name, origin, space, more in (
                ("pay", cls.sandbox.origins["monime"], "spc-sandbox", ""),
                ("named", "https://localhost", "spc-sandbox",
                 "confirm_environment = false;"),
                ("wrong-name", cls.sandbox.origins["wrong_name"],
                 "spc-sandbox", "confirm_environment = false;"),
                ("elsewhere", cls.sandbox.origins["elsewhere"], "spc-sandbox",
                 "confirm_environment = false;"),
                ("other", cls.sandbox.origins["monime"], "spc-stranger-test",
                 "")):
            profile(cls.etc, "test/" + name, 'provider = "monime";'
                    'space = "%s"; base_url = "%s"; %s %s check = {'
                    'probes = 512; probe_rate = 10000; ttl = "10 min"; };' % (
                        space, origin, allow, more), cls.host)

    @classmethod
    def tearDownClass(cls):
        print("\n".join(cls.lines), file=sys.stderr)
        super().tearDownClass()

    @classmethod
    def block(cls, row):
        """A server for each row, chosen by its Host."""
        location = row.location.replace("@sockets@", cls.sockets)
        for name, recorder in cls.recorders.items():
            location = location.replace("@%s@" % name, str(
                getattr(recorder, "port", "")))
        return "%s server { {tls} server_name row%d; " \
            "access_log {folder}/access.log all; %s }\n" % (
            row.main or "", ROWS.index(row), location)

    def token(self, row):
        return {True: self.good, False: None, "bad": self.sandbox.unknown(),
                "stranger": self.sandbox.tokens["stranger_test"]}[row.token]

    def test_own_credential_goes_where_it_may_and_nowhere_else(self):
        self.sandbox.reset()
        self.good = self.sandbox.token()
        # Two of them cannot have an upstream{} of one name together.
        for row in sorted(ROWS, key=lambda row: row.main is not None):
            with self.subTest(row.name):
                if row.main:
                    self.server.write(HTTP + self.block(row))
                    self.server.reload()
                self.one(row)

    def one(self, row):
        self.sandbox.reset("log")
        token = self.token(row)
        headers = ([bearer(token)] if token else []) + row.headers
        path = re.sub(r"\{ports\[(\w+)\]\}", lambda m: str(
            self.sandbox.ports[m[1]]), row.path)
        with self.server.client() as c:
            answer = c.ask(path, *headers, method=row.method,
                           host="row%d" % ROWS.index(row))
        self.settle()
        heads = [r for r in self.sandbox.control("/log")["requests"]
                 if any(name.lower() == "x-row" for name, _ in r["headers"])]
        raw = [r["head"] + r["body"] for r in heads]
        others = b"".join(r.take() for r in self.recorders.values()).decode(
            "latin-1") + "".join(s["data"] for s in self.sandbox.streams())
        times = sum(text.count(self.host) for text in raw)
        self.lines.append("  %-46s %-6s %s" % (
            row.name, answer.status, "sent %d times" % times if times else
            "not sent" if raw or others else "nothing reached an upstream"))

        # Nowhere but in its own header, and only to the origin.
        self.assertNotIn(self.host, others)
        self.assertNotIn("spc-sandbox", others)
        self.assertNotIn(self.host, repr(answer))
        for r in heads:
            values = [v for n, v in r["headers"]
                      if n.lower() == "authorization"]
            spaces = [v for n, v in r["headers"]
                      if n.lower() == "monime-space-id"]
            text = r["head"] + r["body"]
            self.assertEqual(text.count(self.host),
                             values.count("Bearer " + self.host), text)
            self.assertLessEqual(len(values), 1)
            self.assertLessEqual(len(spaces), 1)
            if token:
                self.assertNotIn(token, text)
            if self.host in text:
                self.assertEqual(r["server"], "monime")
                self.assertEqual(spaces, ["spc-sandbox"])
            elif row.name != "set before":
                self.assertNotIn("spc-sandbox", text)
        if row.wanted == NEVER:
            self.assertEqual(times, 0)
        elif row.wanted == ONCE:
            self.assertEqual((len(heads), times), (1, 1), answer)
            self.assertLess(answer.status, 500, answer)
        if row.sent is not None:
            self.assertEqual(heads[0]["head"].split(" HTTP/")[0], row.sent)
        if row.status is not None:
            self.assertEqual(answer.status, row.status, answer)
        if row.status == 400:
            self.assertEqual(raw, [])

    def settle(self):
        """A mirror's subrequest may outlive the answer: nginx has ended what
        it began when nobody else is connected."""
        self.server.until(lambda: int(self.server.ask(
            "/connections").body.split()[2]) == 1, "all requests to end")

    def test_then_no_log_and_no_cache_has_it(self):
        # After the table above, by its name.
        ours, kinds = [], {}
        for line in self.server.log().splitlines():
            # What a client or a proxy sends comes in several lines.
            if CANARY not in line:
                continue
            if "monime: " in line:
                ours.append(line)
            kind = "the host's" if self.host in line else "a bearer's"
            kinds[kind] = kinds.get(kind, 0) + 1
        self.assertEqual(ours, [])
        self.assertNotIn("the host's", kinds)
        for kind, number in kinds.items():
            self.lines.append("  lines that nginx itself wrote at debug level "
                              "with %s token: %d" % (kind, number))
        log = self.server.log("access.log")
        self.assertGreater(len(log.splitlines()), len(ROWS) / 2)
        self.assertNotIn(CANARY, log)
        self.assertNotIn("<spc-sandbox>", log)
        cached = 0
        for folder, _, names in os.walk(self.server.path("cache")):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    data = file.read()
                cached += 1
                self.assertNotIn(self.host.encode(), data)
        self.assertGreater(cached, 0)


def frame(kind, flags, payload, stream=1):
    """Of HTTP/2."""
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + \
        payload


def literal(header):
    """A header that no table has."""
    return b"\0" + b"".join(
        (bytes((len(t),)) if len(t) < 127 else bytes((127, len(t) - 127))) +
        t.encode() for t in header)


def ended(s):
    """Take a frame: the stream that it ends, if it does."""
    head = b""
    while len(head) < 9:
        head += s.recv(9 - len(head)) or sys.exit("the connection ended")
    size, (kind, flags) = int.from_bytes(head[:3], "big"), head[3:5]
    while size:
        size -= len(s.recv(size))
    if kind in (3, 7):
        raise AssertionError("frame %d" % kind)
    return int.from_bytes(head[5:], "big") if kind < 2 and flags & 1 else None


REQUESTS = """
    proxy_ssl_trusted_certificate {ca};
    proxy_ssl_verify on;
    proxy_ssl_server_name on;
    server {
        {tls}
        monime_profile test/pay;
        monime_check on;
        client_max_body_size 8m;
        location /v1/ { monime_authorize on; %(headers)s %(api)s }
        location /v1/payouts/straight {
            monime_authorize on; proxy_request_buffering off;
            proxy_http_version 1.1; %(headers)s %(api)s
        }
        location /v1/payouts/keyless {
            monime_authorize on;
            proxy_set_header Monime-Space-Id $monime_space;
            proxy_set_header X-Row row;
            %(api)s
        }
        location /kept/ { proxy_pass http://127.0.0.1:{ports[plain]}/; }
        location /kept/named/ {
            proxy_set_header Authorization $http_authorization;
            proxy_pass http://127.0.0.1:{ports[plain]}/;
        }
        location /forwarded/ {
            monime_forward_token on;
            proxy_pass http://127.0.0.1:{ports[plain]}/;
        }
        location /open/ {
            monime_check off; proxy_pass http://127.0.0.1:{ports[plain]}/;
        }
        location /fallen/ {
            error_page 401 403 503 = @unchecked;
            proxy_pass http://127.0.0.1:{ports[plain]}/;
        }
        location @unchecked {
            monime_check off; proxy_pass http://127.0.0.1:{ports[plain]};
        }
        location /any/ {
            satisfy any; allow all;
            proxy_pass http://127.0.0.1:{ports[plain]}/;
        }
        location /page { try_files /page =404; }
    }
""" % {"headers": HEADERS, "api": API}


class Requests(common.Case):
    """Bodies, bearers' tokens, and a credential that changes."""

    def setUp(self):
        self.sandbox.reset()
        self.etc = self.sandbox.profiles()
        self.host = self.sandbox.tokens["test"]
        self.profile(self.host)
        self.server = self.start(Server(self.sandbox, REQUESTS, etc=self.etc,
                                        level="info"))
        self.good = self.sandbox.token()

    def tearDown(self):
        type(self).server = None

    def profile(self, token):
        profile(self.etc, "test/pay", 'provider = "monime";'
                'space = "spc-sandbox"; base_url = "%s"; allow = {'
                'methods = ["GET", "POST"]; paths = ["/v1/*"]; }; check = {'
                'probes = 512; probe_rate = 10000; };' %
                self.sandbox.origins["monime"], token)

    def ask(self, path, *headers, **more):
        with self.server.client() as c:
            return c.ask(path, bearer(self.good), *headers, **more)

    def proxied(self):
        """Those that nginx sent: the library's own have no such header."""
        return [r for r in self.sandbox.requests() if
                ["X-Row", "row"] in r["headers"]]

    def credentials(self):
        return [v for r in self.proxied() for n, v in r["headers"]
                if n == "Authorization"]

    def test_body_arrives_as_it_was_sent(self):
        for path in ("/v1/payouts/x", "/v1/payouts/straight"):
            for size in (1, 100, 70000, 3000000):
                self.sandbox.reset("log")
                body = bytes(i * 7 % 251 for i in range(size))
                answer = self.ask(path, method="POST", body=body)
                # The API wants a key for it: that is not the point.
                self.assertEqual(answer.status, 400)
                got = self.proxied()
                self.assertEqual(len(got), 1)
                self.assertEqual(got[0]["body"].encode("latin-1"), body)
                self.assertEqual(self.credentials(), ["Bearer " + self.host])

    def test_chunked_body_arrives_whole(self):
        for path in ("/v1/payouts/x", "/v1/payouts/straight"):
            self.sandbox.reset("log")
            with self.server.client() as c:
                c.send(("POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n" % (
                            path, bearer(self.good))).encode())
                for _ in range(10):
                    c.send(b"5\r\n12345\r\n")
                c.send(b"0\r\n\r\n")
                self.assertEqual(c.read().status, 400)
            self.assertEqual([r["body"] for r in self.proxied()],
                             ["12345" * 10])
            self.assertEqual(self.credentials(), ["Bearer " + self.host])

    def test_http_2_request_with_a_body_is_authorized_once(self):
        done = subprocess.run(
            ("curl", "--http2", "-sS", "-K", "-", "--cacert", self.server.ca,
             "--data-binary", "@-", "-o", "/dev/null", "-w",
             "%{http_version} %{http_code}", "https://localhost:%d/v1/"
             "payouts/x" % self.server.port[0]),
            input='header = "%s"\n' % bearer(self.good), text=True,
            stdout=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual(done.stdout, "2 400")
        self.assertEqual(self.credentials(), ["Bearer " + self.host])

    def test_http_2_request_waits_for_the_end_of_its_body(self):
        # Its headers may promise no body, and leave the end of it open.
        for length in (["content-length", "0"], ["content-length", "3"],
                       ["x-length", "unknown"]):
            with self.subTest(length), self.stream() as s:
                self.sandbox.reset("log")
                served = self.server.served()
                s.sendall(frame(1, 4, b"".join(map(literal, (
                    [":method", "POST"], [":scheme", "https"],
                    [":authority", "localhost"], [":path", "/v1/payouts/x"],
                    ["authorization", "Bearer " + self.good], length)))))
                self.server.wait_served(served + 1)
                self.assertEqual(self.ask("/v1/payouts").status, 200)
                self.assertEqual(len(self.proxied()), 1)
                s.sendall(frame(0, 1, b"" if length[1] == "0" else b"abc"))
                while ended(s) != 1:
                    pass
                self.assertEqual(len(self.proxied()), 2)
        self.assertNotRegex(self.server.log(), r"\[(alert|crit)\]|signal \d+ ")

    def stream(self):
        """A connection on which a client has said that it speaks HTTP/2."""
        context = ssl.create_default_context(cafile=self.server.ca)
        context.set_alpn_protocols(["h2"])
        s = context.wrap_socket(socket.create_connection(
            ("127.0.0.1", self.server.port[0]), PATIENCE),
            server_hostname="localhost")
        s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                  frame(4, 0, b"", stream=0))
        return s

    def test_bearers_token_reaches_the_upstream_only_where_it_may(self):
        for path, times in (("/kept/", 0), ("/kept/named/", 0), ("/any/", 0),
                            ("/forwarded/", 1), ("/open/", 1)):
            with self.subTest(path):
                self.sandbox.reset("log")
                self.ask(path + "x")
                streams = "".join(s["data"] for s in self.sandbox.streams())
                self.assertIn("GET /x HTTP/1", streams)
                self.assertEqual(streams.count(self.good), times)
                self.assertEqual(streams.lower().count("authorization:"),
                                 times)

    def test_refused_token_does_not_reach_a_fallback(self):
        for fault in (None, {"status": 500, "times": -1}):
            with self.subTest(fault):
                token = self.sandbox.token()
                if fault is None:
                    self.sandbox.control("/revoke", {"token": token})
                else:
                    self.sandbox.fault(fault)
                self.sandbox.reset("log")
                with self.server.client() as c:
                    c.ask("/fallen/x", bearer(token))
                    c.ask("/fallen/x", "Authorization: Basic eDp5")
                streams = "".join(s["data"] for s in self.sandbox.streams())
                self.assertEqual(streams.count("GET /fallen/x HTTP/1"), 2)
                self.assertNotIn(token, streams)
                # Which is none of ours.
                self.assertIn("Basic eDp5", streams)

    def test_other_headers_of_the_client_stay(self):
        # The list of headers is cut around the one that is hidden.
        for before in (0, 1, 5, 19, 20, 21, 40):
            for after in (0, 1, 20):
                self.sandbox.reset("log")
                names = ["X-%d: y" % i for i in range(before + after)]
                with self.server.client() as c:
                    c.ask("/kept/x", *names[:before], bearer(self.good),
                          *names[before:])
                streams = "".join(s["data"] for s in self.sandbox.streams())
                self.assertEqual(re.findall(r"X-\d+: y", streams), names)
                self.assertNotIn(self.good, streams)

    def test_refused_credential_is_not_sent_for_ever(self):
        self.assertEqual(self.ask("/v1/payouts").status, 200)
        self.sandbox.control("/revoke", {"token": "test"})
        self.sandbox.reset("log")
        statuses = [self.ask("/v1/payouts").status for _ in range(20)]
        # The first told us; then it is benched.
        self.assertLess(len(self.credentials()), 5)
        self.assertNotIn(200, statuses)
        self.assertIn(statuses[-1], (500, 503))

    def test_request_without_the_credential_says_nothing_of_it(self):
        for _ in range(5):
            self.assertEqual(self.ask("/v1/payouts/keyless").status, 401)
        self.assertEqual(self.credentials(), [])
        self.assertNotIn("that we authorized", self.server.log())
        self.sandbox.reset("log")
        self.assertEqual(self.ask("/v1/payouts").status, 200)
        # It was not asked about either.
        self.assertEqual(len(self.sandbox.requests()), 1)

    def test_changed_credential_is_used_after_a_reload(self):
        self.assertEqual(self.ask("/v1/payouts").status, 200)
        other = self.sandbox.token()
        self.profile(other)
        self.server.reload()
        self.sandbox.reset("log")
        self.assertEqual(self.ask("/v1/payouts").status, 200)
        self.assertEqual(self.credentials(), ["Bearer " + other])

    def test_unconfirmed_environment_sends_nothing(self):
        # The last of them benches the credential.
        for fault, status in (
                ({"status": 500}, 503), ({"drop": "status"}, 503),
                ({"json": {"status": {"isAuthenticated": True,
                                      "environment": "live"}}}, 500),
                ({"json": {"status": {"isAuthenticated": False,
                                      "environment": None}}}, 500)):
            with self.subTest(fault):
                self.assertEqual(self.ask("/page").status, 200)
                self.sandbox.reset("log", "faults")
                self.sandbox.fault(dict(fault, path="/", token="test",
                                        times=-1))
                answer = self.ask("/v1/payouts")
                self.assertEqual(answer.status, status, answer)
                self.assertEqual(self.proxied(), [])

    def test_other_locations_answer_while_it_is_confirmed(self):
        self.assertEqual(self.ask("/page").status, 200)
        self.sandbox.fault({"hold": True, "token": "test", "times": -1})
        clients = [self.server.client() for _ in range(10)]
        for c in clients:
            c.send(request("/v1/payouts", bearer(self.good)))
        self.sandbox.wait("held", 1)
        for _ in range(20):
            self.assertEqual(self.ask("/page").status, 200)
        for c in clients[::2]:
            c.abort()
        self.assertEqual(self.proxied(), [])
        self.sandbox.reset("faults")
        for c in clients[1::2]:
            self.assertEqual(c.read().status, 200)
            c.close()
        self.server.until(lambda: len(self.credentials()) >= 5,
                          "all to be sent")

    def test_quit_finishes_what_waits_for_the_credential(self):
        self.assertEqual(self.ask("/page").status, 200)
        self.sandbox.fault({"hold": True, "token": "test", "times": -1})
        with self.server.client() as c:
            c.send(request("/v1/payouts", bearer(self.good)))
            self.sandbox.wait("held", 1)
            self.server.process.send_signal(signal.SIGHUP)
            self.server.until(lambda: "gracefully shutting down" in
                              self.server.log(), "the worker to be told")
            self.sandbox.reset("faults")
            self.assertEqual(c.read().status, 200)

    def test_forged_placeholder_is_worth_nothing(self):
        # What a variable stands for is not to be had by asking for it.
        for header in ("X-A: $monime_authorization", "X-A: <monime>"):
            self.sandbox.reset("log")
            answer = self.ask("/v1/payouts", header)
            self.assertEqual(self.credentials(),
                             ["Bearer " + self.host], answer)


if __name__ == "__main__":
    unittest.main()
