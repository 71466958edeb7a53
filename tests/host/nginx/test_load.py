#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Many requests at once, one after the other, and while a worker dies.

MONIME_ALTERNATIONS (4000) is how often tokens alternate on one connection,
MONIME_STORM (10000) how many requests come at once.
"""

import os
import random
import signal
import subprocess
import time
import unittest

import common
from client import bearer, request
from server import Server
from support import PATIENCE, count, fingerprint, profile

HTTP = """
    http2_max_concurrent_streams 1000;
    server {
        {tls}
        monime_profile test/one;
        monime_check on;
        add_header X-Verdict $monime_verdict always;
        add_header X-Fingerprint $monime_fingerprint always;
        location / { try_files /page =404; }
        location /two { monime_profile test/two; try_files /page =404; }
        location /open { monime_check off; try_files /page =404; }
    }
    server {
        {plain}
        location = /worker { return 200 $pid; }
        location / {
            monime_profile test/one; monime_check on; try_files /page =404;
        }
        location /open { try_files /page =404; }
    }
"""

ROOMY = 'check = { probes = 512; probe_rate = 10000; ttl = "10 min";' \
    ' negative_ttl = "1 min"; timeout = "%s"; };'


class Load(common.Case):
    def setUp(self):
        self.sandbox.reset()

    def server_with(self, timeout, **more):
        etc = self.sandbox.profiles()
        for name, space in (("one", "spc-sandbox"), ("two", "spc-two")):
            profile(etc, "test/" + name, 'provider = "monime"; space = "%s";'
                    'base_url = "%s";' % (
                        space, self.sandbox.origins["monime"]) +
                    ROOMY % timeout)
        return self.start(Server(self.sandbox, HTTP, etc=etc, level="info",
                                 **more))

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

    def test_one_new_token_in_a_storm_is_asked_about_once(self):
        server = self.server_with("60 s", workers=2)
        token = self.sandbox.token()
        n = count("STORM", 10000)
        self.sandbox.fault({"hold": True, "times": -1})
        # Whoever gets the others, each worker has one of them.
        clients = server.a_client_of_each_worker().values()
        served = server.served()
        for c in clients:
            c.send(request("/", bearer(token)))
        # As many connections as a client may have; over each of them as many
        # requests as it takes.
        connections = 100
        load = subprocess.Popen(
            ("h2load", "-n", str(n), "-c", str(connections), "-m",
             str(n // connections), "-H", bearer(token),
             "https://localhost:%d/" % server.port[0]),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        server.wait_served(served + n + len(clients))
        self.assertEqual(len(self.sandbox.requests()), 1)
        self.sandbox.reset("faults")
        out = load.communicate(timeout=PATIENCE * 3)[0]
        self.assertRegex(out, r"status codes: %d 2xx, 0 3xx, 0 4xx, 0 5xx" % n)
        self.assertEqual({c.read().status for c in clients}, {200})
        for c in clients:
            c.close()
        # The token test and the Space: one probe.
        self.assertEqual([r["target"].partition("?")[0] for r in
                          self.sandbox.requests()],
                         ["/", "/v1/financial-accounts"])
        verdicts = server.status()
        self.assertEqual(verdicts["monime_probes", "test/one", "ok"], 1)
        self.assertEqual(sum(v for k, v in verdicts.items() if k[:3] ==
                             ("monime_verdicts", "test/one", "ok")),
                         n + len(clients))

    def test_connections_at_once_with_one_new_token_ask_once(self):
        # The same without HTTP/2: a connection for each request.
        server = self.server_with("60 s", workers=2)
        data = request("/", bearer(self.sandbox.token()))
        self.sandbox.fault({"hold": True, "times": -1})
        served = server.served()
        clients = [server.client(2) for _ in range(1000)]
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
        server.tolerated = r"exited on signal 9|open socket #"
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

    # The API hangs.

    def test_other_locations_answer_while_every_check_hangs(self):
        server = self.server_with("60 s")
        good = self.sandbox.token()
        with server.client() as c:
            self.assertEqual(c.ask("/", bearer(good)).status, 200)
            self.sandbox.fault({"delay": 1, "times": -1})
            hanging = [server.client(2) for _ in range(32)]
            began, asked = time.monotonic(), 0
            for waiting in hanging:
                waiting.send(request("/", bearer(self.sandbox.token())))
            self.sandbox.wait("requests", len(hanging) + 2)
            while not any(readable(waiting) for waiting in hanging):
                self.assertEqual(c.ask("/open").status, 200)
                # What is remembered hangs no more than a file.
                self.assertEqual(c.ask("/", bearer(good)).status, 200)
                asked += 2
            # The token test and the Space take a second each.
            self.assertGreater(time.monotonic() - began, 1)
            # Whoever is given more time is slower by as much at least.
            self.assertGreater(asked, 100 * (20 / PATIENCE) ** 2)
            self.assertEqual({w.read().status for w in hanging}, {200})
            for waiting in hanging:
                waiting.close()


def readable(client):
    client.socket.setblocking(False)
    try:
        return client.socket.recv(1, 2) != b""
    except BlockingIOError:
        return False
    finally:
        client.socket.settimeout(PATIENCE)


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


if __name__ == "__main__":
    unittest.main()
