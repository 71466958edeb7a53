#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A real sshd on loopback, by both ways in which it asks PAM."""

import os
import shutil
import socket
import subprocess
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor

import installed
from support import PATIENCE, write_file

SSHD = "/usr/sbin/sshd"
SEPARATE = "/run/sshd"          # the server wants it to be there

SETTINGS = """\
HostKey %s
UsePAM yes
KbdInteractiveAuthentication yes
PasswordAuthentication yes
PermitRootLogin yes
PidFile none
LogLevel DEBUG3
"""

METHODS = ("keyboard-interactive", "password")


class Sshd(installed.Case):
    SERVICE = "sshd"

    @classmethod
    def setUpClass(cls):
        if not os.path.exists(SSHD) or shutil.which("ssh") is None:
            raise unittest.SkipTest("no sshd, or no ssh; packaging/need "
                                    "host-sshd installs them")
        super().setUpClass()
        if not os.path.exists(SEPARATE):
            os.mkdir(SEPARATE, 0o755)
            cls.addClassCleanup(os.rmdir, SEPARATE)
        folder = cls.sandbox.folder
        key = os.path.join(folder, "key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        key], check=True)
        cls.settings = os.path.join(folder, "sshd_config")
        write_file(cls.settings, SETTINGS % key, 0o600)
        cls.ask = os.path.join(cls.rooms, "ask")
        write_file(cls.ask, '#!/bin/sh\necho "$TOKEN"\n', 0o755)

    def setUp(self):
        super().setUp()
        self.write_stack("debug")
        self.log = os.path.join(self.sandbox.folder, "sshd.log")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.servers = []
        thread = threading.Thread(target=self.serve, daemon=True)
        thread.start()
        self.addCleanup(thread.join, PATIENCE)
        self.addCleanup(self.listener.shutdown, socket.SHUT_RDWR)

    def serve(self):
        """One server for each connection, as inetd(8) had it."""
        command = installed.inside(self.stack, self.SERVICE, SSHD, "-i", "-e",
                                   "-f", self.settings)
        with self.listener, open(self.log, "ab") as log:
            while True:
                try:
                    connection, _ = self.listener.accept()
                except OSError:
                    break
                with connection:
                    self.servers.append(subprocess.Popen(
                        command, stdin=connection, stdout=connection,
                        stderr=log, env={"PATH": "/usr/bin:/bin"}))
        for server in self.servers:
            server.wait(PATIENCE)

    def ssh(self, user, token, method):
        """What the user's `id -u` says there, or None."""
        ran = subprocess.run(
            ["ssh", "-F", "/dev/null", "-p",
             str(self.listener.getsockname()[1]),
             "-o", "PreferredAuthentications=" + method,
             "-o", "PubkeyAuthentication=no",
             "-o", "NumberOfPasswordPrompts=1",
             "-o", "StrictHostKeyChecking=no",
             "-o", "UserKnownHostsFile=/dev/null",
             "-o", "LogLevel=ERROR", user + "@127.0.0.1", "id -u"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=PATIENCE, check=False,
            env={"SSH_ASKPASS": self.ask, "SSH_ASKPASS_REQUIRE": "force",
                 "TOKEN": token, "PATH": "/usr/bin:/bin"})
        if ran.returncode == 0:
            return ran.stdout.decode()
        self.assertIn(b"Permission denied", ran.stderr)
        return None

    def all(self, *who):
        """Each of (user, token), by each way."""
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda job: self.ssh(*job[0], job[1]),
                                 ((w, m) for w in who for m in METHODS)))

    def test_the_token_and_nothing_else_lets_in(self):
        self.assertEqual(self.all(("root", self.good)), ["0\n"] * 2)
        self.assertEqual(self.sent(), 4)
        # Whom sshd does not know it asks PAM about with control characters.
        self.assertEqual(self.all(
            ("root", "mon_test_canary_wrong"),
            ("root", self.sandbox.tokens["stranger_test"]), ("root", ""),
            ("nobody", self.good), ("nosuchuser", self.good)), [None] * 10)
        self.assertEqual(self.sent(), 4)
        with open(self.log, encoding="utf-8", errors="replace") as file:
            log = file.read()
        self.assertIn("PAM: authentication ", log.replace("Authentication",
                                                          "authentication"))
        self.assertNotIn("canary", log)

    def test_an_outage_lets_nobody_in(self):
        self.sandbox.fault({"status": 500, "times": -1})
        self.assertEqual(self.all(("root", self.good)), [None] * 2)


if __name__ == "__main__":
    unittest.main()
