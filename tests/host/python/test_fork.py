#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A profile is opened, and then the server forks its workers."""

import asyncio
import os
import traceback
import unittest

from case import Case, monime, support

ACCOUNTS = "/v1/financial-accounts?limit=1"
WORKERS = 4


class Fork(Case):
    def workers(self, work):
        """Each does work(number); all end well."""
        children = []
        for number in range(WORKERS):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    work(number)
                    status = 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(status)
            children.append(pid)
        self.assertEqual([os.waitpid(pid, 0)[1] for pid in children],
                         [0] * WORKERS)

    def test_workers_check_request_and_await(self):
        m, pay = self.fresh(), self.open("test/pay")
        known = self.sandbox.token()
        fresh = [self.sandbox.token() for _ in range(WORKERS)]
        m.check_token(known)
        asyncio.run(m.check_token_async(self.sandbox.token()))
        pay.request("GET", ACCOUNTS)
        mine = monime._lib.monime_fd(m._handle)

        async def awaited(number):
            answers = await asyncio.gather(
                m.check_token_async(known),
                m.check_token_async(fresh[number]),
                pay.request_async("GET", ACCOUNTS))
            return [a.source for a in answers]

        def work(number):
            assert m.check_token(known).source == "cache"
            assert asyncio.run(awaited(number)) == \
                ["cache", "network", "network"]
            assert pay.request("GET", ACCOUNTS).status == 200
            # The child's own descriptor, whatever its number: it is watched
            # by the child's loop alone.
            assert m._process == os.getpid()
            m.close()
            pay.close()
        self.workers(work)
        # The parent's goes on, and knows what its children learned.
        self.assertEqual(monime._lib.monime_fd(m._handle), mine)
        for token in fresh:
            self.assertEqual(m.check_token(token).source, "cache")
        self.assertEqual(asyncio.run(m.check_token_async(
            self.sandbox.token())).source, "network")

    def test_workers_leave_what_their_parent_awaits_alone(self):
        m = self.fresh()
        pending, fresh = self.sandbox.token(), self.sandbox.token()
        self.sandbox.fault({"hold": True, "token": pending})
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        task = loop.create_task(m.check_token_async(pending))

        async def held():
            end = loop.time() + support.PATIENCE
            while self.sandbox.counts("held") < 1:
                assert loop.time() < end
                await asyncio.sleep(0)
        loop.run_until_complete(held())

        def work(number):
            if number > 0:
                assert asyncio.run(m.check_token_async(fresh)).result == 0
            # The call is the parent's, here it is only freed.
            m.close()
            assert m._waiting == {}
            task._log_destroy_pending = False
        self.workers(work)
        self.sandbox.reset("faults")
        answer = loop.run_until_complete(asyncio.wait_for(
            task, support.PATIENCE))
        self.assertEqual(answer.source, "network")
        self.assertEqual(answer.fingerprint, monime.fingerprint(pending))

    def test_a_running_loop_forks(self):
        m = self.fresh()
        first, second = self.sandbox.token(), self.sandbox.token()

        async def check():
            await m.check_token_async(first)
            # The children's loops are their own, and so is this.
            self.workers(lambda _: asyncio.run(m.check_token_async(second)))
            return await m.check_token_async(self.sandbox.token())
        self.assertEqual(asyncio.run(check()).source, "network")

    def test_a_loop_goes_on_in_a_daemon(self):
        m = self.fresh()
        first, second = self.sandbox.token(), self.sandbox.token()
        self.sandbox.fault({"hold": True, "token": first})
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        task = loop.create_task(m.check_token_async(first))
        loop.run_until_complete(asyncio.sleep(0))

        def work(number):
            if number > 0:
                return
            answer = loop.run_until_complete(asyncio.wait_for(
                m.check_token_async(second), support.PATIENCE))
            assert answer.result == 0
            # What was awaited stayed behind.
            assert isinstance(task.exception(), monime.Canceled)
        self.workers(work)
        self.sandbox.reset("faults")
        answer = loop.run_until_complete(asyncio.wait_for(
            task, support.PATIENCE))
        self.assertEqual(answer.source, "network")


if __name__ == "__main__":
    unittest.main()
