#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every system call and every allocation fails in turn, in the module and in
the helper.  A token that must be refused is never let in, and a good one gets
a yes or a failure of the table.

MONIME_FAULT_STRIDE=N tries but each Nth; MONIME_FAULT_ERRNOS=EIO,EINTR names
what each call fails with, one pass for each.
"""

import collections
import errno
import itertools
import os
import queue
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor

import common
from common import FAILURES, YES
from support import count, write_file

STRIDE = count("FAULT_STRIDE", "1")
ERRNOS = os.environ.get("MONIME_FAULT_ERRNOS", "EIO").split(",")

WORKERS = os.cpu_count() or 2

# So many are begun before it is seen whether there are more.
BATCH = 40

ROWS = []


def tearDownModule():
    print("", *ROWS, sep="\n", file=sys.stderr)


class Faults(common.Case):
    # Whom the module refuses, whom the API refuses, and who is let in.
    WHO = (("nobody's", "ada", "mon_test_canary_wrong", False),
           ("a revoked", "bob", "revoked_test", False),
           ("a good", "ada", "test", True))

    def setUp(self):
        super().setUp()
        self.map("ada", self.good, "bob", self.sandbox.tokens["revoked_test"])
        self.service(through=common.WINDOW)

    def each(self, what, least, one):
        """For n = 1, 2, ...: one(user, token, n), which gives a Result and
        whether there was an nth to fail, until there is none."""
        for who, user, token, is_good in self.WHO:
            token = self.sandbox.tokens.get(token, token)
            name = "%s token, %s" % (who, what)
            allowed = FAILURES + ((YES,) if is_good else ())
            codes = collections.Counter()
            with ThreadPoolExecutor(WORKERS) as pool:
                for start in itertools.count(1, BATCH * STRIDE):
                    numbers = range(start, start + BATCH * STRIDE, STRIDE)
                    for n, (result, hit) in zip(numbers, pool.map(
                            lambda n: one(user, token, n), numbers)):
                        with self.subTest(name, n=n):
                            self.assertIn(result.module, allowed,
                                          result.__dict__)
                            self.assertEqual(result.code == YES,
                                             result.module == YES)
                        codes[result.module] += hit
                    if not hit:
                        break
            ROWS.append("  %-42s %5d fail: %s" % (
                name, sum(codes.values()), ", ".join(
                    "%s %d" % pair for pair in sorted(codes.items()))))
            self.assertGreater(sum(codes.values()), least // STRIDE)

    @unittest.skipIf(common.SANITIZED, "the sanitizers' own calls fail, too")
    def test_each_system_call_fails(self):
        for name in ERRNOS:
            number = getattr(errno, name)

            def one(user, token, n):
                result = self.login(user, token,
                                    "fault=%d,%d" % (n, number))
                return result, result.fault >= 0

            self.each("system calls, " + name, 300, one)

    @unittest.skipIf(common.SANITIZED, "the sanitizers allocate by themselves")
    def test_each_allocation_of_the_module_fails(self):
        def one(user, token, n):
            result = self.login(user, token, "malloc=%d" % n)
            return result, result.allocations >= n

        self.service("debug", through=common.WINDOW)
        self.each("allocations of the module", 5, one)

    @unittest.skipIf(common.SANITIZED, "the sanitizers allocate by themselves")
    def test_each_allocation_of_the_helper_fails(self):
        rooms = queue.SimpleQueue()
        for i in range(WORKERS):
            room = self.new_room("allocations%d" % i)
            # Written once: a file that is being written cannot be started.
            room.place_script(
                "read -r at <{0}/at\nLD_PRELOAD={1}/faults.so FAULT_AT=$at "
                'FAULT_COUNT={0}/count exec {2} "$@"'.format(
                    room.folder, common.BUILT, common.HELPER))
            self.service(through=common.WINDOW, room=room)
            rooms.put(room)

        def one(user, token, n):
            room = rooms.get()
            try:
                return self.allocate(room, user, token, n)
            finally:
                rooms.put(room)

        self.each("allocations of the helper", 50, one)

    def allocate(self, room, user, token, n):
        counter = os.path.join(room.folder, "count")
        write_file(counter, "%d\n" % n, 0o600)         # if it cannot tell
        write_file(os.path.join(room.folder, "at"), "%d\n" % n, 0o600)
        result = self.login(user, token, room=room)
        with open(counter, encoding="ascii") as file:
            return result, int(file.read()) >= n


if __name__ == "__main__":
    unittest.main()
