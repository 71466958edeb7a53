# SPDX-License-Identifier: MIT
"""An HTTP/1.1 client that sends what it is told, byte for byte, and keeps its
connection."""

import socket
import ssl

from support import PATIENCE


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def one(self, name):
        found = self.all(name)
        assert len(found) < 2, "%s: %r" % (name, found)
        return found[0] if found else None

    def __repr__(self):
        return "%d %r %r" % (self.status, self.headers, self.body[:300])


class Client:
    """One connection.  ca: the authority of the server, or None without
    TLS."""

    def __init__(self, port, ca=None):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ca is not None:
            context = ssl.create_default_context(cafile=ca)
            self.socket = context.wrap_socket(self.socket,
                                              server_hostname="localhost")
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def abort(self):
        """Leave without a word."""
        self.file.close()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read(self, method="GET"):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        status = int(line.split(b" ", 2)[1])
        headers = []
        while True:
            line = self.file.readline()
            if line in (b"\r\n", b""):
                break
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name, value.strip()))
        answer = Answer(status, headers, b"")
        if 100 <= status < 200:
            return self.read(method)
        if method == "HEAD" or status in (204, 304):
            return answer
        if answer.one("Transfer-Encoding") == "chunked":
            answer.body = self._chunks()
        elif answer.one("Content-Length") is not None:
            answer.body = self.file.read(int(answer.one("Content-Length")))
        else:
            answer.body = self.file.read()
        return answer

    def _chunks(self):
        body = b""
        while True:
            size = int(self.file.readline().split(b";")[0], 16)
            body += self.file.read(size)
            self.file.readline()
            if size == 0:
                return body

    def ask(self, path, *headers, method="GET", **more):
        self.send(request(path, *headers, method=method, **more))
        return self.read(method)


def bearer(token):
    return "Authorization: Bearer " + token


def request(path, *headers, method="GET", body=b"", host="localhost"):
    """Headers are text, or bytes as they are."""
    lines = [("%s %s HTTP/1.1" % (method, path)).encode("latin-1"),
             b"Host: " + host.encode()]
    lines += [h if isinstance(h, bytes) else h.encode("latin-1")
              for h in headers]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
