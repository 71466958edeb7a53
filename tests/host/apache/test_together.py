#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One process with mod_auth_openidc, which brings another JSON library that
has names in common with ours: whoever is loaded first."""

import base64
import hashlib
import hmac
import json
import time
import unittest

import common
from client import bearer
from server import Server
from support import profile

KEY = "a-key-that-is-shared-by-the-two-of-us"
HTTP = """
    OIDCOAuthVerifySharedKeys "plain##%s"
    OIDCOAuthRemoteUserClaim sub
    OIDCCryptoPassphrase x
    {tls}
        {page}
        {gateway}
        <Location /openid>
            AuthType oauth20
            Require user ada
        </Location>
        <Location /openid/monime>
            Require monime
        </Location>
    </VirtualHost>
""" % KEY

NAME = "auth_openidc"


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(**claims):
    """A token of the other one's: RFC 7519."""
    head = part(b'{"alg":"HS256","typ":"JWT"}') + "." + part(
        json.dumps(dict(claims, exp=int(time.time()) + 3600)).encode())
    return head + "." + part(hmac.new(KEY.encode(), head.encode(),
                                      hashlib.sha256).digest())


class Together:
    # Who stands before ours, and behind.
    ORDER = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        etc = cls.sandbox.profiles()
        profile(etc, "test/gateway", 'provider = "monime";'
                'space = "spc-sandbox"; base_url = "%s"; check = {'
                'negative_ttl = "0 s"; probes = 512; probe_rate = 10000; };' %
                cls.sandbox.origins["monime"])
        cls.server = Server(cls.sandbox, HTTP, etc=etc, **cls.ORDER)

    def setUp(self):
        self.sandbox.reset("faults")

    def rounds(self, times):
        odd = {"a": [None, True, 1.5, {"b": ["\u00e9" * 5] * 20}]}
        kinds = ((self.sandbox.token, "/", 200),
                 (lambda: jwt(sub="ada", deep=odd), "/openid", 200),
                 (self.sandbox.unknown, "/", 401),
                 (lambda: jwt(sub="eve"), "/openid", 401),
                 (lambda: jwt(sub="ada")[:-3] + "AAA", "/openid", 401),
                 (lambda: jwt(sub="ada"), "/", 401),
                 (self.sandbox.token, "/openid", 401),
                 (lambda: jwt(sub="ada"), "/openid/monime", 401))
        for _ in range(times):
            for token, path, status in kinds:
                with self.server.client() as c:
                    answer = c.ask(path, bearer(token()))
                self.assertEqual(answer.status, status, (path, answer))

    def test_each_knows_its_own_tokens(self):
        self.rounds(10)

    def test_odd_answers_are_none(self):
        for text in ('{"status":{"isAuthenticated":"true"}}', "[" * 5000,
                     '{"a":1e999,"status":{}}', '"\\ud800"', ""):
            self.sandbox.fault({"path": "/", "text": text})
            with self.server.client() as c:
                self.assertEqual(c.ask("/", bearer(
                    self.sandbox.token())).status, 503)
            self.rounds(1)

    def test_restart_changes_nothing(self):
        for _ in range(3):
            self.server.reload()
            self.rounds(2)


class OtherFirst(Together, common.Case):
    ORDER = {"before": (NAME,)}


class OursFirst(Together, common.Case):
    ORDER = {"modules": (NAME,)}


if __name__ == "__main__":
    unittest.main()
