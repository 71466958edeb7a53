# SPDX-License-Identifier: MIT
"""Hostile bearers against nginx: headers that two readers could take in two
ways, and as many tokens as wrk can make up."""

import os
import random
import re
import statistics
import subprocess
import time

from client import bearer, request
from server import Server
from support import profile, write_file
from table import must, row

SEED = os.environ.get("MONIME_ATTACK_SEED", "1")

HTTP = """
    server {
        {plain}
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
    """Does a reader who forgives nothing find the good token there, once?"""
    found = []
    for line in head.split(b"\n")[1:]:
        name, colon, value = line.rstrip(b"\r").partition(b":")
        if colon and name.lower() == b"authorization":
            found.append(value.strip(b" \t"))
    return len(found) == 1 and re.fullmatch(
        rb"(?i:bearer) +" + re.escape(good.encode()), found[0])


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
    row("bytes, unicode and NUL in the header", tried,
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
    row("requests in requests, headers in headers", tried,
        "%d passed on, as they were judged; 0 others, 0 let in" % passed)


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


class Flood:
    def __init__(self, server, folder, pause, seconds):
        script = os.path.join(folder, "made-up.lua")
        if not os.path.exists(script):
            write_file(script, MADE_UP, 0o644)
        self.process = subprocess.Popen(
            ("nice", "wrk", "-t1", "-c%d" % CONNECTIONS, "-d%ds" % seconds, "-s",
             script, "http://127.0.0.1:%d/" % server.port[2], "--",
             str(pause), SEED), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

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
    sandbox.reset("log")
    held, began = 0, time.monotonic()
    for pause in (8, 2, 0):
        pairs = [pair(server, good, pause) for _ in range(3)]
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


def run(sandbox):
    etc = sandbox.profiles()
    with open(os.path.join(etc, "test", "gateway.conf"),
              encoding="utf-8") as file:
        text = file.read()
    profile(etc, "test/gate", text + ALLOW, sandbox.tokens["test"])
    server = Server(sandbox, HTTP, etc=etc, level="error")
    try:
        good = sandbox.token()
        must(PAGE in everything(server, request(
            "/", bearer(good), "Connection: close")), "a good token",
            "is refused")
        headers(server, sandbox, good)
        smuggled(server, sandbox, good)
        flood(server, sandbox, good)
    finally:
        server.stop()
