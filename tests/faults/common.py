# SPDX-License-Identifier: MIT
"""What the sweeps of whole programs share: inject.so's block, and rows."""

import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(TESTS, "host"))

from support import BUILD  # noqa: E402

INJECT = os.path.join(BUILD, "tests", "faults", "inject.so")
ALL = os.environ.get("MONIME_FAULTS") == "all"

# inject.h
ALLOC_OURS, CALL_OURS, OPEN_OURS, ALLOC_OTHERS, ALLOC_TLS, ALLOC_HOST = (
    1 << bit for bit in range(6))

WORDS = ("armed", "kinds", "at", "lasting", "how", "count", "failed",
         "tracking")
BLOCK = struct.Struct("<8Iq6i9I64s128s")


def steps(points, sample, turn):
    """The points that are tried of so many: all, or by default a sample that
    is another one each turn."""
    step = 1 if ALL or not sample or points <= sample else points // sample
    return range(1 + turn % step, points + 1, step)


class Row:
    """What became of one scenario with one kind of fault."""

    def __init__(self, scenario, kind, points):
        self.scenario, self.kind, self.points = scenario, kind, points
        self.tried = self.crashes = 0
        self.results = {}

    def count(self, result):
        self.tried += 1
        self.results[result] = self.results.get(result, 0) + 1

    def wrong(self, at, what, why):
        say("wrong", self.scenario, self.kind, at, what, "", why)

    def crash(self, at, what, why):
        self.tried += 1
        self.crashes += 1
        say("crash", self.scenario, self.kind, at, what, "", why)

    def tell(self):
        say("row", self.scenario, self.kind, self.points, self.tried,
            ",".join("%s:%d" % pair for pair in sorted(self.results.items())),
            self.crashes, 0)


def say(*fields):
    """A line as faults.c writes them."""
    print(*(" ".join(str(f).split()) for f in fields), sep="\t", flush=True)
