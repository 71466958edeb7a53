#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The sandbox, tested from outside: /usr/bin/python3 test_sandbox.py"""

import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

from control import control

HERE = os.path.dirname(os.path.abspath(__file__))


class Sandbox:
    """A sandbox in a process of its own."""

    def __init__(self, *options):
        self.base = tempfile.TemporaryDirectory(prefix="monime-sandbox-")
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-B", os.path.join(HERE, "sandbox.py"),
             "--dir", os.path.join(self.base.name, "sandbox"), "--until-eof",
             *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        word, file = self.process.stdout.readline().decode().split()
        assert word == "ready"
        with open(file, encoding="utf-8") as opened:
            self.facts = json.load(opened)
        self.ports = self.facts["ports"]
        self.tokens = self.facts["tokens"]
        self.trust = ssl.create_default_context(
            cafile=self.facts["ca_file"])

    def stop(self):
        """End it by the end of its input; the exit status."""
        self.process.stdin.close()
        status = self.process.wait(10)
        self.process.stdout.close()
        self.base.cleanup()
        return status

    def control(self, path, given=None):
        return control(self.ports["control"], path, given)

    def open(self, server="monime", trust=None):
        if server == "plain":
            return http.client.HTTPConnection(
                "localhost", self.ports[server], timeout=10)
        return http.client.HTTPSConnection(
            "localhost", self.ports[server], timeout=10,
            context=trust or self.trust)

    def raw(self, data, server="monime"):
        """Send bytes; everything that comes back until the end."""
        with socket.create_connection(
                ("localhost", self.ports[server]), 10) as plain, \
                self.trust.wrap_socket(
                    plain, server_hostname="localhost",
                    suppress_ragged_eofs=True) as tls:
            tls.sendall(data)
            out = b""
            while True:
                more = tls.recv(65536)
                if not more:
                    return out
                out += more


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sandbox = Sandbox()

    @classmethod
    def tearDownClass(cls):
        cls.sandbox.stop()

    def setUp(self):
        self.sandbox.control("/reset", {})
        self.opened = []

    def tearDown(self):
        for connection in self.opened:
            connection.close()

    def ask(self, method, target, token="test", body=None, server="monime",
            connection=None, **headers):
        """Status, headers and the JSON of an answer (None when empty)."""
        if connection is None:
            connection = self.sandbox.open(server)
            self.opened.append(connection)
        fields = {name.replace("_", "-"): value
                  for name, value in headers.items()}
        if token is not None:
            fields["Authorization"] = "Bearer " + self.sandbox.tokens.get(
                token, token)
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            fields.setdefault("Content-Type", "application/json")
        connection.request(method, target, body, fields)
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, answer.headers, \
            json.loads(data) if data else None

    def pay(self, key, value=1, token="test", space="spc-sandbox", **more):
        return self.ask("POST", "/v1/payouts", token, {"value": value},
                        Idempotency_Key=key, Monime_Space_Id=space, **more)

    def fault(self, **given):
        return self.sandbox.control("/fault", given)

    def effects(self):
        return self.sandbox.control("/effects")["count"]

    def counts(self, what, server):
        return self.sandbox.control("/counts")[what][server]

    def log(self):
        return self.sandbox.control("/log")["requests"]


class Monime(Base):
    def test_token_test_of_a_good_token(self):
        for token, environment in (("test", "test"), ("live", "live"),
                                   ("stranger_test", "test")):
            status, headers, value = self.ask("GET", "/", token)
            self.assertEqual(status, 200)
            self.assertEqual(value["status"], {
                "environment": environment, "isAuthenticated": True})
            self.assertEqual(value["apiVersion"]["id"], "caph.2025-06-20")
            self.assertIn("\u24c2", value["platform"])
            self.assertIn("Monime-Request-Id", headers)

    def test_token_test_of_a_bad_token_is_200_as_well(self):
        for token in (None, "revoked_test", "mon_test_never_seen"):
            status, _, value = self.ask("GET", "/", token)
            self.assertEqual(status, 200)
            self.assertEqual(value["status"], {
                "environment": None, "isAuthenticated": False})
            self.assertIsNone(value["apiVersion"])
        self.sandbox.control("/settings", {"unauthenticated_status": 401})
        self.assertEqual(self.ask("GET", "/", "revoked_test")[0], 401)

    def test_settings_of_the_token_test(self):
        self.sandbox.control("/settings", {
            "api_version": None, "origin_address": "192.0.2.7",
            "root_extra": {"more": 1}})
        value = self.ask("GET", "/")[2]
        self.assertIsNone(value["apiVersion"])
        self.assertEqual(value["requestOrigin"]["ipAddress"], "192.0.2.7")
        self.assertEqual(value["more"], 1)

    def test_space_and_token_are_judged(self):
        path = "/v1/financial-accounts?limit=1"
        for token, space, wanted in (
                ("test", "spc-sandbox", 200), ("live", "spc-live", 200),
                ("test", "spc-live", 403), ("test", None, 403),
                ("stranger_test", "spc-sandbox", 403),
                ("limited_test", "spc-sandbox", 403),
                ("revoked_test", "spc-sandbox", 401), (None, None, 401)):
            headers = {"Monime_Space_Id": space} if space else {}
            status, _, value = self.ask("GET", path, token, **headers)
            self.assertEqual(status, wanted, (token, space))
            self.assertEqual(value["success"], wanted == 200)
            if wanted != 200:
                self.assertEqual(value["error"]["code"], wanted)
        self.assertEqual(self.ask("GET", "/v1/banks", "stranger_test")[0],
                         200)

    def test_pages(self):
        for n in range(3):
            self.pay("key-%d" % n, n)
        seen, after = [], ""
        while after is not None:
            query = "?limit=2" + ("&after=" + urllib.parse.quote(after)
                                  if after else "")
            value = self.ask("GET", "/v1/payouts" + query,
                             Monime_Space_Id="spc-sandbox")[2]
            seen += [item["value"] for item in value["result"]]
            after = value["pagination"]["next"]
        self.assertEqual(seen, [0, 1, 2])
        for limit in ("0", "51", "x", "-1"):
            self.assertEqual(self.ask(
                "GET", "/v1/payouts?limit=" + limit,
                Monime_Space_Id="spc-sandbox")[0], 400)

    def test_idempotency(self):
        first = self.pay("k", 1)
        again = self.pay("k", 1)
        self.assertEqual(first[2], again[2])
        self.assertEqual(again[1]["Monime-Cache"], "irc")
        self.assertIsNone(first[1]["Monime-Cache"])
        status, _, value = self.pay("k", 2)
        self.assertEqual(status, 409)
        self.assertEqual(value["error"]["reason"], "idempotency_key_in_use")
        self.assertEqual(self.effects(), 1)
        self.pay("k", 2, "live", "spc-live")
        self.assertEqual(self.effects(), 2)

    def test_write_needs_key_and_json(self):
        self.assertEqual(self.pay("k" * 65)[0], 400)
        self.assertEqual(self.ask("POST", "/v1/payouts", body={},
                                  Monime_Space_Id="spc-sandbox")[0], 400)
        self.assertEqual(self.ask("POST", "/v1/payouts", body="{",
                                  Content_Type="application/json",
                                  Idempotency_Key="k",
                                  Monime_Space_Id="spc-sandbox")[0], 400)
        self.assertEqual(self.effects(), 0)

    def test_one_object(self):
        identity = self.pay("k")[2]["result"]["id"]
        path, space = "/v1/payouts/" + identity, "spc-sandbox"
        self.assertEqual(self.ask("PATCH", path, body={"note": "x"},
                                  Monime_Space_Id=space)[0], 200)
        value = self.ask("GET", path, Monime_Space_Id=space)[2]
        self.assertEqual(value["result"]["note"], "x")
        value = self.ask("DELETE", path, Monime_Space_Id=space)[2]
        self.assertNotIn("result", value)
        self.assertEqual(self.ask("GET", path, Monime_Space_Id=space)[0],
                         404)
        self.assertEqual(self.effects(), 3)

    def test_revoke_and_grant(self):
        self.sandbox.control("/revoke", {"token": "test"})
        self.assertFalse(
            self.ask("GET", "/")[2]["status"]["isAuthenticated"])
        self.sandbox.control("/grant", {
            "token": "mon_test_canary_new", "environment": "test",
            "spaces": ["spc-sandbox"], "name": "new"})
        self.assertEqual(self.ask(
            "GET", "/v1/payouts", "mon_test_canary_new",
            Monime_Space_Id="spc-sandbox")[0], 200)
        self.assertEqual(self.log()[-1]["token"], "new")


class Mono(Base):
    def mono(self, method, target, token="mono_sandbox",
             server="mono_sandbox", **more):
        return self.ask(method, target, token, server=server, **more)

    def test_keys_open_their_own_origin_alone(self):
        path = "/v1/bank_accounts"
        self.assertEqual(self.mono("GET", path)[0], 200)
        for token in ("mono_production", "test"):
            status, _, value = self.mono("GET", path, token)
            self.assertEqual(status, 401)
            self.assertEqual(value["code"], "401 Unauthorized")
            self.assertTrue(value["id"].startswith("log_"))
        self.assertEqual(self.mono("GET", path, "mono_production",
                                   "mono_production")[0], 200)
        value = self.mono("GET", path, None)[2]
        self.assertEqual(value["errors"][0]["error_code"],
                         "missing_authorization_header")

    def test_stranger_sees_lists_but_no_object_of_ours(self):
        path = "/v1/bank_accounts"
        self.assertEqual(self.mono("GET", path, "mono_stranger")[2],
                         {"bank_accounts": []})
        path += "/bac_sandbox"
        self.assertEqual(self.mono("GET", path)[0], 200)
        self.assertEqual(self.mono("GET", path, "mono_stranger")[0], 404)

    def test_idempotency(self):
        def send(value):
            return self.mono("POST", "/v1/transfers", body={"value": value},
                             X_Idempotency_Key="k")
        self.assertEqual(send(1)[2], send(1)[2])
        self.assertEqual(send(2)[0], 409)
        self.assertEqual(self.effects(), 1)
        self.assertEqual(self.mono("POST", "/v1/transfers", body={},
                                   X_Idempotency_Key="k" * 256)[0], 400)

    def test_oauth(self):
        tokens = self.sandbox.tokens
        form = {"grant_type": "client_credentials",
                "client_id": tokens["oauth_client_id"],
                "client_secret": tokens["oauth_client_secret"]}
        path = "/api/v1/oauth/token"

        def issue(body, **more):
            kind = "application/json"
            if isinstance(body, str):
                kind = "application/x-www-form-urlencoded"
            return self.mono("POST", path, None, body=body,
                             Content_Type=kind, **more)

        status, headers, value = issue(urllib.parse.urlencode(form))
        self.assertEqual((status, headers["Cache-Control"]),
                         (200, "no-store"))
        self.assertEqual(value["expires_in"], 3600)
        self.assertIn("refresh_token", value)
        self.assertEqual(issue(form)[0], 200)
        bearer = value["access_token"]
        resource = "/api/v1/collections"
        self.assertEqual(self.mono("GET", resource, bearer)[0], 200)
        self.assertEqual(self.mono("GET", "/v1/transfers", bearer)[0], 401)
        self.sandbox.control("/revoke", {"token": "oauth"})
        value = self.mono("GET", resource, bearer)[2]
        self.assertEqual(value["errors"][0]["error_code"], "expired_token")
        for change, wanted in (
                ({"client_secret": "x"}, (401, "invalid_client")),
                ({"grant_type": "password"}, (400, "unsupported_grant_type")),
                ({"scope": "x"}, (400, "invalid_scope"))):
            status, _, value = issue(dict(form, **change))
            self.assertEqual((status, value["error"]), wanted)
        basic = "Basic " + base64.b64encode(":".join(
            urllib.parse.quote_plus(tokens["oauth_" + name]) for name in
            ("client_id", "client_secret")).encode()).decode()
        short = "grant_type=client_credentials"
        self.assertEqual(issue(short, Authorization=basic)[0], 401)
        self.sandbox.control("/settings", {"oauth_basic": True,
                                           "oauth_expires_in": "60"})
        self.assertEqual(issue(short, Authorization=basic)[2]["expires_in"],
                         "60")
        counts = self.sandbox.control("/counts")
        self.assertEqual((counts["token_requests"], counts["tokens_issued"]),
                         (7, 3))


class Faults(Base):
    def test_status_and_headers(self):
        self.fault(status=429, headers=[["Retry-After", "5"]], times=2)
        for _ in range(2):
            status, headers, value = self.ask("GET", "/")
            self.assertEqual((status, headers["Retry-After"]), (429, "5"))
            self.assertEqual(value["error"]["reason"], "too_many_requests")
        self.assertEqual(self.ask("GET", "/")[0], 200)

    def test_matching_and_order(self):
        self.fault(server="monime", method="GET", path="/v1/",
                   token="test", skip=1, status=500)
        self.fault(path="/v1/banks", status=502, times=-1)
        self.assertEqual(self.ask("GET", "/")[0], 200)
        self.assertEqual(self.ask("GET", "/v1/banks", "live")[0], 502)
        self.assertEqual([self.ask("GET", "/v1/banks")[0]
                          for _ in range(3)], [502, 500, 502])
        self.assertEqual([fault["used"] for fault in self.sandbox.control(
            "/faults")["faults"]], [1, 3])

    def test_reused(self):
        self.fault(reused=True, drop="request")
        connection = self.sandbox.open()
        self.opened.append(connection)
        self.assertEqual(self.ask("GET", "/", connection=connection)[0], 200)
        with self.assertRaises((http.client.RemoteDisconnected,
                                ConnectionError)):
            self.ask("GET", "/", connection=connection)
        self.assertEqual(self.ask("GET", "/")[0], 200)
        self.assertEqual([entry["sequence"] for entry in self.log()],
                         [1, 2, 1])

    def test_drops_and_side_effects(self):
        # fault, whether the write happens
        for given, happens in (
                ({"drop": "request"}, 0), ({"drop": "status"}, 0),
                ({"drop": "request", "execute": True}, 1),
                ({"drop": "status", "execute": True}, 1),
                ({"drop": "headers"}, 1), ({"drop": "body"}, 1),
                ({"drop": "body", "execute": False}, 0),
                ({"reset": True}, 0), ({"garbage": True}, 0),
                ({"status": 503}, 0), ({"status": 503, "execute": True}, 1)):
            with self.subTest(given):
                self.sandbox.control("/reset", {})
                self.fault(method="POST", **given)
                try:
                    # http.client takes a head that was cut for a whole one.
                    status = self.pay("k")[0]
                    self.assertEqual(status, given.get("status", 200))
                    self.assertTrue("status" in given or
                                    given["drop"] == "headers")
                except (http.client.HTTPException, OSError):
                    self.assertNotIn("status", given)
                self.assertEqual(self.effects(), happens)
                self.assertEqual(self.pay("k")[0], 200)
                self.assertEqual(self.effects(), 1)

    def test_connections_that_come_to_nothing(self):
        for drop in ("accept", "handshake"):
            self.fault(server="monime", drop=drop)
            with self.assertRaises(OSError):
                self.ask("GET", "/")
            self.assertEqual(self.ask("GET", "/")[0], 200)
        self.fault(server="monime", drop="stall")
        with socket.create_connection(
                ("localhost", self.sandbox.ports["monime"])) as plain:
            plain.settimeout(0.1)
            with self.assertRaises(OSError):
                self.sandbox.trust.wrap_socket(
                    plain, server_hostname="localhost")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(
                ("127.0.0.1", self.sandbox.ports["refused"]))

    def test_scripted_bodies(self):
        self.fault(json={"isAuthenticated": "false"})
        self.assertEqual(self.ask("GET", "/")[2],
                         {"isAuthenticated": "false"})
        get = (b"GET / HTTP/1.1\r\nHost: localhost\r\n"
               b"Connection: close\r\n\r\n")
        self.fault(text='{"a":"test\u0000"}{"a":1}')
        self.assertTrue(self.sandbox.raw(get).endswith(
            b'{"a":"test\0"}{"a":1}'))
        self.fault(raw=base64.b64encode(b"\0\1\2").decode())
        self.assertEqual(self.sandbox.raw(get), b"\0\1\2")
        self.fault(huge=1 << 20)
        self.assertEqual(len(self.sandbox.raw(get).partition(
            b"\r\n\r\n")[2]), 1 << 20)
        self.fault(chunked=True, trailers=[["X-After", "1"]])
        data = self.sandbox.raw(get)
        self.assertIn(b"Transfer-Encoding: chunked", data)
        self.assertTrue(data.endswith(b"0\r\nX-After: 1\r\n\r\n"))
        self.fault(content_length="5, 6", status=503, body="x")
        self.assertIn(b"Content-Length: 5, 6\r\n", self.sandbox.raw(get))
        self.fault(drip={"bytes": 100, "every": 0.001})
        self.assertIn(b"requestOrigin", self.sandbox.raw(get))
        self.fault(drop="headers")
        data = self.sandbox.raw(get)
        self.assertTrue(data.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertNotIn(b"\r\n\r\n", data)
        self.fault(drop="body")
        head, _, body = self.sandbox.raw(get).partition(b"\r\n\r\n")
        self.assertNotIn(b"Content-Length: %d\r\n" % len(body), head)
        self.assertGreater(len(body), 0)
        self.fault(huge_headers=100000)
        self.assertGreater(len(self.sandbox.raw(get)), 100000)

    def test_redirect_leads_elsewhere_and_is_seen_there(self):
        self.fault(redirect="elsewhere", status=307)
        status, headers, _ = self.ask("GET", "/v1/banks?x=1")
        self.assertEqual(status, 307)
        self.assertEqual(headers["Location"], "https://localhost:%d"
                         "/v1/banks?x=1" % self.sandbox.ports["elsewhere"])
        self.assertEqual(self.counts("bytes", "elsewhere"), 0)
        with socket.create_connection(
                ("localhost", self.sandbox.ports["elsewhere"])) as plain:
            plain.sendall(b"canary")
            self.sandbox.control("/wait", {
                "what": "raw", "server": "elsewhere", "at_least": 6})
        log = self.sandbox.control("/log?server=elsewhere")
        self.assertEqual(log["bytes"]["elsewhere"], 6)
        self.assertEqual(log["streams"][0]["data"], "canary")

    def test_endless_answers_end_when_the_client_leaves(self):
        for kind in ("headers", "body", "1xx"):
            self.fault(endless=kind)
            with socket.create_connection(
                    ("localhost", self.sandbox.ports["plain"])) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                got = 0
                while got < 300000:
                    got += len(plain.recv(65536))
            self.assertTrue(self.sandbox.control("/wait", {
                "what": "open", "server": "plain",
                "at_most": 0})["reached"])

    def test_held_answer_tells_how_things_were(self):
        self.fault(hold=True)
        answers = []
        waiting = threading.Thread(
            target=lambda: answers.append(self.ask("GET", "/")[2]))
        waiting.start()
        self.sandbox.control("/wait", {"what": "held", "server": "monime",
                                       "at_least": 1})
        self.sandbox.control("/revoke", {"token": "test"})
        now = self.ask("GET", "/")[2]
        self.assertFalse(now["status"]["isAuthenticated"])
        self.assertEqual(self.sandbox.control("/release", {}),
                         {"released": 1})
        waiting.join(10)
        self.assertTrue(answers[0]["status"]["isAuthenticated"])

    def test_mistakes_of_a_test_are_told(self):
        for given in ({}, {"statsu": 1}, {"status": "1"}, {"drop": "x"},
                      {"server": "x", "status": 1}, {"json": 1, "text": ""},
                      {"drop": "accept", "method": "GET"},
                      {"headers": ["x"]}, {"hold": 1}, {"raw": "?"}, [3]):
            with self.assertRaises(ValueError, msg=str(given)):
                self.sandbox.control("/fault", given)
        for path, given in (("/settings", {"x": 1}), ("/none", {}),
                            ("/reset", []), ("/wait", {"what": "open"})):
            with self.assertRaises(ValueError, msg=path):
                self.sandbox.control(path, given)


class Wire(Base):
    def test_log_keeps_the_bytes(self):
        head = (b"GET /v1/%70ayouts//../x;a?b=%252e HTTP/1.1\r\n"
                b"hOsT:localhost\r\nX-Odd:  two  words \r\nX-Odd: \xff\r\n"
                b"Connection: close\r\n\r\n")
        self.sandbox.raw(head)
        entry = self.log()[0]
        self.assertEqual(entry["head"].encode("latin-1"), head)
        self.assertEqual(entry["target"], "/v1/%70ayouts//../x;a?b=%252e")
        self.assertEqual(entry["headers"][1:3], [["X-Odd", "two  words"],
                                                 ["X-Odd", "\xff"]])

    def test_malformed_requests_are_refused_and_logged(self):
        for head in (b"GET / HTTP/1.1\nHost: x\n\r\n\r\n",
                     b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET / HTTP/1.1\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
                     b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n"):
            self.assertTrue(self.sandbox.raw(head).startswith(
                b"HTTP/1.1 400 "), head)
            self.assertEqual(self.log()[-1]["status"], 400)
            self.assertTrue(self.log()[-1]["error"])

    def test_chunked_request_and_continue(self):
        out = self.sandbox.raw(
            b"POST /v1/payouts HTTP/1.1\r\nHost: x\r\n"
            b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\n\r\n"
            b"2\r\n{\"\r\n5;x=y\r\na\":1}\r\n0\r\nT: 1\r\n\r\n")
        self.assertTrue(out.startswith(b"HTTP/1.1 100 "))
        self.assertEqual(self.log()[0]["body"], '{"a":1}')

    def test_bad_certificates_stop_a_client(self):
        for server in ("wrong_name", "self_signed", "expired"):
            with self.assertRaises(ssl.SSLCertVerificationError):
                self.ask("GET", "/", server=server)
            self.sandbox.control("/wait", {
                "what": "open", "server": server, "at_most": 0})
            self.assertEqual(self.counts("requests", server), 0)
            self.assertEqual(self.counts("bytes", server), 0)
            self.assertGreater(self.counts("raw", server), 0)

    def test_hashed_folder_verifies(self):
        trust = ssl.create_default_context(
            capath=self.sandbox.facts["ca_path"])
        connection = self.sandbox.open(trust=trust)
        self.opened.append(connection)
        self.assertEqual(self.ask("GET", "/", connection=connection)[0], 200)

    def test_proxy_tunnels_here_and_nowhere_else(self):
        proxy = self.sandbox.ports["proxy"]
        for host, port, server in (
                ("localhost", self.sandbox.ports["monime"], "monime"),
                ("api.monime.io", 443, "monime"),
                ("api.sandbox.cuentamono.com", 443, "mono_sandbox")):
            connection = http.client.HTTPSConnection(
                "127.0.0.1", proxy, timeout=10, context=self.sandbox.trust)
            self.opened.append(connection)
            connection.set_tunnel(host, port)
            status = self.ask("GET", "/", connection=connection)[0]
            self.assertEqual(status, 404 if "mono_" in server else 200)
            entries = [e for e in self.log() if e["server"] == "proxy"]
            self.assertEqual(entries[-1]["target"], "%s:%d" % (host, port))
            self.assertNotIn("canary", entries[-1]["head"])
        connection = http.client.HTTPSConnection("127.0.0.1", proxy)
        self.opened.append(connection)
        connection.set_tunnel("example.org", 443)
        with self.assertRaises(OSError):
            connection.connect()

    def test_plain_records_what_arrives(self):
        self.ask("GET", "/", server="plain")
        self.assertIn("canary", self.sandbox.control(
            "/log?server=plain")["streams"][0]["data"])
        with socket.create_connection(
                ("localhost", self.sandbox.ports["plain"])) as plain:
            with self.assertRaises(OSError):
                self.sandbox.trust.wrap_socket(
                    plain, server_hostname="localhost")

    def test_idle_connections_can_be_closed(self):
        connection = self.sandbox.open()
        self.opened.append(connection)
        self.ask("GET", "/", connection=connection)
        self.assertEqual(self.sandbox.control("/close", {
            "server": "monime"}), {"closed": 1})
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.ask("GET", "/", connection=connection)

    def test_hundreds_of_connections_at_once(self):
        opened = [self.sandbox.open() for _ in range(300)]
        self.opened += opened
        for connection in opened:
            connection.request("GET", "/")
        for connection in opened:
            self.assertEqual(connection.getresponse().status, 200)
        self.assertEqual(self.counts("open", "monime"), 300)


class Process(unittest.TestCase):
    def test_folder_and_the_end_of_input(self):
        with tempfile.TemporaryDirectory() as folder:
            sandbox = Sandbox("--folder", folder)
            modes = {}
            for place, _, names in os.walk(folder):
                for name in names:
                    path = os.path.join(place, name)
                    modes[os.path.relpath(path, folder)] = oct(
                        os.stat(path).st_mode & 0o7777)
            self.assertEqual(modes["monime.conf"], "0o644")
            self.assertEqual(modes["ca.pem"], "0o644")
            for name in ("test/payouts", "live/payouts", "test/bank"):
                self.assertEqual(modes[name + ".conf"], "0o600")
                self.assertEqual(modes[name + ".token"], "0o600")
            self.assertEqual(os.stat(os.path.join(
                folder, "live")).st_mode & 0o7777, 0o700)
            self.assertEqual(sandbox.stop(), 0)

    def test_what_is_shown_can_be_typed(self):
        sandbox = Sandbox()
        with tempfile.TemporaryDirectory() as folder:
            for name, mode in (("monime", 0o755), ("absent", 0o644)):
                place = os.path.join(folder, name)
                os.mkdir(place)
                with open(os.path.join(place, "monime"), "wb") as file:
                    os.fchmod(file.fileno(), mode)
            for name, typed in (("monime", "monime"),
                                ("absent", "LD_LIBRARY_PATH=b b/monime")):
                said = subprocess.run(
                    ["/usr/bin/python3", "-B", os.path.join(HERE, "folder.py"),
                     folder, sandbox.facts["file"], "--show"], check=True,
                    env={"PATH": os.path.join(folder, name), "BUILD": "b"},
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
                self.assertIn("\n  %s -C %s check test/payouts\n" % (
                    typed, folder), said.decode())
        self.assertEqual(sandbox.stop(), 0)

    def test_stop_and_time_limit(self):
        sandbox = Sandbox("--seconds", "0.2")
        self.assertEqual(sandbox.process.wait(10), 0)
        sandbox.stop()
        sandbox = Sandbox()
        sandbox.control("/stop", {})
        self.assertEqual(sandbox.process.wait(10), 0)
        sandbox.stop()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
