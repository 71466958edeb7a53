#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Each way in which the API can behave, and what PAM makes of it: code, log
line and what was asked, in one table that is printed."""

import re
import sys
import unittest

import common
from behaviours import BEHAVIOURS

# What the library's result means here, as WEB has it for web servers.
PAM = {"ok": common.YES, "denied": common.DENIED,
       "environment": common.DENIED, "forbidden": common.DENIED,
       "proto": common.UNKNOWN, "limit": common.UNKNOWN,
       "http": common.UNKNOWN, "lost": common.UNKNOWN, "net": common.UNKNOWN}

FORMAT = "  %-38s %-21s %-6s %s"


class Table(common.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rows = [FORMAT % ("the API ...", "code", "asked", "log")]

    @classmethod
    def tearDownClass(cls):
        print("", *cls.rows, sep="\n", file=sys.stderr)

    def test_every_behaviour_has_its_code_and_line(self):
        for row in BEHAVIOURS:
            with self.subTest(row.name):
                self.one(row)
        self.assertEqual(self.sandbox.counts("bytes", "elsewhere"), 0)

    def one(self, row):
        self.sandbox.reset("log", "faults", "settings")
        token = row.present(self.sandbox)
        self.map("ada", token)
        self.service(name=row.profile)
        self.sandbox.settings(**row.settings)
        self.sandbox.fault(*row.faults)
        result = self.login("ada", token)
        prefix = "pam_monime(host:auth): "
        lines = [line.replace(prefix, "", 1) for line in result.lines()]
        self.rows.append(FORMAT % (row.name, result.code, self.sent(),
                                   re.sub("^.*?: ", "", lines[0])
                                   if lines else "-"))
        self.assertEqual(result.code, PAM[row.result], result.log)
        self.assertEqual(self.sent(), row.asked)
        self.assertEqual(result.changed, "")
        if row.log is None:
            self.assertEqual(lines, [])
            return
        self.assertRegex(lines[0], row.log)
        self.assertTrue(lines[0].startswith(row.profile + ": "), lines)
        self.assertEqual(lines[1:], ["ada: " + (
            "denied" if result.code == common.DENIED else
            "not let in: nobody knows whether the token is good")])
        self.assertNotIn(token, "".join(lines))


if __name__ == "__main__":
    unittest.main()
