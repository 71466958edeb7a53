#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a client may present to nginx, and what nginx does around the
check."""

import base64
import json
import subprocess
import unittest

import common
import presented
from client import bearer, request
from server import Server
from support import write_file

HTTP = """
    large_client_header_buffers 4 32k;
    log_format monime '$uri $status $monime_verdict';
    server {
        {tls}
        access_log {folder}/access.log monime;
        monime_profile test/gateway;
        monime_check on;
        location = /401.html { monime_check off; }
        location = /503.html { monime_check off; }
        location / { try_files /page =404; }
        location /open { monime_check off; try_files /page =404; }
        location /open/to-checked { monime_check off; try_files /no /page2; }
        location /open/rewritten { monime_check off; rewrite ^ /page2 last; }
        location /open/index/ { monime_check off; index index.html /page2; }
        location = /page2 { }
        location /named { try_files /no @other; }
        location @other { monime_profile test/other; try_files /page =404; }
        location /404 { error_page 404 = /page2; try_files /no =404; }
        location /denied { deny all; try_files /page =404; }
        location /any/allowed {
            satisfy any; allow all; try_files /page =404;
        }
        location /any/denied {
            satisfy any; deny all; try_files /page =404;
        }
        location /any/basic {
            satisfy any; auth_basic x; auth_basic_user_file {folder}/users;
            try_files /page =404;
        }
        location /pages {
            error_page 401 /401.html; error_page 503 /503.html;
            try_files /page =404;
        }
        location /pages/checked {
            error_page 401 /checked.html; try_files /page =404;
        }
        location /slow { monime_profile test/slow; try_files /page =404; }
    }
    server {
        {plain}
        location / { monime_profile test/gateway; monime_check on;
            try_files /page =404; }
        location = /worker { return 200 $pid; }
    }
"""


class Bearer(presented.Presents, common.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.sandbox, HTTP, etc=cls.folder())
        cls.pages()
        write_file(cls.server.path("users"), "ada:{PLAIN}lovelace\n", 0o644)

    def test_accept_chooses_between_json_and_a_page(self):
        for accept, html in ((None, False), ("application/json", False),
                             ("*/*", False), ("text/html", True),
                             ("text/html,application/xhtml+xml;q=0.9,*/*;"
                              "q=0.8", True), ("text/html;q=0", False)):
            headers = ["Accept: " + accept] if accept else []
            for token in (None, self.sandbox.unknown(),
                          self.sandbox.tokens["stranger_test"]):
                more = [bearer(token)] if token else []
                answer = self.ask("/", *headers, *more)
                self.assert_out(answer, 401, 403)
                kind = answer.one("Content-Type").partition(";")[0]
                self.assertEqual(kind, "text/html" if html else
                                 "application/json")
                if not html:
                    self.assertIsInstance(json.loads(answer.body), dict)
                if token:
                    self.assertNotIn(token.encode(), answer.body)

    def test_satisfy_any_takes_a_password_or_a_token(self):
        def basic(text):
            return "Authorization: Basic " + base64.b64encode(text).decode()

        self.assert_in(self.ask("/any/basic", basic(b"ada:lovelace")))
        self.assert_out(self.ask("/any/basic", basic(b"ada:byron")), 401)
        self.assert_nobody_was_asked()
        self.assert_in(self.ask("/any/basic", bearer(self.good)))
        self.assert_out(self.ask("/any/basic", bearer(
            self.sandbox.unknown())), 401)
        self.assert_out(self.ask("/any/basic"), 401)

    # Clients that leave.

    def test_client_that_leaves_frees_its_call(self):
        self.sandbox.fault({"hold": True, "times": -1})
        served = self.server.served()
        clients = [self.server.client() for _ in range(40)]
        token = self.sandbox.token()
        for n, c in enumerate(clients):
            c.send(request("/slow", bearer(token if n % 2 else
                                           self.sandbox.token())))
        self.server.wait_served(served + len(clients))
        self.sandbox.wait("held", 1)
        for n, c in enumerate(clients[:-1]):
            (c.abort if n % 3 else c.close)()
        # Nobody but this one waits for it any more.
        self.server.until(lambda: self.server.connections() == 2,
                          "the others to be gone")
        self.sandbox.reset("faults")
        self.assert_in(clients[-1].read())
        clients[-1].close()
        self.assert_in(self.ask("/", bearer(self.good)))

    def test_http_2_client_that_leaves_frees_its_calls(self):
        self.sandbox.fault({"hold": True, "times": -1})
        served = self.server.served()
        # One that is ended with twenty streams on their way.
        load = subprocess.Popen(
            ("h2load", "-n", "20", "-c", "1", "-m", "20", "-H",
             bearer(self.sandbox.token()), "https://localhost:%d/slow" %
             self.server.port[0]), stdout=subprocess.DEVNULL)
        self.server.wait_served(served + 20)
        self.sandbox.wait("held", 1)
        load.kill()
        load.wait()
        self.server.until(lambda: self.server.connections() == 1,
                          "it to be gone")
        self.sandbox.reset("faults")
        self.assert_in(self.ask("/", bearer(self.good)))

    def test_half_closed_client_stops_nothing(self):
        self.sandbox.fault({"hold": True, "times": -1})
        with self.server.client(2) as c:
            c.send(request("/", bearer(self.sandbox.token())))
            self.sandbox.wait("held", 1)
            c.socket.shutdown(1)
            self.server.until(lambda: self.server.connections() == 1,
                              "it to be gone")
        self.sandbox.reset("faults")
        self.assert_in(self.ask("/", bearer(self.good)))


if __name__ == "__main__":
    unittest.main()
