# SPDX-License-Identifier: MIT
"""Authorized requests over connections to the origin that a server keeps, or
has kept from another place, and over those that it tries one after the
other."""

import os
import unittest

import upstream
from support import profile
from upstream import ALONE, GOOD, WRONG, Kept


@unittest.skipUnless(ALONE in os.environ, "only root may have a network "
                     "of its own")
class Rejoins:
    """serve(ADDRESS ...) starts a server that proxies to these: /v1/ with the
    credential, /careful with verification, /careless without."""

    PORT = 0

    @classmethod
    def setUpClass(cls):
        upstream.raise_loopback()
        super().setUpClass()
        cls.host = cls.sandbox.tokens["test"]
        cls.etc = cls.sandbox.profiles()
        profile(cls.etc, "test/pay", 'provider = "monime";'
                'space = "spc-sandbox"; base_url = "https://localhost";'
                'confirm_environment = false; allow = { methods = ["GET"];'
                'paths = ["/v1/*"]; };', cls.host)

    def setUp(self):
        self.upstreams = {}
        for address, name in ((GOOD, "server"), (WRONG, "wrong_name")):
            self.upstreams[address] = Kept(
                address, self.sandbox.facts["certificates"][name])
            self.addCleanup(self.upstreams[address].stop)

    def ask(self, server, path):
        """The Host is the first word of the path."""
        with server.client(self.PORT) as c:
            return c.ask(path, host=path.split("/")[1]).status

    def sent(self, address):
        """How often the credential came on each connection."""
        return [bytes(s).count(self.host.encode())
                for s in self.upstreams[address].streams]

    def test_kept_connection_is_used_again(self):
        server = self.serve(GOOD)
        self.assertEqual({self.ask(server, "/v1/x") for _ in range(5)}, {200})
        self.assertEqual(self.sent(GOOD), [5])

    def test_connection_of_a_location_that_verifies_may_be_used(self):
        server = self.serve(GOOD)
        self.assertEqual(self.ask(server, "/careful"), 200)
        self.assertEqual(self.ask(server, "/v1/x"), 200)
        self.assertEqual(sum(self.sent(GOOD)), 1)
        self.assertEqual(self.ask(server, "/careful"), 200)
        self.assertEqual(self.ask(server, "/careless"), 200)
        self.assertEqual(sum(self.sent(GOOD)), 1)

    def test_connection_of_one_that_does_not_is_not_trusted(self):
        server = self.serve(GOOD)
        self.assertEqual(self.ask(server, "/careless"), 200)
        self.ask(server, "/v1/x")
        self.assertEqual(self.sent(GOOD)[0], 0)

    def test_connection_with_somebody_else_is_not_used(self):
        server = self.serve(WRONG)
        self.assertEqual(self.ask(server, "/careless"), 200)
        for _ in range(3):
            self.assertGreaterEqual(self.ask(server, "/v1/x"), 500)
        self.assertEqual(sum(self.sent(WRONG)), 0)

    def test_connection_that_has_died_is_replaced(self):
        server = self.serve(GOOD)
        self.assertEqual(self.ask(server, "/v1/x"), 200)
        self.upstreams[GOOD].hang_up()
        self.assertEqual(self.ask(server, "/v1/x"), 200)
        self.assertEqual(sum(self.sent(GOOD)), 2)
