# SPDX-License-Identifier: MIT
"""Hostile servers against the library: no yes, no success, little memory, and
an end in time."""

import hostile
from support import profile
from table import must, row
from victim import Victim

CHECK_MS, REQUEST_MS = 300, 400
SLACK_MS = 2000
ANSWER_KIB = 1024

# Beside what an answer may hold: what a connection needs.
MEMORY_KIB = 3 * ANSWER_KIB + 4096

# monime.h: what a call may end with when a server lies.
NOBODY_KNOWS = {-6, -7, -8, -9}

PROFILE = """\
provider = "monime";
space = "spc-sandbox";
base_url = "%s";
confirm_environment = false;
max_answer = "%d KiB";
retry = { attempts = 1; };
timeout = "%d ms";
connect_timeout = "%d ms";
check = { timeout = "%d ms"; probes = 512; probe_rate = 5000; };
"""


def write_profile(sandbox, etc, origin, name):
    profile(etc, "test/" + name, PROFILE % (
        origin, ANSWER_KIB, REQUEST_MS, REQUEST_MS, CHECK_MS),
        sandbox.tokens["test"])
    return "test/" + name


def attack(victim, name, profile_name, sandbox):
    """A check, a read and two writes, of which none may come to anything."""
    victim.forget_peak()
    before = victim.memory("VmRSS")
    questions = (
        ("check", profile_name, sandbox.unknown()),
        ("request", profile_name, "GET", "/v1/payouts"),
        ("request", profile_name, "POST", "/v1/payouts"),
        ("request", profile_name, "PATCH", "/v1/payouts/pot-1"))
    longest = answers = 0
    for question in questions:
        code, ms, *_ = victim.ask(*question)
        what = "%s: %s after %s ms" % (" ".join(question[::2]), code, ms)
        # A 200 is an answer to whoever asked for anything but a verdict.
        lied = int(code) == 0 and question[0] == "request" and \
            name in PLAUSIBLE
        must(int(code) in NOBODY_KNOWS or lied, name, what)
        limit = CHECK_MS if question[0] == "check" else REQUEST_MS
        must(int(ms) <= limit + SLACK_MS, name, what)
        longest = max(longest, int(ms))
        answers += lied
    grown = victim.memory() - before
    must(grown <= MEMORY_KIB, name, "%d KiB more" % grown)
    row(name, len(questions), "%s; %d ms at most, %+d KiB" % (
        "no verdict; %d answers like others" % answers if answers else
        "unknown", longest, grown))


# Answers that are well formed: a server may say so, and only a verdict needs
# more than that.
PLAUSIBLE = {
    "gzip, not asked for", "gzip of gzip, not asked for",
    "deflate, not asked for", "raw deflate, not asked for",
    "a thousand encodings", "a yes that is packed", "gzip as transfer coding",
}


# How much a server may say before it is hung up on, buffers of the kernel
# included; but what is no part of an answer only the deadline ends.
HEARD = 16 * 1024 * 1024
HEARD_OUT = {"endless chunk extension"}


def run(sandbox):
    etc = sandbox.profiles()
    server = hostile.Server(sandbox)
    process, port = hostile.insisting(sandbox)
    name = write_profile(sandbox, etc, server.origin, "hostile")
    alpn = write_profile(sandbox, etc, "https://localhost:%d" % port, "alpn")
    victim = Victim(etc)
    try:
        # What each handle needs once is no attack's.
        server.be("http", hostile.once(hostile.whole(b"{}")))
        for question in (("check", name, sandbox.unknown()),
                         ("request", name, "GET", "/v1/payouts"),
                         ("check", alpn, sandbox.unknown())):
            victim.ask(*question)
        descriptors = victim.descriptors()
        for kind, rows in (("http", hostile.ANSWERS), ("h2", hostile.FRAMES),
                           ("raw", hostile.HELLOS)):
            for what, act in rows:
                server.be(kind, act)
                attack(victim, what, name, sandbox)
                must(server.part.met > 0, what, "the server was never asked")
                must(server.part.taken <= HEARD or what in HEARD_OUT, what,
                     "%d bytes were listened to" % server.part.taken)
        attack(victim, "HTTP/2 or no handshake (ALPN)", alpn, sandbox)
        server.be("http", hostile.once(hostile.whole(hostile.YES)))
        code, _ = victim.ask("check", name, "mon_test_canary_good_at_last")
        must(code == "0", "afterwards", "an honest yes is %s" % code)
        left = victim.descriptors() - descriptors
        must(left <= 2, "afterwards", "%d descriptors more" % left)
        row("an honest answer, afterwards", 1,
            "yes; %+d descriptors since the beginning" % left)
    finally:
        victim.stop()
        server.stop()
        process.terminate()
        process.communicate()
