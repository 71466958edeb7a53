# SPDX-License-Identifier: MIT
"""What a client may present, and what a web server does around the check."""

import base64
import subprocess

from client import bearer, request
from support import PATIENCE, profile

ROOMY = 'check = { probes = 512; probe_rate = 10000; negative_ttl = "0 s"; %s};'


class Presents:
    """Its server checks "/" by test/gateway, on the plain port as well, and
    logs "PATH STATUS VERDICT" of the last one that an internal redirect led
    to."""

    # After a redirect to another profile, to another check, to an error page,
    # and without a check.
    LOGGED = ["/named 403 forbidden", "/page2 200 accepted",
              "/401.html 401 denied", "/page 200 -"]

    @classmethod
    def folder(cls):
        etc = cls.sandbox.profiles()
        text = 'provider = "monime"; space = "%s"; base_url = "' + \
            cls.sandbox.origins["monime"] + '";'
        profile(etc, "test/gateway", text % "spc-sandbox" + ROOMY % "")
        profile(etc, "test/other", text % "spc-other" + ROOMY % "")
        profile(etc, "test/slow", text % "spc-sandbox" +
                ROOMY % 'ttl = "0 s"; timeout = "60 s"; ')
        cls.good = cls.sandbox.tokens["test"]
        return etc

    @classmethod
    def pages(cls):
        cls.server.html("page2", "a page\n")
        cls.server.html("401.html", "please log in\n")
        cls.server.html("503.html", "nobody knows\n")
        cls.server.html("checked.html", "please log in\n")
        cls.server.html("open/index/nothing", "")

    def setUp(self):
        self.sandbox.reset("log", "faults", "settings")

    def ask(self, path, *headers, **more):
        with self.server.client() as c:
            return c.ask(path, *headers, **more)

    def assert_in(self, answer):
        self.assertEqual((answer.status, answer.body), (200, b"a page\n"))

    def assert_out(self, answer, *status):
        self.assertIn(answer.status, status or (401,), answer)
        self.assertNotIn(b"a page", answer.body)

    def assert_nobody_was_asked(self):
        self.assertEqual(self.sandbox.counts("requests"), 0)

    # What is presented.

    def test_no_token_is_401_without_an_error(self):
        # RFC 6750 3: who did not know that a token is needed is not told of
        # a mistake.
        for headers in ((), ("X-Authorization: Bearer " + self.good,),
                        ("Proxy-Authorization: Bearer " + self.good,),
                        ("Cookie: access_token=" + self.good,)):
            answer = self.ask("/", *headers)
            self.assert_out(answer, 401)
            self.assertRegex(answer.one("WWW-Authenticate"), "^Bearer")
            self.assertNotIn("error", answer.one("WWW-Authenticate"))
            self.assertNotIn(b"error_description", answer.body)
        self.assert_nobody_was_asked()

    def test_token_in_the_query_is_none(self):
        self.assert_out(self.ask("/?access_token=" + self.good), 401)
        self.assert_nobody_was_asked()

    def test_other_schemes_are_401(self):
        basic = base64.b64encode(b"x:" + self.good.encode()).decode()
        for value in ("Basic " + basic, "Digest username=x", "Negotiate YII=",
                      "Bearer2 " + self.good, "XBearer " + self.good,
                      "Token " + self.good, self.good):
            with self.subTest(value):
                answer = self.ask("/", "Authorization: " + value)
                self.assert_out(answer, 401)
                self.assertRegex(answer.one("WWW-Authenticate"), "^Bearer")
        self.assert_nobody_was_asked()

    def test_scheme_is_known_whatever_its_case(self):
        for scheme in ("Bearer", "bearer", "BEARER", "bEaReR"):
            self.assert_in(self.ask("/", "authorization: %s %s" % (
                scheme, self.good)))

    def test_white_space_around_is_allowed_and_inside_is_not(self):
        for value, ok in (("Bearer  %s", True), ("Bearer %s  ", True),
                          ("Bearer %s\t", True), ("Bearer\t%s", False),
                          ("Bearer \t%s", False), ("Bearer", False),
                          ("Bearer ", False), ("Bearer %s x", False),
                          ("Bearer %s,x", False), ("Bearer %s\tx", False),
                          ('Bearer "%s"', False), ("Bearer=%s", False),
                          ("Bearer, Bearer %s", False)):
            value = value.replace("%s", self.good)
            with self.subTest(value):
                answer = self.ask("/", "Authorization: " + value)
                if ok:
                    self.assert_in(answer)
                else:
                    self.assert_out(answer, 400, 401)
                    self.assertRegex(answer.one("WWW-Authenticate"),
                                     "^Bearer")

    def test_several_headers_are_refused(self):
        bad = bearer(self.sandbox.unknown())
        for headers in ((bearer(self.good),) * 2, (bearer(self.good), bad),
                        (bad, bearer(self.good)),
                        ("Authorization: Basic eDp5", bearer(self.good)),
                        (bearer(self.good), "Authorization:"),
                        ("Authorization:", bearer(self.good))):
            with self.subTest(headers):
                self.assert_out(self.ask("/", *headers), 400, 401)
        self.assert_nobody_was_asked()

    def test_odd_bytes_are_refused_and_not_sent(self):
        for odd in (b"\x01", b"\x7f", b"\x80", b"\xff", b"\xc3\xa9", b"\x1b[m",
                    b"\0"):
            with self.subTest(odd):
                value = b"Authorization: Bearer mon_test_ab" + odd + b"cd"
                self.assert_out(self.ask("/", value), 400, 401)
        self.assert_nobody_was_asked()

    def test_long_tokens_are_refused_and_not_sent(self):
        for size in (4097, 8192, 16000):
            token = "mon_test_" + "x" * size
            self.assert_out(self.ask("/", bearer(token)), 401)
        self.assert_nobody_was_asked()
        self.assert_out(self.ask("/", bearer("mon_test_" + "x" * 4096)), 401)
        self.assertEqual(self.sandbox.counts("requests"), 1)

    def test_live_token_is_not_sent(self):
        answer = self.ask("/", bearer(self.sandbox.tokens["live"]))
        self.assert_out(answer, 401)
        self.assert_nobody_was_asked()

    # How it is asked.

    def test_head_has_no_body(self):
        with self.server.client() as c:
            for _ in range(3):
                self.assertEqual(c.ask("/", bearer(self.good),
                                       method="HEAD").status, 200)
                for accept in ("application/json", "text/html"):
                    answer = c.ask("/", "Accept: " + accept, method="HEAD")
                    self.assert_out(answer, 401)
                    self.assertRegex(answer.one("WWW-Authenticate"),
                                     "^Bearer")
            self.assert_in(c.ask("/", bearer(self.good)))

    def test_refused_body_does_not_become_the_next_request(self):
        smuggled = request("/", bearer(self.good))
        with self.server.client() as c:
            for body in (smuggled, b"x" * 100000):
                answer = c.ask("/", method="POST", body=body)
                self.assert_out(answer, 401)
                self.assert_out(c.ask("/"), 401)
                self.assert_in(c.ask("/", bearer(self.good)))

    def test_nobody_is_asked_for_a_body_that_is_refused(self):
        with self.server.client() as c:
            c.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9"
                   b"\r\nExpect: 100-continue\r\n\r\n")
            line = c.file.readline()
            self.assertIn(b" 401 ", line)

    def test_kept_connection_keeps_no_verdict(self):
        with self.server.client() as c:
            for _ in range(20):
                self.assert_in(c.ask("/", bearer(self.good)))
                self.assert_out(c.ask("/"), 401)
                self.assert_out(c.ask("/", bearer(self.sandbox.unknown())),
                                401)

    def test_pipelined_requests_are_answered_in_order(self):
        bad = self.sandbox.unknown()
        with self.server.client() as c:
            c.send(request("/", bearer(bad)) + request("/") +
                   request("/", bearer(self.good)) + request("/open"))
            self.assertEqual([c.read().status for _ in range(4)],
                             [401, 401, 200, 200])

    def test_request_without_tls_is_checked(self):
        with self.server.client(2) as c:
            self.assert_out(c.ask("/"), 401)
            self.assert_in(c.ask("/", bearer(self.good)))

    def test_http_2(self):
        url = "https://localhost:%d/" % self.server.port[0]
        out = "%{http_version} %{http_code} %header{www-authenticate}\\n"
        config = "".join(
            'next\nurl = "%s"\nhttp2\ncacert = "%s"\nsilent\noutput = "%s"\n'
            'write-out = "%s"\n%s' % (
                url, self.server.ca, "/dev/null", out, more)
            for more in ("", 'header = "Authorization: Bearer %s"\n' % (
                self.good), 'header = "Authorization: Bearer %s"\n' % (
                    self.sandbox.unknown()), 'head\n'))
        done = subprocess.run(("curl", "-K", "-"), input=config[5:], text=True,
                              stdout=subprocess.PIPE, timeout=PATIENCE)
        lines = done.stdout.splitlines()
        self.assertEqual([line[:5] for line in lines],
                         ["2 401", "2 200", "2 401", "2 401"])
        self.assertNotIn("error", lines[0])
        self.assertIn("invalid_token", lines[2])

    # What is answered.

    def test_error_page_of_the_location_is_used(self):
        answer = self.ask("/pages")
        self.assertEqual((answer.status, answer.body),
                         (401, b"please log in\n"))
        self.assertRegex(answer.one("WWW-Authenticate"), "^Bearer")
        self.sandbox.fault({"status": 500, "times": -1})
        answer = self.ask("/pages", bearer(self.sandbox.unknown()))
        self.assertEqual((answer.status, answer.body), (503, b"nobody knows\n"))
        self.assertRegex(answer.one("Retry-After"), "^[0-9]+$")

    def test_error_page_that_is_itself_checked_lets_nobody_in(self):
        answer = self.ask("/pages/checked")
        self.assert_out(answer, 401)
        self.assertNotIn(b"please", answer.body)

    # Where it is asked.

    def test_internal_redirect_to_a_checked_location_is_checked(self):
        for path in ("/open/to-checked", "/open/rewritten", "/open/index/"):
            with self.subTest(path):
                self.assert_out(self.ask(path), 401)
                self.assert_out(self.ask(path, bearer(
                    self.sandbox.unknown())), 401)
                self.assert_in(self.ask(path, bearer(self.good)))

    def test_redirect_to_another_profile_asks_that_one(self):
        self.assert_out(self.ask("/named", bearer(self.good)), 403)
        both = self.sandbox.token(spaces=("spc-sandbox", "spc-other"))
        self.assert_in(self.ask("/named", bearer(both)))
        other = self.sandbox.token(spaces=("spc-other",))
        self.assert_out(self.ask("/named", bearer(other)), 403)
        self.assert_out(self.ask("/named"), 401)

    def test_redirect_keeps_the_token_for_the_next_check(self):
        self.assert_in(self.ask("/404", bearer(self.good)))
        self.assert_out(self.ask("/404"), 401)

    def test_variable_tells_of_the_last_check(self):
        self.ask("/named", bearer(self.good))
        self.ask("/404", bearer(self.good))
        self.ask("/pages")
        self.ask("/open")
        # An answer is logged when it has been sent: the next one is later.
        self.server.until(lambda: self.server.log("access.log").splitlines()[
            -4:] == self.LOGGED, "the verdicts in the log")

    def test_deny_is_asked_before_a_token_is(self):
        for headers in ((), (bearer(self.sandbox.unknown()),),
                        (bearer(self.good),)):
            answer = self.ask("/denied", *headers)
            self.assert_out(answer, 403)
            self.assertIsNone(answer.one("WWW-Authenticate"))
        self.assert_nobody_was_asked()

    def test_satisfy_any_takes_an_address_or_a_token(self):
        self.assert_in(self.ask("/any/allowed"))
        self.assert_in(self.ask("/any/allowed", bearer(
            self.sandbox.unknown())))
        self.assert_nobody_was_asked()
        self.assert_in(self.ask("/any/denied", bearer(self.good)))
        self.assert_out(self.ask("/any/denied"), 401, 403)
        self.assert_out(self.ask("/any/denied", bearer(
            self.sandbox.unknown())), 401, 403)
        self.sandbox.fault({"status": 500, "times": -1})
        self.assert_out(self.ask("/any/denied", bearer(
            self.sandbox.unknown())), 401, 403, 503)
