# SPDX-License-Identifier: MIT
"""Many requests at once, one after the other, and while a worker dies.

MONIME_ALTERNATIONS (4000) is how often tokens alternate on one connection.
"""

import os
import random
import signal
import time

from client import bearer, request
from support import PATIENCE, count, fingerprint, profile

ROOMY = 'check = { probes = 512; probe_rate = 10000; ttl = "10 min";' \
    ' negative_ttl = "1 min"; timeout = "%s"; };'


class Loads:
    """serve() starts a server that checks "/" by test/one and "/two" by
    test/two, with X-Verdict and X-Fingerprint in its answers, and not "/open";
    the same without TLS.  KILLED is what its log may say of a worker that was
    killed."""

    # How many connections at once.
    AT_ONCE = 1000
    KILLED = None

    def setUp(self):
        self.sandbox.reset()

    def server_with(self, timeout, **more):
        etc = self.sandbox.profiles()
        for name, space in (("one", "spc-sandbox"), ("two", "spc-two")):
            profile(etc, "test/" + name, 'provider = "monime"; space = "%s";'
                    'base_url = "%s";' % (
                        space, self.sandbox.origins["monime"]) +
                    ROOMY % timeout)
        return self.start(self.serve(etc, **more))

    # One connection.

    def test_alternating_tokens_get_their_own_answers(self):
        server = self.server_with("60 s")
        one = self.sandbox.token()
        two = self.sandbox.token(spaces=("spc-two",))
        both = self.sandbox.token(spaces=("spc-sandbox", "spc-two"))
        bad, live = self.sandbox.unknown(), self.sandbox.tokens["live"]
        stranger = self.sandbox.token(spaces=("spc-stranger-test",))
        kinds = []
        for token, at_one, at_two in (
                (one, "accepted", "forbidden"), (None, "denied", "denied"),
                (two, "forbidden", "accepted"), (bad, "denied", "denied"),
                (both, "accepted", "accepted"),
                (live, "environment", "environment"),
                (stranger, "forbidden", "forbidden")):
            for path, verdict in (("/", at_one), ("/two", at_two)):
                headers = [bearer(token)] if token else []
                kinds.append((request(path, *headers), verdict, token))
        # Every kind is followed by every other, in an order that repeats.
        order = random.Random(1).choices(range(len(kinds)),
                                         k=count("ALTERNATIONS", 4000))
        wrong = 0
        with server.client() as c:
            for first in range(0, len(order), 50):
                batch = [kinds[k] for k in order[first:first + 50]]
                # By turns one by one, and all on their way together.
                if first % 100:
                    answers = []
                    for data, _, _ in batch:
                        c.send(data)
                        answers.append(c.read())
                else:
                    c.send(b"".join(data for data, _, _ in batch))
                    answers = [c.read() for _ in batch]
                wrong += sum(not right(answer, verdict, token) for
                             answer, (_, verdict, token)
                             in zip(answers, batch))
        self.assertEqual(wrong, 0)
        sums = server.status()
        self.assertEqual(sum(v for k, v in sums.items() if k[0] ==
                             "monime_verdicts"), len(order))
        # Each token was asked about once by each profile.
        self.assertEqual(sum(v for k, v in sums.items() if k[0] ==
                             "monime_probes"), 10)

    # All at once.

    def test_connections_at_once_with_one_new_token_ask_once(self):
        server = self.server_with("60 s", workers=2)
        data = request("/", bearer(self.sandbox.token()))
        self.sandbox.fault({"hold": True, "times": -1})
        served = server.served()
        clients = [server.client(2) for _ in range(self.AT_ONCE)]
        for c in clients:
            c.send(data)
        server.wait_served(served + len(clients))
        self.sandbox.wait("held", 1)
        self.assertEqual(len(self.sandbox.requests()), 1)
        self.sandbox.reset("faults")
        self.assertEqual({c.read().status for c in clients}, {200})
        for c in clients:
            c.close()
        self.assertEqual(len(self.sandbox.requests()), 2)

    def test_unknown_tokens_starve_nobody(self):
        server = self.server_with("60 s", workers=2)
        good = self.sandbox.token()
        with server.client(2) as c:
            self.assertEqual(c.ask("/", bearer(good)).status, 200)
            for _ in range(20):
                c.send(b"".join(request("/", bearer(self.sandbox.unknown()))
                                for _ in range(50)) +
                       request("/", bearer(good)))
                self.assertTrue({c.read().status for _ in range(50)} <=
                                {401, 503})
                self.assertEqual(c.read().status, 200)

    # A worker dies.

    def test_killed_prober_keeps_nobody_waiting(self):
        server = self.server_with("20 s", workers=2)
        server.tolerated = self.KILLED
        token = self.sandbox.token()
        clients = server.a_client_of_each_worker()
        prober, other = clients
        self.sandbox.fault({"hold": True})
        clients[prober].send(request("/", bearer(token)))
        self.sandbox.wait("held", 1)
        began = time.monotonic()
        served = server.served()
        clients[other].send(request("/", bearer(token)))
        server.wait_served(served + 1)
        self.assertEqual(len(self.sandbox.requests()), 1)
        os.kill(prober, signal.SIGKILL)
        # It asks by itself, and is not held.
        answer = clients[other].read()
        took = time.monotonic() - began
        self.assertEqual(answer.status, 200, answer)
        # Not when the claim of the dead one would have ended.
        self.assertLess(took, 10 * (PATIENCE / 20))
        # And it is well again.
        self.assertEqual(clients[other].ask("/", bearer(
            self.sandbox.token())).status, 200)
        server.until(lambda: len(server.workers_now()) == 2, "a new worker")
        for c in clients.values():
            c.close()


STATUS = {"accepted": 200, "forbidden": 403, "denied": 401,
          "environment": 401}


def right(answer, verdict, token):
    """Is this the answer to that token, and to no other?"""
    if answer.status != STATUS[verdict] or \
            answer.all("X-Verdict") != [verdict] or \
            (answer.body == b"a page\n") != (verdict == "accepted"):
        return False
    known = [fingerprint(token)] if verdict == "accepted" else []
    return answer.all("X-Fingerprint") == known
