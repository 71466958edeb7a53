#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""USR1, WINCH and TERM for Apache: see restarted.py."""

import os
import unittest

import common
import restarted
from server import Server

HTTP = """
    <Location />
        AuthType Monime
        MonimeProfile test/gateway
        Require monime
    </Location>
    {tls}
        {page}
    </VirtualHost>
    {plain}
        {worker}
        {page}
    </VirtualHost>
"""
UNCHECKED = HTTP.replace("Require monime", "Require all granted").replace(
    "AuthType Monime", "AuthType None").replace(
    "        MonimeProfile test/gateway\n", "")


class Restart(restarted.Restarts, common.Case):
    Server = Server
    KILLED = r"exit signal Killed \(9\)"
    MPM = "event"

    def serve(self, etc, **more):
        return Server(self.sandbox, HTTP, etc=etc, mpm=self.MPM, **more)

    def unchecked(self, server):
        server.write(UNCHECKED)

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
