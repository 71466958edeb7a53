#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a check costs in nginx, beside other ways to ask and to a plain file.

    gateway.py remembered | asked | instructions | p99 | stalls | flood

It prints lines as tests/bench/run wants them, which starts it and tells it its
surroundings.  The gateway has a processor of its own; wrk and the API share
the other one.  Every ratio is of runs of a second that took turns.
"""

import atexit
import errno
import fcntl
import os
import re
import resource
import select
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

import places

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
QUICK = os.environ.get("BENCH") == "quick"
ORIGIN = os.environ["BENCH_ORIGIN"]
CA_PATH = os.environ["BENCH_CA_PATH"]
TOKEN = os.environ["BENCH_TOKEN"]
# run removes what is in here.
WORK = os.path.dirname(os.environ["BENCH_FOLDER"])
KEYS = os.path.dirname(CA_PATH)

CLIENT_CPU = {int(os.environ["BENCH_SERVER_CPU"])}
GATEWAY_CPU = {max(os.sched_getaffinity(0))}

CONNECTIONS = 32
# How many checks hang at once: as many as a handle has connections for.
HANGING = 64

PROFILE = """\
provider = "monime";
space = "spc-bench";
base_url = "%s";
connections = %d;
check = {
	accept = "%s";
	ttl = "%s";
	timeout = "60s";
	probes = 512;
	probe_rate = 10000;
	entries = 65536;
};
"""

# Another token with every request: so many there are, and then the first one
# again.  Places that are more than one take turns.
OTHER_TOKENS = """\
local n, first, limit, places
function init(arguments)
	first = arguments[1]
	limit = tonumber(arguments[2])
	places = arguments
	n = 0
end
function request()
	n = n % limit + 1
	wrk.headers["Authorization"] = "Bearer mon_test_" .. first .. n
	return wrk.format(nil, "/" .. places[3 + n % (#places - 2)] .. "/file")
end
"""
KNOWN = "known-"

# No profile may ask more than 5 000 times a second for tokens that are new.
ASKED = ("asked-0", "asked-1", "asked-2", "asked-3")


def rounds(n):
    return 3 if QUICK else n


def figure(what, unit, bar, values):
    values = sorted(values)
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive") \
        if len(values) > 1 else values * 3
    print("figure\t%s\t%s\t%s\t%r\t%r\t%r" % (
        what, unit, bar, statistics.median(values), lower, upper), flush=True)


def note(text):
    print(text, flush=True)


AUTOGROUP = "/proc/self/autogroup"


def set_autogroup(nice):
    with open(AUTOGROUP, "w", encoding="ascii") as file:
        file.write(nice)


def favoured():
    """Before whatever else this machine does, where that can be.  The kernel
    may weigh sessions first, and processes only within them."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        if os.path.exists(AUTOGROUP):
            with open(AUTOGROUP, encoding="ascii") as file:
                atexit.register(set_autogroup, file.read().split()[-1])
            set_autogroup("-20")
    except OSError as error:
        note("the work of others is measured, too: %s" % error)


def fresh_folder(base=WORK):
    made = tempfile.mkdtemp(prefix="gateway.", dir=base)
    os.chmod(made, 0o755)
    return made


def write_etc(folder, ca_path=CA_PATH, **profiles):
    """A configuration folder; each profile: origin, accept, ttl."""
    etc = os.path.join(folder, "etc")
    os.makedirs(os.path.join(etc, "test"))
    os.chmod(etc, 0o755)
    os.chmod(os.path.join(etc, "test"), 0o700)
    places.write(os.path.join(etc, "monime.conf"),
                 'environments = ["test"];\nca_path = "%s";\n' % ca_path)
    for name, (origin, accept, ttl) in profiles.items():
        places.write(os.path.join(etc, "test", name + ".conf"), PROFILE % (
            origin, HANGING, accept, ttl), 0o600)
    return etc


def start_gateway(folder, checked, cpus=None, **words):
    return places.gateway(os.path.join(folder, "gateway"),
                          cpus or GATEWAY_CPU, checked, build=BUILD,
                          ca_path=CA_PATH, api=ORIGIN[len("https://"):],
                          etc=os.path.join(folder, "etc"), **words)


class Wrk:
    """A run of wrk, which is awaited when its figures are asked for."""

    runs = 0

    def __init__(self, gateway, names, seconds=1, connections=CONNECTIONS,
                 new=False, known=0, credential="Bearer " + TOKEN):
        """Tokens that are new, or so many that are known, or the one."""
        Wrk.runs += 1
        self.url = gateway.url(names[0])
        command = ["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds,
                   "--timeout", "10s"]
        if new or known:
            script = os.path.join(WORK, "other-tokens.lua")
            if not os.path.exists(script):
                places.write(script, OTHER_TOKENS)
            command += ["-s", script, self.url, "--", *(
                (KNOWN, str(known)) if known else
                ("new-%d-%d-" % (os.getpid(), Wrk.runs), "1e15")), *names]
        else:
            command += ["-H", "Authorization: " + credential, self.url]
        self.process = subprocess.Popen(
            command, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, CLIENT_CPU))

    def wait(self):
        said = self.process.communicate()[0]
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        self.refused = int(bad[1]) if bad else 0
        if self.process.returncode != 0 or "Requests/sec" not in said:
            raise SystemExit("wrk %s: %s" % (self.url, said))
        self.rate = float(re.search(r"Requests/sec:\s*([\d.]+)", said)[1])
        return self

    def all_served(self):
        """A run of refusals is no measurement of anything."""
        if self.wait().refused:
            raise SystemExit("%s: %d requests were refused" % (
                self.url, self.refused))
        return self

    def stop(self):
        self.process.terminate()
        self.process.communicate()


def rate(gateway, *names, **more):
    return Wrk(gateway, names, **more).all_served().rate


def in_turns(n, first, second):
    """n pairs of what the two return; who comes first changes each time."""
    pairs = []
    for i in range(n):
        if i % 2 == 0:
            a = first()
            pairs.append((a, second()))
        else:
            b = second()
            pairs.append((first(), b))
    return pairs


REMEMBERED = (
    ("return", "nginx: auth_request to an inner return"),
    ("lua", "nginx: lua with a shared dictionary"),
    ("cached", "nginx: auth_request with proxy_cache"),
    ("njs", "nginx: njs with a cached subrequest"),
)


def per_second(values):
    return "%.0f requests a second" % statistics.median(values)


def let_in(gateway, place, token=TOKEN):
    """Ask once: it is remembered from then on."""
    first = client(gateway, place, token)
    if first.ask() != 200:
        raise SystemExit("%s: refused\n%s" % (place, gateway.log()))
    first.close()


def against_plain(gateway, place, n, **more):
    pairs = in_turns(n, lambda: rate(gateway, place, **more),
                     lambda: rate(gateway, "plain", **more))
    note("%s: %s; plain: %s" % (place, per_second([a for a, _ in pairs]),
                                per_second([b for _, b in pairs])))
    return [a / b for a, b in pairs]


def remembered():
    folder = fresh_folder()
    write_etc(folder, remembered=(ORIGIN, "space", "1h"))
    with start_gateway(folder, ["remembered"], rivals=True) as gateway:
        for place in ("plain", "remembered", *(p for p, _ in REMEMBERED)):
            let_in(gateway, place)
        figure("nginx: two plain locations, for comparison", "ratio", "",
               against_plain(gateway, "plain", rounds(4)))
        figure("nginx: remembered check, to a plain location",
               "ratio", ">= 0.95",
               against_plain(gateway, "remembered", rounds(15)))
        for place, title in REMEMBERED:
            figure("  " + title, "ratio", "",
                   against_plain(gateway, place, rounds(4)))
            pairs = in_turns(rounds(4), lambda: rate(gateway, "remembered"),
                             lambda p=place: rate(gateway, p))
            figure("  remembered check against it", "ratio", ">= 1",
                   [a / b for a, b in pairs])


def asked():
    folder = fresh_folder()
    write_etc(folder, **{name: (ORIGIN, "any", "0 s") for name in ASKED})
    with start_gateway(folder, ASKED, rivals=True) as gateway:
        def of(*names):
            return lambda: rate(gateway, *names, new=True)
        pairs = in_turns(rounds(6), of(*ASKED), of("uncached"))
        figure("nginx: a new token each time, against auth_request", "ratio",
               ">= 3", [a / b for a, b in pairs])
        note("asked: %s; auth_request: %s" % (
            per_second([a for a, _ in pairs]),
            per_second([b for _, b in pairs])))
        pairs = in_turns(rounds(4), of(*ASKED), of("kept"))
        figure("  against auth_request by HEAD, connections kept", "ratio",
               "", [a / b for a, b in pairs])
        for names, title in (
                (ASKED, "check"), (("uncached",), "auth_request"),
                (("kept",), "auth_request by HEAD, kept")):
            pairs = in_turns(rounds(3), of(*names), of("plain"))
            figure("  %s, to a plain location" % title, "ratio", "",
                   [a / b for a, b in pairs])


class Client:
    """One kept connection."""

    def __init__(self, connected, place, token=TOKEN):
        self.socket = connected
        self.request = request_of(place, token)

    def ask(self):
        self.socket.sendall(self.request)
        answer = b""
        while b"\r\n\r\n" not in answer or not complete(answer):
            part = self.socket.recv(65536)
            if not part:
                raise SystemExit("the gateway hung up")
            answer += part
        return int(answer[9:12])

    def close(self):
        self.socket.close()


def client(gateway, place, token=TOKEN):
    connected = socket.create_connection(("127.0.0.1", gateway.port))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Client(connected, place, token)


def client_of_file(path, place):
    """Of a gateway under valgrind, which takes its time to be there."""
    end = time.monotonic() + 60
    connected = socket.socket(socket.AF_UNIX)
    while time.monotonic() < end:
        try:
            connected.connect(path)
            return Client(connected, place)
        except OSError:
            time.sleep(0.05)
    raise SystemExit("no gateway at %s" % path)


def request_of(place, token):
    return ("GET /%s/file HTTP/1.1\r\nHost: gateway\r\n"
            "Authorization: Bearer %s\r\n\r\n" % (place, token)).encode()


def complete(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return len(body) >= int(length[1])


def instructions_of(place, n, taken):
    """Of an nginx that answers n requests over one connection and ends."""
    folder = fresh_folder()
    write_etc(folder, remembered=(ORIGIN, "space", "1h"))
    with start_gateway(
            folder, ["remembered"], rivals=True, single=True,
            before=("valgrind", "--tool=callgrind",
                    "--callgrind-out-file=/dev/null")) as gateway:
        asking = client_of_file(os.path.join(gateway.folder, "socket"), place)
        for _ in range(n):
            if asking.ask() != 200:
                raise SystemExit("%s under valgrind: refused" % place)
        asking.close()
        gateway.stop()
        found = re.search(r"Collected : (\d+)", gateway.said())
        if found is None:
            raise SystemExit("callgrind: %s" % gateway.said())
        taken[n] = int(found[1])


def instructions_a_request(place, n):
    """What twice as many take more; the two at the same time."""
    taken = {}
    threads = [threading.Thread(target=instructions_of,
                                args=(place, k, taken)) for k in (n, 2 * n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(taken) != 2:
        raise SystemExit("%s: not counted" % place)
    return (taken[2 * n] - taken[n]) / n


def instructions():
    n = 1000
    repeat = 1 if QUICK else 2
    plain = [instructions_a_request("plain", n) for _ in range(repeat)]
    checked = [instructions_a_request("remembered", n)
               for _ in range(repeat)]
    base = statistics.median(plain)
    figure("nginx: remembered check, instructions above a plain location",
           "", "<= 1000", [round(c - base) for c in checked])
    figure("  of the plain location", "", "", [round(p) for p in plain])
    for place, title in () if QUICK else REMEMBERED:
        figure("  %s, above it" % title, "", "",
               [round(instructions_a_request(place, n) - base)])


def urgent():
    """A gap is to be the gateway's own: neither it nor its prober waits for
    a processor, where that may be had.  Returns what makes a command so."""
    os.sched_setaffinity(0, CLIENT_CPU)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK,
                              os.sched_param(1))
        return ("chrt", "--fifo", "1")
    except PermissionError:
        note("no right to be urgent: waits for a processor are in the gaps")
        return ()


def slow(folder, **words):
    return places.slow_api(os.path.join(folder, "api"), CLIENT_CPU, KEYS,
                           **words)


def origin_of(api):
    return "https://127.0.0.1:%d" % api.port


def hang(gateway):
    """Checks that hang, until somebody stops it."""
    return Wrk(gateway, ("waiting",), 60, HANGING, new=True)


def p99_of(prober):
    gaps = gaps_of(prober, 1)
    return statistics.quantiles(gaps, n=100)[98]


def p99():
    folder = fresh_folder()
    with slow(folder) as api:
        write_etc(folder, waiting=(origin_of(api), "any", "0 s"))
        with start_gateway(folder, ["waiting"], before=urgent()) as gateway:
            prober = client(gateway, "plain")

            def meanwhile():
                load = hang(gateway)
                time.sleep(0.3)
                try:
                    return p99_of(prober)
                finally:
                    load.stop()
            pairs = in_turns(rounds(12), meanwhile, lambda: p99_of(prober))
        asked_api = times_asked(api)
    figure("nginx: p99 of other requests while %d checks hang, to without" %
           HANGING, "ratio", "<= 1.2", [a / b for a, b in pairs])
    figure("  with them", "ms", "", [a for a, _ in pairs])
    figure("  without", "ms", "", [b for _, b in pairs])
    note("%d checks were asked" % asked_api)


def times_asked(api):
    done = subprocess.run(
        ("curl", "-sS", "--capath", CA_PATH, origin_of(api) + "/asked"),
        check=True, stdout=subprocess.PIPE)
    return int(done.stdout)


def gaps_of(prober, seconds):
    """How long a client waits for each answer that asks once a millisecond,
    or as soon as it has the last one: in ms."""
    gaps = []
    due = time.monotonic()
    end = due + seconds
    while due < end:
        began = time.monotonic()
        prober.ask()
        now = time.monotonic()
        gaps.append((now - began) * 1e3)
        due = max(due + 0.001, now)
        time.sleep(max(0, due - now))
    return gaps


def longest_gap(prober):
    gaps = gaps_of(prober, 1.5)
    note("the longest gaps, and at which request: " + ", ".join(
        "%.1f at %d" % (gap, at) for gap, at in sorted(
            ((gap, at) for at, gap in enumerate(gaps)), reverse=True)[:3]))
    return max(gaps)


def stall(gateway):
    """(longest gap while checks begin and hang, the same without)"""
    prober = client(gateway, "plain")
    for _ in range(100):
        prober.ask()
    without = longest_gap(prober)
    load = hang(gateway)
    try:
        with_them = longest_gap(prober)
    finally:
        load.stop()
        prober.close()
    return with_them, without


def tell_stalls(title, pairs):
    figure("nginx: longest stall of another location, " + title, "ms",
           "<= 10", [max(0.0, a - b) for a, b in pairs])
    figure("  the longest gap with checks", "ms", "", [a for a, _ in pairs])
    figure("  the longest gap without", "ms", "", [b for _, b in pairs])


def stalls_of(title, etc_words, origin, before_load=lambda: None):
    """Each round has a worker that has never asked anything."""
    pairs = []
    before = urgent()
    for _ in range(rounds(5)):
        folder = fresh_folder()
        write_etc(folder, waiting=(origin, "any", "0 s"), **etc_words)
        with start_gateway(folder, ["waiting"], before=before) as gateway:
            before_load()
            pairs.append(stall(gateway))
    tell_stalls(title, pairs)


def copy_authorities():
    """Debian's and ours in one hashed folder, on a disk and not in memory's
    file systems: returns the folder to remove, too."""
    base = fresh_folder("/var/cache")
    certs = os.path.join(base, "certs")
    os.mkdir(certs)
    for source in ("/etc/ssl/certs", CA_PATH):
        for name in os.listdir(source):
            if re.fullmatch(r"[0-9a-f]{8}\.\d+", name):
                with open(os.path.join(source, name),
                          encoding="ascii") as file:
                    places.write(os.path.join(certs, name), file.read())
    return base, certs


def evict(folder):
    """What the kernel has in memory of these files, it forgets."""
    for name in os.listdir(folder):
        descriptor = os.open(os.path.join(folder, name), os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def remove(base):
    for path, folders, files in os.walk(base, topdown=False):
        for name in files:
            os.unlink(os.path.join(path, name))
        for name in folders:
            os.rmdir(os.path.join(path, name))
    os.rmdir(base)


def stalls():
    folder = fresh_folder()
    with slow(folder, keepalive="0") as api:
        stalls_of("a new TLS connection for each check", {}, origin_of(api))
        base, certs = copy_authorities()
        try:
            stalls_of("the store of authorities cold, too",
                      {"ca_path": certs}, origin_of(api),
                      lambda: evict(certs))
        finally:
            remove(base)
    # A network of its own, where a name server can be silent.
    subprocess.run(("unshare", "--net", "--mount", "--propagation", "private",
                    sys.executable, "-B", os.path.abspath(__file__),
                    "dead-names"), check=True)


SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def dead_names():
    """In namespaces of its own: stalls() has made them."""
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fcntl.ioctl(resolver, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    resolver.bind(("127.0.0.1", 53))
    path = os.path.join(fresh_folder(), "resolv.conf")
    places.write(path, "nameserver 127.0.0.1\n")
    subprocess.run(("mount", "--bind", path, "/etc/resolv.conf"), check=True)
    stalls_of("a name server that never answers", {},
              "https://never.example.org")
    resolver.setblocking(False)
    try:
        resolver.recv(512)
    except BlockingIOError:
        raise SystemExit("the name server was never asked") from None


def answers_of(gateway, requests, request):
    """So many requests at once, each on its own connection: {status: n},
    {worker: n}, and how long it took to send them."""
    open_ones, statuses, workers = {}, {}, {}
    for _ in range(requests):
        one = socket.create_connection(("127.0.0.1", gateway.port))
        open_ones[one.fileno()] = one
    poll = select.epoll()
    began = time.monotonic()
    for number, one in open_ones.items():
        one.sendall(request)
        poll.register(number, select.EPOLLIN)
    sent = time.monotonic() - began
    while open_ones:
        events = poll.poll(30)
        if not events:
            raise SystemExit("%d requests are not answered" % len(open_ones))
        for number, _ in events:
            one = open_ones.pop(number)
            try:
                head = one.recv(65536).decode("ascii", "replace")
            except OSError as error:
                head = "HTTP/1.1 %s" % errno.errorcode[error.errno]
            statuses.setdefault(head[9:12], 0)
            statuses[head[9:12]] += 1
            worker = re.search(r"X-Worker: (\d+)", head)
            if worker:
                workers[worker[1]] = workers.get(worker[1], 0) + 1
            poll.unregister(number)
            one.close()
    return statuses, workers, sent


def flood():
    requests = 1000 if QUICK else 10000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < requests + 100:
        raise SystemExit("%d descriptors are too few" % hard)
    counts = []
    folder = fresh_folder()
    with slow(folder, delay=3) as api:
        write_etc(folder, waiting=(origin_of(api), "space", "1h"))
        with start_gateway(folder, ["waiting"], workers=2,
                           cpus=os.sched_getaffinity(0)) as gateway:
            for i in range(rounds(3)):
                before = times_asked(api)
                token = "mon_test_flood-%d-%d" % (os.getpid(), i)
                statuses, workers, sent = answers_of(
                    gateway, requests, request_of("waiting", token))
                counts.append(times_asked(api) - before)
                note("%d requests, sent in %.2f s: statuses %s, by worker %s"
                     % (requests, sent, statuses, sorted(workers.values())))
                if sent > 3:
                    note("  they were not at once: the API answered before")
    figure("nginx: %d requests at once, one new token, 2 workers: probes" %
           requests, "", "<= 1", counts)


PARTS = {"remembered": remembered, "asked": asked,
         "instructions": instructions, "p99": p99, "stalls": stalls,
         "dead-names": dead_names, "flood": flood}


if __name__ == "__main__":
    favoured()
    PARTS[sys.argv[1]]()
