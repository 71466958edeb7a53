#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The installed command: it finds its library and /etc/monime, keeps secrets
to root, and says yes, no and unknown where it should."""

import os
import stat
import unittest

import common
from common import ETC


class Command(common.Case):
    def mode(self, path):
        found = os.stat(path)
        return (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)

    def test_folders_of_secrets_are_roots_alone(self):
        for name, mode in (("", 0o755), ("/test", 0o700), ("/live", 0o700),
                           ("/monime.conf", 0o644)):
            self.assertEqual(self.mode(ETC + name), (mode, 0, 0), name)

    def test_own_credentials_are_good(self):
        for name in ("test/payouts", "live/payouts", "test/bank"):
            self.monime("check", name)

    def test_a_token_of_ours_is_accepted_and_a_strangers_is_not(self):
        for token, status in (("test", 0), ("stranger_test", 1),
                              ("revoked_test", 1), ("live", 1)):
            with self.subTest(token):
                self.monime("check", "test/gateway", "--token-file", "-",
                            given=self.sandbox.tokens[token], status=status)

    def test_an_outage_is_unknown(self):
        self.sandbox.fault({"server": "monime", "status": 503})
        self.monime("check", "test/gateway", "--token-file", "-",
                    given=self.sandbox.token(), status=3)

    def test_a_request_carries_token_and_space(self):
        self.monime("request", "test/payouts", "GET",
                    "/v1/financial-accounts?limit=1")
        headers = {name.lower(): value for name, value in
                   self.sandbox.requests()[-1]["headers"]}
        self.assertEqual(headers["monime-space-id"],
                         self.sandbox.facts["spaces"]["test"])
        self.assertEqual(headers["authorization"],
                         "Bearer " + self.sandbox.tokens["test"])

    def test_set_token_replaces_a_token(self):
        fresh = self.sandbox.token()
        self.profile("test/rotated", 'provider = "monime";\n'
                     'space = "spc-sandbox";\nbase_url = "%s";\n'
                     % self.sandbox.origins["monime"])
        self.monime("set-token", "test/rotated", given=fresh + "\n")
        self.assertEqual(self.mode(ETC + "/test/rotated.token"), (0o600, 0, 0))
        self.monime("check", "test/rotated")

    def test_an_unsafe_file_is_refused_with_what_mends_it(self):
        path = ETC + "/live/payouts.token"
        os.chmod(path, 0o644)
        try:
            told = self.monime("check", "live/payouts", status=2)
        finally:
            os.chmod(path, 0o600)
        self.assertIn("chmod 0600 " + path, " ".join(told.split()))
        self.assertEqual(self.sandbox.requests(), [])

    def test_another_user_gets_nothing(self):
        told = self.ran("setpriv", "--reuid", "65534", "--regid", "65534",
                        "--clear-groups", "/usr/bin/monime", "check",
                        "test/payouts", status=2)
        self.assertIn("test", told)
        self.assertEqual(self.sandbox.requests(), [])

    def test_list_and_doctor_work(self):
        self.assertIn("test/payouts", self.monime("list"))
        self.assertIn("nothing to mend", self.monime("doctor", "--online"))

    def test_completion_is_found(self):
        told = self.ran("bash", "-c", ". /usr/share/bash-completion/"
                        "completions/monime && complete -p monime")
        self.assertIn("monime", told)


if __name__ == "__main__":
    unittest.main()
