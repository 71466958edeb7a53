# SPDX-License-Identifier: MIT
"""What each test of monime.py begins with."""

import ctypes
import gc
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
HOST = os.path.dirname(HERE)
sys.path.insert(0, HOST)

import support  # noqa: E402
from support import BUILD, TREE, Sandbox, profile  # noqa: E402

MODULE = os.path.join(TREE, "module", "python", "monime.py")
sys.path.insert(0, os.path.dirname(MODULE))

import monime  # noqa: E402

# Verdicts and limits are not the topic, unless a test says so.
PROFILE = """\
provider = "monime";
space = "spc-sandbox";
base_url = "%s";
reload = "1 h";
"""
CHECK = 'check = { ttl = "1 h"; negative_ttl = "10 min"; timeout = "%d s";' \
    ' probes = 512; probe_rate = 10000; };\n'
ALLOW = 'allow = { methods = ["GET", "POST"]; paths = [' \
    '"/v1/financial-accounts", "/v1/payouts"]; };\n'


class Case(unittest.TestCase):
    """A sandbox for all tests of a class, and a folder of profiles."""

    def run(self, result=None):
        # What an earlier one left to the collector is not this one's.
        gc.collect()
        return super().run(result)

    @classmethod
    def setUpClass(cls):
        cls.sandbox = Sandbox()
        cls.addClassCleanup(cls.sandbox.stop)
        cls.etc = cls.folder()

    @classmethod
    def folder(cls):
        etc = cls.sandbox.profiles()
        common = PROFILE % cls.sandbox.origins["monime"] + \
            CHECK % support.PATIENCE
        profile(etc, "test/check", common)
        profile(etc, "test/pay", common + ALLOW, cls.sandbox.tokens["test"])
        return etc

    def setUp(self):
        # Connections of an earlier test count in none.
        self.sandbox.reset("log", "effects", "faults", "settings", "store")

    def open(self, name="test/check", folder=None):
        handle = monime.open(name, folder=folder or self.etc)
        self.addCleanup(handle.close)
        return handle

    def fresh(self, name="test/check"):
        """A handle that has learned nothing yet."""
        return self.open(name, self.folder())


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def threads():
    return len(os.listdir("/proc/self/task"))


class Info(ctypes.Structure):
    """struct mallinfo2 of malloc.h."""

    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
        "uordblks", "fordblks", "keepcost")]


def heap():
    """Bytes that malloc() has given out; none under a sanitizer."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Info
    info = mallinfo()
    return info.uordblks + info.hblkhd


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


__all__ = ["ALLOW", "BUILD", "CHECK", "Case", "MODULE", "PROFILE", "TREE",
           "descriptors", "heap", "monime", "profile", "resident", "support",
           "threads"]
