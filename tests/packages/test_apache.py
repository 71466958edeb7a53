#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The installed module in Debian's Apache: its package has enabled it, and it
looks into /etc/monime by itself."""

import os
import shutil
import signal
import socket
import subprocess
import time
import unittest

import common
import support
from client import Client, bearer
from common import CLEAN, PATIENCE, write_file

CONFIG = """\
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
User www-data
Group www-data
Listen 127.0.0.1:{port}
ServerName localhost
# What the distribution has enabled, ours among it.
Include /etc/apache2/mods-enabled/*.load
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
TypesConfig /etc/mime.types
DocumentRoot {folder}/html
<Location "/">
    AuthType Monime
    MonimeProfile test/gateway
    Require monime
</Location>
SSLProxyEngine On
SSLProxyVerify require
SSLProxyCACertificateFile {ca}
<Location "/v1/">
    MonimeProfile test/proxied
    MonimeAuthorize On
    ProxyPass "{origin}/v1/"
</Location>
"""

PROXIED = """\
provider = "monime";
space = "spc-sandbox";
base_url = "%s";
allow = { methods = [ "GET" ]; paths = [ "/v1/financial-accounts" ]; };
"""


class Apache(common.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        origin = cls.sandbox.origins["monime"]
        common.profile(common.ETC, "test/proxied", PROXIED % origin,
                       cls.sandbox.tokens["test"])
        cls.folder = support.work_folder("apache")
        os.mkdir(cls.folder + "/html")
        os.chmod(cls.folder + "/html", 0o755)
        write_file(cls.folder + "/html/page", "a page\n", 0o644)
        # Held without listening, so that httpd can have the port and nobody
        # else.
        cls.hold = socket.socket()
        cls.addClassCleanup(cls.hold.close)
        cls.hold.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        cls.hold.bind(("127.0.0.1", 0))
        cls.port = cls.hold.getsockname()[1]
        cls.config = cls.folder + "/httpd.conf"
        write_file(cls.config, CONFIG.format(
            folder=cls.folder, port=cls.port, origin=origin,
            ca=cls.sandbox.facts["ca_file"]), 0o644)
        cls.process = subprocess.Popen(
            ["/usr/sbin/apache2", "-DFOREGROUND", "-f", cls.config], env=CLEAN)
        cls.addClassCleanup(cls.end)
        cls.wait()

    @classmethod
    def wait(cls):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                Client(cls.port).close()
                return
            except ConnectionRefusedError:
                if cls.process.poll() is not None or time.monotonic() > end:
                    raise
                os.sched_yield()

    @classmethod
    def end(cls):
        cls.process.send_signal(signal.SIGTERM)
        cls.process.wait(PATIENCE)
        shutil.rmtree(cls.folder)

    def status(self, path, *headers):
        with Client(self.port) as c:
            return c.ask(path, *headers).status

    def test_the_distributions_own_configuration_is_good(self):
        self.ran("/usr/sbin/apachectl", "configtest")
        self.assertIn("monime_module", self.ran("/usr/sbin/apachectl", "-M"))

    def test_a_token_of_ours_is_let_in_and_no_other(self):
        for token, status in (("test", 200), ("stranger_test", 403),
                              ("revoked_test", 401), ("live", 401)):
            with self.subTest(token):
                self.assertEqual(status, self.status("/page", bearer(
                    self.sandbox.tokens[token])))
        self.assertEqual(self.status("/page"), 401)

    def test_an_outage_lets_nobody_in(self):
        self.sandbox.fault({"server": "monime", "status": 503})
        self.assertEqual(503, self.status("/page", bearer(
            self.sandbox.token())))

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
