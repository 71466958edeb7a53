# SPDX-License-Identifier: MIT
"""The program victim.c, and what is seen of its memory."""

import os
import re
import subprocess

from support import BUILD, PATIENCE


class Victim:
    PROGRAM = (os.path.join(BUILD, "tests", "attack", "victim"),)

    def __init__(self, etc, *more, environment=None, **how):
        self.process = subprocess.Popen(
            [*self.PROGRAM, etc, *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": BUILD,
                 **(environment or {})}, **how)
        self.pid = self.process.pid

    def begin(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def end(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the victim has died: %s" %
                                 self.process.wait(PATIENCE))
        return line.split()

    def ask(self, *words):
        self.begin(*words)
        return self.end()

    def memory(self, name="VmHWM"):
        """KiB; the peak since it was last forgotten."""
        with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
            return int(re.search(r"^%s:\s+(\d+)" % name, file.read(),
                                 re.M)[1])

    def forget_peak(self):
        with open("/proc/%d/clear_refs" % self.pid, "w",
                  encoding="ascii") as file:
            file.write("5")

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def stop(self):
        """It ends well when it is told."""
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait(PATIENCE) != 0:
            raise AssertionError("the victim: status %d" %
                                 self.process.returncode)
