# SPDX-License-Identifier: MIT
"""What each test of the PAM module begins with: the sandbox, the map of users,
a service of PAM, and a helper in its place."""

import json
import os
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import behaviours  # noqa: E402
from support import (BUILD, PATIENCE, ROOT, Sandbox, fingerprint,  # noqa: E402
                     profile, write_file)

BUILT = os.path.join(BUILD, "tests", "host", "pam")
WINDOW = os.path.join(BUILT, "window.so")
MODULE = os.path.join(BUILT, "pam_monime.so")
LOGIN = os.path.join(BUILT, "login")
HELPER = os.path.join(BUILT, "monime-pam-check")
# Where that module looks for it.
PLACE = os.path.join(BUILT, "libexec", "monime-pam-check")
SET_ITEMS = "/usr/lib/%s/pam_wrapper/pam_set_items.so" % os.uname().machine

# security/_pam_types.h
CODES = {0: "PAM_SUCCESS", 3: "PAM_SERVICE_ERR", 7: "PAM_AUTH_ERR",
         9: "PAM_AUTHINFO_UNAVAIL", 25: "PAM_IGNORE"}
YES, DENIED, UNKNOWN, CONFIGURATION = (
    "PAM_SUCCESS", "PAM_AUTH_ERR", "PAM_AUTHINFO_UNAVAIL", "PAM_SERVICE_ERR")
FAILURES = (DENIED, UNKNOWN, CONFIGURATION)

SANITIZED = bool(os.environ.get("SANITIZE"))


class Result:
    """What the host saw."""

    def __init__(self, value):
        self.__dict__.update(value)
        self.code = CODES.get(value["code"], value["code"])
        self.module = CODES.get(value["module"], value["module"])

    def lines(self, least=6):
        """Of the log: without those above a level of syslog(3)."""
        return [line[4:] for line in self.log if int(line[1]) <= least]


def place(path=HELPER):
    """Put a helper where the module starts it."""
    os.makedirs(os.path.dirname(PLACE), exist_ok=True)
    fresh = PLACE + ".new"
    shutil.copy2(path, fresh)
    os.rename(fresh, PLACE)


def place_script(text):
    write_file(PLACE + ".new", "#!/bin/sh\n" + text, 0o755)
    os.rename(PLACE + ".new", PLACE)


@unittest.skipUnless(ROOT, "the files of the module are root's")
class Case(unittest.TestCase):
    maxDiff = None
    sandbox = None

    @classmethod
    def setUpClass(cls):
        cls.sandbox = Sandbox()
        cls.addClassCleanup(cls.sandbox.stop)
        cls.etc = cls.sandbox.profiles()
        for name, text in behaviours.profiles(cls.sandbox.origins).items():
            profile(cls.etc, name, text)
        cls.users = os.path.join(cls.etc, "pam_users")
        cls.services = os.path.join(cls.sandbox.folder, "pam.d")
        os.mkdir(cls.services, 0o755)
        os.chmod(cls.services, 0o755)

    def setUp(self):
        place()
        self.sandbox.reset()
        self.good = self.sandbox.tokens["test"]
        self.map("ada", self.good)
        self.service()

    def map(self, *pairs, mode=0o644):
        """USER, TOKEN, USER, TOKEN, ..."""
        write_file(self.users, "".join(
            "%s:%s\n" % (user, fingerprint(token))
            for user, token in zip(pairs[::2], pairs[1::2])), mode)

    def service(self, *words, before="", name="test/space", users=None,
                module=MODULE):
        """Write the service "host"; words are arguments beside the usual."""
        arguments = ["profile=" + name] if name else []
        arguments += ["users=" + (users or self.users), "folder=" + self.etc]
        write_file(os.path.join(self.services, "host"),
                   before + "auth required %s %s\naccount required "
                   "pam_permit.so\n" % (module, " ".join(
                       arguments + list(words))), 0o644)

    def command(self, user, *words):
        return [LOGIN, self.services, "host", user] + list(words)

    def login(self, user, token, *words, env=None, **more):
        ran = subprocess.run(
            self.command(user, *words), input=(token + "\n").encode(),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=env or {}, timeout=PATIENCE * 3, check=False, **more)
        self.assertEqual((ran.returncode, ran.stderr), (0, b""))
        result = Result(json.loads(ran.stdout.decode("utf-8", "replace")))
        self.assertNotIn("canary", str(result.log))
        if result.code != YES:
            # As long for all.
            self.assertEqual(set(result.delays), {"some"})
        return result

    def sent(self):
        return len(self.sandbox.requests())

    def expect(self, code, user, token, *words, **more):
        result = self.login(user, token, *words, **more)
        self.assertEqual(result.code, code, result.log)
        return result
