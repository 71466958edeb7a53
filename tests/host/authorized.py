# SPDX-License-Identifier: MIT
"""The host's own credential in requests that a server proxies, by the bytes
that the upstreams saw: to the profile's origin and nobody else, in its own
header, once, for what the profile allows."""

import os
import re
import subprocess
import sys

from client import bearer, request
from support import CANARY, PATIENCE, profile
from upstream import Recorder, Tunnel

ONCE, NEVER, SAFE = "once", "never", "at most once"
GOOD = "/v1/financial-accounts"


class Row:
    def __init__(self, name, wanted, location, path, method="GET", sent=None,
                 headers=(), token=True, status=None, main=None):
        self.name, self.wanted, self.location = name, wanted, location
        self.path, self.method, self.headers = path, method, list(headers)
        self.sent, self.token, self.status = sent, token, status
        self.main = main


def shared(api):
    """Rows of a server that sends what it is asked as it is asked; api(NAME,
    WANTED, on=...) makes one: "on", "public" or "off"."""
    return (
        # What is meant.
        api("as asked", ONCE, sent="GET " + GOOD),
        api("with a query", ONCE, path=GOOD + "?limit=1&after=x%3D",
            sent="GET " + GOOD + "?limit=1&after=x%3D"),
        api("a POST", ONCE, path="/v1/payouts/x", method="POST",
            sent="POST /v1/payouts/x"),
        api("public, with a token", ONCE, on="public"),
        api("public, without one", ONCE, on="public", token=False),
        api("on, without a token", NEVER, token=False, status=401),
        api("on, with a bad one", NEVER, token="bad", status=401),
        api("on, with a stranger's", NEVER, token="stranger", status=403),
        api("authorize off", NEVER, on="off"),
        # What the profile allows, as it is written.
        api("a method that is not allowed", NEVER, method="DELETE"),
        api("a path that is not allowed", NEVER, path="/v1/banks"),
        api("a path above", NEVER, path="/v1/"),
        api("a longer path", NEVER, path=GOOD + "x"),
        api("encoded letters", NEVER, path="/v1/%66inancial-accounts"),
        api("two slashes", NEVER, path="/v1/payouts//x"),
        api("dots", NEVER, path="/v1/payouts/../financial-accounts"),
        api("encoded dots", NEVER, path="/v1/payouts/%2e%2e/banks"),
        api("dots encoded twice", NEVER, path="/v1/payouts/%252e%252e/banks"),
        api("an encoded slash", NEVER, path="/v1/payouts/..%2fbanks"),
        api("a semicolon", NEVER, path="/v1/payouts/;/x"),
        api("a backslash", NEVER, path="/v1/payouts/..\\banks"),
        api("an encoded question mark", NEVER, path=GOOD + "%3Flimit=1"),
        api("an encoded NUL", NEVER, path="/v1/payouts/x%00"),
        api("a byte above ASCII", NEVER, path="/v1/payouts/\xe9"),
        api("a fragment", NEVER, path="/v1/payouts/x#y"),
        api("the absolute form", SAFE, path="http://localhost" + GOOD),
        # What a client adds.
        api("another Space", NEVER, headers=["Monime-Space-Id: spc-evil"],
            status=400),
        api("our own Space", NEVER, headers=["monime-space-id: spc-sandbox"],
            status=400),
        api("X-HTTP-Method-Override", NEVER, status=400,
            headers=["X-HTTP-Method-Override: DELETE"]),
        api("X-HTTP-Method", NEVER, status=400,
            headers=["x-http-method: DELETE"]),
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
        api("Connection: Keep-Alive", ONCE,
            headers=["Connection: Keep-Alive"]),
        api("public, another Space", NEVER, on="public", token=False,
            status=400, headers=["Monime-Space-Id: spc-evil"]),
        api("public, Connection names a header", NEVER, on="public",
            token=False, status=400,
            headers=["Connection: Monime-Space-Id"]),
        api("authorize off, another Space", NEVER, on="off", status=401,
            headers=["Monime-Space-Id: spc-x"]),
    )


class Authorizes:
    """Each row has a server of its own, chosen by its Host; all that is
    proxied there has "X-Row: row"."""

    rows = None
    # The port on which they are.
    PORT = 0
    # A row for which the Space may go elsewhere.
    SPACE = None

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
            "scgi": Recorder("scgi"), "ajp": Recorder("ajp"),
            "tunnel": Tunnel()}
        for recorder in cls.recorders.values():
            cls.addClassCleanup(recorder.stop)

    @classmethod
    def write_profiles(cls):
        allow = 'allow = { methods = ["GET", "POST"]; paths = [' \
            '"/v1/financial-accounts", "/v1/payouts/*"]; };'
        for name, origin, space, more in (
                ("pay", cls.sandbox.origins["monime"], "spc-sandbox", ""),
                ("named", "https://localhost", "spc-sandbox",
                 "confirm_environment = false;"),
                *((name.replace("_", "-"), cls.sandbox.origins[name],
                   "spc-sandbox", "confirm_environment = false;")
                  for name in ("wrong_name", "self_signed", "expired",
                               "elsewhere")),
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
    def located(cls, row):
        """The row's places, with the recorders' in them."""
        text = row.location.replace("@sockets@", cls.sockets)
        for name, recorder in cls.recorders.items():
            text = text.replace("@%s@" % name,
                                str(getattr(recorder, "port", "")))
        return text

    def token(self, row):
        return {True: self.good, False: None, "bad": self.sandbox.unknown(),
                "stranger": self.sandbox.tokens["stranger_test"]}[row.token]

    def one(self, row):
        self.sandbox.reset("log")
        token = self.token(row)
        headers = ([bearer(token)] if token else []) + row.headers
        path = re.sub(r"\{ports\[(\w+)\]\}", lambda m: str(
            self.sandbox.ports[m[1]]), row.path)
        with self.server.client(self.PORT) as c:
            answer = c.ask(path, *headers, method=row.method,
                           host="row%d" % self.rows.index(row))
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
            elif row.name != self.SPACE:
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
        """When a request has been answered, all that it began has ended."""

    def test_then_no_log_and_no_cache_has_it(self):
        # After the table of rows, by its name.
        self.tell_logs(self.server.log())
        log = self.server.log("access.log")
        self.assertGreater(len(log.splitlines()), len(self.rows) / 2)
        self.assertNotIn(CANARY, log)
        self.assertNotIn("<spc-sandbox>", log)
        self.assert_cache_without_it(self.server.path("cache"))

    def tell_logs(self, log):
        """None of our lines has a token, and none at all the host's; how many
        of the server's own have a bearer's is told."""
        ours, kinds = [], {}
        for line in log.splitlines():
            # What a client or a proxy sends comes in several lines.
            if CANARY not in line:
                continue
            if self.server.OURS in line:
                ours.append(line)
            kind = "the host's" if self.host in line else "a bearer's"
            kinds[kind] = kinds.get(kind, 0) + 1
        self.assertEqual(ours, [])
        self.assertNotIn("the host's", kinds)
        for kind, number in kinds.items():
            self.lines.append("  lines that %s itself wrote at %s level with "
                              "%s token: %d" % (self.server.NAME,
                                                self.server.level, kind,
                                                number))

    def assert_cache_without_it(self, folder):
        """It has something, but not that; how many files."""
        cached = 0
        for place, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(place, name), "rb") as file:
                    data = file.read()
                cached += 1
                self.assertNotIn(self.host.encode(), data)
        self.assertGreater(cached, 0)


class Requests:
    """Bodies, bearers' tokens, and a credential that changes.  serve() starts
    a server that checks by test/pay, but not /open/, and authorizes /v1/; what
    is below /kept/, /forwarded/, /open/ and /any/ goes to the listener without
    TLS, and so does, below its own path, what /fallen/ refuses."""

    # Where bodies go to, and where a bearer's own token.
    BODIES = ("/v1/payouts/x",)
    FORWARDED = (("/kept/", 0), ("/any/", 0), ("/forwarded/", 1),
                 ("/open/", 1))

    def setUp(self):
        self.sandbox.reset()
        self.etc = self.sandbox.profiles()
        self.host = self.sandbox.tokens["test"]
        self.profile(self.host)
        self.server = self.start(self.serve(self.etc))
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
        """Those that the server sent: the library's own have no such
        header."""
        return [r for r in self.sandbox.requests() if
                ["X-Row", "row"] in r["headers"]]

    def credentials(self):
        return [v for r in self.proxied() for n, v in r["headers"]
                if n == "Authorization"]

    def test_body_arrives_as_it_was_sent(self):
        for path in self.BODIES:
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
        for path in self.BODIES:
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

    def test_bearers_token_reaches_the_upstream_only_where_it_may(self):
        for path, times in self.FORWARDED:
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
                for header in (bearer(token), "Authorization: Basic eDp5"):
                    with self.server.client() as c:
                        c.ask("/fallen/x", header)
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
            self.server.again()
            self.server.wait_leaving()
            self.sandbox.reset("faults")
            self.assertEqual(c.read().status, 200)
