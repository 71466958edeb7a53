#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What is awaited: many at once in one thread, cancelled, closed under way,
one loop after the other."""

import asyncio
import gc
import select
import threading
import unittest

from case import Case, descriptors, monime, support, threads

ACCOUNTS = "/v1/financial-accounts?limit=1"
AT_ONCE = 1000
TOKENS = 250


class Events(Case):
    def test_a_thousand_checks_at_once_need_no_thread(self):
        m = self.fresh()
        tokens = [self.sandbox.token() for _ in range(TOKENS)]
        before = threads()
        self.sandbox.fault({"hold": True, "times": -1})

        async def checks():
            tasks = [asyncio.ensure_future(m.check_token_async(
                tokens[i % TOKENS])) for i in range(AT_ONCE)]
            await self.held(1)
            self.assertFalse(any(task.done() for task in tasks))
            self.assertEqual(len(m._waiting), AT_ONCE)
            during = threads()
            self.sandbox.reset("faults")
            return during, await asyncio.gather(*tasks)
        during, answers = asyncio.run(checks())
        self.assertEqual((during, threading.active_count()), (before, 1))
        self.assertEqual([a.result for a in answers], [0] * AT_ONCE)
        self.assertEqual({a.fingerprint for a in answers},
                         {monime.fingerprint(t) for t in tokens})
        # One probe for all who ask about a token.
        self.assertEqual(len([r for r in self.sandbox.requests()
                              if r["target"] == "/"]), TOKENS)
        self.assertEqual(m._waiting, {})

    async def held(self, at_least):
        """The loop turns until the API holds so many requests."""
        end = asyncio.get_running_loop().time() + support.PATIENCE
        while self.sandbox.counts("held") < at_least:
            self.assertLess(asyncio.get_running_loop().time(), end)
            await asyncio.sleep(0)

    def test_requests_at_once(self):
        async def requests():
            async with monime.open("test/pay", folder=self.etc) as m:
                reads = [m.request_async("GET", ACCOUNTS) for _ in range(50)]
                writes = [m.request_async("POST", "/v1/payouts", json={"n": n},
                                          key=monime.new_key())
                          for n in range(20)]
                return await asyncio.gather(*reads, *writes)
        answers = asyncio.run(requests())
        self.assertEqual({a.status // 100 for a in answers}, {2})
        self.assertEqual(self.sandbox.control("/effects")["count"], 20)

    def test_what_needs_no_asking_is_answered_without_a_turn(self):
        m, token = self.open(), self.sandbox.token()

        async def check():
            await m.check_token_async(token)
            coroutine = m.check_token_async(token)
            # It never gives the loop a turn.
            with self.assertRaises(StopIteration) as caught:
                coroutine.send(None)
            self.assertEqual(caught.exception.value.source, "cache")
            with self.assertRaises(monime.Denied):
                await m.check_token_async(None)
        asyncio.run(check())

    def test_an_error_is_raised_where_it_is_awaited(self):
        m = self.open("test/pay")

        async def request():
            with self.assertRaises(monime.Inval):
                await m.request_async("GET", "/v1/..")
            await m.request_async("GET", ACCOUNTS)
            self.sandbox.fault({"status": 404, "path": "/v1"})
            with self.assertRaises(monime.Http) as caught:
                await m.request_async("GET", ACCOUNTS)
            self.assertEqual(caught.exception.status, 404)
            with self.assertRaises(monime.Policy):
                await m.authorize_async("GET", "https://elsewhere.invalid/")
        asyncio.run(request())

    def test_half_are_cancelled_and_the_others_come(self):
        m = self.fresh()
        tokens = [self.sandbox.token() for _ in range(100)]
        self.sandbox.fault({"hold": True, "times": -1})

        async def checks():
            tasks = [asyncio.ensure_future(m.check_token_async(token))
                     for token in tokens]
            await self.held(1)
            for task in tasks[::2]:
                task.cancel()
            done = await asyncio.gather(*tasks[::2], return_exceptions=True)
            self.assertEqual({type(d) for d in done},
                             {asyncio.CancelledError})
            self.assertEqual(len(m._waiting), 50)
            self.sandbox.reset("faults")
            return await asyncio.gather(*tasks[1::2])
        answers = asyncio.run(checks())
        self.assertEqual([a.fingerprint for a in answers],
                         [monime.fingerprint(t) for t in tokens[1::2]])
        self.assertEqual(m._waiting, {})

    def test_a_time_limit_of_ones_own_cancels_the_request(self):
        m = self.open("test/pay")

        async def request():
            await m.request_async("GET", ACCOUNTS)
            self.sandbox.fault({"hold": True, "path": "/v1"})
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(m.request_async("GET", ACCOUNTS), 0.05)
            self.assertEqual(m._waiting, {})
            self.sandbox.reset("faults")
            self.assertEqual(
                (await m.request_async("GET", ACCOUNTS)).status, 200)
        asyncio.run(request())

    def test_what_is_cancelled_ends_at_once(self):
        m = self.open("test/pay")

        async def request():
            await m.request_async("GET", ACCOUNTS)
            before = self.sandbox.counts("open")
            self.sandbox.fault({"hold": True, "path": "/v1"})
            task = asyncio.ensure_future(m.request_async("GET", ACCOUNTS))
            await self.held(1)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError as error:
                # Whoever keeps the error, and its frames, keeps no connection.
                self.sandbox.wait_down("open", before - 1)
                return error
            return None
        self.assertIsNotNone(asyncio.run(request()))

    def test_what_is_cancelled_as_it_comes_is_cancelled(self):
        m = self.open()
        self.sandbox.fault({"hold": True, "times": -1})

        async def check():
            task = asyncio.ensure_future(
                m.check_token_async(self.sandbox.token()))
            await self.held(1)
            task.cancel()
            self.sandbox.reset("faults")
            # The answer comes before the task has a turn.
            while m._waiting:
                select.select([m._descriptor], [], [], support.PATIENCE)
                m._take()
            with self.assertRaises(asyncio.CancelledError):
                await task
        asyncio.run(check())

    def test_close_cancels_what_is_awaited(self):
        m = self.fresh()
        self.sandbox.fault({"hold": True, "times": -1})

        async def checks():
            before = descriptors()
            tasks = [asyncio.ensure_future(m.check_token_async(
                self.sandbox.token())) for _ in range(5)]
            await self.held(1)
            m.close()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            self.assertEqual({type(d) for d in done}, {monime.Canceled})
            self.assertLessEqual(descriptors(), before)
        asyncio.run(checks())

    def test_close_while_a_thread_is_inside_cancels_as_well(self):
        m = self.fresh()
        token = self.sandbox.token()
        self.sandbox.fault({"hold": True, "times": -1})
        done = []
        worker = threading.Thread(
            target=lambda: done.append(m.check_token(token)))

        async def check():
            worker.start()
            await self.held(1)
            task = asyncio.ensure_future(
                m.check_token_async(self.sandbox.token()))
            await self.held(2)
            m.close()
            with self.assertRaises(monime.Canceled):
                await task
        asyncio.run(check())
        self.sandbox.reset("faults")
        worker.join()
        self.assertEqual(done[0].result, monime.MONIME_OK)

    def test_one_loop_after_the_other(self):
        m = self.open()
        for _ in range(3):
            answer = asyncio.run(m.check_token_async(self.sandbox.token()))
            self.assertEqual(answer.source, "network")

    def test_a_loop_that_rests_hands_over(self):
        m = self.open()
        loop = asyncio.new_event_loop()
        loop.run_until_complete(m.check_token_async(self.sandbox.token()))
        asyncio.run(m.check_token_async(self.sandbox.token()))
        loop.run_until_complete(m.check_token_async(self.sandbox.token()))
        loop.close()

    def test_two_loops_at_once_are_refused(self):
        m = self.open()
        refused = []

        def other():
            try:
                asyncio.run(m.check_token_async(self.sandbox.token()))
            except RuntimeError as error:
                refused.append(str(error))

        async def check():
            await m.check_token_async(self.sandbox.token())
            worker = threading.Thread(target=other)
            worker.start()
            worker.join()
            await m.check_token_async(self.sandbox.token())
        asyncio.run(check())
        self.assertEqual(len(refused), 1)
        self.assertIn("another event loop", refused[0])

    def test_a_loop_that_was_left_under_way_leaves_nothing(self):
        m = self.fresh()
        self.sandbox.fault({"hold": True, "times": -1})
        loop = asyncio.new_event_loop()
        task = loop.create_task(m.check_token_async(self.sandbox.token()))
        loop.run_until_complete(self.held(1))
        loop.close()
        # Nobody awaits it: that is asyncio's to tell, not ours.
        loop.set_exception_handler(lambda *_: None)
        task._log_destroy_pending = False
        del task, loop
        self.sandbox.reset("faults")
        answer = asyncio.run(m.check_token_async(self.sandbox.token()))
        self.assertEqual(answer.result, monime.MONIME_OK)
        gc.collect()
        self.assertEqual(m._waiting, {})


if __name__ == "__main__":
    unittest.main()
