#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The credential of a profile in the hands of requests and of httpx."""

import asyncio
import unittest

from case import Case, monime, support

try:
    import requests
except ImportError:
    requests = None
try:
    import httpx
except ImportError:
    httpx = None

ACCOUNTS = "/v1/financial-accounts"


class Adapter:
    """What holds for both; get() and post() are theirs."""

    def setUp(self):
        super().setUp()
        self.m = self.open("test/pay")
        self.ca = self.sandbox.facts["ca_file"]
        # The confirmation is not to be counted below.
        self.m.authorize("GET", self.m.origin + ACCOUNTS)
        self.sandbox.reset("log")

    def url(self, path):
        return self.m.origin + path

    def headers(self, server="monime"):
        """Of each request that a listener saw, names in lower case."""
        return [{name.lower(): value for name, value in r["headers"]}
                for r in self.sandbox.requests(server)]

    def test_the_credential_and_its_space_are_sent(self):
        answer = self.get(self.url(ACCOUNTS))
        self.assertEqual(answer.status_code, 200)
        sent = self.headers()[0]
        self.assertEqual(sent["authorization"],
                         "Bearer " + self.sandbox.tokens["test"])
        self.assertEqual(sent["monime-space-id"], "spc-sandbox")

    def test_what_somebody_set_is_replaced(self):
        self.get(self.url(ACCOUNTS), headers={
            "authorization": "Bearer other", "MONIME-SPACE-ID": "spc-other"})
        sent = [(name.lower(), value) for name, value in
                self.sandbox.requests()[0]["headers"]]
        self.assertEqual([v for n, v in sent if n == "authorization"],
                         ["Bearer " + self.sandbox.tokens["test"]])
        self.assertEqual([v for n, v in sent if n == "monime-space-id"],
                         ["spc-sandbox"])

    def test_a_write_is_made(self):
        answer = self.post(self.url("/v1/payouts"), json={"n": 1},
                           headers={"Idempotency-Key": monime.new_key()})
        self.assertEqual(answer.status_code // 100, 2)
        self.assertEqual(self.sandbox.control("/effects")["count"], 1)

    def test_what_the_profile_does_not_allow_is_not_sent(self):
        for url in (self.url("/v1/banks"), self.url(ACCOUNTS + ";x"),
                    self.url("/v1/payouts/x"),
                    self.sandbox.origins["elsewhere"] + ACCOUNTS):
            with self.subTest(url):
                with self.assertRaises((monime.Policy, monime.Inval)):
                    self.get(url)
        self.assertEqual(self.sandbox.requests(), [])
        self.assertEqual(self.sandbox.counts("bytes", "elsewhere"), 0)

    def test_the_status_is_reported(self):
        self.sandbox.fault({"path": "/v1", "status": 401})
        self.assertEqual(self.get(self.url(ACCOUNTS)).status_code, 401)
        self.sandbox.reset("log")
        # What was refused is asked about before it is handed out again.
        self.get(self.url(ACCOUNTS))
        self.assertEqual([r["target"] for r in self.sandbox.requests()],
                         ["/", ACCOUNTS])
        self.sandbox.reset("log")
        self.get(self.url(ACCOUNTS))
        self.assertEqual([r["target"] for r in self.sandbox.requests()],
                         [ACCOUNTS])

    def test_no_redirect_leads_the_credential_elsewhere(self):
        for status in (302, 307, 308):
            with self.subTest(status):
                self.sandbox.reset("log")
                self.sandbox.fault({"redirect": "elsewhere",
                                    "status": status})
                answer = self.get(self.url(ACCOUNTS), redirects=True)
                self.assertEqual(len(answer.history), 1)
                there = self.headers("elsewhere")
                self.assertEqual(len(there), 1)
                self.assertNotIn("authorization", there[0])
                self.assertNotIn("canary", str(there))

    def test_the_status_behind_a_redirect_is_not_reported(self):
        self.sandbox.fault({"redirect": "elsewhere", "server": "monime"},
                           {"server": "elsewhere", "status": 401})
        self.assertEqual(
            self.get(self.url(ACCOUNTS), redirects=True).status_code, 401)
        self.sandbox.reset("log")
        self.get(self.url(ACCOUNTS))
        self.assertEqual([r["target"] for r in self.sandbox.requests()],
                         [ACCOUNTS])


@unittest.skipIf(requests is None, "requests is not installed")
class Requests(Adapter, Case):
    def setUp(self):
        super().setUp()
        self.session = requests.Session()
        self.addCleanup(self.session.close)
        self.session.auth = monime.RequestsAuth(self.m)
        self.session.verify = self.ca
        # Else the environment's authorities come before these.
        self.session.trust_env = False

    def get(self, url, headers=None, redirects=False):
        return self.session.get(url, headers=headers,
                                allow_redirects=redirects)

    def post(self, url, **what):
        return self.session.post(url, **what)

    def test_no_redirect_carries_the_credential_at_all(self):
        self.sandbox.fault({"redirect": self.url("/v1/banks")})
        self.get(self.url(ACCOUNTS), redirects=True)
        targets = [r["target"] for r in self.sandbox.requests()]
        self.assertEqual(targets, [ACCOUNTS, "/v1/banks"])
        self.assertNotIn("authorization", self.headers()[1])

    def test_an_answer_does_not_keep_the_credential(self):
        answer = self.get(self.url(ACCOUNTS))
        self.assertNotIn("canary", str(answer.request.headers))

    def test_hooks_of_others_are_called(self):
        seen = []
        self.session.hooks["response"].append(
            lambda response, **_: seen.append(response.status_code))
        self.get(self.url(ACCOUNTS))
        self.assertEqual(seen, [200])


@unittest.skipIf(httpx is None, "httpx is not installed")
class Httpx(Adapter, Case):
    def setUp(self):
        super().setUp()
        self.client = httpx.Client(auth=monime.httpx_auth(self.m),
                                   verify=self.ca, trust_env=False)
        self.addCleanup(self.client.close)

    def get(self, url, headers=None, redirects=False):
        return self.client.get(url, headers=headers,
                               follow_redirects=redirects)

    def post(self, url, **what):
        return self.client.post(url, **what)


@unittest.skipIf(httpx is None, "httpx is not installed")
class AsyncHttpx(Adapter, Case):
    """The same through an AsyncClient."""

    def get(self, url, headers=None, redirects=False):
        return self.ask("GET", url, headers=headers,
                        follow_redirects=redirects)

    def post(self, url, **what):
        return self.ask("POST", url, **what)

    def client(self):
        return httpx.AsyncClient(auth=monime.httpx_auth(self.m),
                                 verify=self.ca, trust_env=False)

    def ask(self, method, url, **what):
        async def ask():
            async with self.client() as client:
                return await client.request(method, url, **what)
        return asyncio.run(ask())

    def test_the_loop_is_not_kept_waiting(self):
        # The confirmation of a handle that has not made it is awaited.
        self.m = self.fresh("test/pay")
        self.sandbox.fault({"path": "/", "hold": True})

        async def both():
            async with self.client() as client:
                task = asyncio.ensure_future(
                    client.get(self.url(ACCOUNTS)))
                while self.sandbox.counts("held") < 1:
                    await asyncio.sleep(0)
                self.sandbox.release()
                return await task
        answer = asyncio.run(asyncio.wait_for(both(), support.PATIENCE))
        self.assertEqual(answer.status_code, 200)


if __name__ == "__main__":
    unittest.main()
