# SPDX-License-Identifier: MIT
"""Secrets that can be found again, in whatever form they went somewhere."""

import base64
import re
import secrets
import string

# So much of what is random in a secret is taken for the secret.
PREFIX = 8

LETTERS = string.ascii_letters + string.digits


def drawn(size=24):
    return "".join(secrets.choice(LETTERS) for _ in range(size))


def hexadecimal(data):
    """However the bytes are set apart."""
    return {before.encode() + between.encode().join(
        b"%02x" % byte for byte in data) for before, between in (
            ("", ""), ("", " "), ("", ":"), ("", "-"), ("", ", 0x"),
            ("%", "%"), ("\\x", "\\x"), ("\\u00", "\\u00"))}


def based(data):
    """The digits that all its bytes alone decide, wherever it begins."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data).rstrip(b"=")
        whole = (shift + len(data)) * 8 // 6
        yield text[-(-shift * 8 // 6):whole][:12]


class Canary:
    """A secret, and a name that may be told.  All its forms are sought without
    regard to case: one that was folded is none the less one."""

    def __init__(self, name, literal):
        self.name, self.literal = name, literal
        self.random = re.search(r"[A-Za-z0-9]+$", literal)[0].encode()
        assert len(self.random) > PREFIX, name
        piece = self.random[:PREFIX]
        self.plain = piece.lower()
        self.forms = {self.plain, piece[::-1].lower(), b"\0".join(
            piece[i:i + 1] for i in range(PREFIX)).lower()}
        self.forms |= {f.lower() for f in hexadecimal(piece)}
        self.forms |= {f.lower() for f in based(self.random)}
        self.forms |= {f.lower().translate(bytes.maketrans(b"+/", b"-_"))
                       for f in based(self.random)}


class Flock:
    def __init__(self):
        self.all = []

    def add(self, name, literal):
        self.all.append(Canary(name, literal))
        return literal

    def token(self, name, environment="test"):
        """One of Monime's kind."""
        return self.add(name, "mon_%scanary_%s" % (
            "test_" if environment == "test" else "", drawn()))

    def secret(self, name):
        return self.add(name, "canary_" + drawn())

    def within(self, data):
        """The names of those that are in the bytes, in any form."""
        folded = data.lower()
        return sorted({c.name for c in self.all
                       if any(form in folded for form in c.forms)})

    def drawn(self, name, before):
        """The end of a secret that somebody else writes the beginning of."""
        end = drawn()
        self.add(name, before + end)
        return end

    def places(self, data):
        """(name, offset) of each that stands there as it is."""
        folded = data.lower()
        for c in self.all:
            at = folded.find(c.plain)
            while at >= 0:
                yield c.name, at
                at = folded.find(c.plain, at + 1)
