# SPDX-License-Identifier: MIT
"""Scripted faults: which request meets one, and what is sent then.

A fault is what POST /fault was given; sandbox.py documents its members.  The
way of an answer is always the same: choose what to answer, wait, frame it,
cut it, send it, end the connection or keep it.  Members that concern
different steps can be combined freely.
"""

import asyncio
import base64
import itertools

from monime_api import encode
from wire import Answer

MATCH = {"server": str, "method": str, "path": str, "token": str,
         "reused": bool, "skip": int, "times": int, "execute": bool}

# What is answered: one of these; a status goes with the first five.
BASE = {"json": None, "text": str, "body_base64": str, "redirect": str,
        "huge": int, "status": int, "raw": str, "garbage": bool,
        "endless": str}

# How it is answered.
SHAPE = {"headers": list, "body": str, "delay": (int, float), "hold": bool,
         "chunked": bool, "trailers": list, "content_length": str,
         "huge_headers": int, "drip": dict, "drop": str, "reset": bool,
         "keep": bool}

DROPS = ("accept", "handshake", "stall", "request", "status", "headers",
         "body")
CONNECTION_DROPS = DROPS[:3]
ENDLESS = ("headers", "body", "1xx")
GARBAGE = b"\x16\x03\x00\xff\x00 this is not HTTP\r\n\x80\x81\r\n\r\n"


class Invalid(ValueError):
    """The fault is not understood: a mistake of the test, told to it."""


class Fault:
    """One scripted fault and how often it was met."""

    serial = itertools.count(1)

    def __init__(self, given, servers):
        _validate(given, servers)
        self.number = next(Fault.serial)
        self.given = given
        self.get = given.get
        self.skip = given.get("skip", 0)
        self.left = given.get("times", 1)
        self.used = 0
        if "reset" in given and "drop" not in given and \
                not any(name in given for name in BASE):
            self.given = dict(given, drop="status")
            self.get = self.given.get
        self.drop = self.get("drop")
        genuine = not any(name in given for name in BASE)
        # Whether the request is really carried out.  A test can say so;
        # else it is where the genuine answer is sent, whole or in part.
        self.execute = given.get("execute", genuine and
                                 self.drop not in ("request", "status"))

    def use(self):
        """Count a match; false while it is still to be skipped."""
        if self.skip > 0:
            self.skip -= 1
            return False
        self.used += 1
        if self.left > 0:
            self.left -= 1
        return True

    def meets(self, request, state):
        """Whether it concerns this request."""
        get = self.get
        if get("server") not in (None, request.server) or \
                get("method") not in (None, request.method) or \
                not request.target.startswith(get("path") or ""):
            return False
        if get("reused") is not None and \
                get("reused") != (request.sequence > 1):
            return False
        if get("token") is None:
            return True
        value = request.one("Authorization") or ""
        return value.partition(" ")[2] == state.literal(get("token"))

    def describe(self):
        return dict(self.given, number=self.number, used=self.used,
                    left=self.left)


def _validate(given, servers):
    if not isinstance(given, dict):
        raise Invalid("a fault is an object")
    for name, value in given.items():
        kind = MATCH.get(name, BASE.get(name, SHAPE.get(name, Invalid)))
        if kind is Invalid:
            raise Invalid("unknown member: " + name)
        if kind is None or (value is None and name in MATCH):
            continue
        if not isinstance(value, kind) or \
                isinstance(value, bool) != (kind is bool):
            raise Invalid("wrong type: " + name)
    if given.get("server") not in (None,) + tuple(servers):
        raise Invalid("unknown server: " + given["server"])
    answers = [name for name in BASE if name in given]
    if len(answers) > 1 and (len(answers) > 2 or answers[1] != "status"):
        raise Invalid("more than one answer")
    if "body" in given and answers != ["status"]:
        raise Invalid("body goes with status alone")
    if not any(name in given for name in itertools.chain(BASE, SHAPE)):
        raise Invalid("no action")
    if given.get("drop", DROPS[0]) not in DROPS:
        raise Invalid("drop is one of " + ", ".join(DROPS))
    if given.get("drop") in CONNECTION_DROPS and any(
            given.get(name) for name in ("method", "path", "token",
                                         "reused")):
        raise Invalid("no request is known yet when a connection is dropped")
    if given.get("endless", ENDLESS[0]) not in ENDLESS:
        raise Invalid("endless is one of " + ", ".join(ENDLESS))
    for name in ("raw", "body_base64"):
        try:
            base64.b64decode(given.get(name, ""), validate=True)
        except ValueError:
            raise Invalid(name + " is not base64") from None
    for name in ("headers", "trailers"):
        for pair in given.get(name, ()):
            if not isinstance(pair, list) or len(pair) != 2 or \
                    not all(isinstance(part, str) for part in pair):
                raise Invalid(name + " is a list of [name, value]")
    drip = given.get("drip", {"bytes": 1, "every": 0})
    if set(drip) != {"bytes", "every"} or drip["bytes"] < 1:
        raise Invalid('drip is {"bytes": n, "every": seconds}')


def for_connection(state, server):
    """What happens to a new connection, or None.

    A fault of no server in particular is not for those who script it.
    """
    for fault in state.faults:
        wanted = fault.get("server")
        if wanted is None and server != "control":
            wanted = server
        if fault.drop in CONNECTION_DROPS and fault.left != 0 and \
                wanted == server and fault.use():
            return fault
    return None


def for_request(state, request):
    """The first fault that concerns the request, or None."""
    for fault in state.faults:
        if fault.drop not in CONNECTION_DROPS and fault.left != 0 and \
                fault.meets(request, state) and fault.use():
            return fault
    return None


async def perform(fault, connection, request, entry, api):
    """Answer REQUEST as FAULT says.  True when the connection lives on."""
    reset = bool(fault.get("reset"))
    if fault.drop == "request" and not fault.execute:
        connection.abort(reset)
        return False
    await connection.read_body(request)
    entry["body"] = request.body
    # The genuine answer is made when the request arrives, so that one which
    # is delayed or held tells how things were then.
    genuine = api.answer(request) if fault.execute else None
    if fault.get("hold"):
        await api.state.hold(request.server)
    if fault.get("delay"):
        await asyncio.sleep(fault.get("delay"))
    if fault.drop in ("request", "status"):
        connection.abort(reset)
        return False
    if fault.get("endless"):
        await _endless(connection, fault.get("endless"))
    if fault.get("raw") is not None or fault.get("garbage"):
        data = GARBAGE
        if fault.get("raw") is not None:
            data = base64.b64decode(fault.get("raw"))
        await _send(connection, fault, data)
        return _end(connection, fault, fault.get("keep", False), reset)
    answer = _base(fault, request, genuine, api)
    entry["status"] = answer.status
    head, body = _frame(fault, request, answer)
    if fault.drop == "headers":
        await _send(connection, fault, head[:max(len(head) // 2, 20)])
    elif fault.drop == "body":
        await _send(connection, fault, head + body[:len(body) // 2])
    else:
        await _send(connection, fault, head + body)
        keep = fault.get("keep", request.keep_alive)
        return _end(connection, fault, keep, reset)
    connection.abort(reset)
    return False


def _end(connection, fault, keep, reset):
    if reset:
        connection.abort(True)
        return False
    return keep


def _base(fault, request, genuine, api):
    """What would be sent if nothing else were wrong."""
    get = fault.get
    plain = [("Content-Type", "application/json")]
    if "json" in fault.given:
        answer = Answer(200, encode(get("json")), plain)
    elif "text" in fault.given:
        answer = Answer(200, get("text").encode("utf-8"), plain)
    elif "body_base64" in fault.given:
        answer = Answer(200, base64.b64decode(get("body_base64")), plain)
    elif "huge" in fault.given:
        padding = max(get("huge") - len(b'{"padding":""}'), 0)
        answer = Answer(200, b'{"padding":"%s"}' % (b"x" * padding), plain)
    elif "redirect" in fault.given:
        place = api.origins.get(get("redirect"))
        place = place + request.target if place else get("redirect")
        answer = Answer(302, b"", [("Location", place)])
    elif "status" in fault.given:
        answer = api.error(get("status"))
        if "body" in fault.given:
            answer.body = get("body").encode("utf-8")
    else:
        # A request that was not carried out but is answered in part.
        answer = genuine or Answer(200, b'{"success":true,"messages":[],'
                                   b'"result":{}}', plain)
    given = [tuple(pair) for pair in get("headers", ())]
    names = {name.lower() for name, _ in given}
    answer = Answer(get("status", answer.status), answer.body, [
        pair for pair in answer.headers if pair[0].lower() not in names])
    answer.headers += given
    if get("huge_headers"):
        lines = get("huge_headers") // 1024 + 1
        answer.headers += [("X-Padding-%d" % n, "x" * 1000)
                           for n in range(lines)]
    return answer


def _frame(fault, request, answer):
    """Head and body as they go on the wire."""
    trailers = fault.get("trailers")
    framing = []
    body = answer.body
    if fault.get("chunked") or trailers is not None:
        framing.append(("Transfer-Encoding", "chunked"))
        if trailers:
            framing.append(("Trailer", ", ".join(t[0] for t in trailers)))
        body = _chunks(body, trailers or ())
    elif fault.get("content_length") is not None:
        if fault.get("content_length"):
            framing.append(("Content-Length", fault.get("content_length")))
    elif answer.status not in (204, 304):
        framing.append(("Content-Length", str(len(body))))
    if not fault.get("keep", request.keep_alive):
        framing.append(("Connection", "close"))
    if request.method == "HEAD" or answer.status in (204, 304):
        body = b""
    return answer.head(framing), body


def _chunks(body, trailers):
    half = len(body) // 2
    out = b""
    for part in (body[:half], body[half:]):
        if part:
            out += b"%x\r\n%s\r\n" % (len(part), part)
    out += b"0\r\n"
    for name, value in trailers:
        out += ("%s: %s\r\n" % (name, value)).encode("latin-1")
    return out + b"\r\n"


async def _send(connection, fault, data):
    drip = fault.get("drip")
    step = drip["bytes"] if drip else 65536
    for start in range(0, len(data), step):
        connection.send(data[start:start + step])
        await connection.flush()
        if drip and start + step < len(data):
            await asyncio.sleep(drip["every"])


async def _endless(connection, kind):
    """Send until the client has had enough of it."""
    start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    piece = b"X-Endless: " + b"x" * 500 + b"\r\n"
    if kind == "body":
        start += b"Transfer-Encoding: chunked\r\n\r\n"
        piece = b"200\r\n" + b" " * 512 + b"\r\n"
    elif kind == "1xx":
        start = piece = b"HTTP/1.1 102 Processing\r\n\r\n"
    connection.send(start)
    while True:
        connection.send(piece)
        await connection.flush()
        # Others want their turn while the kernel takes all at once.
        await asyncio.sleep(0)
