# SPDX-License-Identifier: MIT
"""Users of the same machine: one without rights who looks at the processes
that hold tokens; and somebody with rights, who stops and kills them."""

import json
import os
import random
import signal
import subprocess
import threading
import time

import kinds
import support
from client import bearer
from support import BUILD, PATIENCE
from table import must, row
from victim import Victim

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = os.environ.get("MONIME_ATTACK_SEED", "1")
NOBODY_ELSE = 54321  # a user of no name, who is neither root nor nginx
HTTP = """
    server {
        {plain}
        location = /worker { return 200 $pid; }
        location / {
            monime_profile test/gateway; monime_check on;
            try_files /page =404;
        }
    }
"""
CHECK = 'check = { ttl = "200 ms"; negative_ttl = "100 ms"; timeout = "1 s";' \
    ' probes = 512; probe_rate = 5000; };\n'


def stranger(folder, pids):
    done = subprocess.run(
        ["/usr/bin/python3", "-B", "-", folder, *map(str, pids)],
        stdin=open(os.path.join(HERE, "stranger.py"), encoding="utf-8"),
        stdout=subprocess.PIPE, check=True, timeout=PATIENCE, env={},
        user=NOBODY_ELSE, group=NOBODY_ELSE, extra_groups=[], cwd="/")
    return json.loads(done.stdout)


def own(folder):
    """At a process of their own they get all that: so they do try."""
    bait = subprocess.Popen(["/usr/bin/sleep", "60"], env={"A": "b"},
                            user=NOBODY_ELSE, group=NOBODY_ELSE,
                            extra_groups=[])
    try:
        seen = stranger(folder, [bait.pid])
    finally:
        bait.kill()
        bait.wait()
    got = {what.partition(": ")[2] for what in seen["got"]}
    wanted = {"mem", "environ", "maps", "fd", "ptrace", "process_vm_readv",
              "pidfd_getfd", "SIGSTOP", "SIGKILL"}
    must(wanted <= got, "another user, at a process of their own",
         "not got: %s" % sorted(wanted - got))
    row("another user, at a process of their own", seen["tried"],
        "%d got, as it should be" % len(seen["got"]))


def curious(sandbox, server, victim, etc):
    """The victim, a command that waits for its answer, nginx's master and its
    worker: all hold tokens now."""
    attack = "another user, at all that holds a token"
    sandbox.fault({"hold": True, "path": "/v1/banks"})
    command = subprocess.Popen(
        [os.path.join(BUILD, "monime"), "-C", etc, "request", "test/payouts",
         "GET", "/v1/banks"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, env=server.environment())
    try:
        sandbox.wait("held", 1)
        pids = {"victim": victim.pid, "command": command.pid,
                "nginx": server.process.pid,
                "worker": server.workers_now()[0]}
        seen = stranger(etc, pids.values())
        for pid in pids.values():
            for name in ("cmdline", "environ"):
                with open("/proc/%d/%s" % (pid, name), "rb") as file:
                    must(support.CANARY.encode() not in file.read(), attack,
                         "a token in %s" % name)
    finally:
        sandbox.release()
        command.communicate(timeout=PATIENCE)
    must(seen["got"] == [], attack, "got %s of %s" % (seen["got"], pids))
    must(not any(support.CANARY in text for text in seen["read"]), attack,
         "a token in what anybody may read")
    must(len(seen["read"]) > 4 * 8, attack, "almost nothing was looked at")
    row(attack, seen["tried"], "0 got; no token in %d things that anybody may "
        "read" % len(seen["read"]))


class Bearers(threading.Thread):
    """Bearers of one worker, who ask until they are told to stop."""

    def __init__(self, client, tokens, seed):
        super().__init__(daemon=True)
        self.client, self.tokens = client, tokens
        self.chance = random.Random(seed)
        self.stop = threading.Event()
        self.asked, self.unknown, self.longest, self.wrong = 0, 0, 0, []

    def run(self):
        while not self.stop.is_set():
            token, good = self.chance.choice(self.tokens)
            began = time.monotonic()
            status = self.client.ask("/", bearer(token)).status
            self.longest = max(self.longest, time.monotonic() - began)
            self.asked += 1
            if status == 503:
                self.unknown += 1
            elif status != (200 if good else 401):
                self.wrong.append((token, status))


def held(sandbox, server):
    """What one worker holds, when it is stopped or killed, holds up no other
    for longer than a check may take."""
    attack = "a worker stopped, for up to 1.5 s"
    clients = server.a_client_of_each_worker()
    patient, victim = sorted(clients)
    tokens = [(sandbox.token(), True) for _ in range(8)] + [
        (sandbox.unknown(), False) for _ in range(8)]
    others = Bearers(clients[patient], tokens, SEED)
    crowd = Bearers(clients[victim], tokens, "victim" + SEED)
    chance = random.Random("stops" + SEED)
    others.start()
    crowd.start()
    stops = 0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        os.kill(victim, signal.SIGSTOP)
        time.sleep(chance.choice((0.01, 0.03, 0.1, 1.5)))
        os.kill(victim, signal.SIGCONT)
        time.sleep(chance.uniform(0, 0.02))
        stops += 1
    crowd.stop.set()
    crowd.join(PATIENCE)
    must(not crowd.wrong and not others.wrong, attack, "%s %s" % (
        crowd.wrong, others.wrong))
    # The check's time-out, and that of somebody who waits in between.
    must(others.longest < 2.5, attack, "%.1f s" % others.longest)
    must(others.asked > 100, attack, "%d asked" % others.asked)
    row(attack, stops, "%d asked of the other, 0 wrong, %d unknown, %.2f s "
        "at most" % (others.asked, others.unknown, others.longest))
    others.asked, others.unknown, others.longest = 0, 0, 0
    attack = "a worker killed"
    kills = 0
    end = time.monotonic() + 2
    while time.monotonic() < end:
        found = [pid for pid in server.workers_now() if pid != patient]
        if not found:
            time.sleep(0.005)  # its master has yet to begin another
            continue
        # It holds what its bearers ask, or is just beginning.
        with server.client(2) as c:
            c.send(b"GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" % bearer(
                chance.choice(tokens)[0]).encode())
            time.sleep(chance.uniform(0, 0.05))
            try:
                os.kill(found[0], signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                pass  # its master has yet to hear of the last one
    others.stop.set()
    others.join(PATIENCE)
    must(not others.wrong, attack, "%s" % others.wrong)
    must(others.longest < 2.5, attack, "%.1f s" % others.longest)
    row(attack, kills, "%d asked of the other, 0 wrong, %d unknown, %.2f s "
        "at most" % (others.asked, others.unknown, others.longest))
    for c in clients.values():
        c.close()


def run(sandbox):
    if not support.ROOT:
        print("  SKIP    users: only root can be another user")
        return
    etc = sandbox.profiles()
    with open(os.path.join(etc, "test", "gateway.conf"), "a",
              encoding="utf-8") as file:
        file.write(CHECK)
    server = kinds.server_of("nginx")(
        sandbox, HTTP, etc=etc, level="notice", workers=2)
    server.tolerated = r"exited on signal 9\b"
    victim = Victim(etc)
    try:
        victim.ask("request", "test/payouts", "GET", "/v1/banks")
        with server.client(2) as c:
            c.ask("/", bearer(sandbox.tokens["test"]))
        own(etc)
        curious(sandbox, server, victim, etc)
        held(sandbox, server)
    finally:
        victim.stop()
        server.stop()
