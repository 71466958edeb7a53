#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The host's own credential in requests that nginx proxies."""

import socket
import ssl
import struct
import sys
import unittest

import authorized
import common
from authorized import GOOD, NEVER, ONCE, SAFE, Row
from server import Server
from support import PATIENCE

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


PLACES = {"on": ON, "public": PUBLIC,
          "off": ON.replace("authorize on", "authorize off")}


def api(name, wanted, more="", path=GOOD, on="on", **rest):
    """A row whose location goes to the API as it is asked."""
    return Row(name, wanted, "location /v1/ { %s %s %s }" % (
        PLACES.get(on, on), API, more),
               path,
               **rest)


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

ROWS = authorized.shared(api) + (
    api("over a kept connection", ONCE, "proxy_http_version 1.1;"
        "proxy_set_header Connection '';", sent="GET " + GOOD),
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


class Authorize(authorized.Authorizes, common.Case):
    rows = ROWS
    SPACE = "set before"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.sandbox, HTTP + "".join(
            cls.block(row) for row in ROWS if not row.main), etc=cls.etc)
        cls.server.tolerated = r"\[crit\].*SSL_do_handshake\(\) failed"
        cls.server.html("ssi", '<!--#include virtual="%s" -->' % GOOD)

    @classmethod
    def block(cls, row):
        """A server for each row, chosen by its Host."""
        return "%s server { {tls} server_name row%d; " \
            "access_log {folder}/access.log all; %s }\n" % (
            row.main or "", ROWS.index(row), cls.located(row))

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

    def settle(self):
        """A mirror's subrequest may outlive the answer: nginx has ended what
        it began when nobody else is connected."""
        self.server.until(lambda: self.server.connections() == 1,
                          "all requests to end")


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


class Requests(authorized.Requests, common.Case):
    BODIES = ("/v1/payouts/x", "/v1/payouts/straight")
    FORWARDED = authorized.Requests.FORWARDED + (("/kept/named/", 0),)

    def serve(self, etc):
        return Server(self.sandbox, REQUESTS, etc=etc, level="info")

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

    def test_request_without_the_credential_says_nothing_of_it(self):
        for _ in range(5):
            self.assertEqual(self.ask("/v1/payouts/keyless").status, 401)
        self.assertEqual(self.credentials(), [])
        self.assertNotIn("that we authorized", self.server.log())
        self.sandbox.reset("log")
        self.assertEqual(self.ask("/v1/payouts").status, 200)
        # It was not asked about either.
        self.assertEqual(len(self.sandbox.requests()), 1)

    def test_forged_placeholder_is_worth_nothing(self):
        # What a variable stands for is not to be had by asking for it.
        for header in ("X-A: $monime_authorization", "X-A: <monime>"):
            self.sandbox.reset("log")
            answer = self.ask("/v1/payouts", header)
            self.assertEqual(self.credentials(),
                             ["Bearer " + self.host], answer)


if __name__ == "__main__":
    unittest.main()
