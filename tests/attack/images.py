# SPDX-License-Identifier: MIT
"""What a core dump would have: who leaves copies of secrets in memory, as
packaging/SECURITY.md lists them, and nobody else; that what is guarded is in no
dump; and that those who hold the most dump nothing at all."""

import collections
import glob
import os
import re
import resource
import signal
import subprocess

import image
import support
from stage import GOOD, Stage, signature
from support import BUILD, PATIENCE, TREE
from table import must, row

OWNERS = os.path.join(BUILD, "tests", "attack", "owners.so")
SECURITY = os.path.join(TREE, "packaging", "SECURITY.md")

# Whose a block is, by the file that asked for it.
LIBRARIES = (
    (r"libmonime|ngx_http_monime|mod_monime|^monime|^victim", "ours"),
    (r"libcurl", "libcurl"), (r"libssl|libcrypto", "OpenSSL"),
    (r"^nginx", "nginx"), (r"^apache2|libapr|^mod_", "httpd"),
    (r"python", "Python"), (r"libjson-c", "json-c"),
    (r"libconfig", "libconfig"), (r"libsodium", "libsodium"),
    (r"^libc\.", "the C library"),
)

# The words of the table for what the stage calls each secret; what is in none
# of them is nowhere but in guarded memory.
WORDS = {
    "presented token": (
        "a visitor's token", "a bad token", "a token in an outage",
        "a token after an outage", "a token of the other environment"),
    "own credential": (
        "the host's token", "the host's next token",
        "the host's token in NAME.conf"),
    "client secret": ("a client's secret",),
    "access token": ("an access token", "a refresh token"),
}
KINDS = ("nginx", "Apache", "command", "PAM's helper", "Python", "C")


def word(name):
    found = [w for w, names in WORDS.items() if name in names]
    return found[0] if found else name


def listed():
    """{(owner, kind of process, word)} of the table."""
    with open(SECURITY, encoding="utf-8") as file:
        text = file.read()
    found = set()
    for line in re.findall(r"^\| `(.*)$", text, re.M):
        owner, kinds, words = line.split("|")[:3]
        for kind in kinds.split(","):
            for w in words.split(","):
                must(kind.strip() in KINDS and w.strip() in WORDS,
                     "the table of copies", line)
                found.add((owner.strip(" `"), kind.strip(), w.strip()))
    return found


def played(stage):
    """One of each for all who can: the kinds of their processes by id."""
    asked = (("use", []), ("fetch", []), ("check", [stage.visitor]),
             ("check", [stage.bad]), ("inline", []),
             ("hook", [signature(stage.hook)]))
    for player in stage.players:
        for what, arguments in asked:
            if hasattr(player, what):
                got = getattr(player, what)(*arguments)
                must(got in ("yes", "no"), "copies in memory",
                     "%s of %s: %s" % (what, player.name, got))
    titles = {"C program": "C", "python": "Python", "nginx": "nginx",
              "apache": "Apache"}
    return {pid: (titles[re.sub("'s child.*", "", name)], name)
            for player in stage.players
            for name, pid in player.pids().items()}


class Watched:
    """Environment and words that put owners.so before a program."""

    def __init__(self, stage):
        self.log = os.path.join(stage.folder, "owners")
        self.environment = {"LD_PRELOAD": OWNERS, "OWNERS_LOG": self.log}

    def __enter__(self):
        self.before = os.environ.get("HOST_WRAP")
        os.environ["HOST_WRAP"] = "env " + " ".join(
            "%s=%s" % pair for pair in self.environment.items())
        return self

    def __exit__(self, *_):
        if self.before is None:
            del os.environ["HOST_WRAP"]
        else:
            os.environ["HOST_WRAP"] = self.before

    def found(self, flock, pids):
        """{(owner, kind of process, word): how often}."""
        number = collections.Counter()
        with open(self.log, encoding="latin-1") as file:
            for line in file:
                pid, _, library, text = line.rstrip("\n").split("\t", 3)
                owner = [o for pattern, o in LIBRARIES
                         if re.search(pattern, library)] or [library]
                for name in flock.within(text.encode("latin-1")):
                    number[owner[0], pids[int(pid)][0], word(name)] += 1
        return number


def briefly(stage, watched):
    """The command, and PAM's helper: {pid: kind} of those that ran."""
    environment = dict(stage.environment, **watched.environment)
    users = os.path.join(stage.etc, "pam_users")
    support.write_file(users, "ada:%s\n" % support.fingerprint(stage.visitor),
                       0o644)
    monime = [os.path.join(BUILD, "monime"), "-C", stage.etc]
    helper = [os.path.join(BUILD, "tests", "host", "pam", "monime-pam-check"),
              "test/pay", users, stage.etc, ""]
    pids = {}
    for kind, command, given in (
            ("command", monime + ["request", "test/pay", "GET", GOOD], ""),
            ("command", monime + ["request", "test/inline", "GET", GOOD], ""),
            ("command", monime + ["check", "test/breb"], ""),
            ("command", monime + ["check", "--token-file", "-", "test/pay"],
             stage.visitor + "\n"),
            ("PAM's helper", helper, "ada\0%s\0" % stage.visitor)):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=environment, cwd=stage.cwd)
        said = process.communicate(given.encode(), PATIENCE)[0]
        must(process.returncode == 0, "copies in memory", "%s: %r" % (
            command, said))
        pids[process.pid] = (kind, kind)
    return pids


def owners(sandbox):
    """Who leaves secrets in what it gives back: neither more nor less than is
    listed."""
    attack = "copies in memory that is given back"
    stage = Stage(sandbox)
    stopped = False
    try:
        with Watched(stage) as watched:
            for begin in (stage.nginx, stage.apache):
                begin(quiet=True)
            for begin in (stage.program, stage.python):
                begin(**watched.environment)
            pids = played(stage)
            pids.update(briefly(stage, watched))
            stopped = True
            stage.stop()
        number = watched.found(stage.flock, pids)
    finally:
        if not stopped:
            stage.stop()
    wanted = listed()
    must(not set(number) - wanted, attack, "not in %s: %s" % (
        SECURITY, sorted(set(number) - wanted)))
    must(not wanted - set(number), attack, "in %s, and not found: %s" % (
        SECURITY, sorted(wanted - set(number))))
    by_owner = collections.Counter()
    for (owner, _, _), n in number.items():
        by_owner[owner] += n
    row(attack, sum(number.values()), "0 of ours; %s" % ", ".join(
        "%s %d" % pair for pair in sorted(by_owner.items())))


def images(sandbox):
    """Processes that are idle: their heap has what others left there, their
    stack and what they share have nothing, and a parent nothing at all."""
    attack = "copies in an idle process"
    wanted = {(kind, w) for _, kind, w in listed()}
    stage = Stage(sandbox)
    try:
        for begin in (stage.nginx, stage.apache):
            begin(quiet=True)
        for begin in (stage.program, stage.python):
            begin()
        for pid, (kind, name) in sorted(played(stage).items()):
            found = collections.Counter()
            for f in image.look(pid, stage.flock):
                found[f.kind] += 1
                what = "%s: %s in %s %s: %r" % (name, f.canary, f.kind,
                                                f.name, f.around)
                must(f.kind in ("guarded", "heap"), attack, what)
                must(f.kind == "guarded" or (
                    (kind, word(f.canary)) in wanted and
                    name not in ("nginx", "apache")), attack, what)
            # Which is where they are to be.
            must(found["guarded"] >= 3, attack, "%s: %s" % (name, found))
            row("%s: %s" % (attack, name), sum(found.values()),
                "%d guarded; %d left by others, 0 on its stack" % (
                    found["guarded"], found["heap"]))
    finally:
        stage.stop()


def core(folder):
    """The one core file there, or None."""
    found = glob.glob(os.path.join(folder, "core*"))
    must(len(found) < 2, "core dumps", "%s" % found)
    return found[0] if found else None


def dumps(sandbox):
    """The kernel's own core files."""
    attack = "a core dump"
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
        pattern = file.read().strip()
    if pattern.startswith("|") or "/" in pattern:
        print("  SKIP    %s: the kernel gives it to %s" % (attack, pattern))
        return
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, ) * 2)
    stage = Stage(sandbox)
    try:
        program = stage.program()
        must(program.ask("request", "test/inline", "GET", GOOD) == "yes",
             attack, "no request")
        # It holds this one, but never sent it.
        must(program.hook(signature(stage.hook)) == "yes", attack, "no hook")
        process = program.victim.process
        process.send_signal(signal.SIGABRT)
        status = process.wait(PATIENCE)
        process.stdin.close()
        process.stdout.close()
        stage.players.remove(program)
        path = core(stage.cwd)
        must(status == -signal.SIGABRT and path, attack, "%s" % status)
        with open(path, "rb") as file:
            data = file.read()
        os.unlink(path)
        names = stage.flock.within(data)
        # What libcurl left is there: so it is a dump of all the rest.
        must(set(names) <= {"the host's token in NAME.conf"} and
             b"spc-sandbox" in data, attack, "%s" % names)
        row(attack + " of a C program", len(data) // 1024,
            "KiB without the guarded credential and secret")
        refused(stage, attack)
    finally:
        stage.stop()
        resource.setrlimit(resource.RLIMIT_CORE, limits)


def refused(stage, attack):
    """Whoever lets none be dumped, though the limit would."""
    stage.sandbox.fault({"hold": True, "path": "/v1/"})
    command = subprocess.Popen(
        [os.path.join(BUILD, "monime"), "-C", stage.etc, "request",
         "test/pay", "GET", GOOD], stdin=subprocess.DEVNULL, cwd=stage.cwd,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=stage.environment)
    stage.sandbox.wait("held", 1)
    command.send_signal(signal.SIGABRT)
    command.communicate(timeout=PATIENCE)
    stage.sandbox.reset("faults")
    must(command.returncode == -signal.SIGABRT and not core(stage.cwd), attack,
         "the command: %s" % command.returncode)
    server = stage.nginx(quiet=True, main="working_directory %s;" %
                         stage.tmp).server
    server.tolerated = r"exited on signal 6"
    worker = server.workers_now()[0]
    os.kill(worker, signal.SIGABRT)
    server.until(lambda: "process %d exited on signal 6" % worker in
                 server.log(), "the end of a worker")
    must("core dumped" not in server.log() and not core(stage.tmp), attack,
         "a worker of nginx")
    row(attack + " of the command, of nginx's worker", 2, "none")


def run(sandbox):
    if not support.ROOT:
        print("  SKIP    images: only root reads the memory of others")
        return
    owners(sandbox)
    images(sandbox)
    dumps(sandbox)
