# SPDX-License-Identifier: MIT
"""A table of attacks: what was tried, how often, and what came of it."""

import sys

SAID = []


class Failed(AssertionError):
    pass


def row(attack, attempts, result):
    SAID.append((attack, attempts, result))
    print("  %-44s %7d  %s" % (attack, attempts, result), flush=True)


def must(condition, attack, what):
    """What does not hold ends it, at once and by name."""
    if not condition:
        print("FAILED  %s: %s" % (attack, what), file=sys.stderr)
        raise Failed("%s: %s" % (attack, what))
