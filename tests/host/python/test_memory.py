#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Many calls leave nothing behind: not in malloc's heap, not in Python's, not
in descriptors.  MONIME_PYTHON_CALLS says how many."""

import asyncio
import gc
import sys
import unittest

from case import Case, descriptors, heap, monime, resident, support

CALLS = support.count("PYTHON_CALLS", 20000)
# What takes longer is done less often, and not a million times.
SLOW = min(CALLS, 20000)


class Growth(Case):
    def grows_not(self, do, calls=CALLS, spare=(16384, 200)):
        """do(n) does the same n times; what it settles in comes first.  There
        may be so many bytes and objects more by chance."""
        do(calls // 10)
        gc.collect()
        before = heap(), sys.getallocatedblocks(), descriptors(), resident()
        do(calls)
        gc.collect()
        after = heap(), sys.getallocatedblocks(), descriptors(), resident()
        grown = [b - a for a, b in zip(before, after)]
        print("\n  %-24s %8d calls: heap %+d bytes, Python %+d objects, "
              "resident %+d KiB" % (self.id().split(".")[-1][5:], calls,
                                    grown[0], grown[1], grown[3] // 1024),
              file=sys.stderr)
        self.assertLess(grown[0], spare[0])
        self.assertLess(grown[1], spare[1])
        self.assertLessEqual(grown[2], 0)

    def test_remembered_checks(self):
        m, token = self.open(), self.sandbox.token()

        def do(n):
            for _ in range(n):
                m.check_token(token)
        self.grows_not(do)

    def test_refused_checks(self):
        m = self.open()

        def do(n):
            for _ in range(n):
                try:
                    m.check_token(self.sandbox.tokens["live"])
                except monime.Environment as error:
                    error.ring = error
        self.grows_not(do)

    def test_awaited_checks(self):
        m, token = self.open(), self.sandbox.token()

        async def checks(n):
            for _ in range(n):
                await m.check_token_async(token)
        self.grows_not(lambda n: asyncio.run(checks(n)))

    def test_prepared_requests(self):
        m = self.open("test/pay")
        url = m.origin + "/v1/payouts"

        def do(n):
            for _ in range(n):
                call = m.authorize("GET", url)
                call.report(200)
                self.assertEqual(call.headers[0][0], "Authorization")
        self.grows_not(do)

    def test_requests(self):
        m, together = self.open("test/pay"), 20

        def at_once():
            return asyncio.gather(*[m.request_async(
                "GET", "/v1/financial-accounts") for _ in range(together)])

        async def connect():
            self.sandbox.fault({"hold": True, "times": together})
            calls = at_once()
            await asyncio.get_running_loop().run_in_executor(
                None, self.sandbox.wait, "held", together)
            self.sandbox.release()
            await calls

        async def requests(n):
            for _ in range(n // together):
                await at_once()

        # Each kept connection is 56 KiB of OpenSSL's.  Left to chance, their
        # number would tell how many answers happened to cross.  Some buffer
        # of 16 KiB is there or not, and asyncio's free lists fill up; a leak
        # is 32 bytes or an object of each call.
        asyncio.run(connect())
        calls = SLOW // 5
        self.grows_not(lambda n: asyncio.run(requests(n)), calls,
                       (calls * 16, calls // 10))

    def test_handles(self):
        def do(n):
            for _ in range(n):
                m = monime.open("test/pay", folder=self.etc)
                m.set_log(lambda level, line, m=m: None)
        self.grows_not(do, SLOW // 100)


if __name__ == "__main__":
    unittest.main()
