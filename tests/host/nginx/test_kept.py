#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Authorized requests over connections to the origin that nginx keeps, or has
kept from another location, and over those that it tries one after the other.

An upstream{} has the origin's name only where the origin has the usual port.
So this runs in a network namespace of its own, where that port is free.
"""

import fcntl
import os
import socket
import ssl
import struct
import sys
import threading
import unittest

ALONE = "MONIME_TESTS_ALONE"

if __name__ == "__main__" and os.geteuid() == 0 and ALONE not in os.environ:
    os.environ[ALONE] = "yes"
    os.execvp("unshare", ["unshare", "--net", "/usr/bin/python3", "-B",
                          os.path.abspath(__file__)] + sys.argv[1:])

import common
from server import Server
from support import profile

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

GOOD, WRONG = "127.0.0.1", "127.0.0.2"


class Kept:
    """An upstream that keeps its connections, and what came on each."""

    def __init__(self, address, certificate):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate,
                                     certificate.replace(".pem", ".key"))
        self.listener = socket.create_server((address, 443))
        self.streams, self.peers = [], []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def hang_up(self):
        """Every connection dies."""
        for peer in self.peers:
            peer.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,),
                             daemon=True).start()

    def _serve(self, peer):
        stream = bytearray()
        try:
            peer = self.context.wrap_socket(peer, server_side=True)
            self.streams.append(stream)
            self.peers.append(peer)
            while True:
                more = peer.recv(65536)
                if not more:
                    break
                stream += more
                if stream.endswith(b"\r\n\r\n"):
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
                                 b"\r\nok\n")
        except OSError:
            pass
        peer.close()


def raise_loopback():
    """SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP: see netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        name, flags = struct.unpack("16sh", fcntl.ioctl(
            s, 0x8913, struct.pack("16sh", b"lo", 0)))
        fcntl.ioctl(s, 0x8914, struct.pack("16sh", name, flags | 1))


@unittest.skipUnless(ALONE in os.environ, "only root may have a network "
                     "of its own")
class KeptConnections(common.Case):
    @classmethod
    def setUpClass(cls):
        raise_loopback()
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

    def serve(self, *addresses):
        server = self.start(Server(self.sandbox, HTTP % " ".join(
            "server %s:443;" % a for a in addresses), etc=self.etc,
            level="info"))
        return server

    def ask(self, server, path):
        with server.client() as c:
            return c.ask(path).status

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

    def test_connection_that_has_died_is_replaced(self):
        server = self.serve(GOOD)
        self.assertEqual(self.ask(server, "/v1/x"), 200)
        self.upstreams[GOOD].hang_up()
        self.assertEqual(self.ask(server, "/v1/x"), 200)
        self.assertEqual(sum(self.sent(GOOD)), 2)


if __name__ == "__main__":
    unittest.main()
