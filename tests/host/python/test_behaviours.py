#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Each way in which the API can behave, and what Python makes of it: the same
result codes as in C and in every other host, waiting and awaited."""

import asyncio
import syslog
import unittest

from case import Case, monime, profile, support
from behaviours import BEHAVIOURS, WEB, profiles


class Table(Case):
    def handles(self):
        """{profile: handle}, which know nothing of each other's verdicts."""
        etc = self.sandbox.profiles()
        seconds = max(1, support.PATIENCE // 20)
        texts = profiles(self.sandbox.origins, seconds)
        opened = {}
        for name, text in texts.items():
            profile(etc, name, text)
            opened[name] = self.open(name, etc)
            opened[name].set_log(lambda level, line: self.lines.append(line),
                                 syslog.LOG_INFO)
        return opened

    def each(self, check):
        handles = self.handles()
        for row in BEHAVIOURS:
            with self.subTest(row.name):
                self.one(row, handles[row.profile], check)

    def one(self, row, handle, check):
        sandbox = self.sandbox
        sandbox.reset("log", "faults", "settings")
        token = sandbox.token() if row.token == "good" else \
            sandbox.unknown() if row.token == "unknown" else \
            sandbox.tokens.get(row.token, row.token)
        sandbox.close_idle()
        sandbox.settings(**row.settings)
        sandbox.fault(*row.faults)
        self.lines = []
        error = None
        try:
            call = check(handle, token)
        except monime.Error as raised:
            error, call = raised, raised.call
        result = "ok" if error is None else type(error).__name__.lower()

        self.assertEqual(result, row.result)
        self.assertEqual(len(sandbox.requests()), row.asked)
        self.assertEqual(monime.http_status(call.result),
                         WEB[row.result].status)
        local = row.result == "denied" and row.asked == 0 or \
            row.token == "live"
        self.assertEqual(call.source, "local" if local else "network")
        if error is None:
            self.assertEqual(call.fingerprint, support.fingerprint(token))
            self.assertEqual(call.environment, "test")
        else:
            self.assertEqual(error.code, call.result)
            self.assertEqual(error.http_status, WEB[row.result].status)
            self.assertRegex(str(error), row.log)
            self.assertNotIn(token, str(error))
        if row.after is not None:
            self.assertEqual(error.retry_after, int(row.after))
        if row.log is None:
            self.assertEqual(self.lines, [])
            return
        self.assertEqual(len(self.lines), 1, self.lines)
        self.assertRegex(self.lines[0], row.log)
        self.assertNotIn(token, self.lines[0])

    def test_every_behaviour_has_its_result(self):
        self.each(lambda handle, token: handle.check_token(token))

    def test_every_behaviour_has_its_result_when_it_is_awaited(self):
        self.each(lambda handle, token: asyncio.run(
            handle.check_token_async(token)))

    def test_nobody_else_is_asked(self):
        self.assertEqual(self.sandbox.counts("bytes", "elsewhere"), 0)


if __name__ == "__main__":
    unittest.main()
