# SPDX-License-Identifier: MIT
"""What a server says of its configuration when a profile is not as it should
be: what is wrong, where, and how it is mended."""

import os
import re
import subprocess
import unittest

import support
from support import profile

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

# For directives that can be meant with one of them alone.
ALLOW = 'allow = { methods = ["GET"]; paths = ["/v1/*"]; };'
PROFILES = {"bounded": ALLOW, "any": 'check = { accept = "any"; };' + ALLOW,
            "no-methods": 'allow = { paths = ["/v1/*"]; };',
            "no-paths": 'allow = { methods = ["GET"]; };', "no-allow": ""}


class Opens:
    """CHECKED is a configuration that checks by test/gateway, and TWO one that
    also checks by test/two.  ERROR, TAKEN and PLACE are what the server says
    of one that is wrong, of one that is not, and of where a profile is
    named.  FOLDER is the directive for the folder; FORBIDDEN, with what is
    said of them, and ALLOWED are directives that go INSIDE a configuration."""

    Server = CHECKED = TWO = ERROR = TAKEN = PLACE = FOLDER = None
    FORBIDDEN = ALLOWED = INSIDE = None

    def server_with(self, http, etc=None):
        return self.start(self.Server(self.sandbox, http, etc=etc, start=False))

    def assert_refused(self, server, *words):
        status, said = server.test()
        self.assertEqual(status, 1, said)
        self.assertIn(self.ERROR, said)
        for word in words:
            self.assertIn(word, said)
        self.assertNotIn(support.CANARY, said)
        return said

    def assert_taken(self, server):
        status, said = server.test()
        self.assertEqual(status, 0, said)
        self.assertIn(self.TAKEN, said)
        self.assertNotIn(support.CANARY, said)
        return said

    @unittest.skipUnless(support.ROOT, "files of others are root's to make")
    def test_unsafe_file_is_named_with_the_command_that_mends_it(self):
        for command, part in UNSAFE:
            with self.subTest(command):
                server = self.server_with(self.CHECKED)
                self.assert_taken(server)
                subprocess.run(command, shell=True, check=True,
                               cwd=server.etc)
                path = os.path.normpath(os.path.join(server.etc, part))
                said = self.assert_refused(server, path + ": ",
                                           *self.PLACE)
                mend = re.search(r": ((?:chmod|chown) \S+ %s)" %
                                 re.escape(path), said)
                self.assertIsNotNone(mend, said)
                subprocess.run(mend[1], shell=True, check=True)
                self.assert_taken(server)

    def test_wrong_profile_is_named_with_file_and_line(self):
        for text, words in WRONG:
            with self.subTest(text):
                server = self.server_with(self.CHECKED)
                profile(server.etc, "test/gateway", text)
                self.assert_refused(server, words)

    def test_all_errors_of_all_profiles_are_told_at_once(self):
        server = self.server_with(self.TWO)
        profile(server.etc, "test/gateway", "one = 1;\ntwo = 2;")
        profile(server.etc, "test/two", "three = 3;")
        self.assert_refused(server, "gateway.conf:1: one", "two.conf:1: three",
                            "gateway.conf:2: two")

    def test_environment_that_the_host_does_not_allow_is_refused(self):
        server = self.server_with(self.CHECKED.replace(
            "test/gateway", "live/payouts"))
        self.assert_taken(server)
        path = os.path.join(server.etc, "monime.conf")
        support.write_file(path, 'environments = ["test"];', 0o644)
        self.assert_refused(server, "live", path)

    def test_warning_of_a_profile_is_told_and_taken(self):
        server = self.server_with(self.CHECKED)
        profile(server.etc, "test/gateway",
                'provider = "monime"; check = { accept = "any"; };')
        self.assertIn("accept", self.assert_taken(server))

    def test_nothing_is_sent(self):
        self.sandbox.reset()
        self.assert_taken(self.server_with(self.CHECKED))
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
        for directives, word in self.FORBIDDEN:
            with self.subTest(directives):
                self.assert_refused(self.server_with(
                    self.INSIDE % directives, etc),
                    word)

    def test_directives_that_can_are_taken(self):
        etc = self.etc_with_profiles()
        for directives in self.ALLOWED:
            with self.subTest(directives):
                self.assert_taken(self.server_with(
                    self.INSIDE % directives, etc))

    def test_what_a_profile_is_good_for_is_asked_without_counting(self):
        server = self.start(self.Server(
            self.sandbox, self.INSIDE % self.ALLOWED[0],
            etc=self.etc_with_profiles()))
        server.reload()
        self.assertEqual({key[2:]: count for key, count
                          in server.status().items() if key[:2] == (
                              "monime_authorizations", "test/bounded")},
                         {("ok",): 0})

    def test_relative_folder_is_refused(self):
        server = self.server_with(self.CHECKED)
        with open(server.conf, encoding="ascii") as file:
            text = file.read()
        support.write_file(server.conf, text.replace(
            self.FOLDER + " /", self.FOLDER + " "), 0o644)
        self.assert_refused(server, "absolute")
