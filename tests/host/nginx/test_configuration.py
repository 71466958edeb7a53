#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`nginx -t`: what is wrong, where, and how it is mended."""

import os
import re
import subprocess
import unittest

import common
import support
from server import Server
from support import profile

CHECKED = """
    server {
        {tls}
        location / { monime_profile test/gateway; monime_check on; }
    }
"""

# What is not safe: how it comes to be, and the part of the path that is told.
UNSAFE = (
    ("chmod 0640 test/gateway.conf", "test/gateway.conf"),
    ("chmod 0666 test/gateway.conf", "test/gateway.conf"),
    ("chmod 0777 test", "test"),
    ("chmod 0775 .", "."),
    ("chmod 0664 monime.conf", "monime.conf"),
    ("chown nobody test/gateway.conf", "test/gateway.conf"),
    ("chown nobody test", "test"),
    ("cp test/payouts.token test/gateway.token;"
     "chmod 0644 test/gateway.token", "test/gateway.token"),
)

# What is wrong inside: the profile, and what is said of it.
WRONG = (
    ("nonsense = 1;", "gateway.conf:1: nonsense: unknown key"),
    ("timeout = 3;", "gateway.conf:1: timeout: found"),
    ("provider = ;", "gateway.conf:1: "),
    ('@include "x"', "@include"),
    ('provider = "mono";', "product"),
    ('provider = "monime"; token = "mon_live_looking";', "a live token"),
    ('provider = "monime"; base_url = "http://localhost";', "https://"),
    ('provider = "monime"; expires = "2020-01-01";', "has expired"),
)

# Directives that cannot be meant.
ALLOW = 'allow = { methods = ["GET"]; paths = ["/v1/*"]; };'
PROFILES = {"bounded": ALLOW, "any": 'check = { accept = "any"; };' + ALLOW,
            "no-methods": 'allow = { paths = ["/v1/*"]; };',
            "no-paths": 'allow = { methods = ["GET"]; };', "no-allow": ""}
FORBIDDEN = (
    ("monime_check on;", "monime_profile"),
    ("monime_profile test/bounded; monime_authorize on;", "monime_check"),
    ("monime_profile test/bounded; monime_check off; monime_authorize on;",
     "monime_check"),
    ("monime_profile test/any; monime_check on; monime_authorize on;",
     "accept"),
    ("monime_profile test/no-allow; monime_check on; monime_authorize on;",
     "allow"),
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


class Configuration(common.Case):
    def server_with(self, http, etc=None):
        return self.start(Server(self.sandbox, http, etc=etc, start=False))

    def assert_refused(self, server, *words):
        status, said = server.test()
        self.assertEqual(status, 1, said)
        self.assertIn("[emerg]", said)
        for word in words:
            self.assertIn(word, said)
        self.assertNotIn(support.CANARY, said)
        return said

    def assert_taken(self, server):
        status, said = server.test()
        self.assertEqual(status, 0, said)
        self.assertIn("test is successful", said)
        self.assertNotIn(support.CANARY, said)
        return said

    @unittest.skipUnless(support.ROOT, "files of others are root's to make")
    def test_unsafe_file_is_named_with_the_command_that_mends_it(self):
        for command, part in UNSAFE:
            with self.subTest(command):
                server = self.server_with(CHECKED)
                self.assert_taken(server)
                subprocess.run(command, shell=True, check=True,
                               cwd=server.etc)
                path = os.path.normpath(os.path.join(server.etc, part))
                said = self.assert_refused(server, path + ": ",
                                           '"monime_profile"', "nginx.conf:")
                mend = re.search(r": ((?:chmod|chown) \S+ %s)" %
                                 re.escape(path), said)
                self.assertIsNotNone(mend, said)
                subprocess.run(mend[1], shell=True, check=True)
                self.assert_taken(server)

    def test_wrong_profile_is_named_with_file_and_line(self):
        for text, words in WRONG:
            with self.subTest(text):
                server = self.server_with(CHECKED)
                profile(server.etc, "test/gateway", text)
                self.assert_refused(server, words)

    def test_all_errors_of_all_profiles_are_told_at_once(self):
        server = self.server_with(CHECKED.replace(
            "location /", "location /two { monime_profile test/two; "
            "monime_check on; } location /"))
        profile(server.etc, "test/gateway", "one = 1;\ntwo = 2;")
        profile(server.etc, "test/two", "three = 3;")
        self.assert_refused(server, "gateway.conf:1: one", "two.conf:1: three",
                            "gateway.conf:2: two")

    def test_environment_that_the_host_does_not_allow_is_refused(self):
        server = self.server_with(CHECKED.replace("test/gateway",
                                                  "live/payouts"))
        self.assert_taken(server)
        path = os.path.join(server.etc, "monime.conf")
        support.write_file(path, 'environments = ["test"];', 0o644)
        self.assert_refused(server, "live", path)

    def test_warning_of_a_profile_is_told_and_taken(self):
        server = self.server_with(CHECKED)
        profile(server.etc, "test/gateway",
                'provider = "monime"; check = { accept = "any"; };')
        self.assertIn("accept", self.assert_taken(server))

    def test_nothing_is_sent(self):
        self.sandbox.reset()
        self.assert_taken(self.server_with(CHECKED))
        self.assertEqual(sum(self.sandbox.control("/counts")["connections"]
                             .values()), 0)

    def etc_with_profiles(self):
        etc = self.sandbox.profiles()
        for name, text in PROFILES.items():
            profile(etc, "test/" + name, 'provider = "monime";'
                    'space = "spc-sandbox"; base_url = "%s";' %
                    self.sandbox.origins["monime"] + text,
                    self.sandbox.tokens["test"])
        return etc

    def test_directives_that_cannot_be_meant_are_refused(self):
        etc = self.etc_with_profiles()
        for directives, word in FORBIDDEN:
            with self.subTest(directives):
                self.assert_refused(self.server_with(
                    "server { {tls} location / { %s } }" % directives, etc),
                    word)

    def test_directives_that_can_are_taken(self):
        etc = self.etc_with_profiles()
        for directives in ALLOWED:
            with self.subTest(directives):
                self.assert_taken(self.server_with(
                    "server { {tls} location / { %s } }" % directives, etc))

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

    def test_relative_folder_is_refused(self):
        server = self.server_with(CHECKED)
        path = server.path("nginx.conf")
        with open(path, encoding="ascii") as file:
            text = file.read()
        support.write_file(path, text.replace(
            "monime_folder /", "monime_folder "), 0o644)
        self.assert_refused(server, "absolute")


if __name__ == "__main__":
    unittest.main()
