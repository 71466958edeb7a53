#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Apache under load: loaded.py, and what comes of threads that wait."""

import time
import unittest

import common
import loaded
from client import bearer, request
from server import CHECKED, SERVERS, Server

HTTP = CHECKED % ("/", "test/one") + """
    Header always set X-Verdict %{MONIME_VERDICT}e env=MONIME_VERDICT
    Header always set X-Fingerprint %{MONIME_FINGERPRINT}e \
env=MONIME_FINGERPRINT
    <Location /two>
        MonimeProfile test/two
    </Location>
    <Location /open>
        AuthType None
        Require all granted
    </Location>
""" + SERVERS

# How many threads of a process may wait for the API at once.
THREADS = 130
CAP = THREADS // 2


class Load(loaded.Loads, common.Case):
    AT_ONCE = 64
    KILLED = r"exit signal Killed \(9\)"

    def serve(self, etc, **more):
        return Server(self.sandbox, HTTP, etc=etc, threads=THREADS, **more)

    def ask(self, server, path, token):
        with server.client(2) as c:
            return c.ask(path, bearer(token))

    def hanging(self, server, n):
        """So many clients whose checks have no answer yet."""
        self.sandbox.fault({"hold": True, "times": -1})
        self.addCleanup(self.sandbox.reset, "faults")
        clients = [server.client(2) for _ in range(n)]
        for c in clients:
            self.addCleanup(c.close)
            c.send(request("/", bearer(self.sandbox.token())))
        server.wait_served(n)
        return clients

    def test_threads_that_wait_are_no_more_than_half(self):
        server = self.server_with("60 s")
        good = self.sandbox.token()
        self.assertEqual(self.ask(server, "/", good).status, 200)
        clients = self.hanging(server, CAP)
        before = server.status()
        # One more is told to come again.
        turned = [self.sandbox.token() for _ in range(5)]
        for token in turned:
            answer = self.ask(server, "/", token)
            self.assertEqual(answer.status, 503)
            self.assertEqual(answer.one("Retry-After"), "1")
            self.assertEqual(answer.all("X-Verdict"), ["unknown"])
        self.assertEqual(len(server.ours()), len(turned))
        # What is remembered, what is no token and what is not checked go on.
        for _ in range(20):
            self.assertEqual(self.ask(server, "/", good).status, 200)
            self.assertEqual(self.ask(server, "/open", good).status, 200)
            self.assertEqual(self.ask(server, "/", "").status, 400)
            with server.client(2) as c:
                self.assertEqual(c.ask("/").status, 401)
        # An answer takes some of them away, and then there is room.
        self.sandbox.reset("faults")
        self.assertEqual({c.read().status for c in clients}, {200})
        sent = repr(self.sandbox.requests())
        self.assertEqual([t for t in turned if t in sent], [])
        self.assertEqual(self.ask(server, "/", self.sandbox.token()).status,
                         200)
        after = server.status()
        self.assertEqual(sum(v for k, v in after.items() if k[0] ==
                             "monime_verdicts" and k[2] == "ok") -
                         sum(v for k, v in before.items() if k[0] ==
                             "monime_verdicts" and k[2] == "ok"),
                         CAP + 20 + 1)

    def test_prefork_has_one_that_waits_in_each_process(self):
        server = self.server_with("60 s", workers=2, mpm="prefork")
        waiting = self.hanging(server, 2)
        self.sandbox.wait("requests", 2)
        self.sandbox.reset("faults")
        self.assertEqual({c.read().status for c in waiting}, {200})

    def test_other_places_answer_while_every_check_hangs(self):
        server = self.server_with("60 s")
        good = self.sandbox.token()
        with server.client() as c:
            self.assertEqual(c.ask("/", bearer(good)).status, 200)
            clients = self.hanging(server, CAP)
            began, asked = time.monotonic(), 0
            while asked < 200:
                self.assertEqual(c.ask("/open").status, 200)
                self.assertEqual(c.ask("/", bearer(good)).status, 200)
                asked += 2
            # Each of them would have taken a minute.
            self.assertLess(time.monotonic() - began, 60)
            self.sandbox.reset("faults")
            self.assertEqual({w.read().status for w in clients}, {200})


if __name__ == "__main__":
    unittest.main()
