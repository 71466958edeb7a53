# SPDX-License-Identifier: MIT
"""One connection of the sandbox: TLS and HTTP/1.1, byte by byte.

TLS is driven through memory buffers and HTTP is read by hand, because a test
wants to know which bytes arrived, also those before a handshake completed,
and because a scripted fault wants to say which bytes leave.  Nothing here
normalises anything: the head of a request is kept exactly as it came.
"""

import asyncio
import re
import socket
import ssl
import struct
import traceback

HEAD_LIMIT = 128 * 1024
BODY_LIMIT = 64 * 1024 * 1024
STREAM_LIMIT = 64 * 1024

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.([01])")
FIELD_LINE = re.compile(rb"(" + TOKEN + rb"):[ \t]*([^\x00\r\n]*?)[ \t]*")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[^\r\n]*)?")

PHRASES = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content",
    301: "Moved Permanently", 302: "Found", 303: "See Other",
    304: "Not Modified", 307: "Temporary Redirect",
    308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    407: "Proxy Authentication Required", 408: "Request Timeout",
    409: "Conflict", 413: "Content Too Large", 415: "Unsupported Media Type",
    422: "Unprocessable Entity", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}


class Closed(Exception):
    """The peer has left."""


class BadRequest(Exception):
    """What arrived is no HTTP/1.1 request; `head` is what there was of it."""

    def __init__(self, message, head, status=400):
        super().__init__(message)
        self.head = head
        self.status = status


class Request:
    """A request as it came.  Header names and values keep their case."""

    __slots__ = ("method", "target", "path", "query", "head", "headers",
                 "fields", "body", "server", "connection", "sequence",
                 "keep_alive")

    def __init__(self, head):
        self.head = head
        lines = head[:-4].split(b"\r\n")
        match = REQUEST_LINE.fullmatch(lines[0])
        if not match:
            raise BadRequest("malformed request line", head)
        self.method = match.group(1).decode("ascii")
        self.target = match.group(2).decode("ascii")
        self.path, _, self.query = self.target.partition("?")
        self.headers = []
        self.fields = {}
        for line in lines[1:]:
            field = FIELD_LINE.fullmatch(line)
            if not field:
                raise BadRequest("malformed header line", head)
            name = field.group(1).decode("ascii")
            value = field.group(2).decode("latin-1")
            self.headers.append((name, value))
            self.fields.setdefault(name.lower(), []).append(value)
        # RFC 9112 3.2; a CONNECT has the host in its target already.
        if len(self.all("Host")) != 1 and self.method != "CONNECT":
            raise BadRequest("exactly one Host is needed", head)
        self.body = b""
        self.keep_alive = match.group(3) == b"1" and not any(
            "close" in value.lower() for value in self.all("Connection"))

    def all(self, name):
        """Every value that a header of this name has, in order."""
        return self.fields.get(name.lower(), [])

    def one(self, name):
        """The value of a header that stands there once, otherwise None."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None


class Answer:
    """A whole answer, before it is turned into bytes."""

    __slots__ = ("status", "headers", "body")

    def __init__(self, status, body=b"", headers=()):
        self.status = status
        self.headers = list(headers)
        self.body = body

    def head(self, framing=()):
        """Status line and headers; `framing` follows the answer's own."""
        phrase = PHRASES.get(self.status, "Unknown")
        lines = ["HTTP/1.1 %d %s" % (self.status, phrase)]
        lines += ["%s: %s" % pair for pair in self.headers]
        lines += ["%s: %s" % tuple(pair) for pair in framing]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Connection(asyncio.Protocol):
    """A connection to a listener, served by one task of its own."""

    def __init__(self, listener):
        self.listener = listener
        self.counts = listener.counts
        self.loop = asyncio.get_running_loop()
        self.transport = None
        self.tls = None
        self.ready = listener.context is None
        self.gate = None
        self.number = 0
        self.sequence = 0
        self.buffer = bytearray()
        self.stream = None
        self.eof = False
        self.reading = None
        self.writing = None
        self.full = False
        self.idle = False
        self.task = None

    # What asyncio calls.

    def connection_made(self, transport):
        self.transport = transport
        # With this limit the transport tells when its buffer is empty, which
        # is what flush() waits for.
        transport.set_write_buffer_limits(high=0)
        self.number = self.listener.opened(self)
        if self.listener.context is not None:
            self.incoming = ssl.MemoryBIO()
            self.outgoing = ssl.MemoryBIO()
            self.tls = self.listener.context.wrap_bio(
                self.incoming, self.outgoing, server_side=True)
        if self.gate == "accept":
            transport.abort()
            return
        self.task = self.loop.create_task(self._run())

    def data_received(self, data):
        self.counts["raw"] += len(data)
        if self.stream is not None and len(self.stream) < STREAM_LIMIT:
            self.stream += data
        if self.gate == "handshake":
            self.abort()
        elif self.gate != "stall":
            if self.tls is None:
                self._arrived(data)
            else:
                self._tls_received(data)
        self.listener.changed()

    def eof_received(self):
        self._ended()

    def connection_lost(self, error):
        self.counts["open"] -= 1
        self.listener.closed(self)
        self._ended()
        if self.writing is not None and not self.writing.done():
            self.writing.cancel()
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self):
        self.full = True

    def resume_writing(self):
        self.full = False
        if self.writing is not None and not self.writing.done():
            self.writing.set_result(None)

    # TLS.

    def _tls_received(self, data):
        self.incoming.write(data)
        try:
            if not self.ready:
                self.tls.do_handshake()
                self.ready = True
                self.counts["handshakes"] += 1
            while True:
                plain = self.tls.read(65536)
                if not plain:
                    self._ended()
                    break
                self._arrived(plain)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._ended()
        except ssl.SSLError:
            # The client did not like our certificate, or does not speak TLS.
            if not self.ready:
                self.counts["refused_handshakes"] += 1
            self._tls_flush()
            self.transport.close()
            return
        self._tls_flush()

    def _tls_flush(self):
        data = self.outgoing.read()
        if data and not self.transport.is_closing():
            self.transport.write(data)

    # Bytes in and out.

    def _arrived(self, data):
        self.counts["bytes"] += len(data)
        self.buffer += data
        if len(self.buffer) > BODY_LIMIT + HEAD_LIMIT:
            self.abort()
        self._wake()

    def _ended(self):
        self.eof = True
        self._wake()

    def _wake(self):
        if self.reading is not None and not self.reading.done():
            self.reading.set_result(None)

    async def more(self):
        """Wait until there is more to read than there was."""
        if self.eof:
            raise Closed
        self.reading = self.loop.create_future()
        await self.reading
        self.reading = None

    def send(self, data):
        if self.transport.is_closing():
            raise Closed
        if self.tls is None:
            self.transport.write(data)
        else:
            for start in range(0, len(data), 65536):
                self.tls.write(data[start:start + 65536])
                self._tls_flush()

    async def flush(self):
        """Wait until the kernel has taken all that was sent."""
        while self.full and not self.transport.is_closing():
            self.writing = self.loop.create_future()
            await self.writing
            self.writing = None
        if self.transport.is_closing():
            raise Closed

    def close(self):
        """End it as a good server does: close_notify, then FIN."""
        if self.tls is not None and self.ready:
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            self._tls_flush()
        self.transport.close()

    def abort(self, reset=False):
        """End it as a crash does: no close_notify; RST when asked for."""
        if reset:
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    # HTTP.

    async def read_head(self):
        """The next request without its body; Closed when there is none."""
        searched = 0
        while True:
            end = self.buffer.find(b"\r\n\r\n", searched)
            if end >= 0:
                break
            if len(self.buffer) > HEAD_LIMIT:
                raise BadRequest("the head is too long", self.take_all(),
                                 431)
            searched = max(0, len(self.buffer) - 3)
            try:
                await self.more()
            except Closed:
                if self.buffer:
                    raise BadRequest("the head was cut",
                                     self.take_all()) from None
                raise
            if not (0x41 <= self.buffer[0:1].ljust(1, b"A")[0] <= 0x7a):
                # A TLS hello or a stray byte: there is no head to wait for.
                raise BadRequest("not HTTP", self.take_all())
        request = Request(self._take(end + 4))
        request.server = self.listener.name
        request.connection = self.number
        self.sequence += 1
        request.sequence = self.sequence
        return request

    async def read_body(self, request):
        """Read the body of a request into it."""
        coding = request.all("Transfer-Encoding")
        length = request.all("Content-Length")
        if coding and length or len(length) > 1:
            raise BadRequest("two lengths", request.head)
        if coding and [c.lower() for c in coding] != ["chunked"]:
            raise BadRequest("unknown transfer coding", request.head)
        if length and not re.fullmatch(r"[0-9]{1,10}", length[0]):
            raise BadRequest("malformed length", request.head)
        size = int(length[0]) if length else 0
        if size > BODY_LIMIT:
            raise BadRequest("the body is too long", request.head, 413)
        if (coding or size) and request.one("Expect") is not None:
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if coding:
            request.body = await self._read_chunks(request)
        else:
            while len(self.buffer) < size:
                await self.more()
            request.body = self._take(size)

    async def _read_chunks(self, request):
        body = bytearray()
        while True:
            match = CHUNK_LINE.fullmatch(await self._read_line())
            if not match:
                raise BadRequest("malformed chunk", request.head)
            size = int(match.group(1), 16)
            if len(body) + size > BODY_LIMIT:
                raise BadRequest("the body is too long", request.head, 413)
            if size == 0:
                break
            while len(self.buffer) < size + 2:
                await self.more()
            body += self._take(size)
            if self._take(2) != b"\r\n":
                raise BadRequest("malformed chunk", request.head)
        while await self._read_line():
            pass
        return bytes(body)

    async def _read_line(self):
        while True:
            end = self.buffer.find(b"\r\n")
            if end >= 0:
                return self._take(end + 2)[:-2]
            if len(self.buffer) > HEAD_LIMIT:
                raise BadRequest("the line is too long", self.take_all())
            await self.more()

    def _take(self, size):
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def take_all(self):
        return self._take(len(self.buffer))

    async def _run(self):
        try:
            alive = True
            while alive:
                self.idle = not self.buffer
                request = await self.read_head()
                self.idle = False
                alive = await self.listener.serve(self, request)
            self.close()
        except BadRequest as bad:
            self.listener.refused(self, bad)
            if not self.transport.is_closing():
                self.send(Answer(bad.status).head(
                    [("Content-Length", "0"), ("Connection", "close")]))
                self.close()
        except (Closed, asyncio.CancelledError):
            if not self.transport.is_closing():
                self.close()
        except Exception:
            # A mistake of ours must be seen, and must not leave the client
            # waiting.
            traceback.print_exc()
            self.transport.abort()
