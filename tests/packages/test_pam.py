#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The installed PAM module, in the service of its sample, and where
pam-auth-update puts it."""

import os
import pwd
import unittest

import common
from common import ETC, write_file

SERVICE = "monime-packages"
SAMPLE = "/usr/share/doc/monime/pam/pam.d-monime"
LOGINS = 'provider = "monime";\nspace = "spc-live";\nbase_url = "%s";\n'


class Pam(common.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        common.profile(ETC, "live/logins",
                       LOGINS % cls.sandbox.origins["monime"])
        with open(SAMPLE, encoding="utf-8") as file:
            write_file("/etc/pam.d/" + SERVICE, file.read(), 0o644)
        cls.addClassCleanup(os.unlink, "/etc/pam.d/" + SERVICE)
        cls.user = pwd.getpwuid(1).pw_name

    def setUp(self):
        super().setUp()
        line = self.monime("fingerprint", "--user", self.user,
                           given=self.sandbox.tokens["live"] + "\n")
        write_file(ETC + "/pam_users", line, 0o644)

    def login(self, token, status, user=None):
        self.ran("pamtester", SERVICE, user or self.user, "authenticate",
                 given=self.sandbox.tokens[token] + "\n", status=status)

    def test_the_users_own_token_is_let_in(self):
        self.login("live", 0)
        self.assertEqual(len(self.sandbox.requests()), 2)

    def test_anybody_elses_is_not(self):
        for token in ("stranger_live", "test", "revoked_test"):
            with self.subTest(token):
                self.login(token, 1)
        self.login("live", 1, user="root")
        self.assertEqual(self.sandbox.requests(), [])

    def test_an_outage_lets_nobody_in(self):
        self.sandbox.fault({"server": "monime", "status": 503, "times": 9})
        self.login("live", 1)

    def test_it_is_enabled_by_hand_alone(self):
        self.assertNotIn("pam_monime", self.common_auth())
        self.ran("pam-auth-update", "--enable", "monime")
        try:
            self.assertIn("pam_monime.so profile=live/logins "
                          "users=/etc/monime/pam_users", self.common_auth())
        finally:
            self.ran("pam-auth-update", "--disable", "monime")
        self.assertNotIn("pam_monime", self.common_auth())

    @staticmethod
    def common_auth():
        with open("/etc/pam.d/common-auth", encoding="utf-8") as file:
            return file.read()


if __name__ == "__main__":
    unittest.main()
