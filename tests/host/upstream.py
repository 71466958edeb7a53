# SPDX-License-Identifier: MIT
"""Upstreams that keep every byte they get, for what the sandbox does not
speak: a Unix socket, FastCGI, uwsgi, SCGI, AJP, the tunnel of a proxy, and
that are kept.

An upstream has the origin's name only where the origin has the usual port.  So
a test of those runs in a network of its own, where that port is free, and where
it can say which addresses the name has.
"""

import fcntl
import os
import socket
import ssl
import struct
import subprocess
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
    # The end of an answer that never began.
    "ajp": (lambda d: len(d) >= 4 and
            len(d) >= 4 + int.from_bytes(d[2:4], "big"), b"AB\0\2\5\0"),
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
        taken = bytes(self.data)
        del self.data[:len(taken)]
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
            with self.context.wrap_socket(peer, server_side=True) as secure:
                self._answer(secure)
        else:
            self._answer(peer)

    def _answer(self, peer):
        got = b""
        while not self.complete(got):
            more = peer.recv(65536)
            self.data += more
            got += more
            if not more:
                return
        peer.sendall(self.answer)


class Tunnel(Recorder):
    """A proxy that lets CONNECT through to this machine."""

    def __init__(self):
        super().__init__("http")

    def _one(self, peer):
        head = b""
        while not self.complete(head):
            more = peer.recv(1)
            if not more:
                return
            head += more
        self.data += head
        method, target, _ = head.split(b" ", 2)
        if method != b"CONNECT":
            return
        with socket.create_connection((
                "127.0.0.1", int(target.rpartition(b":")[2]))) as beyond:
            peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self._copy, args=(beyond, peer),
                                    daemon=True)
            back.start()
            self._copy(peer, beyond, self.data)
            back.join()

    @staticmethod
    def _copy(source, target, record=None):
        try:
            while more := source.recv(65536):
                if record is not None:
                    record += more
                target.sendall(more)
        except OSError:
            pass  # the other direction has ended
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # and has said so


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


def name_is_at(addresses, folder):
    """Let "localhost" have these addresses, in this order."""
    path = os.path.join(folder, "hosts")
    with open(path, "w", encoding="ascii") as file:
        file.writelines("%s localhost\n" % a for a in addresses)
    subprocess.run(("mount", "--bind", path, "/etc/hosts"), check=True)


def be_alone():
    """Run this program in namespaces of its own, if we may make them."""
    if os.geteuid() == 0 and ALONE not in os.environ:
        os.environ[ALONE] = "yes"
        os.execvp("unshare", ["unshare", "--net", "--mount"] + sys.orig_argv)
