#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What waits: checks, requests, webhooks, logs, and who owns what."""

import base64
import gc
import hashlib
import hmac
import json
import logging
import os
import pathlib
import pickle
import subprocess
import sys
import syslog
import threading
import time
import unittest

from case import (ALLOW, MODULE, PROFILE, Case, descriptors, monime, profile,
                  support)

ACCOUNTS = "/v1/financial-accounts?limit=1"
PAYOUT = {"amount": {"currency": "SLE", "value": 100}}


class Checks(Case):
    def test_a_good_token_returns_its_facts(self):
        token = self.sandbox.token()
        with self.open() as m, m.check_token(token) as call:
            self.assertEqual(call.result, monime.MONIME_OK)
            self.assertEqual(call.source, "network")
            self.assertEqual(call.fingerprint, monime.fingerprint(token))
            self.assertEqual(call.get("api-version"), "caph.2025-06-20")
            self.assertIsNone(call.get("nonsense"))
            self.assertEqual(call.error, "")
            self.assertEqual(m.check_token(token).source, "cache")

    def test_bytes_and_text_are_one_token(self):
        token = self.sandbox.token()
        m = self.open()
        self.assertEqual(m.check_token(token).source, "network")
        self.assertEqual(m.check_token(token.encode()).source, "cache")

    def test_no_token_is_denied_and_nothing_is_sent(self):
        m = self.open()
        # What a visitor can send never raises anything but the verdict.
        for token in (None, "", b"", "a b", "mon_test_\0", b"\xff\xfe",
                      "mon_test_\u00e9", "mon_test_\ud800", "mon_test_a\n"):
            with self.subTest(token=token):
                with self.assertRaises(monime.Denied) as caught:
                    m.check_token(token)
                self.assertEqual(caught.exception.http_status, 401)
                self.assertEqual(caught.exception.call.source, "local")
        self.assertEqual(self.sandbox.requests(), [])

    def test_what_is_after_a_nul_counts(self):
        token = self.sandbox.token()
        m = self.open()
        m.check_token(token)
        with self.assertRaises(monime.Denied):
            m.check_token(token + "\0")

    def test_own_credential_is_always_asked_about(self):
        m = self.open("test/pay")
        for _ in range(2):
            self.assertEqual(m.check_credential().source, "network")
        with self.assertRaises(monime.Config):
            self.open().check_credential()

    def test_bearer_finds_the_token_of_a_header(self):
        self.assertEqual(monime.bearer("Bearer abc"), "abc")
        self.assertEqual(monime.bearer(b"bearer  a-b.c"), "a-b.c")
        for header in (None, "", "Basic abc", "Bearer", "Bearer a b",
                       "Bearer \u00e9", "Bearer a\0b"):
            self.assertIsNone(monime.bearer(header), header)

    def test_keys_and_fingerprints(self):
        self.assertRegex(monime.new_key(), "^[0-9a-f]{8}(-[0-9a-f]{4}){3}"
                         "-[0-9a-f]{12}$")
        self.assertNotEqual(monime.new_key(), monime.new_key())
        self.assertEqual(monime.fingerprint("abc"),
                         support.fingerprint("abc"))
        self.assertEqual(monime.fingerprint(b"abc"),
                         support.fingerprint("abc"))
        with self.assertRaises(monime.Inval):
            monime.fingerprint("")

    def test_threads_share_a_handle(self):
        m = self.open()
        tokens = [self.sandbox.token() for _ in range(4)]
        outcome = []

        def work():
            for i in range(200):
                outcome.append(m.check_token(tokens[i % 4]).result)
        workers = [threading.Thread(target=work) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual(outcome, [monime.MONIME_OK] * 1600)
        # One probe for all who ask.
        self.assertEqual(len([r for r in self.sandbox.requests()
                              if r["target"] == "/"]), 4)


class Handles(Case):
    def test_facts(self):
        with self.open() as m:
            self.assertEqual(m.profile, "test/check")
            self.assertEqual(m.environment, "test")
            self.assertEqual(m.space, "spc-sandbox")
            self.assertEqual(m.origin, self.sandbox.origins["monime"])
            self.assertEqual(m.get("provider"), "monime")
            self.assertIsNone(m.get("product"))
            self.assertEqual(repr(m), "<monime.Monime test/check>")
        self.assertEqual(repr(m), "<monime.Monime closed>")

    def test_a_profile_that_does_not_open_says_why(self):
        for name, folder, expected, words in (
                ("test/none", self.etc, monime.Config, "none.conf"),
                ("test/../live/x", self.etc, monime.Inval, "test"),
                ("test/check\0x", self.etc, monime.Inval, "NUL"),
                ("test/check", "relative", monime.Inval, "relative")):
            with self.subTest(name):
                with self.assertRaises(expected) as caught:
                    monime.open(name, folder=folder)
                self.assertIn(words, str(caught.exception))
                self.assertGreaterEqual(caught.exception.http_status, 500)

    def test_an_unsafe_file_comes_with_the_command_that_mends_it(self):
        etc = self.folder()
        os.chmod(etc + "/test/pay.token", 0o644)
        with self.assertRaisesRegex(monime.Unsafe, "chmod"):
            monime.open("test/pay", folder=etc)

    def test_the_folder_may_be_text_bytes_or_a_path(self):
        for folder in (self.etc, self.etc.encode(), pathlib.Path(self.etc)):
            self.assertEqual(self.open(folder=folder).environment, "test")

    def test_a_closed_handle_lets_nobody_in(self):
        token = self.sandbox.token()
        m = self.open()
        m.check_token(token)
        m.close()
        m.close()
        for verb in (lambda: m.check_token(token), m.check_credential,
                     lambda: m.request("GET", "/v1/x"),
                     lambda: m.authorize("GET", "https://x/"),
                     lambda: m.verify_webhook("", b""),
                     lambda: m.get("profile"), lambda: m.set_log(None),
                     lambda: monime.metrics([m])):
            with self.assertRaises(monime.Canceled):
                verb()

    def test_close_waits_for_whoever_is_inside(self):
        m = self.open()
        token = self.sandbox.token()
        self.sandbox.fault({"hold": True})
        done = []
        worker = threading.Thread(
            target=lambda: done.append(m.check_token(token)))
        worker.start()
        self.sandbox.wait("held", 1)
        before = descriptors()
        m.close()
        self.assertEqual(descriptors(), before)
        self.sandbox.release()
        worker.join()
        self.assertEqual(done[0].result, monime.MONIME_OK)
        self.assertLess(descriptors(), before)

    def test_calls_outlive_their_handle(self):
        with self.open("test/pay") as m:
            call = m.request("GET", ACCOUNTS)
        self.assertEqual(call.status, 200)
        self.assertIsInstance(call.json()["result"], list)
        call.free()
        call.free()
        self.assertEqual(call.status, 0)
        self.assertEqual(call.body, b"")
        self.assertEqual(call.headers, [])
        self.assertEqual(call.result, monime.MONIME_ENOMEM)

    def test_what_nobody_closed_is_collected(self):
        self.open("test/pay").request("GET", ACCOUNTS)
        before = descriptors()
        for _ in range(20):
            m = monime.open("test/pay", folder=self.etc)
            # In a ring with its log function, and a call in it.
            m.ring = [m, m.request("GET", ACCOUNTS)]
            m.set_log(lambda level, line, m=m: None, syslog.LOG_DEBUG)
            del m
        self.assertGreaterEqual(descriptors(), before)
        gc.collect()
        self.assertEqual(descriptors(), before)

    def test_what_nobody_closed_ends_with_the_interpreter(self):
        source = """if True:
            import asyncio, sys, syslog, monime
            m = monime.open("test/pay", folder=sys.argv[1])
            m.set_log(lambda level, line: None, syslog.LOG_DEBUG)
            call = m.request("GET", "/v1/payouts")
            loop = asyncio.new_event_loop()
            task = loop.create_task(m.request_async("GET", "/v1/payouts"))
            loop.run_until_complete(task)
            other = m.request_async("GET", "/v1/payouts")
            try:
                other.send(None)
            except RuntimeError:    # no loop runs
                error = sys.exc_info()
            """
        done = subprocess.run(
            [sys.executable, "-B", "-c", source, self.etc],
            env=dict(os.environ, PYTHONPATH=os.path.dirname(MODULE)),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_metrics_are_summed(self):
        m, other = self.fresh(), self.fresh("test/pay")
        token = self.sandbox.token()
        for _ in range(3):
            m.check_token(token)
        other.request("GET", ACCOUNTS)
        counted = support.samples(monime.metrics([m, other]))
        self.assertEqual(
            counted["monime_verdicts", "test/check", "ok", "cache"], 2)
        self.assertIn("test/pay", monime.metrics([other]))
        self.assertIn("<html", monime.metrics((m,), format="html"))
        self.assertEqual(monime.metrics([m], format="nonsense"), "")


class Requests(Case):
    def setUp(self):
        super().setUp()
        self.m = self.open("test/pay")

    def test_an_answer_has_status_body_headers_and_facts(self):
        with self.m.request("GET", ACCOUNTS) as answer:
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.json(), json.loads(answer.body))
            self.assertEqual(answer.text.encode(), answer.body)
            kind = answer.header("content-TYPE")
            self.assertIn("json", kind)
            self.assertIn(kind, [value for name, value in answer.headers
                                 if name.lower() == "content-type"])
            self.assertIsNone(answer.header("X-None"))
            self.assertEqual(answer.executed, "yes")
            self.assertEqual(answer.source, "network")

    def test_a_body_may_be_json_text_or_bytes(self):
        raw = json.dumps(PAYOUT, separators=(",", ":"))
        for given in ({"json": PAYOUT}, {"body": raw},
                      {"body": raw.encode()}, {"body": bytearray(
                          raw.encode())}, {"body": memoryview(raw.encode())}):
            with self.subTest(given):
                self.sandbox.reset("effects")
                self.m.request("POST", "/v1/payouts", **given)
                effects = self.sandbox.control("/effects")["list"]
                self.assertEqual([e["body"] for e in effects], [raw])

    def test_a_body_may_hold_a_nul_and_anything_else(self):
        self.sandbox.fault({"method": "POST", "status": 400})
        with self.assertRaises(monime.Http):
            self.m.request("POST", "/v1/payouts", body=b"\0a\0\xff")
        sent = [r for r in self.sandbox.requests() if r["method"] == "POST"]
        self.assertEqual(sent[0]["body"], "\0a\0\u00ff")

    def test_an_answer_may_hold_a_nul(self):
        self.sandbox.fault({"body_base64": base64.b64encode(
            b"a\0b").decode(), "path": "/v1"})
        self.assertEqual(self.m.request("GET", ACCOUNTS).body, b"a\0b")

    def test_a_key_makes_one_payment_of_two_requests(self):
        key = monime.new_key()
        first = self.m.request("POST", "/v1/payouts", json=PAYOUT, key=key)
        again = self.m.request("POST", "/v1/payouts", json=PAYOUT,
                               headers={"Idempotency-Key": key})
        self.assertEqual(first.idempotency_key, key)
        self.assertEqual(again.get("replayed"), "yes")
        self.assertEqual(first.json(), again.json())
        self.assertEqual(self.sandbox.control("/effects")["count"], 1)

    def test_a_fresh_key_is_told(self):
        answer = self.m.request("POST", "/v1/payouts", json=PAYOUT)
        effect = self.sandbox.control("/effects")["list"][0]
        self.assertEqual(effect["key"], answer.idempotency_key)

    def test_headers_are_a_mapping_or_pairs(self):
        for headers in ({"X-Request-Id": "abc"}, [("X-Request-Id", "abc")],
                        iter([("X-Request-Id", b"abc")])):
            self.sandbox.reset("log")
            self.m.request("GET", ACCOUNTS, headers=headers)
            sent = dict(map(tuple, self.sandbox.requests()[-1]["headers"]))
            self.assertEqual(sent["X-Request-Id"], "abc")

    def test_what_two_readers_could_take_differently_is_not_sent(self):
        self.m.request("GET", ACCOUNTS)
        self.sandbox.reset("log")
        for method, path, more in (
                ("GET", "/v1/payouts\0/x", {}), ("GET\0", "/v1/payouts", {}),
                ("GET", "/v1/../payouts", {}), ("get", "/v1/payouts", {}),
                ("GET", "/v1/payouts",
                 {"headers": {"X-Request-Id": "a\r\nX: b"}}),
                ("GET", "/v1/payouts", {"headers": {"X-Request-Id": "a\0"}}),
                ("GET", "/v1/payouts", {"headers": {"Host": "x"}}),
                ("GET", "/v1/payouts", {"key": "abc"})):
            with self.subTest((method, path, more)):
                with self.assertRaises(monime.Inval):
                    self.m.request(method, path, **more)
        self.assertEqual(self.sandbox.requests(), [])

    def test_body_and_json_are_one_too_many(self):
        with self.assertRaises(TypeError):
            self.m.request("POST", "/v1/payouts", body=b"{}", json={})
        with self.assertRaises(ValueError):
            self.m.request("POST", "/v1/payouts", json=float("nan"))
        self.assertEqual(self.sandbox.control("/effects")["count"], 0)

    def test_the_profile_forbids(self):
        with self.assertRaises(monime.Policy) as caught:
            self.m.request("DELETE", "/v1/payouts/x")
        self.assertEqual(caught.exception.executed, "no")
        self.assertEqual(self.sandbox.requests(), [])


class Errors(Case):
    def test_an_error_has_what_the_call_told(self):
        m = self.open("test/pay")
        m.request("GET", ACCOUNTS)
        self.sandbox.fault({"path": "/v1", "status": 400})
        with self.assertRaises(monime.Http) as caught:
            m.request("GET", ACCOUNTS)
        error = caught.exception
        self.assertEqual(error.code, monime.MONIME_EHTTP)
        self.assertEqual(error.status, 400)
        self.assertRegex(error.reason, "^[a-z0-9_]+$")
        self.assertEqual(error.executed, "no")
        self.assertIn("status 400", str(error))
        self.assertFalse(error.call.json()["success"])
        self.assertEqual(error.call.reason, error.reason)

    def test_a_lost_answer_leaves_it_open(self):
        m = self.open("test/pay")
        m.request("GET", ACCOUNTS)
        self.sandbox.fault({"method": "POST", "drop": "status", "times": -1,
                            "execute": True})
        with self.assertRaises(monime.Lost) as caught:
            m.request("POST", "/v1/payouts", json=PAYOUT)
        self.assertEqual(caught.exception.executed, "unknown")
        self.assertEqual(caught.exception.status, 0)
        self.sandbox.reset("faults")
        m.request("POST", "/v1/payouts", json=PAYOUT,
                  key=caught.exception.call.idempotency_key)

    def test_an_error_goes_to_another_process(self):
        m = self.open()
        self.sandbox.fault({"status": 429, "headers": [["Retry-After", "7"]]})
        with self.assertRaises(monime.Limit) as caught:
            m.check_token(self.sandbox.token())
        other = pickle.loads(pickle.dumps(caught.exception))
        self.assertIs(type(other), monime.Limit)
        self.assertEqual(str(other), str(caught.exception))
        self.assertEqual((other.code, other.status, other.retry_after),
                         (monime.MONIME_ELIMIT, 429, 7))
        self.assertEqual(other.http_status, 503)


class Webhooks(Case):
    SECRET = "canary-webhook-secret-of-32-bytes!"
    BODY = b'{"event":{"name":"payment.completed"}}'

    def setUp(self):
        super().setUp()
        profile(self.etc, "test/hook", PROFILE % self.sandbox.origins[
            "monime"] + 'webhook = { secrets = [ "%s" ]; };\n' % self.SECRET)
        self.m = self.open("test/hook")

    def signature(self, body, ago=0):
        moment = str(int(time.time()) - ago)
        mac = hmac.new(self.SECRET.encode(), moment.encode() + b"_" + body,
                       hashlib.sha256).digest()
        return "t=%s,v1=%s" % (moment, base64.b64encode(mac).decode())

    def test_signed_by_the_provider(self):
        signature = self.signature(self.BODY)
        self.m.verify_webhook(signature, self.BODY)
        self.m.verify_webhook(signature.encode(), self.BODY.decode())
        self.m.verify_webhook(signature, memoryview(self.BODY))

    def test_a_nul_hides_nothing(self):
        body = b'{"a":1}\0{"b":2}'
        self.m.verify_webhook(self.signature(body), body)
        with self.assertRaises(monime.Denied):
            self.m.verify_webhook(self.signature(b'{"a":1}'), body)

    def test_not_signed_by_the_provider(self):
        for signature, body in (
                (self.signature(self.BODY), self.BODY + b" "),
                (self.signature(self.BODY, 4000), self.BODY),
                (None, self.BODY), ("", self.BODY), ("\ud800", self.BODY)):
            with self.assertRaises(monime.Denied) as caught:
                self.m.verify_webhook(signature, body)
            self.assertEqual(caught.exception.http_status, 401)
            self.assertTrue(str(caught.exception))

    def test_a_profile_without_secrets(self):
        with self.assertRaises(monime.Config):
            self.open().verify_webhook(self.signature(self.BODY), self.BODY)


class Logs(Case):
    def test_lines_go_to_the_function_until_it_is_taken_away(self):
        m, lines = self.open(), []
        m.set_log(lambda level, line: lines.append((level, line)),
                  syslog.LOG_INFO)
        with self.assertRaises(monime.Denied):
            m.check_token("nonsense")
        self.assertEqual(len(lines), 1)
        self.assertLessEqual(lines[0][0], syslog.LOG_INFO)
        self.assertIn("test/check", lines[0][1])
        m.set_log(None)
        with self.assertRaises(monime.Denied):
            m.check_token("nonsense")
        self.assertEqual(len(lines), 1)

    def test_a_warning_of_the_opening_comes_at_once(self):
        profile(self.etc, "test/old", PROFILE % self.sandbox.origins[
            "monime"] + 'rotate_by = "2020-01-01";\n' + ALLOW,
            self.sandbox.tokens["test"])
        lines = []
        self.open("test/old").set_log(lambda *line: lines.append(line))
        self.assertEqual([level for level, _ in lines], [syslog.LOG_WARNING])
        self.assertIn("rotate_by", lines[0][1])

    def test_lines_go_to_a_logger(self):
        m = self.open()
        m.set_log(monime.to_logger(logging.getLogger("here")),
                  syslog.LOG_DEBUG)
        with self.assertLogs("here", logging.DEBUG) as told:
            m.check_token(self.sandbox.token())
        self.assertIn("test/check", told.output[0])
        self.assertEqual(told.records[0].levelno, logging.DEBUG)

    def test_garbage_of_a_log_function_is_freed_behind_it(self):
        m = self.open()
        token = self.sandbox.token()

        def log(level, line):
            # Here nothing may go back into the library.
            self.garbage.append(self.garbage)
            self.garbage = None
            gc.collect()
            self.waiting = len(monime._late)
        self.garbage = [monime.open("test/check", folder=self.etc),
                        m.check_token(token)]
        m.set_log(log, syslog.LOG_INFO)
        with self.assertRaises(monime.Denied):
            m.check_token("nonsense")
        self.assertEqual(self.waiting, 2)
        m.check_token(token)
        self.assertEqual(monime._late, [])


if __name__ == "__main__":
    unittest.main()
