# SPDX-License-Identifier: MIT
"""What the tests of every host share: the sandbox, a folder that the library
trusts, and what the status page counts."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HOST = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HOST)
TREE = os.path.dirname(TESTS)
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(TREE, "build")))
ROOT = os.geteuid() == 0

sys.path.insert(0, os.path.join(TESTS, "sandbox"))

import folder as profiles  # noqa: E402
from control import control  # noqa: E402

# Every token of the sandbox has this word, and so have those made here.
CANARY = "canary"

# How long anything may take that is not meant to be slow; valgrind is.
PATIENCE = float(os.environ.get("MONIME_TESTS_PATIENCE", "20"))


def count(name, default):
    """How often to do what MONIME_NAME in the environment can make more."""
    return int(os.environ.get("MONIME_" + name, default))


def fingerprint(token):
    """monime.h: monime_fingerprint()."""
    return hashlib.sha256(b"monime-fingerprint-1\0" + token.encode()
                          ).hexdigest()[:32]


def plain_signals():
    """Whoever runs us in the background may have had some ignored, and what
    is ignored is inherited: a server would not end by them."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT,
                   signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def work_folder(name):
    """A fresh folder where the library trusts files: nowhere below /tmp."""
    base = "/run" if ROOT else os.environ.get("XDG_RUNTIME_DIR", BUILD)
    made = tempfile.mkdtemp(prefix="monime-%s." % name, dir=base)
    os.chmod(made, 0o755)
    return made


class Sandbox:
    """Both APIs on loopback: tests/sandbox/sandbox.py."""

    def __init__(self):
        plain_signals()
        self.folder = work_folder("host")
        self.folders = 0
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-B", os.path.join(
                TESTS, "sandbox", "sandbox.py"), "--dir",
             os.path.join(self.folder, "sandbox"), "--until-eof",
             "--remove", self.folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
        word, file = self.process.stdout.readline().decode().split()
        assert word == "ready"
        with open(file, encoding="utf-8") as opened:
            self.facts = json.load(opened)
        self.tokens = self.facts["tokens"]
        self.origins = self.facts["origins"]
        self.ports = self.facts["ports"]
        self.serial = 0

    def stop(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def control(self, path, given=None):
        return control(self.ports["control"], path, given)

    def fault(self, *what):
        self.control("/fault", list(what))

    def settings(self, **what):
        self.control("/settings", what)

    def reset(self, *only):
        self.control("/reset", {"only": list(only)} if only else {})

    def close_idle(self):
        """The next request comes on a fresh connection."""
        self.control("/close", {"server": None})

    def release(self):
        return self.control("/release", {})["released"]

    def counts(self, what, server="monime"):
        return self.control("/counts")[what][server]

    def requests(self, server="monime"):
        """What has been asked of one listener since the last reset."""
        return self.control("/log?server=" + server)["requests"]

    def streams(self):
        """The bytes that came where nobody should go."""
        return self.control("/log?server=plain")["streams"]

    def wait(self, what, at_least, server="monime"):
        reached = self.control("/wait", {
            "what": what, "at_least": at_least, "server": server,
            "seconds": PATIENCE})
        assert reached["reached"], "%s: %r, not %d" % (
            what, reached["value"], at_least)

    def wait_down(self, what, at_most, server="monime"):
        reached = self.control("/wait", {
            "what": what, "at_most": at_most, "server": server,
            "seconds": PATIENCE})
        assert reached["reached"], "%s: %r, not %d" % (
            what, reached["value"], at_most)

    def token(self, environment="test", spaces=("spc-sandbox",), **more):
        """A fresh token that is good until the next reset of "tokens"."""
        self.serial += 1
        literal = "mon_%scanary_fresh_%06d" % (
            "test_" if environment == "test" else "", self.serial)
        self.control("/grant", dict(more, token=literal,
                                    environment=environment,
                                    spaces=list(spaces)))
        return literal

    def unknown(self):
        """One that nobody has ever heard of."""
        self.serial += 1
        return "mon_test_canary_unknown_%06d" % self.serial

    def profiles(self):
        """A configuration folder, with the profiles of sandbox/folder.py."""
        self.folders += 1
        path = os.path.join(self.folder, "etc%d" % self.folders)
        os.mkdir(path, 0o755)
        os.chmod(path, 0o755)
        profiles.write_folder(path, self.facts)
        return path


write_file = profiles.write_file


def profile(folder, name, text, token=None):
    """Write ENVIRONMENT/NAME below the folder."""
    path = os.path.join(folder, name)
    write_file(path + ".conf", text, 0o600)
    if token is not None:
        write_file(path + ".token", token + "\n", 0o600)
    return path + ".conf"


SAMPLE = re.compile(r'^(\w+)\{(.*)\} (\S+)$', re.M)
LABEL = re.compile(r'(\w+)="([^"]*)"')


def samples(text):
    """{(name without _total, value of the labels beside provider and
    environment, in order): number} of an OpenMetrics page."""
    found = {}
    for name, labels, value in SAMPLE.findall(text):
        rest = tuple(v for n, v in LABEL.findall(labels)
                     if n not in ("provider", "environment"))
        found[(re.sub("_total$", "", name),) + rest] = float(value)
    return found


def grown(before, after):
    """What is more in after, but for the clock's own numbers."""
    return {key: value - before.get(key, 0) for key, value in after.items()
            if value != before.get(key, 0) and "seconds" not in key[0]}
