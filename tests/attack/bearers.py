# SPDX-License-Identifier: MIT
"""Hostile bearers: headers that two readers could take in two ways, to nginx
and Apache, and to nginx as many tokens as wrk can make up."""

import os
import random
import re
import socket
import ssl
import statistics
import subprocess
import threading
import time

import kinds
from client import bearer, request
from hostile import RESET, SETTINGS, frame
from support import PATIENCE, count, profile, write_file
from table import must, row

SEED = os.environ.get("MONIME_ATTACK_SEED", "1")

NGINX = """
    server {
        {plain}
        {tls}
        monime_profile test/gateway;
        monime_check on;
        location / { try_files /page =404; }
        location /v1/ {
            monime_profile test/gate; monime_authorize on;
            proxy_pass {origins[monime]};
            # The client closes its half when it has said all.
            proxy_ignore_client_abort on;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization $monime_authorization;
            proxy_set_header Monime-Space-Id $monime_space;
            proxy_ssl_verify on;
            proxy_ssl_server_name on;
            proxy_ssl_trusted_certificate {ca};
        }
    }
"""

APACHE = """
    {plain}
        {page}
        {verified}
        <Location />
            AuthType Monime
            MonimeProfile test/gateway
            Require monime
        </Location>
        <Location /v1/>
            MonimeProfile test/gate
            MonimeAuthorize On
            ProxyPass {origins[monime]}/v1/
        </Location>
    </VirtualHost>
"""

ALLOW = 'allow = { methods = ["GET", "POST"]; paths = ["/v1/payouts"]; };\n'
PAGE = b"a page\n"

# All that the API may see: what `allow` names and was asked for, and a check
# and a confirmation of the environment.
PASSED_ON = {("POST", "/v1/payouts"), ("GET", "/"),
             ("GET", "/v1/financial-accounts")}

# What is put into a header that is good, at a place drawn by lot.
ODD = [bytes([n]) for n in (0, 1, 9, 10, 11, 12, 13, 27, 32, 34, 44, 45, 58,
                            59, 61, 127, 128, 0xa0, 0xad, 255)] + [
    b"\r\n", b"\n ", b"\r\n\t", b"%20", b"%00", b"\r\nX: ", b", Bearer ",
    "\u00a0".encode(), "\u200b".encode(), "\ufeff".encode(),
    "\u202e".encode(), "\u0065\u0301".encode(), "\uff42".encode(),
    "\u212a".encode(), "\u017f".encode(), b"\xc0\x80", b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80"]


def mutated(chance, line):
    """The line with some bytes more, fewer, twice or in another case."""
    for _ in range(chance.randrange(1, 4)):
        at, to = sorted(chance.randrange(len(line) + 1) for _ in range(2))
        line = chance.choice((
            lambda: line[:at] + chance.choice(ODD) + line[at:],
            lambda: line[:at] + line[at + 1:],
            lambda: line[:to] + line[at:],
            lambda: line[:at] + line[at:to].swapcase() + line[to:],
            lambda: line[:at] + chance.choice(ODD) + line[to:]))()
    return line


def presents(head, good):
    """Does a reader who forgives no more than a folded line (RFC 9112 5.2)
    find the good token there, once?"""
    found = []
    for line in re.sub(rb"\r?\n[ \t]+", b" ", head).split(b"\n")[1:]:
        name, colon, value = line.rstrip(b"\r").partition(b":")
        if colon and name.lower() == b"authorization":
            found.append(value.strip(b" \t"))
    return len(found) == 1 and re.fullmatch(
        rb"(?i:bearer) +" + re.escape(good.encode()), found[0])


def kind(server):
    return type(server).__module__.partition("_")[0]


def everything(server, data):
    """All that is answered until the server hangs up."""
    with server.client(2) as c:
        c.send(data)
        try:
            return c.file.read()
        except ConnectionResetError:
            return b""


def headers(server, sandbox, good):
    chance = random.Random(SEED)
    tried, let_in = 3000, 0
    for _ in range(tried):
        line = mutated(chance, bearer(good).encode())
        data = request("/", line, "Connection: close")
        head = data.partition(b"\r\n\r\n")[0]
        if PAGE in everything(server, data):
            let_in += 1
            must(presents(head, good), "bytes in the header", "let in: %r" %
                 head)
    must(let_in < tried / 3, "bytes in the header", "they change nothing")
    sent = {r["head"] for r in sandbox.requests()}
    row("bytes, unicode and NUL in the header: " + kind(server), tried,
        "%d still said what is good, 0 others let in" % let_in)
    must(all(len(re.findall("(?im)^authorization: bearer [!-~]+\r$", head)) ==
             1 for head in sent), "bytes in the header", "some went on")


def ambiguous(good):
    """Requests of a good bearer that hold another one for somebody who reads
    them in another way."""
    token = bearer(good).encode() + b"\r\n"
    start = b"POST /v1/payouts HTTP/1.1\r\nHost: localhost\r\n" + token
    inner = b"GET /v1/smuggled HTTP/1.1\r\nHost: localhost\r\nX: "
    chunks = b"0\r\n\r\n" + inner
    for length, coding in (
            (b"%d" % len(chunks), b"chunked"), (b"5", b"chunked"),
            (b"0", b"chunked"), (b"%d" % len(chunks), b"xchunked"),
            (b"5", b"identity"), (b"5", b"gzip, chunked"),
            (b"5", b"chunked, identity"), (b"5", b"\x0bchunked"),
            (b"5", b"chunked\x0b"), (b"5", b"CHUNKED"), (b"5", b'"chunked"')):
        for more in (b"Content-Length: %s\r\nTransfer-Encoding: %s\r\n",
                     b"Content-Length: %s\r\nTransfer-Encoding : %s\r\n",
                     b"Content-Length: %s\r\nTransfer-Encoding\t: %s\r\n",
                     b"Content-Length: %s\r\nTransfer-Encoding:\n %s\r\n",
                     b"Content-Length: %s\r\nX: x\r\n Transfer-Encoding: %s"
                     b"\r\n",
                     b"Content-Length: %s\r\nX: x\nTransfer-Encoding: %s\r\n",
                     b"Content-Length: %s\r\nX: x\rTransfer-Encoding: %s\r\n",
                     b"Content-Length: %s\r\nTransfer_Encoding: %s\r\n"):
            yield start + more % (length, coding) + b"\r\n" + chunks
    for lengths in ((b"0", b"%d" % len(inner)), (b"%d" % len(inner), b"0"),
                    (b"+0", b""), (b"-1", b""), (b"0x0", b""),
                    (b"0, %d" % len(inner), b""), (b"0 0", b""),
                    (b"18446744073709551616", b""), (b"00", b"0")):
        yield start + b"".join(b"Content-Length: %s\r\n" % n
                               for n in lengths if n) + b"\r\n" + inner
    for size in (b"0x0", b"-0", b"0;\n", b"ffffffffffffffff1", b" 0", b"0 "):
        yield start + b"Transfer-Encoding: chunked\r\n\r\n" + size + \
            b"\r\n\r\n" + inner
    for line in (b"POST /v1/payouts HTTP/1.1 \r\n",
                 b"POST /v1/payouts\tHTTP/1.1\r\n",
                 b"POST  /v1/smuggled HTTP/1.1\r\n",
                 b"POST /v1/payouts?/../smuggled HTTP/1.1\r\n",
                 b"POST /v1/payouts%2f..%2fsmuggled HTTP/1.1\r\n",
                 b"POST /v1/payouts/../smuggled HTTP/1.1\r\n",
                 b"POST http://localhost/v1/smuggled HTTP/1.1\r\n",
                 b"POST /v1/payouts HTTP/1.1\r\nHost: a\r\n",
                 b"POST /v1/payouts#/v1/smuggled HTTP/1.1\r\n",
                 b"POST /v1/pay\0outs HTTP/1.1\r\n",
                 b"POST /v1/payouts HTTP/1.1\r\nX-HTTP-Method-Override: "
                 b"DELETE\r\n",
                 b"POST /v1/payouts HTTP/1.1\r\nX-Original-URL: "
                 b"/v1/smuggled\r\n"):
        yield line + b"Host: localhost\r\n" + token + \
            b"Content-Length: 0\r\n\r\n" + inner
    yield start + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" \
        b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: 0\r\n" \
        b"\r\n" + inner
    # And what stands where no reader looks for it makes nobody good.
    yield b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked" \
        b"\r\nTrailer: Authorization\r\n\r\n0\r\n" + token + b"\r\n"
    for name in (b"Authorization ", b"Authorization\t", b" Authorization",
                 b"Authorization_", b"X-Authorization", b"Authorization-",
                 b"Proxy-Authorization", b"X-Forwarded-Authorization",
                 b"X: x\r\n Authorization", b"X: x\rAuthorization",
                 b"Cookie: a=b; Authorization"):
        yield b"GET / HTTP/1.1\r\nHost: localhost\r\n" + \
            token.replace(b"Authorization", name, 1) + b"\r\n"


def smuggled(server, sandbox, good):
    # Who has said all that they have to say waits for no check: it is done.
    with server.client(2) as c:
        answer = c.ask("/v1/payouts", bearer(good), method="POST")
        must(answer.one("Monime-Request-Id"), "smuggling", "%r" % answer)
    sandbox.reset("log")
    tried = 0
    for data in ambiguous(good):
        # Whatever is waited for comes to nothing: the client leaves.
        with server.client(2) as c:
            c.send(data)
            c.socket.shutdown(1)
            answer = c.file.read()
        must(PAGE not in answer, "smuggling", "let in: %r" % data)
        tried += 1
    seen = sandbox.requests()
    for r in seen:
        path = (r["target"] or "").partition("?")[0]
        must(r["error"] is None and (r["method"], path) in PASSED_ON,
             "smuggling", "arrived: %r" % r["head"])
    passed = sum(r["method"] == "POST" for r in seen)
    must(passed > 0, "smuggling", "nothing is passed on at all")
    row("requests in requests: " + kind(server), tried,
        "%d passed on, as they were judged; 0 others, 0 let in" % passed)


# nginx has enough of a connection after some hundreds of them.
RESETS, OF_ONE, BATCH = 5000, 200, 20
HEADERS, END = 1, 5
CANCEL = b"\0\0\0\x08"


def block(token):
    """GET / as RFC 7541 has it, without a table: :method, :scheme, :path,
    :authority and authorization."""
    value = b"Bearer " + token.encode()
    return b"\x82\x87\x84\x01\x09localhost\x0f\x08%c%s" % (
        len(value), value)


def h2_connection(server):
    context = ssl.create_default_context(cafile=server.ca)
    context.set_alpn_protocols(["h2"])
    made = context.wrap_socket(socket.create_connection(
        ("127.0.0.1", server.port[0]), PATIENCE), server_hostname="localhost")
    made.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS))
    return made


def drained(connection):
    """Whatever comes is read by a thread, until there is no more."""
    def read():
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def reset_streams(server, tokens):
    """As many as one connection bears."""
    connection = h2_connection(server)
    thread = drained(connection)
    try:
        for first in range(1, 2 * OF_ONE, 2 * BATCH):
            connection.sendall(b"".join(
                frame(HEADERS, END, stream, block(
                    tokens[stream // 2 % len(tokens)])) +
                frame(RESET, 0, stream, CANCEL)
                for stream in range(first, first + 2 * BATCH, 2)))
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the server has left already
    thread.join(PATIENCE)
    connection.close()


def resets(server, sandbox, good):
    """Checks that wait for their answer, begun and given up at once."""
    attack = "HTTP/2 streams, reset while they are checked"
    sandbox.fault({"hold": True, "times": -1})
    worker, = server.workers_now()
    tokens = [sandbox.unknown() for _ in range(20)]
    served = server.served()
    before, begun = None, 0
    for _ in range(3 * RESETS // OF_ONE):
        reset_streams(server, tokens)
        begun = server.served() - served
        before = before or anonymous(worker)
        if begun >= RESETS:
            break
    grown = anonymous(worker) - before
    sandbox.reset("faults")
    must(PAGE in everything(server, request(
        "/", bearer(good), "Connection: close")), attack, "a good token")
    must(server.workers_now() == [worker], attack, "the worker has died")
    must(begun >= RESETS, attack, "%d were begun" % begun)
    must(grown <= 4096, attack, "%d KiB more" % grown)
    row(attack, begun, "the same worker, %+d KiB; a good one let in" % grown)


def anonymous(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        return int(re.search(r"^RssAnon:\s+(\d+)", file.read(), re.M)[1])


# A token that nobody knows with each request, in three shapes; a pause of some
# milliseconds makes a rate.
MADE_UP = """\
local n, pause
function init(arguments)
	n, pause = 0, tonumber(arguments[1])
	math.randomseed(arguments[2])
end
function request()
	n = n + 1
	local shape = ({"mon_test_%d", "mon_%d", "%d"})[1 + n % 3]
	wrk.headers["Authorization"] = "Bearer " ..
	    string.format(shape, math.random(1000000000))
	return wrk.format()
end
function delay()
	return pause
end
"""
CONNECTIONS = 8

# Who attacks has a machine of their own; here they have a processor, and
# nginx has another where there are two.
ELSEWHERE = {min(os.sched_getaffinity(0))}
HERE = {max(os.sched_getaffinity(0))}


class Flood:
    def __init__(self, server, folder, pause, seconds):
        script = os.path.join(folder, "made-up.lua")
        if not os.path.exists(script):
            write_file(script, MADE_UP, 0o644)
        self.process = subprocess.Popen(
            ("nice", "wrk", "-t1", "-c%d" % CONNECTIONS, "-d%ds" % seconds,
             "-s", script, "http://127.0.0.1:%d/" % server.port[2], "--",
             str(pause), SEED), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, ELSEWHERE))

    def end(self):
        """(requests, how many of them were let in, requests a second)"""
        said = self.process.communicate()[0]
        done = re.search(r"(\d+) requests in", said)
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        must(done and self.process.returncode == 0, "made-up tokens", said)
        rate = float(re.search(r"Requests/sec:\s*([\d.]+)", said)[1])
        return int(done[1]), int(done[1]) - int(bad[1] if bad else 0), rate


def p99(server, good, seconds):
    """Of a good bearer who asks a thousand times a second, in ms."""
    times = []
    with server.client(2) as c:
        due = time.monotonic()
        end = due + seconds
        while due < end:
            began = time.monotonic()
            answer = c.ask("/", bearer(good))
            now = time.monotonic()
            must(answer.status == 200, "made-up tokens", "a good one: %r" %
                 answer)
            times.append((now - began) * 1e3)
            due = max(due + 0.001, now)
            time.sleep(max(0, due - now))
    return statistics.quantiles(times, n=100)[98], len(times)


def pair(server, good, pause):
    """(p99 without, p99 with a flood, good ones asked, the flood's end)"""
    usual, _ = p99(server, good, 0.4)
    wrk = Flood(server, server.folder, pause, 1)
    time.sleep(0.2)  # until all its connections stand
    during, asked = p99(server, good, 0.6)
    return usual, during, asked, wrk.end()


def flood(server, sandbox, good):
    """Rates and times are measured, and machines differ; who is let in is
    not a matter of that."""
    held, began = 0, time.monotonic()
    os.sched_setaffinity(server.workers_now()[0], HERE)
    for pause in (4, 1, 0):
        pairs = [pair(server, good, pause)
                 for _ in range(count("ATTACK_PAIRS", 3))]
        tried, let_in = (sum(p[3][i] for p in pairs) for i in (0, 1))
        must(let_in == 0, "made-up tokens", "%d were let in" % let_in)
        ratio = statistics.median(p[1] / p[0] for p in pairs)
        rate = statistics.median(p[3][2] for p in pairs)
        if ratio <= 1.5:
            held = max(held, rate)
        row("made-up tokens, %.0f a second" % rate, tried,
            "0 let in; %d good ones, p99 %.2f ms, else %.2f: %.2f x" % (
                sum(p[2] for p in pairs),
                *(statistics.median(p[i] for p in pairs) for i in (1, 0)),
                ratio))
    print("  %-44s %7s  %.0f a second" % (
        "  held while p99 <= 1.5 x the usual", "", held))
    # What nobody knows gets half of probe_rate, which is 50 a second.
    asked = len(sandbox.requests())
    must(asked <= 50 * (time.monotonic() - began + 2), "made-up tokens",
         "%d questions to the API" % asked)
    row("made-up tokens, to the API", asked, "half of probe_rate, no more")


def run_at(sandbox, name, text, attacks):
    etc = sandbox.profiles()
    with open(os.path.join(etc, "test", "gateway.conf"),
              encoding="utf-8") as file:
        profile(etc, "test/gate", file.read() + ALLOW,
                sandbox.tokens["test"])
    server = kinds.server_of(name)(sandbox, text, etc=etc, level="notice")
    try:
        good = sandbox.token()
        must(PAGE in everything(server, request(
            "/", bearer(good), "Connection: close")), name,
            "a good token is refused")
        for attack in attacks:
            attack(server, sandbox, good)
            sandbox.reset("log", "faults")
    finally:
        server.stop()


def run(sandbox):
    run_at(sandbox, "nginx", NGINX, (headers, smuggled, resets, flood))
    run_at(sandbox, "apache", APACHE, (headers, smuggled))
