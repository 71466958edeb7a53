#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""USR1, WINCH and TERM for Apache: see restarted.py."""

import os
import unittest

import common
import restarted
from server import CHECKED, SERVERS, Server

HTTP = CHECKED % ("/", "test/gateway") + SERVERS


class Restart(restarted.Restarts, common.Case):
    Server = Server
    KILLED = r"exit signal Killed \(9\)"
    MPM = "event"

    def serve(self, etc, **more):
        return Server(self.sandbox, HTTP, etc=etc, mpm=self.MPM, **more)

    def unchecked(self, server):
        server.write(SERVERS)

    def checked(self, server):
        server.write(HTTP)

    def test_profile_that_turned_unsafe_is_told_before_the_restart(self):
        # httpd ends when it is to begin anew with what is wrong: so ask it
        # first, as apachectl does.
        server = self.server_with()
        good = self.sandbox.token()
        self.assertEqual(self.ask(server, good), 200)
        path = os.path.join(server.etc, "test", "gateway.conf")
        os.chmod(path, 0o644)
        status, said = server.test()
        self.assertEqual(status, 1)
        self.assertIn("chmod 0600 " + path, said)
        self.assertEqual(self.ask(server, good), 200)
        os.chmod(path, 0o600)
        self.assertEqual(server.test()[0], 0)
        server.reload()
        self.assertEqual(self.ask(server, good), 200)


if __name__ == "__main__":
    unittest.main()
