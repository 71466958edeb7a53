#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""HUP, QUIT and TERM for nginx: see restarted.py."""

import os
import signal
import unittest

import common
import restarted
from server import Server

HTTP = """
    server {
        {tls}
        monime_profile test/gateway;
        monime_check on;
        location / { try_files /page =404; }
    }
    server {
        {plain}
        monime_profile test/gateway;
        monime_check on;
        location = /worker { monime_check off; return 200 $pid; }
        location / { try_files /page =404; }
    }
"""


class Reload(restarted.Restarts, common.Case):
    Server = Server
    KILLED = "exited on signal 9|open socket #"
    # nginx without the module takes 0.8 itself.
    SLACK = 1

    def serve(self, etc, **more):
        return Server(self.sandbox, HTTP, etc=etc, level="notice", **more)

    def unchecked(self, server):
        server.write(HTTP.replace("monime_profile test/gateway;", "").replace(
            "monime_check on;", ""))

    def checked(self, server):
        server.write(HTTP)

    def test_profile_that_turned_unsafe_keeps_the_running_workers(self):
        server = self.server_with()
        server.tolerated = r"\[emerg\].*monime: "
        good = self.sandbox.token()
        self.assertEqual(self.ask(server, good), 200)
        workers = server.workers_now()
        path = os.path.join(server.etc, "test", "gateway.conf")
        os.chmod(path, 0o644)
        server.again()
        server.until(lambda: "chmod 0600 " + path in server.log(),
                     "the reason in the log")
        self.assertEqual(server.workers_now(), workers)
        self.assertEqual(self.ask(server, good), 200)
        os.chmod(path, 0o600)
        server.reload()
        self.assertNotEqual(server.workers_now(), workers)
        self.assertEqual(self.ask(server, good), 200)

    def test_term_waits_for_nobody(self):
        server = self.server_with("10 min")
        self.pending(server)
        server.quit(signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
