#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The examples in C++ and Rust: each way in which the API can behave has the
same result code there, and a payout is made once.

    test_ffi.py PROGRAM
"""

import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "host"))

from behaviours import BEHAVIOURS, WEB, profiles  # noqa: E402
from support import TREE, Sandbox, profile  # noqa: E402

PROGRAM = None


def codes():
    """{"denied": -1, ...} of the header; "ok" is 0."""
    with open(os.path.join(TREE, "include", "monime.h"),
              encoding="ascii") as file:
        found = re.findall(r"MONIME_E?(\w+)\s*=\s*(-?\s*\d+),?\s", file.read())
    return {name.lower(): int(number) for name, number in found}


class Program:
    """One of them, which judges a token a line."""

    def __init__(self, etc, name):
        self.process = subprocess.Popen(
            [PROGRAM, etc, name], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ask(self, token):
        self.process.stdin.write(token + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def end(self):
        return self.process.communicate() + (self.process.returncode,)


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sandbox = Sandbox()
        cls.addClassCleanup(cls.sandbox.stop)
        cls.etc = cls.sandbox.profiles()
        cls.profiles = profiles(cls.sandbox.origins, 2)
        for name, text in cls.profiles.items():
            profile(cls.etc, name, text)
        cls.codes = codes()

    def setUp(self):
        self.sandbox.reset("log", "effects", "faults", "settings")

    def test_every_behaviour_has_its_code_and_status(self):
        programs = {name: Program(self.etc, name) for name in self.profiles}
        for row in BEHAVIOURS:
            with self.subTest(row.name):
                self.sandbox.reset("log", "faults", "settings")
                self.sandbox.close_idle()
                token = row.present(self.sandbox)
                self.sandbox.settings(**row.settings)
                self.sandbox.fault(*row.faults)
                code, status, source = programs[row.profile].ask(token)
                self.assertEqual(int(code), self.codes[row.result])
                self.assertEqual(int(status), WEB[row.result].status)
                self.assertEqual(len(self.sandbox.requests()), row.asked)
                local = row.asked == 0 and row.profile == "test/space"
                self.assertEqual(source, "local" if local else "network")
        for name, program in programs.items():
            # They have no credential to pay with.
            out, error, status = program.end()
            self.assertEqual((out, status), ("failed -11\n", 1))
            self.assertIn(name, error)

    def test_payout_is_made_once(self):
        self.sandbox.fault({"path": "/v1/payouts", "drop": "status",
                            "execute": True})
        out, error, status = Program(self.etc, "test/payouts").end()
        self.assertEqual((out, error, status), ("paid 200 yes\n", "", 0))
        self.assertEqual(self.sandbox.control("/effects")["count"], 1)

    def test_profile_that_does_not_open_is_told(self):
        os.chmod(os.path.join(self.etc, "test", "payouts.token"), 0o644)
        self.addCleanup(os.chmod, os.path.join(
            self.etc, "test", "payouts.token"), 0o600)
        out, error, status = Program(self.etc, "test/payouts").end()
        self.assertEqual((out, status), ("failed -12\n", 1))
        self.assertIn("chmod", error)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop())
    unittest.main()
