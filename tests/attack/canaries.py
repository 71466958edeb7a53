# SPDX-License-Identifier: MIT
"""Unique secrets go through everything at its highest log level, in good days
and bad ones; then they are sought in all that was said, and in all that anybody
may have kept: logs, messages, answers, arguments, environments, files, shared
memory.  What a host writes by itself is told by name."""

import base64
import os
import re
import subprocess
import threading
import time
import urllib.parse

import image
import support
from canary import Flock
from stage import Stage, signature
from support import PATIENCE
from table import must, row

# Where somebody might leave a file, beside its own folders.
ANYWHERE = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/var/lib", "/var/log",
            "/var/cache", "/var/spool")
LARGE = 64 * 1024 * 1024

# What the servers write by themselves, with which directive, and of whom.  No
# secret of the host is ever among it.
VISITORS = {"a visitor's token", "a bad token", "a token in an outage",
            "a token after an outage", "a token of the other environment"}
THEIRS = {
    "nginx": (
        (r"\[debug\].* http header: \"Authorization: ",
         "error_log debug of requests"),
    ),
    "apache": (
        (r"\[http:trace4\].* +Authorization: ",
         "trace4 of requests"),
    ),
}
DUMPED = re.compile(rb"\[ssl:trace\d\].*\| [0-9a-f]{4}: ((?:[0-9a-f]{2}[ -])+)")


def lines_of(data, flock):
    """(line, names) of the lines with any of them."""
    if not flock.within(data):
        return
    for line in data.split(b"\n"):
        names = flock.within(line)
        if names:
            yield line.decode("utf-8", "backslashreplace"), names


def dumped(data):
    """The bytes that a server has written in columns of sixteen."""
    return b"".join(bytes.fromhex(m[1].replace(b"-", b" ").decode())
                    for m in DUMPED.finditer(data))


def contents(path):
    try:
        with open(path, "rb") as file:
            return file.read(LARGE)
    except OSError:
        return b""  # it has gone, or is no file


class Sampler(threading.Thread):
    """The arguments and the environment of every process that we started, and
    of theirs, again and again; and what files they have open that nobody else
    can open any more."""

    def __init__(self, flock):
        super().__init__(daemon=True)
        self.flock, self.found, self.seen = flock, set(), set()
        self.looks, self.over = 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            self.look()
            self.over.wait(0.002)

    @staticmethod
    def family():
        parents = {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            stat = contents("/proc/%s/stat" % name)
            if b")" in stat:
                parents[int(name)] = int(stat.rpartition(b")")[2].split()[1])
        family = {os.getpid()}
        while True:
            more = {p for p, parent in parents.items() if parent in family}
            if more <= family:
                return family - {os.getpid()}
            family |= more

    def look(self):
        for pid in self.family():
            for name in ("cmdline", "environ"):
                text = contents("/proc/%d/%s" % (pid, name))
                self.seen.add((name, text))
            self.files(pid)
        self.looks += 1

    def files(self, pid):
        folder = "/proc/%d/fd" % pid
        try:
            names = os.listdir(folder)
        except OSError:
            return
        for name in names:
            path = os.path.join(folder, name)
            try:
                target = os.readlink(path)
            except OSError:
                continue
            if target.endswith(" (deleted)") and not target.startswith(
                    "/dev/zero"):
                self.seen.add((target, contents(path)))

    def end(self):
        self.over.set()
        self.join()
        self.look()
        return [(name, names) for name, text in self.seen
                for names in [self.flock.within(text)] if names]


def left_behind(folders, since, flock, but=()):
    """(how many were read, files with any of them) of what is new there."""
    read, found = 0, []
    for folder in folders:
        for place, names, files in os.walk(folder):
            # What somebody mounts there meanwhile, /proc even, is not new.
            names[:] = [n for n in names
                        if os.path.join(place, n) not in but
                        and not os.path.ismount(os.path.join(place, n))]
            for name in files:
                path = os.path.join(place, name)
                try:
                    status = os.lstat(path)
                except OSError:
                    continue
                if status.st_mtime < since or not os.path.isfile(path):
                    continue
                read += 1
                inside = flock.within(contents(path))
                if inside:
                    found.append((path, inside))
    return read, found


def shared(pids, flock):
    """What processes share: the tables of verdicts, above all."""
    size, found = 0, []
    for name, pid in pids.items():
        for region, data in image.read(pid):
            if region.mode[3] == "s" or region.kind == "shared":
                size += len(data)
                found += [(name, region.name, n) for n in flock.within(data)]
    return size, found


def each(stage, what, wanted, *arguments):
    """Ask it of all who can do that."""
    asked = 0
    for player in stage.players:
        if hasattr(player, what):
            got = getattr(player, what)(*arguments)
            must(got == wanted, "canaries: %s of %s" % (what, player.name),
                 "%s, not %s\n%s" % (got, wanted, "\n".join(
                     player.said[-3:])))
            asked += 1
    return asked


def drive(stage):
    """Good, refused, in an outage, after a rotation."""
    sandbox, asked = stage.sandbox, 0
    for what in ("use", "fetch", "inline"):
        asked += each(stage, what, "yes")
    asked += each(stage, "check", "yes", stage.visitor)
    asked += each(stage, "check", "no", stage.bad)
    asked += each(stage, "check", "no", stage.other)
    asked += each(stage, "hook", "yes", signature(stage.hook))
    asked += each(stage, "hook", "no", signature(stage.bad))
    good, wrong = stage.threads.crowd(*stage.pair)
    must(wrong == 0, "canaries", "%d wrong" % wrong)
    asked += good
    for fault in ({"status": 503}, {"drop": "status"}, {"garbage": True}):
        sandbox.fault(dict(fault, times=-1, token=stage.later))
        asked += each(stage, "check", "unknown", stage.later)
        sandbox.reset("faults")
    sandbox.control("/revoke", {"token": "oauth"})
    stage.rotate()
    for player in stage.players:
        player.again()
    asked += each(stage, "use", "yes")
    asked += each(stage, "check", "yes", stage.after)
    for player in stage.players:
        if hasattr(player, "look_around"):
            player.look_around()
            must(player.exchange(stage.written) == "yes", "canaries",
                 player.said[-1])
    return asked


def search_logs(stage):
    """Lines of ours; those of a server that are named above."""
    size = dumps = 0
    for player in stage.players:
        kinds = {}
        ours = getattr(getattr(player, "server", None), "OURS", "")
        for path in player.logs():
            data = contents(path)
            size += len(data)
            for line, names in lines_of(data, stage.flock):
                must(not ours or ours not in line, "canaries in logs", line)
                known = [why for pattern, why in THEIRS.get(player.name, ())
                         if re.search(pattern, line)]
                must(known and set(names) <= VISITORS, "canaries in logs",
                     "%s: %s: %s" % (path, names, line))
                kinds.setdefault(known[0], []).append(names)
            dump = dumped(data)
            must(not stage.flock.within(dump), "canaries in logs",
                 "%s: in what it dumps" % path)
            dumps += len(dump)
        for why, lines in sorted(kinds.items()):
            row("%s itself: %s" % (player.name, why), len(lines),
                "tokens of visitors alone; %d kinds" % len(
                    set(sum(lines, []))))
    must(dumps > 1000, "canaries in logs", "mod_ssl dumps nothing")
    row("canaries in logs at their highest level", len(stage.players),
        "0 in lines of ours, in %d KiB of logs" % (size // 1024))


def search_said(stage):
    number = size = 0
    for player in stage.players:
        for text in player.said:
            names = stage.flock.within(text.encode())
            must(not names, "canaries in what is said", "%s: %s: %s" % (
                player.name, names, text))
            number, size = number + 1, size + len(text)
    row("canaries in messages, answers and output", number,
        "0 in %d KiB" % (size // 1024))


def search_traces(stage):
    """All that the short-lived ones executed and opened."""
    executed = opened = 0
    for player in stage.players:
        for path in getattr(player, "traces", ()):
            data = contents(path)
            names = stage.flock.within(data)
            must(not names, "canaries in arguments", "%s: %s" % (
                path, names))
            executed += data.count(b"execve")
            opened += data.count(b"open")
            made = [line for line in data.split(b"\n") if
                    b"O_CREAT" in line or b"memfd" in line or
                    b"O_TMPFILE" in line]
            for line in made:
                # monime set-token, below the folder that it writes into.
                must(b'".set-token.' in line, "canaries",
                     "a file is made: %r" % line)
    must(executed >= 20, "canaries", "%d programs" % executed)
    row("canaries in arguments, environment, names", executed,
        "0; %d files opened, none made but by set-token" % opened)


def search(stage, sampler, since):
    found = sampler.end()
    must(not found, "canaries in /proc", "%s" % found)
    must(sampler.looks > 50, "canaries in /proc", "%d looks" % sampler.looks)
    row("canaries in /proc/*/cmdline, environ, fd", len(sampler.seen),
        "0, in %d looks at all processes" % sampler.looks)
    search_logs(stage)
    search_said(stage)
    search_traces(stage)
    pids = {name: pid for player in stage.players
            for name, pid in player.pids().items()}
    size, found = shared(pids, stage.flock)
    must(not found, "canaries in shared memory", "%s" % found)
    must(size > 512 * 1024, "canaries in shared memory", "%d bytes" % size)
    row("canaries in shared memory", len(pids), "0 in %d KiB: the tables of "
        "verdicts, and what hosts share" % (size // 1024))
    theirs = {path for player in stage.players for path in player.logs()}
    read, found = left_behind(
        ANYWHERE, since, stage.flock, {stage.etc})
    found = [(path, names) for path, names in found if path not in theirs]
    must(not found, "canaries in files", "%s" % found)
    row("canaries in files made meanwhile", read, "0 in any folder that is "
        "written to")


# A process that does all that it must not.
BAIT = """
import mmap, os, sys
secret = os.environ["SECRET"].encode()
shared = mmap.mmap(-1, 4096)
shared.write(secret)
path = os.path.join(sys.argv[1], "bait.gone")
file = open(path, "wb+", 0)
file.write(secret)
os.unlink(path)
print("ready", flush=True)
sys.stdin.read()
"""


def forms(token):
    """As somebody could write it who means well."""
    yield "as it is", token
    yield "a prefix", "token=%s..." % token[:len("mon_test_canary_") + 8]
    yield "another case", token.swapcase()
    yield "from its end", token[::-1]
    yield "URL-encoded", "".join("%%%02X" % ord(c) for c in token)
    yield "quoted", urllib.parse.quote("Bearer " + token)
    yield "hexadecimal", token.encode().hex()
    yield "in columns", token.encode().hex(" ").upper()
    yield "escaped", "".join("\\x%02x" % ord(c) for c in token)
    for before in ("", ":", "a:"):
        yield "base64", base64.b64encode(
            (before + token + ":x").encode()).decode()
        yield "base64url", base64.urlsafe_b64encode(
            (before + token + "\xff?").encode("latin-1")).decode()
    yield "UTF-16", token.encode("utf-16").decode("latin-1")


def control(folder):
    """That each place is searched, and each form found."""
    attack = "a canary that is planted"
    flock = Flock()
    token = flock.token("planted")
    since = time.time() - 2
    found = 0
    for name, text in forms(token):
        line = "2026/01/01 [debug] 1#1: monime: test/pay: %s\n" % text
        data = b"nothing here\n" + line.encode("latin-1") + b"nor here\n"
        must(len(list(lines_of(data, flock))) == 1, attack, name)
        found += 1
    must(not list(lines_of(b"monime: mon_test_canary_\n", flock)), attack,
         "a word that is in all of them")
    columns = "".join("[ssl:trace7] | %04x: %s  text\n" % (
        at, token.encode()[at:at + 16].hex(" ")) for at in
        range(0, len(token), 16)).encode().replace(b"  text", b" - text")
    must(not flock.within(columns[:80]), attack, "columns")
    must(flock.within(dumped(columns)) == ["planted"], attack, "a dump")
    sampler = Sampler(flock)
    sampler.start()
    bait = subprocess.Popen(
        ["/usr/bin/python3", "-c", BAIT, folder, token], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "SECRET": token})
    try:
        must(bait.stdout.readline() == "ready\n", attack, "no bait")
        seen = {os.path.basename(name.split(" ")[0])
                for name, _ in sampler.end()}
        must(seen == {"cmdline", "environ", "bait.gone"}, attack, "%s" % seen)
        _, held = shared({"bait": bait.pid}, flock)
        must(held, attack, "in shared memory")
        must({f.kind for f in image.look(bait.pid, flock)} >= {
            "shared", "heap", "stack"}, attack, "in an image")
        found += len(seen) + 4
    finally:
        bait.stdin.close()
        bait.wait(PATIENCE)
        bait.stdout.close()
    for place in (folder, "/tmp", "/dev/shm"):
        path = os.path.join(place, "monime-planted.%d" % os.getpid())
        support.write_file(path, "x" + token.swapcase(), 0o600)
        try:
            _, files = left_behind([place], since, flock)
            must([path for path, _ in files] == [path], attack, place)
        finally:
            os.unlink(path)
        found += 1
    row(attack, found, "found in every place and form")


def run(sandbox):
    if not support.ROOT:
        print("  SKIP    canaries: only root sees all that is kept")
        return
    stage = Stage(sandbox)
    try:
        control(stage.folder)
        since = time.time() - 1
        sampler = Sampler(stage.flock)
        sampler.start()
        for begin in (stage.nginx, stage.apache, stage.program, stage.python,
                      stage.command, stage.login):
            begin()
        asked = drive(stage)
        row("canaries driven through %d kinds of hosts" % len(stage.players),
            asked, "%d secrets; good, refused, outage, rotation" % len(
                stage.flock.all))
        search(stage, sampler, since)
    finally:
        stage.stop()
