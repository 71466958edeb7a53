# SPDX-License-Identifier: MIT
"""What each test of the PAM module begins with: the sandbox, the map of users,
a service of PAM, and a helper beside its module."""

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor

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
SET_ITEMS = "/usr/lib/%s/pam_wrapper/pam_set_items.so" % os.uname().machine

# security/_pam_types.h
CODES = {0: "PAM_SUCCESS", 3: "PAM_SERVICE_ERR", 7: "PAM_AUTH_ERR",
         9: "PAM_AUTHINFO_UNAVAIL", 25: "PAM_IGNORE"}
YES, DENIED, UNKNOWN, CONFIGURATION = (
    "PAM_SUCCESS", "PAM_AUTH_ERR", "PAM_AUTHINFO_UNAVAIL", "PAM_SERVICE_ERR")
FAILURES = (DENIED, UNKNOWN, CONFIGURATION)

SANITIZED = bool(os.environ.get("SANITIZE"))
# Under which the hosts run that are ours, and the helper where it is alone.
WRAP = os.environ.get("PAM_WRAP", "").split()
# How many seconds a host may need beside the module's five.
LATE = 60 if WRAP else 2


class Result:
    """What the host saw."""

    def __init__(self, value):
        self.__dict__.update(value)
        self.code = CODES.get(value["code"], value["code"])
        self.module = CODES.get(value["module"], value["module"])

    def lines(self, least=6):
        """Of the log: without those above a level of syslog(3)."""
        return [line[4:] for line in self.log if int(line[1]) <= least]


def broker(connection):
    """Open descriptors of processes for who cannot: see descriptor.h."""
    with connection:
        while True:
            asked = connection.recv(4)
            if not asked:
                break
            try:
                pidfd = os.pidfd_open(int.from_bytes(asked, sys.byteorder))
            except ProcessLookupError:
                connection.send(b" ")
                continue
            socket.send_fds(connection, [b" "], [pidfd])
            os.close(pidfd)


class Room:
    """A service of PAM whose module and helper are its own."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder
        os.mkdir(folder, 0o755)
        os.chmod(folder, 0o755)
        self.module = shutil.copy2(MODULE, folder)
        self.helper = os.path.join(folder, os.path.basename(HELPER))
        self.place()

    def place(self):
        """Put the helper where the module starts it."""
        shutil.copy2(HELPER, self.helper + ".new")
        os.rename(self.helper + ".new", self.helper)

    def place_script(self, text):
        write_file(self.helper + ".new", "#!/bin/sh\n" + text, 0o755)
        os.rename(self.helper + ".new", self.helper)


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
        # Not below /run, where it may be that nothing is executed.
        cls.rooms = tempfile.mkdtemp(prefix="rooms.", dir=BUILT)
        cls.addClassCleanup(shutil.rmtree, cls.rooms)
        os.chmod(cls.rooms, 0o755)
        cls.room = cls.new_room("host")

    @classmethod
    def new_room(cls, name):
        return Room(name, os.path.join(cls.rooms, name))

    def setUp(self):
        self.room.place()
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
                through=None, room=None):
        """Write the service of the room; words are arguments beside the
        usual, and through is a module that calls ours."""
        room = room or self.room
        arguments = ["profile=" + name] if name else []
        arguments += ["users=" + (users or self.users), "folder=" + self.etc]
        write_file(os.path.join(self.services, room.name),
                   before + "auth required %s %s\naccount required "
                   "pam_permit.so\n" % (room.module if through is None else
                                        through + " " + room.module, " ".join(
                                            arguments + list(words))), 0o644)

    def command(self, user, *words, room=None):
        return WRAP + [LOGIN, self.services, (room or self.room).name, user,
                       *words]

    def run_host(self, command, text, **more):
        """Run one of our hosts, given some text: what it prints."""
        given = {"input": text.encode(), "stdout": subprocess.PIPE,
                 "stderr": subprocess.PIPE, "timeout": PATIENCE * 10,
                 "check": False}
        if not WRAP:
            ran = subprocess.run(command, **given, **more)
        else:
            ours, its = socket.socketpair()
            thread = threading.Thread(target=broker, args=(ours,))
            thread.start()
            more["pass_fds"] = [*more.get("pass_fds", []), its.fileno()]
            with its:
                ran = subprocess.run(command + ["pidfds=%d" % its.fileno()],
                                     **given, **more)
            thread.join()
        self.assertEqual((ran.returncode, ran.stderr), (0, b""))
        return ran.stdout.decode("utf-8", "replace")

    def login(self, user, token, *words, env=None, room=None, **more):
        result = Result(json.loads(self.run_host(
            self.command(user, *words, room=room), token + "\n",
            env=env or {}, **more)))
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

    def never_yes(self, *ways, scripts):
        """With each script in the place of the helper, and the host in each
        of these ways, nobody knows, the helper is blamed, and nothing of the
        host has changed."""
        rooms = []
        for script in scripts:
            rooms.append(self.new_room(str(len(os.listdir(self.rooms)))))
            rooms[-1].place_script(script)
            self.service(room=rooms[-1])

        def one(pair):
            return self.expect(UNKNOWN, "ada", self.good, *pair[1],
                               room=pair[0])

        with ThreadPoolExecutor(16) as pool:
            results = list(pool.map(one, itertools.product(rooms, ways)))
        for result in results:
            self.assertIn("monime-pam-check: ", result.log[0])
            self.assertEqual(result.changed, "")
        return results
