# SPDX-License-Identifier: MIT
"""What each test of an installed package begins with: the sandbox, and its
profiles in /etc/monime itself, since that is where the packages look."""

import os
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[1:1] = [os.path.join(TESTS, "host"),
                 os.path.join(TESTS, "host", "nginx")]

from support import PATIENCE, ROOT, Sandbox, profile  # noqa: E402
from support import profiles as folder  # noqa: E402
from support import write_file  # noqa: E402,F401

ETC = "/etc/monime"
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def strangers():
    """What stands below /etc/monime beside what the package brought."""
    brought = {os.path.join(ETC, name) for name in
               ("monime.conf", "test", "live")}
    return [entry for top in (ETC, ETC + "/test", ETC + "/live")
            for entry in (os.path.join(top, name) for name in os.listdir(top))
            if entry not in brought]


@unittest.skipUnless(ROOT, "the profiles of a host are root's")
class Case(unittest.TestCase):
    """The packages as they are installed, and nothing that was built here."""

    maxDiff = None
    sandbox = None

    @classmethod
    def setUpClass(cls):
        found = strangers()
        if found:
            raise RuntimeError("this host has profiles of its own, which a "
                               "test is not to touch: %s" % " ".join(found))
        with open(ETC + "/monime.conf", "rb") as file:
            cls.former = file.read()
        cls.sandbox = Sandbox()
        cls.addClassCleanup(cls.sandbox.stop)
        cls.addClassCleanup(cls.put_back)
        folder.write_folder(ETC, cls.sandbox.facts)

    @classmethod
    def put_back(cls):
        for path in strangers():
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        with open(ETC + "/monime.conf", "wb") as file:
            file.write(cls.former)

    def setUp(self):
        self.sandbox.reset()

    def profile(self, name, text, token=None):
        return profile(ETC, name, text, token)

    def ran(self, *command, given="", status=0, **more):
        """Run a command; what it says on both of its streams."""
        done = subprocess.run(
            command, input=given, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", env=CLEAN,
            timeout=PATIENCE * 3, check=False, **more)
        self.assertEqual(done.returncode, status, done.stdout)
        self.assertNotIn("canary", done.stdout)
        return done.stdout

    def monime(self, *arguments, **more):
        return self.ran("/usr/bin/monime", *arguments, **more)
