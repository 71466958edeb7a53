#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""monime-pam-check as the module starts it, but by hand."""

import os
import subprocess
import unittest

import common
from support import PATIENCE, profile, write_file

# Slower than the other tests' profile: valgrind takes its time.
PROFILE = """\
provider = "monime";
space = "spc-sandbox";
base_url = "%s";
check = { timeout = "20 s"; };
"""

ENVIRONMENT = {"LD_PRELOAD": os.path.join(common.BUILT, "patience.so")} \
    if common.WRAP else {}


class Helper(common.Case):
    def setUp(self):
        super().setUp()
        profile(self.etc, "test/logins",
                PROFILE % self.sandbox.origins["monime"])

    def arguments(self, name="test/logins", debug=""):
        return common.WRAP + [common.HELPER, name, self.users, self.etc, debug]

    def ask(self, request, **more):
        """Its status, its word, and the lines for the log."""
        ran = subprocess.run(
            self.arguments(**more), input=request, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=ENVIRONMENT, timeout=PATIENCE, check=False)
        self.assertEqual(ran.stderr, b"")
        word, *lines = ran.stdout.decode().split("\n")
        self.assertNotIn("canary", "".join(lines))
        return ran.returncode, word, lines[:-1]

    def say(self, user, token):
        return b"%b\0%b\0" % (user.encode(), token.encode())

    def test_each_verdict_has_its_word_and_status(self):
        revoked = self.sandbox.tokens["revoked_test"]
        self.map("ada", self.good, "bob", revoked)
        for debug in "", "debug":
            for user, token, said in (
                    ("ada", self.good, (0, "accepted")),
                    ("bob", revoked, (1, "denied")),
                    ("ada", revoked, (1, "denied")),
                    ("ada", "", (1, "denied")), ("", "x", (1, "denied")),
                    ("eve", self.good, (1, "denied"))):
                with self.subTest(user, token=token, debug=debug):
                    self.assertEqual(self.ask(self.say(user, token),
                                              debug=debug)[:2], said)
        self.sandbox.fault({"status": 500, "times": -1})
        self.assertEqual(self.ask(self.say("ada", self.good))[:2],
                         (3, "unknown"))

    def test_what_is_wrong_with_the_files_is_told(self):
        good = self.say("ada", self.good)
        for name in "test/missing", "../x", "":
            self.assertEqual(self.ask(good, name=name)[:2],
                             (2, "configuration"))
        for text in "ada:x\n", "x\n" * 30000, "\n" * 65537:
            write_file(self.users, text, 0o644)
            status, word, lines = self.ask(good)
            self.assertEqual((status, word), (2, "configuration"))
            self.assertTrue(lines[0].startswith("3 " + self.users), lines)

    def test_the_end_of_its_input_is_not_waited_for(self):
        process = subprocess.Popen(
            self.arguments(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=ENVIRONMENT)
        process.stdin.write(self.say("ada", self.good))
        process.stdin.flush()
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(process.stdout.read(), b"accepted\n")
        process.stdin.close()
        process.stdout.close()

    def test_without_arguments_it_explains_itself(self):
        ran = subprocess.run([common.HELPER], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, check=False)
        self.assertEqual(ran.returncode, 2)
        self.assertIn(b"pam_monime(8)", ran.stderr)

    def test_a_request_that_is_none_is_no_verdict(self):
        for request in (b"", b"ada", b"ada\0", b"ada\0x", b"\0ada\0x",
                        b"ada\0%b\0x" % self.good.encode(),
                        b"ada\0%b\0\0" % self.good.encode(),
                        b"ada\0" + b"x" * 5000 + b"\0",
                        # It fills the buffer, and there is no token in it.
                        b"a" * 4095 + b"\0",
                        b"ada\0" + b"x" * 4092):
            self.assertEqual(self.ask(request), (3, "unknown", []))
        self.assertEqual(self.sent(), 0)


if __name__ == "__main__":
    unittest.main()
