# SPDX-License-Identifier: MIT
"""A server that begins anew, and one that ends: under load, with checks on
their way, and with profiles that have changed.

MONIME_RELOADS (20) is how often it begins anew under load.
"""

import os
import signal
import threading

from client import Client, bearer, request
from host import wrapped
from support import count, profile

PROFILE = 'provider = "monime"; space = "%s"; base_url = "%s"; check = {' \
    'probes = 512; probe_rate = 10000; ttl = "10 min"; timeout = "%s"; };'


class Restarts:
    """serve() starts a server that checks "/" by test/gateway; unchecked()
    makes its configuration one that checks nothing, and checked() the former
    again."""

    Server = None
    # What may be said of a worker that was killed.
    KILLED = None
    # What the parent may hold more with each time behind the tenth, in KiB,
    # and once.
    SLACK, ONCE = 1, 48

    def server_with(self, timeout="20 s", **more):
        self.sandbox.reset()
        etc = self.sandbox.profiles()
        self.write_profile(etc, "spc-sandbox", timeout)
        return self.start(self.serve(etc, **more))

    def write_profile(self, etc, space, timeout="20 s"):
        profile(etc, "test/gateway", PROFILE % (
            space, self.sandbox.origins["monime"], timeout))

    def ask(self, server, token):
        with server.client() as c:
            return c.ask("/", bearer(token)).status

    def test_reload_under_load_fails_no_request_and_forgets_nothing(self):
        server = self.server_with(workers=2)
        tokens = [(self.sandbox.token(), 200), (self.sandbox.unknown(), 401),
                  (self.sandbox.tokens["live"], 401), (None, 401)]
        load = [Caller(server, tokens) for _ in range(2)]
        for caller in load:
            self.addCleanup(caller.stop)
            caller.start()
        sizes, held = [], holdings(server.process.pid)
        for times in range(count("RELOADS", 20)):
            server.reload()
            sizes.append(server.rss())
            server.until(lambda: any(caller.wrong for caller in load) or
                         sum(caller.asked for caller in load) > 10 * times,
                         "some load")
        for caller in load:
            caller.stop()
        wrong = [w for caller in load for w in caller.wrong]
        self.assertEqual(wrong, [])
        asked = sum(caller.asked for caller in load)
        sums = server.status()
        self.assertEqual(sum(v for k, v in sums.items() if k[0] ==
                             "monime_verdicts"), asked)
        # A yes is remembered all the time.
        self.assertEqual(sums["monime_probes", "test/gateway", "ok"], 1)
        self.assertEqual(len([r for r in self.sandbox.requests() if r[
            "target"] != "/"]), 1)
        # What valgrind and sanitizers note of each block grows by itself.
        if not wrapped():
            self.assertLessEqual(sizes[-1] - sizes[9],
                                 self.ONCE + self.SLACK * len(sizes[10:]),
                                 sizes)
        # The ends of channels to workers that have just left go with them.
        server.until(lambda: holdings(server.process.pid) == held,
                     "%r, which was held before" % (held,))

    def test_refusals_and_counters_survive(self):
        server = self.server_with()
        bad, good = self.sandbox.unknown(), self.sandbox.token()
        self.assertEqual([self.ask(server, t) for t in (bad, good)],
                         [401, 200])
        before, asked = server.status(), self.sandbox.counts("requests")
        server.reload()
        self.assertEqual(server.status(), before)
        self.assertEqual([self.ask(server, t) for t in (bad, good)],
                         [401, 200])
        self.assertEqual(self.sandbox.counts("requests"), asked)

    def test_verdicts_survive_a_worker_that_is_killed(self):
        server = self.server_with()
        server.tolerated = self.KILLED
        good = self.sandbox.token()
        self.assertEqual(self.ask(server, good), 200)
        asked = self.sandbox.counts("requests")
        worker = server.workers_now()
        os.kill(worker[0], signal.SIGKILL)
        server.until(lambda: server.workers_now() not in ([], worker),
                     "a new worker")
        self.assertEqual(self.ask(server, good), 200)
        self.assertEqual(self.sandbox.counts("requests"), asked)

    # With checks on their way.

    def pending(self, server):
        """A client that waits for an answer of the API."""
        self.sandbox.fault({"hold": True, "times": -1})
        c = server.client()
        self.addCleanup(c.close)
        c.send(request("/", bearer(self.sandbox.token())))
        self.sandbox.wait("held", 1)
        return c

    def test_pending_check_is_finished_before_the_worker_leaves(self):
        for how in (self.Server.AGAIN, self.Server.END):
            with self.subTest(how):
                server = self.server_with()
                c = self.pending(server)
                worker = server.workers_now()[0]
                server.again(how)
                server.wait_leaving()
                self.assertTrue(os.path.exists("/proc/%d" % worker))
                self.sandbox.reset("faults")
                self.assertEqual(c.read().status, 200)
                there = "/proc/%d" % worker
                server.until(lambda: not os.path.exists(there),
                             "the worker to leave")

    def test_check_that_gets_no_answer_holds_a_worker_to_its_deadline(self):
        server = self.server_with("1 s")
        c = self.pending(server)
        server.reload()
        self.assertEqual(c.read().status, 503)

    def test_new_worker_waits_for_what_an_old_one_asks(self):
        server = self.server_with()
        self.sandbox.fault({"hold": True, "times": -1})
        token = self.sandbox.token()
        with server.client() as old:
            old.send(request("/", bearer(token)))
            self.sandbox.wait("held", 1)
            worker = server.workers_now()
            server.again()
            server.until(lambda: len(server.workers_now()) == 2,
                         "a new worker")
            server.wait_leaving()
            new = self.client_of_another(server, worker)
            served = server.served()
            new.send(request("/", bearer(token)))
            server.wait_served(served + 1)
            self.assertEqual(len(self.sandbox.requests()), 1)
            self.sandbox.reset("faults")
            self.assertEqual(old.read().status, 200)
            self.assertEqual(new.read().status, 200)
            new.close()
        self.assertEqual(len(self.sandbox.requests()), 2)

    def client_of_another(self, server, workers):
        found = []

        def look():
            c = server.client(2)
            if int(c.ask("/worker").body) in workers:
                c.close()
            else:
                found.append(c)
            return found

        server.until(look, "a connection with a new worker")
        return found[0]

    # Profiles that change.

    def test_changed_profile_holds_from_the_reload_on(self):
        server = self.server_with()
        one = self.sandbox.token()
        two = self.sandbox.token(spaces=("spc-two",))
        self.assertEqual([self.ask(server, t) for t in (one, two)],
                         [200, 403])
        self.write_profile(server.etc, "spc-two")
        server.reload()
        self.assertEqual([self.ask(server, t) for t in (one, two)],
                         [403, 200])

    def test_profile_that_is_no_longer_named_is_closed(self):
        server = self.server_with()
        self.assertEqual(self.ask(server, self.sandbox.token()), 200)
        full = holdings(server.process.pid)[1]
        self.unchecked(server)
        server.reload()
        self.assertEqual(self.ask(server, "x"), 200)
        self.assertLess(holdings(server.process.pid)[1], full)
        self.checked(server)
        server.reload()
        self.assertEqual(self.ask(server, "x"), 401)


def holdings(pid):
    """Descriptors, and anonymous shared mappings, of a process."""
    with open("/proc/%d/maps" % pid, encoding="ascii") as file:
        shared = [line for line in file if "/dev/zero" in line]
    return len(os.listdir("/proc/%d/fd" % pid)), len(shared)


class Caller(threading.Thread):
    """Asks with each token by turns, until something is wrong, over a fresh
    connection each time: one that is kept ends with the worker, at whatever
    moment that is."""

    def __init__(self, server, tokens):
        super().__init__(daemon=True)
        self.port, self.tokens = server.port[2], tokens
        self.asked, self.wrong = 0, []
        self.ending = threading.Event()

    def run(self):
        while not (self.ending.is_set() or self.wrong):
            token, wanted = self.tokens[self.asked % len(self.tokens)]
            headers = [bearer(token)] if token else []
            try:
                with Client(self.port) as c:
                    answer = c.ask("/", "Connection: close", *headers)
                if answer.status != wanted:
                    self.wrong.append(answer)
            except (OSError, ValueError, IndexError) as error:
                self.wrong.append(error)
            self.asked += 1

    def stop(self):
        self.ending.set()
        self.join()
