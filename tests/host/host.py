# SPDX-License-Identifier: MIT
"""A real web server with the module, in a throw-away folder, in the foreground:
what is the same for all of them.  NAME/server.py has the rest.

A server's configuration is written with {folder}, {etc}, {ca}, {origins[NAME]},
{ports[NAME]} and the words of each kind of server, which are replaced.

From the environment:
    BUILD               where the library and the module are
    HOST_WRAP           words before the command: valgrind, or `env
                        LD_PRELOAD=...` for a sanitizer; see run
    MONIME_HOST_KEEP    a folder in which all logs are kept
"""

import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import time

import support
from client import Client
from support import BUILD, PATIENCE

# What no test asks for, whoever says it.
SANITIZERS = "AddressSanitizer|SUMMARY: ThreadSanitizer|runtime error:"
# A server and its libraries are not instrumented: what their threads hand over
# to each other by atomic operations looks like a race.  Such a report tells the
# file that is installed, and not a line of ours.
NOT_OURS = r"SUMMARY: ThreadSanitizer: .* \(/(usr|lib)/"


def wrapped():
    """Does something watch the server, and slow it down?"""
    return bool(os.environ.get("HOST_WRAP"))


class Wrong(AssertionError):
    """The server is not as it should be; the message has the end of its
    log."""


class Host:
    """The first of its ports speaks TLS, the second has what a test asks for
    itself, such as the status, and the third speaks plainly."""

    NAME = None
    # The signals by which it begins anew, and ends when all is served; and by
    # which it ends here when no test says otherwise.
    AGAIN, END = signal.SIGHUP, signal.SIGQUIT
    STOP = signal.SIGQUIT
    # What it says in its log when something went wrong.
    ALARMS = None
    # What may stand on its standard error.
    SAID = r"--\d+-- "
    # That a worker of it has been told to leave; and what is the module's.
    LEAVING, OURS = None, "monime: "

    def __init__(self, sandbox, etc=None, level=None, workers=1, start=True):
        self.sandbox, self.workers = sandbox, workers
        self.etc = etc or sandbox.profiles()
        self.folder = support.work_folder(self.NAME)
        self.ca = sandbox.facts["ca_file"]
        self.certificate = sandbox.facts["certificates"]["server"]
        self.level = level
        self.tolerated = None
        self.process = None
        self.seen = 0
        self.html("page", "a page\n")
        self.sockets = [self.bound() for _ in range(3)]
        self.port = [s.getsockname()[1] for s in self.sockets]
        self.configure()
        if start:
            try:
                self.start()
            except AssertionError:
                self.remove()
                raise

    @staticmethod
    def bound():
        """A port of the kernel's choice, which nobody else can get."""
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", 0))
        return made

    @property
    def conf(self):
        return self.path(self.NAME + ".conf")

    # Of each kind of server.

    def configure(self):
        """Write its configuration, which holds from the next start on."""
        raise NotImplementedError

    def command(self, *arguments):
        raise NotImplementedError

    def started(self):
        raise NotImplementedError

    def workers_now(self):
        """The processes that serve."""
        raise NotImplementedError

    def served(self):
        """How many requests it has begun since it started."""
        raise NotImplementedError

    # Its files.

    def path(self, name):
        return os.path.join(self.folder, name)

    def html(self, name, text):
        path = os.path.join(self.folder, "html", name)
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        support.write_file(path, text, 0o644)

    def filled(self, text, **more):
        """The text, with its words replaced."""
        words = dict(more, folder=self.folder, etc=self.etc, ca=self.ca,
                     origins=self.sandbox.origins, ports=self.sandbox.ports)
        # What follows a per cent sign is Apache's.
        return re.sub(r"(?<!%)\{([a-z]+)(?:\[(\w+)\])?\}", lambda m: str(
            words[m[1]][m[2]] if m[2] else words[m[1]]), text)

    # Starting it.

    def wrap(self, *command):
        # Whatever becomes of us, it does not stay.
        return ["setpriv", "--pdeathsig", "TERM"] + shlex.split(
            os.environ.get("HOST_WRAP", "")) + list(command)

    def environment(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                "LD_LIBRARY_PATH": BUILD}

    def test(self):
        """What it says of its configuration: (exit status, text)."""
        done = subprocess.run(
            self.command("-t"), env=self.environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=PATIENCE)
        return done.returncode, done.stdout

    def start(self, pass_fds=(), **environment):
        with open(self.path("stderr"), "ab") as stderr:
            # Apache ends with a signal for all of its group.
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=stderr,
                stderr=stderr, pass_fds=pass_fds, process_group=0,
                env=dict(self.environment(), **environment))
        self.until(lambda: self.process.poll() is not None or self.started(),
                   "its start")
        if self.process.poll() is not None:
            raise self.wrong("does not start")
        assert self.ask("/worker").status == 200

    def own_fault(self, line):
        """Is that a known fault of the server, with or without the module?"""
        return False

    # What it is asked.

    def client(self, port=0):
        return Client(self.port[port], self.ca if port == 0 else None)

    def ask(self, path):
        """One question to the server that has status and the like."""
        with self.client(1) as c:
            return c.ask(path)

    def status(self):
        return support.samples(self.ask("/status").body.decode())

    def until(self, condition, what):
        """Where nothing tells: look again, at short intervals."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise self.wrong("waited for %s" % what)
            time.sleep(0.005)

    # Its logs.

    def log(self, name="error.log"):
        try:
            with open(self.path(name), encoding="utf-8",
                      errors="backslashreplace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def news(self):
        """Lines of the error log since the last time."""
        text = self.log()
        new, self.seen = text[self.seen:], len(text)
        return new.splitlines()

    def ours(self):
        """The lines of them that the module wrote."""
        return [line for line in self.news() if self.OURS in line]

    # Its processes.

    def children(self):
        pid = self.process.pid
        path = "/proc/%d/task/%d/children" % (pid, pid)
        with open(path, encoding="ascii") as file:
            return [int(child) for child in file.read().split()]

    def a_client_of_each_worker(self):
        """{pid: a client on a connection with that worker}."""
        found = {}
        spare = []

        def look():
            c = self.client(2)
            pid = int(c.ask("/worker").body)
            if pid in found:
                spare.append(c)
            else:
                found[pid] = c
            return len(found) == self.workers

        self.until(look, "a connection with each worker")
        for c in spare:
            c.close()
        return found

    def rss(self):
        """KiB of memory that the parent has, shared with its children or
        not, beside files."""
        with open("/proc/%d/status" % self.process.pid,
                  encoding="ascii") as file:
            return int(re.search(r"^RssAnon:\s+(\d+)", file.read(), re.M)[1])

    def again(self, how=None):
        """Have it begin anew, or end, without waiting."""
        self.process.send_signal(how or self.AGAIN)

    def wait_leaving(self):
        self.until(lambda: re.search(self.LEAVING, self.log()),
                   "a worker to be told")

    def reload(self):
        """The same; back when the former workers have left."""
        old = {}
        for pid in self.workers_now():
            try:
                old[pid] = os.pidfd_open(pid)
            except ProcessLookupError:
                pass  # it has left, and is about to be reaped
        self.again()
        for pid, descriptor in old.items():
            left = select.select([descriptor], [], [], PATIENCE * 2)[0]
            os.close(descriptor)
            if not left:
                raise self.wrong("worker %d does not leave" % pid)

    def quit(self, how=None):
        """End it; raises Wrong unless all was in order."""
        if self.process is None:
            return
        self.process.send_signal(how or self.STOP)
        try:
            status = self.process.wait(PATIENCE * 2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise self.wrong("does not end") from None
        finally:
            self.process = None
        if status != 0:
            raise self.wrong("exit status %d" % status)
        alarms = [line for line in self.log().splitlines()
                  if re.search(self.ALARMS + "|" + SANITIZERS, line) and not (
                      self.tolerated and re.search(self.tolerated, line)) and
                  not self.own_fault(line) and not re.search(NOT_OURS, line)]
        if alarms:
            raise self.wrong("\n".join(alarms[:20]))
        leaks = [line for line in self.log().splitlines() if self.OURS in line
                 and support.CANARY in re.split(", client: |, referer: ",
                                                line)[0]]
        if leaks:
            raise self.wrong("secrets in the log:\n" + "\n".join(leaks[:20]))
        # A sanitizer and valgrind speak there; the server, too, of what it
        # reads, and valgrind of system calls that it does not know.
        said = [line for line in self.log("stderr").splitlines()
                if not re.match(self.SAID, line)]
        if said:
            raise self.wrong("on standard error:\n" + "\n".join(said[-60:]))

    def stop(self):
        try:
            self.quit()
        finally:
            self.remove()

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for held in self.sockets:
            held.close()
        keep = os.environ.get("MONIME_HOST_KEEP")
        if keep:
            os.makedirs(keep, exist_ok=True)
            shutil.copytree(self.folder, os.path.join(
                keep, os.path.basename(self.folder)), symlinks=True,
                ignore=lambda folder, names: [
                    n for n in names if not os.path.isfile(
                        os.path.join(folder, n)) and not os.path.isdir(
                        os.path.join(folder, n))])
        shutil.rmtree(self.folder)

    def wrong(self, what):
        return Wrong("%s: %s\n%s\n%s" % (
            self.NAME, what, self.log()[-3000:], self.log("stderr")[-3000:]))
