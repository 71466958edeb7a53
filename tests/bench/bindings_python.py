#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a remembered check costs in Python, beside the same in C.

tests/bench/run starts it and tells it its surroundings.  Python's turns and
those of a program in C take turns, a few milliseconds each, and what counts is
the processor's time: neither waits for anything.
"""

import asyncio
import ctypes
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
PAIRS = 31 if os.environ.get("BENCH") == "quick" else 301
CHECKS = 2000
# The server takes it, as whatever begins like this.
TOKEN = "mon_test_%031d" % 0

# Then it is this one that monime.py finds by its soname.
ctypes.CDLL(os.path.join(BUILD, "libmonime.so.0"))
sys.path.insert(0, os.path.join(TREE, "module", "python"))

import monime  # noqa: E402


class Peer:
    """remembered.c"""

    def __init__(self):
        self.process = subprocess.Popen(
            (os.path.join(BUILD, "tests", "bench", "remembered"), TOKEN),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def turn(self, what):
        self.process.stdin.write("%s %d\n" % (what, 10 * CHECKS))
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit("remembered: status %d" % self.process.returncode)


def timed(do):
    start = time.thread_time_ns()
    do()
    return (time.thread_time_ns() - start) / CHECKS


def figure(what, unit, values):
    lower, median, upper = statistics.quantiles(values, n=4)
    print("figure\t%s\t%s\t\t%r\t%r\t%r" % (what, unit, median, lower, upper),
          flush=True)


def main():
    handle = monime.open("test/check", folder=os.environ["BENCH_FOLDER"])
    if handle.check_token(TOKEN).source != "network" or \
            handle.check_token(TOKEN).source != "cache":
        sys.exit("the verdict is not remembered")
    loop = asyncio.new_event_loop()

    def waited():
        for _ in range(CHECKS):
            handle.check_token(TOKEN)

    async def checks():
        for _ in range(CHECKS):
            await handle.check_token_async(TOKEN)

    def code():
        for _ in range(CHECKS):
            monime.http_status(0)

    peer = Peer()
    sides = {
        "plain": lambda: peer.turn("plain"),
        "call": lambda: peer.turn("call"),
        "waited": lambda: timed(waited),
        "awaited": lambda: timed(lambda: loop.run_until_complete(checks())),
        "code": lambda: timed(code),
    }
    took = {name: [] for name in sides}
    for i in range(PAIRS + 3):
        order = list(sides) if i % 2 else list(sides)[::-1]
        for name in order:
            value = sides[name]()
            # The first ones warm up.
            if i >= 3:
                took[name].append(value)
    peer.stop()
    loop.close()
    handle.close()

    def ratio(over, under):
        return [a / b for a, b in zip(took[over], took[under])]
    figure("a remembered verdict in Python, time against C's", "ratio",
           ratio("waited", "call"))
    figure("  against C's without a call", "ratio", ratio("waited", "plain"))
    figure("  awaited, against C's", "ratio", ratio("awaited", "call"))
    figure("  check_token()", "ns", took["waited"])
    figure("  await check_token_async()", "ns", took["awaited"])
    figure("  monime_check_token() with a call, in C", "ns", took["call"])
    figure("  monime_check_token() without, in C", "ns", took["plain"])
    figure("  ctypes alone: http_status()", "ns", took["code"])


if __name__ == "__main__":
    main()
