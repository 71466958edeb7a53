# SPDX-License-Identifier: MIT
"""What a look at PAM's map of fingerprints takes, counted in instructions: it
is the same however much of a fingerprint was right, and whose it is."""

import os
import re
import subprocess

import support
from support import BUILD, fingerprint, write_file
from table import must, row

PROGRAM = os.path.join(BUILD, "tests", "attack", "compare")
LINES = 50


def instructions(path, user, print_):
    done = subprocess.run(
        ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         "--collect-atstart=no", "--toggle-collect=mn_map_find", PROGRAM,
         path, user, print_), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, check=True, env={"PATH": "/usr/bin:/bin"})
    return done.stdout.strip(), int(re.search(
        r"Collected : (\d+)", done.stderr)[1])


def flipped(text, at):
    return text[:at] + "fedcba9876543210"[int(text[at], 16)] + text[at + 1:]


def run(sandbox):
    attack = "time of a fingerprint's compare"
    if not support.ROOT:
        print("  SKIP    comparison: PAM's map is root's")
        return
    mine = fingerprint("mine")
    path = os.path.join(sandbox.folder, "map")
    users = ["user%02d" % n for n in range(LINES)]
    write_file(path, "".join("%s:%s\n" % (
        user, mine if user == users[LINES // 2] else fingerprint(user))
        for user in users), 0o644)
    me, other = users[LINES // 2], users[-1]
    counted = {
        "first digit wrong": (me, flipped(mine, 0), "1 0"),
        "digit in the middle wrong": (me, flipped(mine, 16), "1 0"),
        "last digit wrong": (me, flipped(mine, 31), "1 0"),
        "all wrong": (me, fingerprint("none"), "1 0"),
        "right, of another user": (other, mine, "1 0"),
        "no such user": ("nobody", mine, "0 0"),
        "right": (me, mine, "1 1")}
    seen = {}
    for what, (user, print_, wanted) in counted.items():
        said, seen[what] = instructions(path, user, print_)
        must(said == wanted, attack, "%s: found %s" % (what, said))
    told = {seen[what] for what in seen if "user" not in what}
    must(len(told) == 1, attack, "%r" % seen)
    row(attack, len(counted) - 2, "%d instructions each, however much "
        "is right" % told.pop())
    spread = max(seen.values()) - min(seen.values())
    must(spread * 1000 <= max(seen.values()), attack, "%r" % seen)
    row("  whose it is, and who exists", len(counted),
        "%d instructions of %d differ" % (spread, max(seen.values())))
