# SPDX-License-Identifier: MIT
"""A real nginx with the module, in a throw-away folder, on free ports.

    server = Server(sandbox, HTTP, folder=sandbox.profiles())
    with server.client() as c:
        c.ask("/checked", bearer(token))
    server.stop()

HTTP is the inside of the http block; {folder}, {etc}, {ca}, {tls} (the listen
and certificate lines of a server), {plain} (another listen line, without TLS)
and {origins[NAME]} in it are replaced.

The listening sockets are bound here, by the kernel's choice, and handed over
as nginx hands them to a new binary of itself: so no port is ever lost to
somebody else, and a client may connect before nginx has begun.

From the environment:
    BUILD               where the library and nginx/ngx_http_monime_module.so
                        are
    NGINX_WRAP          words before the command: valgrind, or `env
                        LD_PRELOAD=...` for a sanitizer; see run
    MONIME_NGINX_KEEP   a folder in which all logs are kept
"""

import itertools
import os
import re
import select
import shutil
import shlex
import signal
import socket
import subprocess
import time

import support
from client import Client
from support import BUILD, PATIENCE

NGINX = "/usr/sbin/nginx"
MODULE = os.path.join(BUILD, "nginx", "ngx_http_monime_module.so")

CONFIG = """\
load_module {module};
daemon off;
{user}
pid {folder}/nginx.pid;
lock_file {folder}/nginx.lock;
error_log {folder}/error.log {level};
worker_processes {workers};
worker_shutdown_timeout 30s;
{main}
events {{
    worker_connections 15000;
}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    default_type text/plain;
    root {folder}/html;
    monime_folder {etc};
    access_log off;
{http}
    server {{
        listen 127.0.0.1:{port[1]};
        location = /status {{
            monime_status;
        }}
        location = /connections {{
            stub_status;
        }}
        location = /worker {{
            return 200 $pid;
        }}
    }}
}}
"""

TLS = """listen 127.0.0.1:{port[0]} ssl http2;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_session_tickets off;"""

# What nginx says when something went wrong that no test asked for.
ALARMS = re.compile(r"\[(alert|emerg|crit)\]|open socket #|exited on signal|"
                    r"AddressSanitizer|runtime error:|zero size buf")


class Wrong(AssertionError):
    """nginx is not as it should be; the message has the end of its log."""


class Server:
    def __init__(self, sandbox, http, etc=None, level="debug", workers=1,
                 main="", start=True):
        self.sandbox = sandbox
        self.etc = etc or sandbox.profiles()
        self.folder = support.work_folder("nginx")
        self.ca = sandbox.facts["ca_file"]
        self.level, self.workers = level, workers
        self.tolerated = None
        self.process = None
        self.seen = 0
        self.html("page", "a page\n")
        self.listeners = []
        for _ in range(3):
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(4096)
            # nginx takes it for one of its own, and never waits in accept().
            listener.setblocking(False)
            self.listeners.append(listener)
        self.port = [s.getsockname()[1] for s in self.listeners]
        self.write(http, main)
        if start:
            try:
                self.start()
            except AssertionError:
                self.remove()
                raise

    def path(self, name):
        return os.path.join(self.folder, name)

    def html(self, name, text):
        path = os.path.join(self.folder, "html", name)
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        support.write_file(path, text, 0o644)

    def write(self, http, main=""):
        """A configuration; it holds from the next start or reload on."""
        certificate = self.sandbox.facts["certificates"]["server"]
        key = certificate.replace(".pem", ".key")
        tls = TLS.format(port=self.port, certificate=certificate, key=key)
        words = {"folder": self.folder, "etc": self.etc, "ca": self.ca,
                 "tls": tls, "origins": self.sandbox.origins,
                 "ports": self.sandbox.ports,
                 "plain": "listen 127.0.0.1:%d;" % self.port[2]}
        for name in re.findall(r"\{(\w+)(?:\[\w+\])?\}", http):
            assert name in words, name
        inside = re.sub(r"\{(\w+)(?:\[(\w+)\])?\}", lambda m: str(
            words[m[1]][m[2]] if m[2] else words[m[1]]), http)
        text = CONFIG.format(
            module=MODULE, folder=self.folder, etc=self.etc, level=self.level,
            workers=self.workers, main=main, http=inside, port=self.port,
            user="user nobody nogroup;" if support.ROOT else "")
        support.write_file(self.path("nginx.conf"), text, 0o644)

    def command(self, *arguments):
        # Whatever becomes of us, it does not stay.
        return ["setpriv", "--pdeathsig", "TERM"] + shlex.split(
            os.environ.get("NGINX_WRAP", "")) + [
                NGINX, "-p", self.folder, "-c", self.path("nginx.conf"), "-e",
            self.path("error.log")] + list(arguments)

    def environment(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                "LD_LIBRARY_PATH": BUILD}

    def test(self):
        """nginx -t: (exit status, what it says)."""
        done = subprocess.run(
            self.command("-t"), env=self.environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    def start(self):
        numbers = [s.fileno() for s in self.listeners]
        with open(self.path("stderr"), "ab") as stderr:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=stderr,
                stderr=stderr, pass_fds=numbers, env=dict(
                    self.environment(), NGINX="".join(
                        "%d;" % n for n in numbers)))
        self.until(lambda: self.process.poll() is not None or
                   os.path.exists(self.path("nginx.pid")), "its pid file")
        if self.process.poll() is not None:
            raise self.wrong("does not start")
        assert self.ask("/worker").status == 200

    # What it is asked.

    def client(self, port=0):
        return Client(self.port[port], self.ca if port == 0 else None)

    def ask(self, path):
        """One question to the server that has status and the like."""
        with self.client(1) as c:
            return c.ask(path)

    def status(self):
        return support.samples(self.ask("/status").body.decode())

    def served(self):
        """How many requests nginx has begun since it started."""
        numbers = self.ask("/connections").body.split()
        return int(numbers[9])

    def wait_served(self, at_least):
        """Asking is a request, too: each look raises what is waited for."""
        looks = itertools.count(1)
        self.until(lambda: self.served() >= at_least + next(looks),
                   "%d requests to be begun" % at_least)

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
        return [line for line in self.news() if "monime: " in line]

    # Its processes.

    def workers_now(self):
        """Its children that the log calls workers: a title would not be seen
        under valgrind."""
        pid = self.process.pid
        path = "/proc/%d/task/%d/children" % (pid, pid)
        with open(path, encoding="ascii") as file:
            children = file.read().split()
        started = re.findall(r"start worker process (\d+)", self.log())
        return [int(child) for child in children if child in started]

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
        """KiB of memory that the master has, shared with its children or
        not, beside files."""
        with open("/proc/%d/status" % self.process.pid,
                  encoding="ascii") as file:
            return int(re.search(r"^RssAnon:\s+(\d+)", file.read(), re.M)[1])

    def reload(self):
        """HUP; back when the former workers have left."""
        old = {}
        for pid in self.workers_now():
            try:
                old[pid] = os.pidfd_open(pid)
            except ProcessLookupError:
                pass  # it has left, and is about to be reaped
        self.process.send_signal(signal.SIGHUP)
        for pid, descriptor in old.items():
            left = select.select([descriptor], [], [], PATIENCE * 2)[0]
            os.close(descriptor)
            if not left:
                raise self.wrong("worker %d does not leave" % pid)

    def quit(self, how=signal.SIGQUIT):
        """End it; raises Wrong unless all was in order."""
        if self.process is None:
            return
        self.process.send_signal(how)
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
                  if ALARMS.search(line) and not (
                      self.tolerated and re.search(self.tolerated, line))]
        if alarms:
            raise self.wrong("\n".join(alarms[:20]))
        # A sanitizer and valgrind speak there; nginx, too, of what it reads,
        # and valgrind of system calls that it does not know.
        said = [line for line in self.log("stderr").splitlines()
                if not re.match(r"nginx: \[(warn|notice)\] |--\d+-- ", line)]
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
        for listener in self.listeners:
            listener.close()
        keep = os.environ.get("MONIME_NGINX_KEEP")
        if keep:
            os.makedirs(keep, exist_ok=True)
            shutil.copytree(self.folder, os.path.join(
                keep, os.path.basename(self.folder)))
        shutil.rmtree(self.folder)

    def wrong(self, what):
        return Wrong("nginx: %s\n%s\n%s" % (
            what, self.log()[-3000:], self.log("stderr")[-3000:]))
