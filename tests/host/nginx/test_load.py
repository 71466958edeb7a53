#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""nginx under load.

MONIME_STORM (10000) is how many requests come at once; loaded.py tells of
more.
"""

import subprocess
import time
import unittest

import common
import loaded
from client import bearer, request
from server import Server
from support import PATIENCE, count

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


class Load(loaded.Loads, common.Case):
    KILLED = r"exited on signal 9|open socket #"

    def serve(self, etc, **more):
        return Server(self.sandbox, HTTP, etc=etc, level="info", **more)

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


if __name__ == "__main__":
    unittest.main()
