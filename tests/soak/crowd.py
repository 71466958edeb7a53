# SPDX-License-Identifier: MIT
"""Clients of a web server that check what they are answered, and others that
pay through it."""

import collections
import json
import random
import socket
import sys
import threading
import time

from client import Client, bearer, request

YES, NO, UNKNOWN = "yes", "no", "unknown"

# Seconds after each question of a client, and after each payment, which the
# sandbox keeps.
PACE, PAY_PACE = 0.002, 0.1

# What one profile lets nobody but its own bearers do.
PATHS = ("/one", "/two")


class Crowd:
    """All clients of one server, and what they saw."""

    def __init__(self, name, server, tokens, seed, stop):
        self.name, self.server, self.tokens = name, server, tokens
        self.stop = stop
        self.seen = collections.Counter()
        # {what was to be paid: whether the server said that it was}
        self.payments = {}
        self.threads = [
            threading.Thread(target=self._run, args=(work, "%s-%s-%d" % (
                seed, name, i)), daemon=True)
            for i, work in enumerate((self._check, self._check, self._pay))]

    def start(self):
        for thread in self.threads:
            thread.start()

    def join(self, seconds):
        for thread in self.threads:
            thread.join(seconds)
            if thread.is_alive():
                self.wrong("ours", "a client of %s does not end" % self.name)

    def wrong(self, kind, what):
        self.seen[kind] += 1
        print("soak: %s: %s" % (self.name, what), file=sys.stderr)

    def _run(self, work, seed):
        """Ask until all is over, on a new connection where one was lost: a
        worker that is killed takes its own with it."""
        chance = random.Random(seed)
        client = None
        while not self.stop.is_set():
            try:
                if client is None:
                    client = self.server.client(chance.choice((0, 2)))
                answer = work(client, chance)
                if answer.one("Connection") == "close" or \
                        chance.random() < 0.001:
                    client.close()
                    client = None
            except (OSError, ValueError, IndexError) as error:
                self.seen["lost"] += 1
                if isinstance(error, socket.timeout):
                    self.wrong("ours", "no answer")
                if client is not None:
                    client.abort()
                client = None
            time.sleep(PACE)
        if client is not None:
            client.close()

    # Who asks to be let in.

    def _check(self, client, chance):
        token = self.tokens.pick(chance)
        profile = chance.randrange(len(PATHS))
        began = time.monotonic()
        answer = client.ask(PATHS[profile], bearer(token.literal))
        self.judge(token, profile, began, answer)
        return answer

    def judge(self, token, profile, began, answer):
        what = "token %d, %s: %r" % (token.number, PATHS[profile], answer)
        if answer.status == 200:
            self.seen["checks-yes"] += 1
            if not token.may_be_let_in(profile, began):
                self.wrong("wrong-in", what)
        elif answer.status in (401, 403):
            self.seen["checks-no"] += 1
            if token.must_not_be_refused(profile):
                self.wrong("wrong-out", what)
        elif answer.status == 503:
            self.seen["checks-unknown"] += 1
        else:
            self.wrong("ours", what)

    # Who pays.

    def _pay(self, client, chance):
        token = self.tokens.good(0)
        identity = "%s-%d" % (self.name, len(self.payments))
        keyed = chance.random() < 0.75
        self.payments[identity] = UNKNOWN
        client.send(request(
            "/v1/payouts" if keyed else "/v1/financial-accounts/fac-sandbox",
            bearer(token.literal), "Content-Type: application/json",
            "Idempotency-Key: " + identity, method="POST" if keyed else
            "PATCH", body=json.dumps({"soak": identity}).encode()))
        answer = client.read()
        if answer.status < 300:
            self.payments[identity] = YES
        elif answer.status in (401, 403):
            self.payments[identity] = NO
            if token.must_not_be_refused(0):
                self.wrong("wrong-out", "a payment: %r" % answer)
        elif answer.status == 400:
            self.wrong("ours", "a payment: %r" % answer)
        self.seen["writes-" + self.payments[identity]] += 1
        time.sleep(PAY_PACE)
        return answer
