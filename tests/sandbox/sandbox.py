#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The sandbox: the Monime and Mono APIs on this machine's loopback.

    sandbox.py --dir DIR [--folder FOLDER] [--seconds N] [--until-eof]
               [--remove PATH]

It needs Python 3.9 and the openssl command.  It makes a throw-away authority
and certificates in DIR, listens on ports that the kernel chooses, writes
DIR/sandbox.json and then prints one line, `ready DIR/sandbox.json`.  It ends
on SIGTERM, SIGINT, POST /stop, after --seconds, and with --until-eof when its
standard input ends, so that a test that was killed leaves nothing behind.
--folder fills a configuration folder (see folder.py) before it is ready.
--remove names a folder that is removed with all its contents at the end.


DIR
    sandbox.json    {"pid", "file", "ca_file", "ca_path", "certificates",
                     "ports", "origins", "tokens", "spaces", "objects"}
    ca.pem, ca/     the authority, as a file and as a hashed folder
    server.pem      localhost, 127.0.0.1         NAME.key beside each, 0600
    providers.pem   the providers' own host names, chosen by SNI
    wrong_name.pem, self_signed.pem, expired.pem


Listeners, all on 127.0.0.1
    monime           the Monime API; the token picks the environment
    mono_sandbox     the Mono API, sandbox origin
    mono_production  the Mono API, production origin
    wrong_name, self_signed, expired
                     the Monime API behind certificates that prove nothing
    elsewhere        a good certificate and an answer to everything: where
                     nobody should be led.  Keeps the bytes that arrive.
    plain            the Monime API without TLS: where nobody should go with
                     a token.  Keeps the bytes that arrive.
    proxy            an HTTP CONNECT proxy to the listeners here, by
                     localhost:PORT or 127.0.0.1:PORT, and by the providers'
                     own names at port 443.  A request without CONNECT is 405.
    refused          no listener: a port on which connections are refused
    control          plain HTTP and JSON, described below

What the APIs do is told in monime_api.py and mono_api.py.  The tokens are
fixed and stand in state.py by name: test, live, stranger_test, stranger_live,
revoked_test, limited_test (403 on lists), mono_sandbox, mono_production,
mono_stranger, mono_stranger_production, and the OAuth client's
oauth_client_id, oauth_client_secret, oauth_username, oauth_password.


Control
    A request that is not understood is 400 with {"error": "…"}.

    POST /reset [{"only": ["log", "effects", "faults", "store", "tokens",
                           "settings"]}]
        Forget all of that, or the named parts.  "log" includes the counters,
        "faults" lets held requests go, "tokens" takes back revocations,
        grants and issued tokens, "store" forgets objects and idempotency
        keys.  Connections stay open.

    POST /fault {…} or [{…}, …]
        Script faults.  They are tried in the order given; the first that
        concerns a request is used.  Answers {"numbers": [n, …]}.

        Which request (absent or null: any)
            server      a listener's name
            method
            path        a prefix of the request target
            token       the name of a token, or a literal one
            reused      true: the second or a later request of a connection;
                        false: the first
            skip        let this many matches pass first; 0
            times       how often; 1; -1 for ever
            execute     whether the request is carried out, so that a write
                        counts as an effect.  By default it is where the
                        genuine answer is sent, whole or cut, and is not where
                        the answer is scripted or nothing is sent.

        What is answered (at most one; absent: the genuine answer)
            json        200 with this value
            text        200 with this text as body, to the letter
            body_base64 200 with these bytes as body
            redirect    302; a listener's name (same target there) or a URL
            huge        200 with a JSON body of about this many bytes
            status      the provider's envelope for this status, or `body`
                        as the text in its place; with one of the above it
                        replaces the status alone
            raw         these bytes (base64) instead of an answer, then close
            garbage     true: bytes that are no HTTP, then close
            endless     "headers", "body" or "1xx": until the client leaves

        How it is answered
            hold        true: wait for POST /release
            delay       wait this many seconds.  The answer is made before
                        the wait, and tells how things were then.
            headers     [[name, value], …] replace or add
            huge_headers  add about this many bytes of headers
            chunked     true: Transfer-Encoding: chunked
            trailers    [[name, value], …] after a chunked body
            content_length  this text in place of the true length; "": none
            drip        {"bytes": n, "every": seconds}
            drop        close without close_notify
                "accept"     as soon as the connection is accepted
                "handshake"  at the first bytes of a connection
                "stall"      do not close: never answer on this connection,
                             not even its TLS hello
                "request"    when the head has arrived, the body unread
                "status"     before the status line, the body read
                "headers"    in the middle of the headers
                "body"       in the middle of the body
                The first three concern a connection, not a request: of
                "which request" they take server, skip and times.
            reset       true: RST instead of FIN; alone it means
                        "drop": "status"
            keep        keep the connection afterwards, or not

    GET /faults
        {"faults": [{…, "number", "used", "left"}, …]}

    POST /release [{"count": n}]
        Let the n longest held requests go, or all: {"released": n}.

    GET /log[?server=NAME]
        {"requests": [{"server", "method", "target", "head", "headers",
                       "body", "connection", "sequence", "token", "at",
                       "answered", "status", "fault", "error"}, …],
         "forgotten", and the counters of GET /counts,
         "streams": [{"server", "connection", "data"}, …]}
        Oldest first.  head, header values, body and data are bytes, one
        character (U+0000 to U+00FF) each.  connection is a number of its
        own for each connection; sequence counts its requests from 1; token
        is the name of the bearer, "unknown" or null; at and answered are
        CLOCK_MONOTONIC in seconds; status is null where no status line was
        sent; fault is the number of the fault that was met.  A request that
        cannot be parsed has no method, and error tells why.  streams are the
        first 64 KiB that arrived on each connection to elsewhere and plain.

    GET /counts
        {"requests", "connections", "open", "handshakes",
         "refused_handshakes", "bytes", "raw", "held": {server: n},
         "effects", "token_requests", "tokens_issued"}
        bytes arrived inside TLS (or without it, where there is none); raw is
        what arrived on the socket.  bytes of elsewhere are raw ones.

    POST /wait {"what", "server", "at_least" or "at_most", "seconds": 10}
        Answers {"reached": true or false, "value": n} as soon as a number
        of /counts is reached.  server null: the sum over all listeners.

    GET /effects
        {"count", "list": [{"server", "method", "path", "key", "token",
                            "body"}, …]}

    POST /revoke {"token": name or literal}; "oauth": all that were issued
    POST /grant {"token": literal, "environment", "spaces", "server": a
                 listener ("monime"), "owner": "us" or "stranger" ("us"),
                 "name", "lists": true, "client": whether it is an OAuth
                 access token (false)}
    POST /settings {…}
        See SETTINGS in state.py; answers with all of them.
    POST /close {"server": NAME or null, "reset": false}
        Close connections on which no request is being answered:
        {"closed": n}.
    POST /folder {"path": FOLDER}
        Fill an existing folder with ready profiles.
    POST /stop
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import urllib.parse

import certificates
import faults
import folder
import mono_api
import monime_api
from state import (APIS, COUNTERS, MONIME, OAUTH_CLIENT, SETTINGS, SPACES,
                   State, Token)
from wire import Answer, BadRequest, Closed, Connection

# listener, certificate or None
LISTENERS = (
    ("monime", "server"), ("mono_sandbox", "server"),
    ("mono_production", "server"), ("elsewhere", "server"),
    ("wrong_name", "wrong_name"), ("self_signed", "self_signed"),
    ("expired", "expired"), ("plain", None), ("proxy", None),
    ("control", None),
)

# Where the proxy finds the providers' own names.
PROXY_NAMES = {
    "api.monime.io:443": "monime",
    "api.cuentamono.com:443": "mono_production",
    "api.sandbox.cuentamono.com:443": "mono_sandbox",
    "breb-participant.sandbox.mono.la:443": "mono_sandbox",
}

OBJECTS = {"monime_test": "/v1/financial-accounts/fac-sandbox",
           "monime_live": "/v1/financial-accounts/fac-live",
           "mono_sandbox": "/v1/bank_accounts/bac_sandbox",
           "mono_production": "/v1/bank_accounts/bac_production"}

STREAMS_LIMIT = 1000


class Listener:
    """One port: counts what happens there and serves its requests."""

    def __init__(self, sandbox, name, context):
        self.state = sandbox.state
        self.sandbox = sandbox
        self.origins = sandbox.origins
        self.name = name
        self.context = context
        self.server = None
        self.counts = dict.fromkeys(COUNTERS, 0)
        self.state.counts[name] = self.counts
        self.connections = set()
        self.changed = self.state.changed
        module = monime_api if APIS.get(name, MONIME) == MONIME else mono_api
        self.error = module.error
        self.module = module if name in APIS else None

    async def open(self):
        self.server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), "127.0.0.1", 0, backlog=4096)
        return self.server.sockets[0].getsockname()[1]

    # What a connection tells.

    def opened(self, connection):
        self.connections.add(connection)
        self.counts["connections"] += 1
        self.counts["open"] += 1
        self.state.connections += 1
        number = self.state.connections
        if self.name in ("elsewhere", "plain") and \
                len(self.state.streams) < STREAMS_LIMIT:
            connection.stream = bytearray()
            self.state.streams.append((self.name, number, connection.stream))
        fault = faults.for_connection(self.state, self.name)
        if fault is not None:
            connection.gate = fault.drop
        self.changed()
        return number

    def closed(self, connection):
        self.connections.discard(connection)
        self.changed()

    def refused(self, connection, bad):
        self.state.record_refused(connection, bad)

    # Requests.

    async def serve(self, connection, request):
        """Answer one request.  True when the connection lives on."""
        entry = self.state.record(request, self.state.token_name(
            monime_api.bearer(request)))
        fault = faults.for_request(self.state, request)
        try:
            if fault is not None:
                entry["fault"] = fault.number
                return await faults.perform(fault, connection, request,
                                            entry, self)
            return await self.genuine(connection, request, entry)
        except BadRequest as bad:
            # The head is in the log already: what was wrong is told there.
            entry["error"] = str(bad)
            entry["status"] = bad.status
            send(connection, request, Answer(bad.status), False)
            return False
        finally:
            entry["answered"] = connection.loop.time()
            self.changed()

    async def genuine(self, connection, request, entry):
        await connection.read_body(request)
        entry["body"] = request.body
        answer = self.answer(request)
        entry["status"] = answer.status
        send(connection, request, answer, request.keep_alive)
        if connection.full:
            await connection.flush()
        return request.keep_alive

    def answer(self, request):
        if self.module is None:
            return Answer(200, b"{}", [("Content-Type", "application/json")])
        return self.module.answer(request, self.state)


class Proxy(Listener):
    """Tunnels to the listeners here, and to nowhere else."""

    async def genuine(self, connection, request, entry):
        port = self._port(request.target)
        status = 200 if port else 403
        if request.method != "CONNECT":
            status = 405
        entry["status"] = status
        if status != 200:
            send(connection, request, Answer(status), False)
            return False
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            entry["status"] = 502
            send(connection, request, Answer(502), False)
            return False
        connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = asyncio.ensure_future(self._back(connection, reader))
        try:
            while True:
                data = connection.take_all()
                if data:
                    writer.write(data)
                    await writer.drain()
                else:
                    await connection.more()
        except (Closed, OSError):
            return False
        finally:
            back.cancel()
            writer.close()

    def _port(self, target):
        if target in PROXY_NAMES:
            return self.sandbox.ports[PROXY_NAMES[target]]
        host, _, port = target.rpartition(":")
        ports = {str(port): port for port in self.sandbox.ports.values()}
        return ports.get(port) if host in ("localhost", "127.0.0.1") else None

    @staticmethod
    async def _back(connection, reader):
        try:
            while True:
                data = await reader.read(65536)
                if not data:
                    break
                connection.send(data)
                await connection.flush()
        except (Closed, OSError):
            pass
        if not connection.transport.is_closing():
            connection.transport.close()


class Control(Listener):
    """What a test tells the sandbox, and asks of it."""

    async def serve(self, connection, request):
        await connection.read_body(request)
        action = ACTIONS.get((request.method, request.path))
        status, value = 404, {"error": "there is no such action"}
        if action is not None:
            try:
                given = json.loads(request.body) if request.body else {}
                if not isinstance(given, dict) and action is not Control.fault:
                    raise ValueError("an object is needed")
                status, value = 200, await action(self, request, given)
            except (AttributeError, KeyError, OSError, TypeError,
                    ValueError) as error:
                status, value = 400, {"error": "%s: %s" % (
                    type(error).__name__, error)}
        # ASCII alone, so that bytes kept as characters survive any reader.
        send(connection, request, Answer(
            status, json.dumps(value).encode("ascii"),
            [("Content-Type", "application/json")]), request.keep_alive)
        await connection.flush()
        return request.keep_alive

    async def reset(self, request, given):
        if "only" in given:
            self.state.forget(given["only"])
        else:
            self.state.forget()
        return {}

    async def fault(self, request, given):
        servers = [name for name, _ in LISTENERS if name != "control"]
        new = [faults.Fault(one, servers)
               for one in (given if isinstance(given, list) else [given])]
        self.state.faults += new
        return {"numbers": [fault.number for fault in new]}

    async def faults(self, request, given):
        return {"faults": [fault.describe() for fault in self.state.faults]}

    async def release(self, request, given):
        return {"released": self.state.release(given.get("count"))}

    async def count(self, request, given):
        value = {name: {server: counts[name] for server, counts
                        in self.state.counts.items() if server != "control"}
                 for name in COUNTERS}
        # Nobody has any business there, so every byte counts.
        value["bytes"]["elsewhere"] = value["raw"]["elsewhere"]
        value["effects"] = len(self.state.effects)
        value["token_requests"] = self.state.token_requests
        value["tokens_issued"] = self.state.tokens_issued
        return value

    async def log(self, request, given):
        query = dict(urllib.parse.parse_qsl(request.query))
        only = query.get("server")
        if only is not None and only not in self.state.counts:
            raise ValueError("unknown server: " + only)
        value = await self.count(request, given)
        value["forgotten"] = self.state.forgotten
        value["requests"] = [
            dict(entry, head=entry["head"].decode("latin-1"),
                 body=entry["body"].decode("latin-1"))
            for entry in self.state.log if only in (None, entry["server"])]
        value["streams"] = [
            {"server": server, "connection": number,
             "data": data.decode("latin-1")}
            for server, number, data in self.state.streams
            if only in (None, server)]
        return value

    async def wait(self, request, given):
        what, server = given["what"], given.get("server")
        least, most = given.get("at_least"), given.get("at_most")
        if (least is None) == (most is None):
            raise ValueError("at_least or at_most")

        def reached():
            value = self.state.value(what, server)
            return value >= least if most is None else value <= most

        done = await self.state.wait(reached, given.get("seconds", 10))
        return {"reached": done, "value": self.state.value(what, server)}

    async def effects(self, request, given):
        return {"count": len(self.state.effects), "list": self.state.effects}

    async def revoke(self, request, given):
        chosen = [token for token in self.state.tokens.values()
                  if token.literal == self.state.literal(given["token"])
                  or (given["token"] == "oauth" and token.client)]
        if not chosen and given["token"] != "oauth":
            raise ValueError("there is no such token")
        for token in chosen:
            token.revoked = True
        return {"revoked": len(chosen)}

    async def grant(self, request, given):
        literal = given["token"]
        token = Token(given.get("name", "granted_%d" % len(
            self.state.tokens)), literal, APIS[given.get("server", "monime")],
            given.get("owner", "us"), given.get("environment"),
            given.get("spaces", ()), given.get("lists", True),
            given.get("client", False))
        self.state.add_token(token)
        return {"name": token.name}

    async def settings(self, request, given):
        for name in given:
            if name not in SETTINGS:
                raise ValueError("unknown setting: " + name)
        self.state.settings.update(given)
        return self.state.settings

    async def close(self, request, given):
        server = given.get("server")
        if server is not None and server not in self.state.counts:
            raise ValueError("unknown server: " + server)
        idle = [connection for listener in self.sandbox.listeners
                if listener is not self and server in (None, listener.name)
                for connection in listener.connections if connection.idle]
        for connection in idle:
            connection.abort(bool(given.get("reset")))
        return {"closed": len(idle)}

    async def folder(self, request, given):
        folder.write_folder(given["path"], self.sandbox.description)
        return {}

    async def stop(self, request, given):
        # Later, so that this answer still leaves.
        asyncio.get_running_loop().call_later(0.05, self.sandbox.stop)
        return {}


ACTIONS = {
    ("POST", "/reset"): Control.reset,
    ("POST", "/fault"): Control.fault,
    ("GET", "/faults"): Control.faults,
    ("POST", "/release"): Control.release,
    ("GET", "/log"): Control.log,
    ("GET", "/counts"): Control.count,
    ("POST", "/wait"): Control.wait,
    ("GET", "/effects"): Control.effects,
    ("POST", "/revoke"): Control.revoke,
    ("POST", "/grant"): Control.grant,
    ("POST", "/settings"): Control.settings,
    ("POST", "/close"): Control.close,
    ("POST", "/folder"): Control.folder,
    ("POST", "/stop"): Control.stop,
}

KINDS = {"proxy": Proxy, "control": Control}


def send(connection, request, answer, keep):
    """Send an answer in one piece."""
    framing = []
    if answer.status not in (204, 304):
        framing.append(("Content-Length", str(len(answer.body))))
    if not keep:
        framing.append(("Connection", "close"))
    body = b"" if request.method == "HEAD" else answer.body
    connection.send(answer.head(framing) + body)


class Sandbox:
    """All listeners, and the facts that sandbox.json tells."""

    def __init__(self, directory):
        self.directory = os.path.abspath(directory)
        self.state = State()
        self.origins = {}
        self.ports = {}
        self.listeners = []
        self.description = {}
        self.ended = None
        self.refused = None

    async def open(self):
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        certificates.make(self.directory)
        self.ended = asyncio.get_running_loop().create_future()
        contexts = {name: self._context(name) for name in
                    ("server", "wrong_name", "self_signed", "expired")}
        providers = self._context("providers")

        def choose(tls, name, context):
            if name in certificates.PROVIDER_NAMES:
                tls.context = providers

        contexts["server"].sni_callback = choose
        for name, certificate in LISTENERS:
            listener = KINDS.get(name, Listener)(
                self, name, contexts.get(certificate))
            self.listeners.append(listener)
            self.ports[name] = await listener.open()
            self.origins[name] = "%s://localhost:%d" % (
                "https" if certificate else "http", self.ports[name])
        # Bound and never listened on: nobody else can get this port, and
        # whoever connects to it is refused.
        self.refused = socket.socket()
        self.refused.bind(("127.0.0.1", 0))
        self.ports["refused"] = self.refused.getsockname()[1]
        self.origins["refused"] = "https://localhost:%d" % (
            self.ports["refused"])
        # A control without a name to look up.
        for name in ("control", "proxy"):
            self.origins[name] = "http://127.0.0.1:%d" % self.ports[name]
        self._describe()

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _context(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self._path(name + ".pem"),
                                self._path(name + ".key"))
        return context

    def _describe(self):
        tokens = {name: token.literal
                  for name, token in self.state.names.items()}
        tokens.update(OAUTH_CLIENT)
        file = self._path("sandbox.json")
        self.description = {
            "pid": os.getpid(), "file": file,
            "ca_file": self._path("ca.pem"), "ca_path": self._path("ca"),
            "certificates": {name: self._path(name + ".pem")
                             for name, *_ in certificates.WANTED},
            "ports": self.ports, "origins": self.origins, "tokens": tokens,
            "spaces": SPACES, "objects": OBJECTS}
        folder.write_file(file + ".new", json.dumps(
            self.description, indent=2) + "\n", 0o644)
        os.rename(file + ".new", file)

    def stop(self):
        if not self.ended.done():
            self.ended.set_result(None)


def watch_input(loop, stop):
    """Call STOP when standard input ends."""
    def arrived():
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop()
    try:
        loop.add_reader(0, arrived)
    except PermissionError:
        # epoll takes no regular file, and a regular file has ended.
        stop()


async def run(arguments):
    loop = asyncio.get_running_loop()
    sandbox = Sandbox(arguments.dir)
    await sandbox.open()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, sandbox.stop)
    if arguments.seconds is not None:
        loop.call_later(arguments.seconds, sandbox.stop)
    if arguments.until_eof:
        watch_input(loop, sandbox.stop)
    if arguments.folder is not None:
        folder.write_folder(arguments.folder, sandbox.description)
    print("ready " + sandbox.description["file"], flush=True)
    await sandbox.ended


def main():
    parser = argparse.ArgumentParser(
        description="The Monime and Mono APIs on loopback, for tests.",
        epilog="The control interface is described at the top of this file.")
    parser.add_argument("--dir", required=True,
                        help="certificates and sandbox.json go here")
    parser.add_argument("--folder", help="fill this configuration folder")
    parser.add_argument("--seconds", type=float, help="end after this long")
    parser.add_argument("--until-eof", action="store_true",
                        help="end when standard input does")
    parser.add_argument("--remove", help="remove this folder at the end")
    arguments = parser.parse_args()
    try:
        asyncio.run(run(arguments))
    except (RuntimeError, OSError) as error:
        sys.stderr.write("sandbox.py: %s\n" % error)
        return 1
    finally:
        if arguments.remove is not None:
            shutil.rmtree(arguments.remove, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
