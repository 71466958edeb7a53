#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Connections to the origin that Apache keeps: those of a balancer are shared
by all servers that proxy to it, however they verify."""

import unittest

import common
import rejoined
import upstream
from client import Client
from server import Server
from upstream import GOOD, WRONG

HTTP = """
    <Proxy balancer://api>
        BalancerMember https://localhost retry=0
    </Proxy>
    {plain}
        ServerName v1
        {verified}
        MonimeProfile test/pay
        MonimeAuthorize Public
        ProxyPass / balancer://api/
    </VirtualHost>
    {plain}
        ServerName careful
        {verified}
        ProxyPass / balancer://api/
    </VirtualHost>
    {plain}
        ServerName careless
        {verified}
        SSLProxyVerify none
        SSLProxyCheckPeerName Off
        ProxyPass / balancer://api/
    </VirtualHost>
"""

MODULES = ("proxy_balancer", "lbmethod_byrequests", "slotmem_shm")


class KeptConnections(rejoined.Rejoins, common.Case):
    PORT = 2

    def serve(self, *addresses):
        server = Server(self.sandbox, HTTP, etc=self.etc, modules=MODULES,
                        start=False)
        upstream.name_is_at(addresses, self.sandbox.folder)
        server.start()
        return self.start(server)

    def test_request_with_a_body_is_not_sent_twice(self):
        # The connection dies as the second one arrives.
        server = self.serve(GOOD)
        self.assertEqual(self.ask(server, "/v1/x"), 200)
        self.upstreams[GOOD].hang_up()
        with Client(server.port[2]) as c:
            c.ask("/v1/x", host="v1", method="POST", body=b"x")
        self.assertLessEqual(sum(self.sent(GOOD)), 2)

    def test_authorized_request_leaves_nothing_for_the_next(self):
        server = self.serve(GOOD)
        for path in ("/v1/x", "/careful", "/v1/y", "/v1",
                     "/careful", "/careless"):
            self.ask(server, path)
        # Only two of them were authorized.
        self.assertEqual(sum(self.sent(GOOD)), 2)
        self.assertEqual(sum(self.sent(WRONG)), 0)


if __name__ == "__main__":
    upstream.be_alone()
    unittest.main()
