# SPDX-License-Identifier: MIT
"""Two profiles of different environments in one process, under load: no
request, token or Space of one is ever seen in the place of the other's."""

import re

import support
from table import must, row
from victim import Victim

SECONDS = 2
# Which list was asked for tells for whom: victim.c.
LIMITS = {"11": ("test", "spc-sandbox"), "12": ("live", "spc-live")}


def run(sandbox):
    attack = "test and live in one process, four threads"
    if not support.ROOT:
        print("  SKIP    environments: live files are root's")
        return
    etc = sandbox.profiles()
    for name in ("test", "live"):
        # Asked about again and again, so that there is something to cross.
        path = "%s/%s/payouts.conf" % (etc, name)
        with open(path, "a", encoding="utf-8") as file:
            file.write('check = { ttl = "100 ms"; negative_ttl = "0 s";'
                       ' probe_rate = 5000; };\n')
    sandbox.reset("log")
    victim = Victim(etc)
    try:
        good, wrong = map(int, victim.ask(
            "load", SECONDS, sandbox.tokens["test"], sandbox.tokens["live"]))
    finally:
        victim.stop()
    must(wrong == 0 and good > 100, attack, "%d of %d" % (wrong, good))
    asked = 0
    for r in sandbox.requests():
        found = re.match(r"/v1/financial-accounts\?limit=(11|12)$",
                         r["target"])
        spaces = [v for n, v in r["headers"] if n == "Monime-Space-Id"]
        if found:
            asked += 1
            must((r["token"], spaces) == (LIMITS[found[1]][0],
                                          [LIMITS[found[1]][1]]), attack,
                 "%r" % r["head"])
        for name, space in LIMITS.values():
            must(r["token"] != name or spaces in ([], [space]), attack,
                 "%r" % r["head"])
        must(r["token"] in ("test", "live"), attack, "%r" % r["head"])
    must(asked > 100, attack, "%d requests" % asked)
    row(attack, good, "0 wrong; %d requests seen by the API, each as it "
        "must be" % asked)
