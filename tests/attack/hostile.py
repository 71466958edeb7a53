# SPDX-License-Identifier: MIT
"""Servers that mean harm: whatever a client asks, they have their own idea of
an answer.  Each is told by what it does to a connection when a request has
come, or at once.  tests/sandbox has those that only fail."""

import gzip
import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import zlib

from support import PATIENCE

# What no client takes before its deadline.
ENOUGH = 1 << 34

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
YES = b'{"status":{"isAuthenticated":true,"environment":"test"}}'
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"


def whole(body, more=b""):
    return OK + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def once(*parts):
    """Send that, and leave."""
    def act(connection):
        for part in parts:
            connection.sendall(part)
    return act


def ever(start, piece):
    """Send that, and then that for ever."""
    piece *= max(1, 16384 // len(piece))

    def act(connection):
        connection.sendall(start)
        sent = 0
        try:
            while sent < ENOUGH:
                connection.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        return sent
    return act


def silent(start):
    """Send that, and then nothing, for as long as the client is there."""
    def act(connection):
        connection.sendall(start)
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass
    return act


def bomb(pack, header):
    """Much that looks like little: zeros, packed a thousand times."""
    packed = pack(b" " * (64 * 1024 * 1024))
    return once(OK + header + b"\r\nContent-Length: %d\r\n\r\n" % len(packed) +
                packed)


def chunked_bomb(header):
    packed = gzip.compress(b" " * (64 * 1024 * 1024))
    return once(OK + header + b"\r\n\r\n%x\r\n" % len(packed) + packed +
                b"\r\n0\r\n\r\n")


def raw_deflate(data):
    pack = zlib.compressobj(wbits=-15)
    return pack.compress(data) + pack.flush()


def frame(kind, flags=0, stream=0, payload=b""):
    """RFC 9113, 4.1"""
    return struct.pack(">I", len(payload))[1:] + struct.pack(
        ">BBI", kind, flags, stream) + payload


SETTINGS, RESET, PING, GOAWAY = 4, 3, 6, 7
HEADERS, CONTINUATION = 1, 9
RECORD = b"\x17\x03\x03\x40\x00" + b"\0" * 16384

# name, what is done; when a request has come over TLS.
ANSWERS = (
    ("endless reason phrase", ever(b"HTTP/1.1 200 O", b"K" * 512)),
    ("endless header line", ever(OK + b"X: ", b"x" * 512)),
    ("endless folded header", ever(OK + b"X: x\r\n", b" x" * 200 + b"\r\n")),
    ("endless header names", ever(OK, b"x" * 512)),
    ("endless empty lines first", ever(b"", b"\r\n")),
    ("endless body, no length", ever(OK + b"\r\n", b" " * 512)),
    ("endless chunks of a byte", ever(CHUNKED, b"1\r\n \r\n")),
    ("endless chunk extension", ever(CHUNKED + b"1;", b"x" * 512)),
    ("endless chunk size", ever(CHUNKED, b"0" * 512)),
    ("endless trailers", ever(CHUNKED + b"%x\r\n%s\r\n0\r\n" % (
        len(YES), YES), b"X-Late: " + b"x" * 500 + b"\r\n")),
    ("endless early hints", ever(b"", HINTS)),
    ("early hints, then nothing", silent(HINTS)),
    ("early hints with a yes in them", once(
        HINTS[:-2] + b"Content-Length: %d\r\n\r\n" % len(YES) + YES)),
    ("early hints with a yes, then no answer", silent(
        HINTS[:-2] + b"Content-Type: application/json\r\n\r\n" + YES)),
    ("trailers with another status", once(
        CHUNKED + b"2\r\n{}\r\n0\r\nStatus: 200\r\nHTTP/1.1 200 OK\r\n" +
        b"Content-Length: %d\r\n\r\n" % len(YES) + YES)),
    ("gzip, not asked for", bomb(gzip.compress, b"Content-Encoding: gzip")),
    ("gzip of gzip, not asked for", bomb(
        lambda data: gzip.compress(gzip.compress(data)),
        b"Content-Encoding: gzip, gzip")),
    ("deflate, not asked for", bomb(
        zlib.compress, b"Content-Encoding: deflate")),
    ("raw deflate, not asked for", bomb(
        raw_deflate, b"Content-Encoding: deflate")),
    ("a thousand encodings", once(whole(
        gzip.compress(YES), b"Content-Encoding: " +
        b", ".join([b"gzip"] * 1000) + b"\r\n"))),
    ("a yes that is packed", once(whole(
        gzip.compress(YES), b"Content-Encoding: gzip\r\n"))),
    ("gzip as transfer coding", chunked_bomb(
        b"Transfer-Encoding: gzip, chunked")),
    ("gzip as transfer coding alone", chunked_bomb(
        b"Transfer-Encoding: gzip")),
    ("length of 2^63", once(
        OK + b"Content-Length: 9223372036854775808\r\n\r\n" + YES)),
    ("negative length", once(OK + b"Content-Length: -1\r\n\r\n" + YES)),
    ("two lengths", once(OK + b"Content-Length: 2\r\nContent-Length: %d\r\n"
                         b"\r\n" % len(YES) + b"{}" + YES)),
    ("length and chunks", once(
        CHUNKED[:-2] + b"Content-Length: %d\r\n\r\n" % len(YES) +
        b"0\r\n\r\n" + YES)),
    ("another protocol, as if asked for", ever(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n"
        b"Connection: upgrade\r\n\r\n", frame(SETTINGS))),
    ("status 000", once(b"HTTP/1.1 000 OK\r\n\r\n" + YES)),
    ("HTTP/3 in words", once(b"HTTP/3 200\r\n\r\n" + YES)),
    ("HTTP/0.9", once(YES)),
    ("NUL in every header", once(
        b"HTTP/1.1 200 OK\r\nContent-Type\0: a\0b\r\n\0: \0\r\n\r\n")),
)

# The server speaks HTTP/2, whatever was agreed on.
FRAMES = (
    ("HTTP/2 settings flood", ever(b"", frame(SETTINGS))),
    ("HTTP/2 ping flood", ever(frame(SETTINGS), frame(
        PING, payload=b"\0" * 8))),
    ("HTTP/2 resets", ever(frame(SETTINGS), frame(
        RESET, stream=1, payload=b"\0\0\0\x08"))),
    ("HTTP/2 continuation flood", ever(
        frame(SETTINGS) + frame(HEADERS, stream=1, payload=b"\x88"),
        frame(CONTINUATION, stream=1, payload=b"\0" * 64))),
    ("HTTP/2 goaway", once(frame(SETTINGS) + frame(
        GOAWAY, payload=b"\0" * 8))),
)

# Instead of a handshake.
HELLOS = (
    ("no TLS: endless records", ever(b"", RECORD)),
    ("no TLS: endless warnings", ever(b"", b"\x15\x03\x03\0\2\1\x5a")),
    ("no TLS: endless hello", ever(
        b"\x16\x03\x03\x40\x00\x02\xff\xff\xff", b"\x16\x03\x03\x40\x00" +
        b"\0" * 16384)),
    ("no TLS: an HTTP answer", once(whole(YES))),
    ("no TLS: half a record, then nothing", silent(b"\x16\x03\x03\x40")),
    ("the same bytes back", None),
)


class Part:
    """What a server plays, how often it could, and how much was listened
    to."""

    def __init__(self, kind, act):
        self.kind, self.act = kind, act
        self.met = self.taken = 0


class Server:
    """On a port of its own; acts on every connection as it was told last."""

    def __init__(self, sandbox):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.origin = "https://localhost:%d" % self.port
        certificate = sandbox.facts["certificates"]["server"]
        self.contexts = {
            name: self.context(certificate, protocols)
            for name, protocols in (("http", ["http/1.1"]), ("h2", ["h2"]))}
        self.part = None
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def context(certificate, protocols):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.set_alpn_protocols(protocols)
        made.load_cert_chain(certificate, certificate.replace(".pem", ".key"))
        return made

    def be(self, kind, act):
        """kind: "http", "h2" or "raw", for what is done without TLS."""
        self.part = Part(kind, act)

    def stop(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,),
                             daemon=True).start()

    def _serve(self, connection):
        part = self.part
        connection.settimeout(PATIENCE)
        try:
            if part.kind != "raw":
                connection = self.contexts[part.kind].wrap_socket(
                    connection, server_side=True)
            request = connection.recv(65536)
            part.met += 1
            if part.act is None:
                connection.sendall(request)
            else:
                part.taken = max(part.taken, part.act(connection) or 0)
        except OSError:
            pass
        finally:
            connection.close()


def insisting(sandbox):
    """A server that ends the handshake of whoever does not offer HTTP/2, as
    RFC 7301, 3.2 has it: (process, port)."""
    certificate = sandbox.facts["certificates"]["server"]
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", "openssl", "s_server", "-accept",
         "127.0.0.1:0", "-cert", certificate, "-key",
         certificate.replace(".pem", ".key"), "-alpn", "h2", "-www"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, env=dict(
            os.environ, LC_ALL="C.UTF-8"))
    for line in process.stdout:
        found = re.match(r"ACCEPT .*:(\d+)", line)
        if found:
            return process, int(found[1])
    raise AssertionError("openssl s_server does not start")
