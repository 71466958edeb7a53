#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Connections to the origin that nginx keeps."""

import unittest

import common
import rejoined
import upstream
from server import Server
from upstream import GOOD, WRONG

HTTP = """
    proxy_ssl_trusted_certificate {ca};
    proxy_ssl_verify on;
    proxy_ssl_server_name on;
    proxy_http_version 1.1;
    upstream localhost {
        %s
        keepalive 4;
    }
    server {
        {tls}
        proxy_set_header Connection "";
        location /v1/ {
            monime_profile test/pay;
            monime_authorize public;
            proxy_set_header Connection "";
            proxy_set_header Authorization $monime_authorization;
            proxy_pass https://localhost;
        }
        location /careful { proxy_pass https://localhost; }
        location /careless {
            proxy_ssl_verify off;
            proxy_pass https://localhost;
        }
    }
"""


class KeptConnections(rejoined.Rejoins, common.Case):
    def serve(self, *addresses):
        server = self.start(Server(self.sandbox, HTTP % " ".join(
            "server %s:443;" % a for a in addresses), etc=self.etc,
            level="info"))
        return server

    def test_next_upstream_gets_what_the_wrong_one_did_not(self):
        server = self.serve(WRONG, GOOD)
        server.tolerated = "SSL_do_handshake|upstream SSL certificate"
        self.assertEqual(self.ask(server, "/v1/x"), 200)
        self.assertEqual(sum(self.sent(WRONG)), 0)
        self.assertEqual(sum(self.sent(GOOD)), 1)

    def test_next_upstream_after_a_kept_wrong_one(self):
        server = self.serve(WRONG, GOOD)
        for _ in range(4):
            self.assertEqual(self.ask(server, "/careless"), 200)
        for _ in range(4):
            self.ask(server, "/v1/x")
        self.assertEqual(sum(self.sent(WRONG)), 0)


if __name__ == "__main__":
    upstream.be_alone()
    unittest.main()
