#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`nginx -t`: what is wrong, where, and how it is mended."""

import re
import unittest

import common
import opened
from server import Server

CHECKED = """
    server {
        {tls}
        location / { monime_profile test/gateway; monime_check on; }
    }
"""

# Directives that cannot be meant.
FORBIDDEN = (
    ("monime_check on;", "monime_profile"),
    ("monime_profile test/bounded; monime_authorize on;", "monime_check"),
    ("monime_profile test/bounded; monime_check off; monime_authorize on;",
     "monime_check"),
    ("monime_profile test/any; monime_check on; monime_authorize on;",
     "test/any: the profile needs check.accept"),
    ("monime_profile test/no-allow; monime_check on; monime_authorize on;",
     "test/no-allow: the profile needs allow"),
    ("monime_profile test/no-methods; monime_check on; monime_authorize on;",
     "allow.methods"),
    ("monime_profile test/no-paths; monime_check on; monime_authorize on;",
     "allow.paths"),
    ("monime_profile test/no-allow; monime_authorize public;", "allow"),
    ("monime_authorize public;", "monime_profile"),
    ("monime_profile test/bounded; monime_check maybe;", '"maybe"'),
    ("monime_profile test/bounded; monime_authorize maybe;", '"maybe"'),
    ("monime_profile test/bounded; monime_forward_token maybe;", '"maybe"'),
    ("monime_profile;", "monime_profile"),
    ("monime_profile test/bounded; monime_profile test/any;", "duplicate"),
    ("monime_profile payouts;", "payouts"),
    ("monime_profile test/../live/payouts;", "test/../live/payouts"),
    ("monime_profile test/absent;", "absent"),
    ("monime_status on;", "monime_status"),
    ("monime_folder /etc/monime;", "monime_folder"),
)
ALLOWED = (
    "monime_profile test/bounded; monime_check on; monime_authorize on;",
    "monime_profile test/bounded; monime_authorize public;",
    "monime_profile test/any; monime_authorize public;",
    "monime_profile test/bounded; monime_check on; monime_authorize off;",
    "monime_profile test/any; monime_check on; monime_forward_token on;",
    "monime_profile test/no-allow; monime_check on; monime_authorize off;",
    "monime_check off;", "monime_status;",
)

# Directives with which nothing is ever authorized, and which of them is told.
ON = "monime_profile test/bounded; monime_check on; monime_authorize on;"
SAFE = "proxy_ssl_verify on; proxy_ssl_server_name on;" \
    "proxy_ssl_trusted_certificate {ca};"
IDLE = (
    (ON + SAFE + "proxy_pass http://localhost;", '"https://"'),
    (ON + SAFE.replace("verify on", "verify off") +
     "proxy_pass https://localhost;", "proxy_ssl_verify"),
    (ON + SAFE.replace("name on", "name off") +
     "proxy_pass https://localhost;", "proxy_ssl_server_name"),
    (ON + SAFE + "proxy_pass https://localhost; proxy_cache cache;", "cache"),
)


class Configuration(opened.Opens, common.Case):
    Server, CHECKED = Server, CHECKED
    TWO = CHECKED.replace("location /", "location /two { "
                          "monime_profile test/two; monime_check on; } "
                          "location /")
    ERROR, TAKEN = "[emerg]", "test is successful"
    PLACE = ('"monime_profile"', "nginx.conf:")
    FOLDER, FORBIDDEN, ALLOWED = "monime_folder", FORBIDDEN, ALLOWED
    INSIDE = "server { {tls} location / { %s } }"

    def test_directives_without_effect_are_warned_of(self):
        etc = self.etc_with_profiles()
        http = "proxy_cache_path {folder}/cache keys_zone=cache:1m;" \
            "server { {tls} location / { %s } }"
        for directives, words in IDLE:
            with self.subTest(directives):
                said = self.assert_taken(self.server_with(http % directives,
                                                          etc))
                self.assertRegex(said, r"\[warn\].*monime_authorize.*" +
                                 re.escape(words))
        said = self.assert_taken(self.server_with(http % (
            ON + SAFE + "proxy_pass https://localhost;"), etc))
        self.assertNotIn("monime_authorize", said)

    def test_authorize_and_check_may_come_from_different_levels(self):
        etc = self.etc_with_profiles()
        inside = "server { {tls} %s location / { %s } }"
        self.assert_taken(self.server_with(inside % (
            "monime_profile test/bounded; monime_check on;",
            "monime_authorize on;"), etc))
        self.assert_refused(self.server_with(inside % (
            "monime_profile test/bounded; monime_check on; "
            "monime_authorize on;", "monime_check off;"), etc), "monime_check")
        self.assert_refused(self.server_with(inside % (
            "monime_profile test/bounded; monime_check on; "
            "monime_authorize on;", "monime_profile test/any;"), etc),
            "accept")


if __name__ == "__main__":
    unittest.main()
