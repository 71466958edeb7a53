# SPDX-License-Identifier: MIT
"""The tokens of a soak and what may be answered to each, in a file that the
program in C reads while it grows: struct table of soak.c."""

import mmap
import os
import struct
import threading
import time

HEAD, SLOT, SLOTS = 64, 128, 65536
GOOD, BEING_REVOKED = 0, 1

# The profiles that check, by their bit in a slot.
PROFILES = ("test/one", "test/two")
SPACES = ("spc-sandbox", "spc-two")

# A remembered yes lives for so long, and not a moment more.
TTL = 2.0
RECENT = 24


class Token:
    def __init__(self, literal, opens, number):
        self.literal, self.opens, self.number = literal, opens, number
        self.state = GOOD

    def may_be_let_in(self, profile, began):
        """Whether a yes to a question that began then can be right."""
        return bool(self.opens >> profile & 1) and (
            self.state <= BEING_REVOKED or
            began <= self.state / 1e9 + TTL)

    def must_not_be_refused(self, profile):
        return bool(self.opens >> profile & 1) and self.state == GOOD


class Tokens:
    def __init__(self, sandbox, path, chance):
        self.sandbox, self.path, self.chance = sandbox, path, chance
        self.all = []
        self.lock = threading.Lock()
        self.revoked = 0
        with open(path, "xb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.truncate(HEAD + SLOT * SLOTS)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)
        self._never_good()
        for _ in range(RECENT):
            self.grant()

    def _never_good(self):
        """Those that nobody knows, and those that are somebody else's."""
        for _ in range(40):
            self._add(self.sandbox.unknown(), 0)
        names = ("live", "stranger_test", "stranger_live", "revoked_test")
        for name in names:
            self._add(self.sandbox.tokens[name], 0)

    def _add(self, literal, opens):
        token = Token(literal, opens, len(self.all))
        at = HEAD + SLOT * token.number
        self.memory[at:at + SLOT] = struct.pack(
            "<QB7x112s", GOOD, opens, literal.encode())
        self.all.append(token)
        # What is counted is there already.
        self.memory[:8] = struct.pack("<Q", len(self.all))
        return token

    def grant(self):
        with self.lock:
            opens = self.chance.choice((1, 1, 2, 3, 3))
            spaces = [space for i, space in enumerate(SPACES)
                      if opens >> i & 1]
            return self._add(self.sandbox.token(spaces=spaces), opens)

    def _mark(self, token, state):
        token.state = state
        at = HEAD + SLOT * token.number
        self.memory[at:at + 8] = struct.pack("<Q", state)

    def revoke(self, token):
        """Nobody can say what is right until the API has been told."""
        with self.lock:
            self._mark(token, BEING_REVOKED)
            self.sandbox.control("/revoke", {"token": token.literal})
            self._mark(token, time.monotonic_ns())
            self.revoked += 1

    def rotate(self):
        """A new one comes, the oldest that is good goes."""
        self.grant()
        self.revoke(next(t for t in self.all
                         if t.opens and t.state == GOOD))

    def pick(self, chance):
        some = self.all[-RECENT:] if chance.random() < 0.5 else self.all
        return chance.choice(some)

    def good(self, profile):
        """The newest that is good there."""
        return next(t for t in reversed(self.all)
                    if t.must_not_be_refused(profile))
