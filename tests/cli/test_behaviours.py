#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Each way in which the API can behave, and what `monime check` makes of it:
exit status, cause and what was asked, in one table that is printed."""

import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "host"))

from behaviours import BEHAVIOURS, profiles  # noqa: E402
from support import PATIENCE, ROOT, Sandbox, profile  # noqa: E402

COMMAND = os.environ.get("MONIME_COMMAND", "monime")

YES, NO, UNKNOWN = 0, 1, 3
# monime(1): what the library's result is as an exit status.
EXIT = {"ok": YES, "denied": NO, "environment": NO, "forbidden": NO,
        "proto": UNKNOWN, "limit": UNKNOWN, "http": UNKNOWN, "lost": UNKNOWN,
        "net": UNKNOWN}

FORMAT = "  %-38s %-4s %-6s %s"


@unittest.skipUnless(ROOT, "the sandbox's folder is root's")
class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sandbox = Sandbox()
        cls.addClassCleanup(cls.sandbox.stop)
        cls.etc = cls.sandbox.profiles()
        for name, text in profiles(cls.sandbox.origins).items():
            profile(cls.etc, name, text)
        cls.rows = [FORMAT % ("the API ...", "exit", "asked", "cause")]

    @classmethod
    def tearDownClass(cls):
        print("", *cls.rows, sep="\n", file=sys.stderr)

    def test_every_behaviour_has_its_exit_status_and_cause(self):
        for row in BEHAVIOURS:
            with self.subTest(row.name):
                self.one(row)
        self.assertEqual(self.sandbox.counts("bytes", "elsewhere"), 0)

    def one(self, row):
        self.sandbox.reset("log", "faults", "settings")
        token = row.present(self.sandbox)
        self.sandbox.settings(**row.settings)
        self.sandbox.fault(*row.faults)
        ran = subprocess.run(
            [COMMAND, "-C", self.etc, "check", row.profile, "--token-file",
             "-"], input=token + "\n", stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
        asked = len(self.sandbox.requests())
        said = re.search("^[^ ]+ cause +(.*)", ran.stdout, re.M)
        self.rows.append(FORMAT % (row.name, ran.returncode, asked,
                                   said[1] if said else "-"))
        self.assertEqual((ran.returncode, ran.stderr),
                         (EXIT[row.result], ""))
        self.assertEqual(asked, row.asked)
        self.assertIn(row.profile, ran.stdout)
        self.assertNotIn("canary", ran.stdout)
        if row.log is None:
            self.assertIsNone(said)
        else:
            self.assertRegex(said[1], row.log)


if __name__ == "__main__":
    unittest.main()
