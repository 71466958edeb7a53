# SPDX-License-Identifier: MIT
"""Upstreams that keep every byte they get, for what the sandbox does not
speak: a Unix socket, FastCGI, uwsgi, SCGI, and connections that are kept.

An upstream has the origin's name only where the origin has the usual port.  So
a test of those runs in a network of its own, where that port is free.
"""

import fcntl
import os
import socket
import ssl
import struct
import sys
import threading

ALONE = "MONIME_TESTS_ALONE"
GOOD, WRONG = "127.0.0.1", "127.0.0.2"

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
CGI = b"Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nok\n"


def _record(kind, data):
    return bytes((1, kind, 0, 1)) + len(data).to_bytes(2, "big") + b"\0\0" + \
        data


# Has the whole request arrived?  And what is answered.
KINDS = {
    "http": (lambda d: b"\r\n\r\n" in d, OK),
    "fastcgi": (lambda d: d.endswith(_record(5, b"")),
                _record(6, CGI) + _record(6, b"") + _record(3, b"\0" * 8)),
    "uwsgi": (lambda d: len(d) >= 4 and
              len(d) >= 4 + int.from_bytes(d[1:3], "little"), CGI),
    "scgi": (lambda d: d.endswith(b","), CGI),
}


class Recorder:
    """One listener; path: a Unix socket's, else a port is chosen."""

    def __init__(self, kind, path=None, certificate=None):
        self.complete, self.answer = KINDS[kind]
        self.context = None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate, certificate.replace(
                ".pem", ".key"))
        if path is not None:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            os.chmod(path, 0o666)
        else:
            self.listener = socket.socket()
            self.listener.bind(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
        self.listener.listen(64)
        self.data = bytearray()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def take(self):
        """All that has come since the last time."""
        taken, self.data = bytes(self.data), bytearray()
        return taken

    def stop(self):
        # shutdown() wakes whoever is in accept(); close() does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            try:
                self._one(peer)
            except OSError:
                pass
            peer.close()

    def _one(self, peer):
        if self.context is not None:
            peer = self.context.wrap_socket(peer, server_side=True)
        got = b""
        while not self.complete(got):
            more = peer.recv(65536)
            self.data += more
            got += more
            if not more:
                return
        peer.sendall(self.answer)
        peer.close()


class Kept:
    """An upstream that keeps its connections, and what came on each."""

    def __init__(self, address, certificate):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate,
                                     certificate.replace(".pem", ".key"))
        self.listener = socket.create_server((address, 443))
        self.streams, self.peers = [], []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def hang_up(self):
        """Every connection dies."""
        for peer in self.peers:
            peer.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,),
                             daemon=True).start()

    def _serve(self, peer):
        stream = bytearray()
        try:
            peer = self.context.wrap_socket(peer, server_side=True)
            self.streams.append(stream)
            self.peers.append(peer)
            while True:
                more = peer.recv(65536)
                if not more:
                    break
                stream += more
                if stream.endswith(b"\r\n\r\n"):
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
                                 b"\r\nok\n")
        except OSError:
            pass
        peer.close()


def raise_loopback():
    """SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP: see netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        name, flags = struct.unpack("16sh", fcntl.ioctl(
            s, 0x8913, struct.pack("16sh", b"lo", 0)))
        fcntl.ioctl(s, 0x8914, struct.pack("16sh", name, flags | 1))


def be_alone():
    """Run this program in a network namespace, if we may make one."""
    if os.geteuid() == 0 and ALONE not in os.environ:
        os.environ[ALONE] = "yes"
        os.execvp("unshare", ["unshare", "--net", sys.executable, "-B"] +
                  sys.argv)
