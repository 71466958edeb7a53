#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The installed module in Debian's nginx: its package has enabled it, and it
looks into /etc/monime by itself."""

import os
import unittest

import common
import server
from client import bearer

# As nginx.conf of the distribution has it, and without another folder.
server.CONFIG = server.CONFIG.replace(
    "load_module {module};", "include /etc/nginx/modules-enabled/*.conf;"
).replace("    monime_folder {etc};\n", "")

HTTP = """
    server {
        {tls}
        location / {
            monime_profile test/gateway;
            monime_check on;
            try_files /page =404;
        }
        location /v1/ {
            monime_profile test/proxied;
            monime_check on;
            monime_authorize on;
            proxy_pass {origins[monime]};
            proxy_set_header Authorization $monime_authorization;
            proxy_set_header Monime-Space-Id $monime_space;
            proxy_ssl_verify on;
            proxy_ssl_server_name on;
            proxy_ssl_trusted_certificate {ca};
        }
    }
"""

PROXIED = """\
provider = "monime";
space = "spc-sandbox";
base_url = "%s";
allow = { methods = [ "GET" ]; paths = [ "/v1/financial-accounts" ]; };
"""


class Nginx(common.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        common.profile(common.ETC, "test/proxied",
                       PROXIED % cls.sandbox.origins["monime"],
                       cls.sandbox.tokens["test"])
        cls.server = server.Server(cls.sandbox, HTTP, etc=common.ETC,
                                   start=False)
        cls.addClassCleanup(cls.server.stop)
        # Where the distribution's own prefix leads.
        os.symlink("/usr/lib/nginx/modules", cls.server.path("modules"))
        cls.server.start()

    def status(self, path, *headers):
        with self.server.client() as c:
            return c.ask(path, *headers).status

    def test_the_distributions_own_configuration_is_good(self):
        self.ran("/usr/sbin/nginx", "-t")
        self.assertIn("ngx_http_monime_module.so",
                      self.ran("/usr/sbin/nginx", "-T"))

    def test_a_token_of_ours_is_let_in_and_no_other(self):
        for token, status in (("test", 200), ("stranger_test", 403),
                              ("revoked_test", 401), ("live", 401)):
            with self.subTest(token):
                self.assertEqual(status, self.status("/", bearer(
                    self.sandbox.tokens[token])))
        self.assertEqual(self.status("/"), 401)

    def test_an_outage_lets_nobody_in(self):
        self.sandbox.fault({"server": "monime", "status": 503})
        self.assertEqual(self.status("/", bearer(self.sandbox.token())), 503)

    def test_the_hosts_credential_goes_to_the_api(self):
        token = self.sandbox.token()
        self.assertEqual(200, self.status("/v1/financial-accounts",
                                          bearer(token)))
        seen = [value for name, value in self.sandbox.requests()[-1]["headers"]
                if name.lower() == "authorization"]
        self.assertEqual(seen, ["Bearer " + self.sandbox.tokens["test"]])
        self.assertNotEqual(200, self.status("/v1/payouts", bearer(token)))


if __name__ == "__main__":
    unittest.main()
