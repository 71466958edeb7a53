#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a remembered check costs in Apache, beside other ways to remember one
and beside a plain file.

It prints lines as tests/bench/run wants them, and measures as gateway.py does:
the server has a processor of its own, and what is compared takes turns.
"""

import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import time

import places
from gateway import (BUILD, GATEWAY_CPU, KEYS, KNOWN, ORIGIN, against_plain,
                     favoured, figure, fresh_folder, in_turns, let_in, note,
                     per_second, rate, rounds, write_etc)

SYSTEM = "/usr/lib/apache2/modules"
MODULES = """
    mpm_event authn_core authz_core authz_user auth_basic authn_file
    authn_socache socache_shmcb alias auth_openidc
""".split()

# How many tokens are remembered at once.
TOKENS = 1000

# Of a password that mod_authn_socache remembers: {SHA} costs the least.
PASSWORD = "Basic YWRhOmxvdmVsYWNl"
USERS = "ada:{SHA}MJgvYgf2tRctgBqviyzN0HpBdyY=\n"

CONFIG = """\
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/httpd.pid
ErrorLog {folder}/error.log
LogLevel warn
{load}
LoadModule monime_module {build}/apache/mod_monime.so
Listen 127.0.0.1:{port}
ListenBackLog 16384
ServerName localhost
StartServers 1
ServerLimit 1
ThreadsPerChild 64
ThreadLimit 64
MaxRequestWorkers 64
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 3600
MonimeFolder {etc}
OIDCCryptoPassphrase x
OIDCCacheType shm
OIDCCacheShmMax {cached}
OIDCOAuthIntrospectionEndpoint https://127.0.0.1:{introspection}/
OIDCOAuthSSLValidateServer Off
OIDCOAuthClientID bench
OIDCOAuthClientSecret bench
OIDCOAuthRemoteUserClaim sub
OIDCOAuthTokenExpiryClaim exp absolute mandatory
AuthnCacheSOCache shmcb
AuthnCacheEnable
<Directory {www}>
	Require all granted
</Directory>
AliasMatch "^/[a-z]+/file$" {www}/file
<Location /remembered>
	AuthType Monime
	MonimeProfile test/remembered
	Require monime
</Location>
<Location /basic>
	AuthType Basic
	AuthName bench
	AuthBasicProvider socache file
	AuthnCacheProvideFor file
	AuthUserFile {folder}/users
	Require valid-user
</Location>
<Location /openid>
	AuthType oauth20
	Require valid-user
</Location>
"""


class Introspection(http.server.BaseHTTPRequestHandler):
    """RFC 7662, for whom every token is active."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        text = json.dumps({"active": True, "sub": "ada",
                           "exp": int(time.time()) + 3600}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Httpd:
    """One that runs in FOLDER, on a port that stays bound here meanwhile."""

    def __init__(self, folder, introspection):
        self.folder = folder
        self.held = socket.socket()
        self.held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.held.bind(("127.0.0.1", 0))
        self.port = self.held.getsockname()[1]
        www = os.path.join(folder, "www")
        os.makedirs(www)
        places.write(os.path.join(www, "file"), "as plain as can be\n")
        places.write(os.path.join(folder, "users"), USERS)
        path = os.path.join(folder, "httpd.conf")
        places.write(path, CONFIG.format(
            folder=folder, www=www, build=BUILD, port=self.port,
            etc=os.path.join(folder, "etc"), cached=TOKENS * 4,
            introspection=introspection, load="\n".join(
                "LoadModule %s_module %s/mod_%s.so" % (name, SYSTEM, name)
                for name in MODULES)))
        with open(os.path.join(folder, "output"), "wb") as output:
            # It ends with a signal for all of its group.
            self.process = subprocess.Popen(
                ("/usr/sbin/apache2", "-f", path, "-DFOREGROUND"),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                process_group=0, env={"PATH": os.environ["PATH"],
                                      "LD_LIBRARY_PATH": BUILD},
                preexec_fn=lambda: os.sched_setaffinity(0, GATEWAY_CPU))
        self.wait()

    def wait(self):
        end = time.monotonic() + 20
        while "resuming normal operations" not in self.log():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit("httpd does not start\n" + self.log())
            time.sleep(0.05)

    def url(self, place):
        return "http://127.0.0.1:%d/%s/file" % (self.port, place)

    def log(self):
        said = ""
        for name in ("output", "error.log"):
            path = os.path.join(self.folder, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    said += file.read()
        return said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        self.held.close()


def against(server, first, second, n):
    """Two ways to ask, each (place, what else rate() is told)."""
    pairs = in_turns(n, *(lambda way=way: rate(server, way[0], **way[1])
                          for way in (first, second)))
    note("%s: %s; %s: %s" % (first[0], per_second([a for a, _ in pairs]),
                             second[0], per_second([b for _, b in pairs])))
    return [a / b for a, b in pairs]


def remembered():
    folder = fresh_folder()
    write_etc(folder, remembered=(ORIGIN, "space", "1h"))
    introspection = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                    Introspection)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(KEYS, "server.pem"),
                            os.path.join(KEYS, "server.key"))
    introspection.socket = context.wrap_socket(introspection.socket,
                                               server_side=True)
    threading.Thread(target=introspection.serve_forever, daemon=True).start()
    basic = {"credential": PASSWORD}
    known = {"known": TOKENS}
    with Httpd(folder, introspection.server_address[1]) as server:
        let_in(server, "remembered")
        for i in range(1, TOKENS + 1):
            for place in ("remembered", "openid"):
                let_in(server, place, "mon_test_%s%d" % (KNOWN, i))
        figure("Apache: two plain places, for comparison", "ratio", "",
               against_plain(server, "plain", rounds(4)))
        figure("Apache: remembered check, to a plain place", "ratio", "",
               against_plain(server, "remembered", rounds(8)))
        figure("  Basic with mod_authn_socache", "ratio", "",
               against_plain(server, "basic", rounds(8), **basic))
        figure("  remembered check against it", "ratio", ">= 0.97",
               against(server, ("remembered", {}), ("basic", basic),
                       rounds(15)))
        figure("Apache: %d tokens remembered, to a plain place" % TOKENS,
               "ratio", "", against_plain(server, "remembered", rounds(4),
                                          **known))
        figure("  mod_auth_openidc, which remembers as many", "ratio", "",
               against_plain(server, "openid", rounds(4), **known))
        figure("  remembered check against it", "ratio", ">= 2",
               against(server, ("remembered", known), ("openid", known),
                       rounds(8)))
    introspection.shutdown()


if __name__ == "__main__":
    favoured()
    remembered()
