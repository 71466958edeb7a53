# SPDX-License-Identifier: MIT
"""The status page of a server: what it counts, and who reads it."""

import os
import re
import subprocess
import tempfile
import unittest

import support
from client import bearer

READER = os.path.join(support.TESTS, "integration", "metrics.py")


class Counts:
    """Its server has two workers; "/" is checked by test/gateway, and by
    test/payouts on the plain port; the page is /numbers, and, for who has a
    token, /checked, and for nobody /denied."""

    def ask(self, path, *headers, **more):
        with self.server.client() as c:
            return c.ask(path, *headers, **more)

    def read(self, kind, text):
        with tempfile.NamedTemporaryFile() as file:
            file.write(text)
            file.flush()
            return subprocess.run(
                ("/usr/bin/python3", "-B", READER, kind, file.name), text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_prometheus_reads_it(self):
        answer = self.ask("/numbers")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.one("Content-Type"), "application/"
                         "openmetrics-text; version=1.0.0; charset=utf-8")
        self.assertIn("no-store", answer.one("Cache-Control"))
        done = self.read("openmetrics", answer.body)
        self.assertEqual(done.returncode, 0, done.stdout)
        for name in ("test/gateway", "test/payouts"):
            self.assertIn('profile="%s"' % name, done.stdout)

    def test_people_get_a_page(self):
        answer = self.ask("/numbers", "Accept: text/html,*/*;q=0.8")
        self.assertEqual(answer.one("Content-Type"),
                         "text/html; charset=utf-8")
        done = self.read("html", answer.body)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(b"test/gateway", answer.body)

    def test_it_has_no_secret(self):
        for accept in ("text/html", "*/*"):
            answer = self.ask("/numbers", "Accept: " + accept)
            self.assertNotIn(support.CANARY.encode(), answer.body)

    def test_head_tells_the_headers_alone(self):
        with self.server.client() as c:
            answer = c.ask("/numbers", method="HEAD")
            self.assertEqual(answer.status, 200)
            self.assertGreater(int(answer.one("Content-Length")), 100)
            self.assertEqual(c.ask("/numbers").status, 200)

    def test_nothing_is_written_there(self):
        with self.server.client() as c:
            for method in ("POST", "PUT", "DELETE", "PATCH"):
                self.assertEqual(c.ask("/numbers", method=method,
                                       body=b"x").status, 405)
            self.assertEqual(c.ask("/numbers").status, 200)

    def test_it_can_be_closed_to_others(self):
        self.assertEqual(self.ask("/denied").status, 403)
        self.assertEqual(self.ask("/checked").status, 401)
        self.assertEqual(self.ask("/checked", bearer(
            self.sandbox.token())).status, 200)

    def test_workers_count_together(self):
        clients = self.server.a_client_of_each_worker()
        before = self.server.status()
        token = self.sandbox.tokens["live"]
        for c in clients.values():
            for _ in range(3):
                self.assertEqual(c.ask("/x", bearer(token)).status, 401)
            c.close()
        key = ("monime_verdicts", "test/payouts", "environment", "local")
        self.assertEqual(self.server.status()[key] - before[key], 6)

    @unittest.skipUnless(support.ROOT, "a server that is not root's has one user")
    def test_programs_of_the_same_user_do_not_trace_workers(self):
        for pid in self.server.workers_now():
            with open("/proc/%d/status" % pid, encoding="ascii") as file:
                user = re.search(r"^Uid:\t(\d+)", file.read(), re.M)[1]
            self.assertNotEqual(user, "0")
            # proc(5): root's, of a process that is not "dumpable".
            self.assertEqual(os.stat("/proc/%d/mem" % pid).st_uid, 0)
