#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Many threads of one host ask at once: each gets its own answer, and another
thread's children are nobody else's.

MONIME_VISITS=N: how often each asks; 10.
"""

import os
import unittest

import common
from common import CODES, DENIED, YES
from support import count, fingerprint, write_file

CROWD = os.path.join(common.BUILT, "crowd")
VISITS = count("VISITS", "10")


class Threads(common.Case):
    def crowd(self, sigchld, who):
        lines = self.run_host(
            common.WRAP + [CROWD, self.services, self.room.name, str(VISITS),
                           sigchld], "".join("%s %s\n" % w[:2] for w in who),
            env={}).split("\n")
        facts = dict(line.split() for line in lines[len(who):-1])
        return ([line.split() for line in lines[:len(who)]],
                {name: int(n) for name, n in facts.items()})

    def test_each_gets_its_own_answer(self):
        revoked = self.sandbox.tokens["revoked_test"]
        other = self.sandbox.token()
        write_file(self.users, "ada:%s\nbob:%s\ncal:%s\n" % tuple(
            fingerprint(t) for t in (self.good, revoked, other)), 0o644)
        codes = {name: code for code, name in CODES.items()}
        who = (("ada", self.good, YES), ("ada", other, DENIED),
               ("bob", revoked, DENIED), ("bob", self.good, DENIED),
               ("cal", other, YES), ("cal", self.good, DENIED),
               ("eve", other, DENIED), ("ada", "x", DENIED))
        for sigchld in "default", "ignore", "handler":
            with self.subTest(sigchld):
                found, facts = self.crowd(sigchld, who)
                self.assertEqual(found, [
                    ["%d*%d" % (codes[w[2]], VISITS)] for w in who])
                self.assertGreater(facts["others"], 0)
                self.assertEqual((facts["strange"], facts["left"]), (0, 0))


if __name__ == "__main__":
    unittest.main()
