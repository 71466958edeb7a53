#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What an attempt takes tells nobody who exists, or who has a line in the map:
the system calls are the same, and the times, which are printed, alike.

MONIME_ROUNDS=N: how many of each; 100.  By 1000 the medians must be within 5 %
of each other, which takes a quiet machine.
"""

import collections
import os
import re
import statistics
import subprocess
import sys
import unittest

import common
from support import count, fingerprint, write_file

ROUNDS = count("ROUNDS", "50" if common.SANITIZED else "100")
PIECE = 5

# "root" and "nobody" exist; "nosuchuser" does not.
WHO = (("known user, wrong token", "root"), ("unknown user", "nosuchuser"),
       ("known user, no line", "nobody"))
WRONG = "mon_test_canary_wrong_and_as_long_as_a_token"


class Timing(common.Case):
    def setUp(self):
        super().setUp()
        write_file(self.users, "".join(
            "user%d:%s\n" % (n, fingerprint("token %d" % n))
            for n in range(200)) + "root:%s,%s\n" % (
                fingerprint(self.good), fingerprint("another")), 0o644)

    def calls(self, user):
        """{process: [system call, ...]}, the helper's and the module's."""
        trace = os.path.join(self.sandbox.folder, "trace")
        subprocess.run(
            ["strace", "-f", "-q", "-o", trace] + self.command(user),
            input=WRONG.encode() + b"\n", stdout=subprocess.PIPE, env={},
            check=True)
        order, found = [], collections.defaultdict(list)
        with open(trace, encoding="utf-8", errors="replace") as file:
            for line in file:
                m = re.match(r"(\d+) +(?:<\.\.\. )?(\w+)[( ]", line)
                if m and "resumed" not in line:
                    if m[1] not in found:
                        order.append(m[1])
                    found[m[1]].append(m[2])
        # Between the pipes and the end of its child: the module's.
        host = found[order[0]]
        first = host.index("pipe2")
        last = len(host) - 1 - host[::-1].index("waitid")
        return [host[first:last + 1]] + [found[pid] for pid in order[1:]]

    @unittest.skipIf(common.SANITIZED, "leaks cannot be looked for then")
    def test_the_system_calls_are_the_same(self):
        traces = [self.calls(user) for _, user in WHO]
        self.assertEqual([len(t) for t in traces], [2, 2, 2])
        self.assertGreater(len(traces[0][1]), 200)
        for trace in traces[1:]:
            self.assertEqual(trace, traces[0])
        self.assertEqual(self.sent(), 0)

    def test_the_times_are_alike(self):
        times = collections.defaultdict(list)
        # In turns, each time in another order: the machine's mood changes.
        for piece in range(ROUNDS // PIECE):
            for i in range(3):
                name, user = WHO[(piece + i) % 3]
                result = self.expect(common.DENIED, user, WRONG,
                                     "rounds=%d" % PIECE)
                times[name] += result.us
        medians = {name: statistics.median(t) for name, t in times.items()}
        least = min(medians.values())
        print(file=sys.stderr)
        for name, _ in WHO:
            print("  %-26s median %6.2f ms of %d, %+.1f %%" % (
                name, medians[name] / 1000, len(times[name]),
                (medians[name] / least - 1) * 100), file=sys.stderr)
        if ROUNDS >= 1000:
            self.assertLess(max(medians.values()) / least, 1.05)
        self.assertEqual(self.sent(), 0)


if __name__ == "__main__":
    unittest.main()
