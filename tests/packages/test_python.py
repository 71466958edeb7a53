#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The installed Python module: it is where Python looks, finds the library,
and the gateway of the README lets in who is ours."""

import asyncio
import os
import re
import unittest

import common

import monime


class Python(common.Case):
    def test_it_is_the_packages_own(self):
        self.assertEqual(os.path.dirname(monime.__file__),
                         "/usr/lib/python3/dist-packages")
        with open("/proc/self/maps", encoding="ascii") as file:
            library = re.search(r"\S+/libmonime\.so\S*", file.read())[0]
        self.assertIn("libmonime0", self.ran("dpkg", "-S", library))

    def test_the_gateway_of_the_readme_lets_in_who_is_ours(self):
        with open(os.path.join(common.TESTS, "..", "README.md"),
                  encoding="utf-8") as file:
            text = re.search(r"^```python\n(.*?)^```", file.read(),
                             re.S | re.M)[1]
        page = {}
        exec(compile(text, "README.md", "exec"), page)
        for token, status in (("test", "200"), ("stranger_test", "403"),
                              ("revoked_test", "401"), ("live", "401")):
            with self.subTest(token):
                said = []
                page["application"](
                    {"HTTP_AUTHORIZATION":
                     "Bearer " + self.sandbox.tokens[token]},
                    lambda line, headers, said=said: said.append(line))
                self.assertEqual(said[0].split()[0], status)
        page["gateway"].close()

    def test_asyncio_waits_for_the_api(self):
        async def all_of(m, tokens):
            return await asyncio.gather(*[m.check_token_async(t)
                                          for t in tokens])

        with monime.open("test/gateway") as m:
            calls = asyncio.run(all_of(m, [self.sandbox.token()
                                           for _ in range(20)]))
            self.assertEqual({call.source for call in calls}, {"network"})

    def test_an_outage_is_no_yes(self):
        self.sandbox.fault({"server": "monime", "status": 503})
        with monime.open("test/gateway") as m:
            with self.assertRaises(monime.Error) as caught:
                m.check_token(self.sandbox.token())
        self.assertEqual(caught.exception.http_status, 503)

    def test_an_unsafe_profile_is_refused_with_what_mends_it(self):
        path = common.ETC + "/live/payouts.token"
        os.chmod(path, 0o644)
        try:
            with self.assertRaises(monime.Unsafe) as caught:
                monime.open("live/payouts")
        finally:
            os.chmod(path, 0o600)
        self.assertIn("chmod 0600 " + path, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
