# SPDX-License-Identifier: MIT
"""What goes wrong in a soak, by chance and always in the same order for the
same seed: the API, its network, the tokens, the servers."""

import collections
import os
import signal
import threading
import time

from support import profile, write_file

# What becomes of a request.  None of it says yes or no to a bearer, or that
# something was done which was not: so it may only leave unknown what it was.
FAULTS = (
    {"drop": "status"}, {"drop": "status", "execute": True},
    {"drop": "headers"}, {"drop": "body"}, {"drop": "request"},
    {"reset": True}, {"reset": True, "execute": True},
    {"drop": "accept"}, {"drop": "handshake"}, {"drop": "stall"},
    {"garbage": True}, {"status": 500}, {"status": 502}, {"status": 503},
    {"status": 503, "execute": True}, {"status": 429},
    {"status": 429, "headers": [["Retry-After", "1"]]},
    {"status": 429, "headers": [["Retry-After", "rubbish"]]},
    {"delay": 0.05}, {"delay": 0.5}, {"delay": 1.5}, {"delay": 5},
    {"redirect": "elsewhere"}, {"content_length": "9"},
    {"huge_headers": 100000}, {"chunked": True}, {"hold": True},
    {"drip": {"bytes": 40, "every": 0.02}}, {"keep": False},
    # A proxy would hand these on for as long as its client reads.
    {"endless": "headers", "method": "GET"},
    {"endless": "body", "method": "GET"}, {"endless": "1xx", "method": "GET"},
)
CONNECTION = ("accept", "handshake", "stall")

# A token test that says neither yes nor no.
ODD = {"status": {"isAuthenticated": "true", "environment": "test"}}


class Trouble:
    """Each kind at its own moments, until all is over."""

    def __init__(self, sandbox, tokens, servers, program, etc, chance, stop):
        self.sandbox, self.tokens, self.servers = sandbox, tokens, servers
        self.program, self.etc = program, etc
        self.chance, self.stop = chance, stop
        self.done = collections.Counter()
        self.when = collections.defaultdict(list)
        self.failed = None
        self.secrets = {"test/pay": None, "test/gate": None}

    # The API.

    def api(self):
        """Some requests meet a fault, for about a second; then it is well,
        for as long."""
        self.sandbox.reset("faults", "log")
        self.sandbox.settings(root_extra={})
        if self.chance.random() < 0.4:
            return
        given = []
        for _ in range(self.chance.randrange(1, 4)):
            fault = dict(self.chance.choice(FAULTS), server="monime",
                         skip=self.chance.randrange(4),
                         times=self.chance.randrange(1, 15))
            if fault.get("drop") not in CONNECTION and \
                    self.chance.random() < 0.3:
                fault.setdefault("method", self.chance.choice(
                    ("GET", "POST")))
            given.append(fault)
        self.sandbox.fault(*given)
        if self.chance.random() < 0.1:
            self.sandbox.settings(root_extra=ODD)
        self.done["faults"] += len(given)

    # Secrets.

    def bearers(self):
        self.tokens.rotate()
        self.done["tokens revoked"] += 1

    def renew(self, name):
        """As `monime set-token` does.  Returns what it was before."""
        former = self.secrets[name]
        self.secrets[name] = self.sandbox.token()
        path = os.path.join(self.etc, name + ".token")
        write_file(path + ".new", self.secrets[name] + "\n", 0o600)
        os.rename(path + ".new", path)
        return former

    def credential(self):
        """The program reads its own anew when it is refused, at once."""
        former = self.renew("test/pay")
        self.sandbox.control("/revoke", {"token": former})
        self.done["credentials renewed"] += 1

    def reload(self):
        """Servers read theirs anew when they are told to."""
        former = self.renew("test/gate")
        for name, server in self.servers.items():
            server.reload()
            self.done["%s reloads" % name] += 1
        self.sandbox.control("/revoke", {"token": former})

    # Deaths.

    def kill(self):
        victims = [(name, server.workers_now())
                   for name, server in self.servers.items()]
        victims.append(("program", self.program.mortal()))
        name, pids = self.chance.choice(victims)
        if pids:
            try:
                os.kill(self.chance.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                return  # it has just left
            self.done["%s kills" % name] += 1

    # The run.

    def prepare(self, seconds):
        """So much rarer than may be as the run is long; and its second half
        is for servers that live, so that what they leak would be seen."""
        pace = 1 if seconds <= 300 else 5
        half, ever = seconds / 2, float("inf")
        for name in self.secrets:
            self.renew(name)
        self.threads = [
            threading.Thread(target=self._run, args=(rows,), daemon=True)
            for rows in (((self.api, 0.7, ever),), (
                (self.bearers, 0.5 * pace, ever),
                (self.credential, 5 * pace, ever),
                (self.reload, 6 * pace, half), (self.kill, 3 * pace, half)))]

    def begin(self):
        for thread in self.threads:
            thread.start()

    def _run(self, rows):
        began = time.monotonic()
        due = [[self._next(mean), mean, until, what]
               for what, mean, until in rows]
        while True:
            row = min(due, key=lambda r: r[0])
            if self.stop.wait(max(0, began + row[0] - time.monotonic())):
                return
            at = time.monotonic() - began
            try:
                row[3]()
            except Exception as error:  # told by the main thread
                self.failed = "%s: %r" % (row[3].__name__, error)
                self.stop.set()
                return
            self.when[row[3].__name__].append(at)
            row[0] = time.monotonic() - began + self._next(row[1])
            due = [r for r in due if r[0] < r[2]]

    def _next(self, mean):
        return min(self.chance.expovariate(1 / mean), mean * 4)

    def end(self, seconds):
        for thread in self.threads:
            thread.join(seconds)
        self.sandbox.reset("faults", "log")
        self.sandbox.settings(root_extra={})


def write_profiles(sandbox, etc):
    check = 'check = { ttl = "2 s"; negative_ttl = "1 s"; timeout = "1 s";' \
        ' probes = 256; probe_rate = 2000; };\n' \
        'connect_timeout = "1 s"; timeout = "3 s"; reload = "1 s";\n' \
        'connections = 16; max_answer = "128 KiB";\n'
    origin = sandbox.origins["monime"]
    for name, space, more in (
            ("test/one", "spc-sandbox", ""), ("test/two", "spc-two", ""),
            ("test/pay", "spc-sandbox", ""),
            ("test/gate", "spc-sandbox",
             'allow = { methods = ["POST", "PATCH"]; paths = ["/v1/payouts",'
             ' "/v1/financial-accounts/*"]; };\n')):
        profile(etc, name, 'provider = "monime";\nspace = "%s";\n'
                'base_url = "%s";\n' % (space, origin) + check + more)
