# SPDX-License-Identifier: MIT
"""Each way in which the API can behave, and what a web server makes of it:
status, header, log line and counter, in one table that is printed."""

import re
import sys

from behaviours import BEHAVIOURS, WEB, profiles
from client import bearer
from support import PATIENCE, fingerprint, grown, profile

FORMAT = "  %-38s %-6s %-52s %-5s %-36s %s"
HEAD = FORMAT % ("the API ...", "status", "WWW-Authenticate", "Retry",
                 "counter", "log")


class Behaves:
    """Its server has "/" and a place named as each of the other profiles; it
    logs "STATUS|VERDICT|ENVIRONMENT|FINGERPRINT|SOURCE", with "-" for what is
    empty."""

    # What of a line of the log is told, and how a line is known that is of a
    # client; does a client's own thread ask the API?
    LINE, CLIENT = r"^.*?monime: |, client: .*", "client: 127.0.0.1"
    BLOCKS = False

    @classmethod
    def folder(cls):
        etc = cls.sandbox.profiles()
        for name, text in profiles(cls.sandbox.origins,
                                   max(1, PATIENCE // 20)).items():
            profile(etc, name, text)
        cls.rows = [HEAD]
        return etc

    @classmethod
    def tearDownClass(cls):
        print("\n".join(cls.rows), file=sys.stderr)
        super().tearDownClass()

    def test_every_behaviour_has_its_status_header_line_and_counter(self):
        for row in BEHAVIOURS:
            with self.subTest(row.name):
                self.one(row)

    def one(self, row):
        sandbox, server, web = self.sandbox, self.server, WEB[row.result]
        sandbox.reset("log", "faults", "settings")
        token = row.present(self.sandbox)
        sandbox.close_idle()
        sandbox.settings(**row.settings)
        sandbox.fault(*row.faults)
        before, _ = server.status(), server.news()
        logged = len(server.log("access.log").splitlines())
        path = "/" if row.profile == "test/space" else "/" + row.profile
        with server.client() as c:
            answer = c.ask(path, bearer(token))
        after = server.status()
        lines = server.ours()
        # An answer is logged when it has been sent.
        server.until(lambda: len(server.log("access.log").splitlines()) >
                     logged, "the line of the access log")
        access = server.log("access.log").splitlines()[-1].split("|")
        challenge = answer.one("WWW-Authenticate")
        local = row.result == "denied" and row.asked == 0 or \
            row.token == "live"
        source = "local" if local else "network"
        counted = {("monime_verdicts", row.profile, row.result, source): 1}
        if not local:
            counted[("monime_probes", row.profile, row.result)] = 1
        if row.result == "limit":
            counted[("monime_rate_limits", row.profile, "token-limit",
                     "presented")] = 1
        self.rows.append(FORMAT % (
            row.name, answer.status, challenge or "-",
            answer.one("Retry-After") or "-",
            "%s %s" % (row.result, source),
            re.sub(self.LINE, "", lines[-1])
            if lines else "-"))

        self.assertEqual(answer.status, web.status)
        if web.status == 200:
            self.assertEqual(answer.body, b"a page\n")
        else:
            self.assertNotIn(b"a page", answer.body)
            self.assertEqual(answer.one("Content-Type"), "application/json")
        self.assert_challenge(challenge, web)
        if row.after is not None:
            self.assertEqual(answer.one("Retry-After"), row.after)
        elif web.retry:
            self.assertRegex(answer.one("Retry-After"), r"^[1-9][0-9]{0,3}$")
        else:
            self.assertIsNone(answer.one("Retry-After"))
        self.assertEqual(grown(before, after), counted)
        self.assertEqual(len(sandbox.requests()), row.asked)
        self.assertEqual(access[:2], [str(web.status), web.verdict])
        self.assertEqual(access[4], source)
        if row.result == "ok":
            self.assertEqual(access[2:4], ["test", fingerprint(token)])
        else:
            # Whoever was not accepted has no name.
            self.assertEqual(access[3], "-")
        if row.log is None:
            self.assertEqual(lines, [])
            return
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(row.profile + ": ", lines[0])
        self.assertRegex(lines[0], row.log)
        # What was learned from the API is the probe's line, for all who wait.
        self.assertEqual(self.CLIENT in lines[0], local or self.BLOCKS,
                         lines[0])
        self.assertNotIn(token, lines[0])

    def assert_challenge(self, challenge, web):
        if web.error is None:
            self.assertIsNone(challenge)
            return
        self.assertRegex(challenge, r"^Bearer( |$)")
        self.assertIn('error="%s"' % web.error, challenge)

    def test_nobody_else_is_asked(self):
        self.assertEqual(self.sandbox.counts("bytes", "elsewhere"), 0)
