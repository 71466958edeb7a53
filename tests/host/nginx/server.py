# SPDX-License-Identifier: MIT
"""A real nginx with the module.

    server = Server(sandbox, HTTP, etc=sandbox.profiles())
    with server.client() as c:
        c.ask("/checked", bearer(token))
    server.stop()

HTTP is the inside of the http block; beside the words of host.py, {tls} (the
listen and certificate lines of a server) and {plain} (another listen line,
without TLS) in it are replaced.

The listening sockets are bound here and handed over as nginx hands them to a
new binary of itself: so a client may connect before nginx has begun.
"""

import itertools
import os
import re

import host
import support
from support import BUILD

NGINX = "/usr/sbin/nginx"
MODULE = os.path.join(BUILD, "nginx", "ngx_http_monime_module.so")

CONFIG = """\
load_module {module};
daemon off;
{user}
pid {folder}/nginx.pid;
lock_file {folder}/nginx.lock;
error_log {folder}/error.log {level};
worker_processes {workers};
worker_shutdown_timeout 30s;
{main}
events {{
    worker_connections 15000;
}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    default_type text/plain;
    root {folder}/html;
    monime_folder {etc};
    access_log off;
{http}
    server {{
        listen 127.0.0.1:{port[1]};
        location = /status {{
            monime_status;
        }}
        location = /connections {{
            stub_status;
        }}
        location = /worker {{
            return 200 $pid;
        }}
    }}
}}
"""

TLS = """listen 127.0.0.1:{port[0]} ssl http2;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_session_tickets off;"""


class Server(host.Host):
    NAME = "nginx"
    ALARMS = r"\[(alert|emerg|crit)\]|open socket #|exited on signal|" \
        "zero size buf"
    # It also says there what it thinks of its configuration.
    SAID = r"nginx: \[(warn|notice)\] |" + host.Host.SAID
    LEAVING = "gracefully shutting down"

    def __init__(self, sandbox, http, etc=None, level="debug", workers=1,
                 main="", start=True):
        self.http, self.main = http, main
        super().__init__(sandbox, etc, level, workers, start)

    @classmethod
    def bound(cls):
        made = super().bound()
        made.listen(4096)
        # nginx takes it for one of its own, and never waits in accept().
        made.setblocking(False)
        return made

    def write(self, http, main=""):
        """Another configuration; it holds from the next start or reload
        on."""
        self.http, self.main = http, main
        self.configure()

    def configure(self):
        tls = TLS.format(port=self.port, certificate=self.certificate,
                         key=self.certificate.replace(".pem", ".key"))
        inside = self.filled(self.http, tls=tls, plain="listen 127.0.0.1:%d;" %
                             self.port[2])
        text = CONFIG.format(
            module=MODULE, folder=self.folder, etc=self.etc, level=self.level,
            workers=self.workers, main=self.main, http=inside, port=self.port,
            user="user nobody nogroup;" if support.ROOT else "")
        support.write_file(self.conf, text, 0o644)

    def command(self, *arguments):
        return self.wrap(NGINX, "-p", self.folder, "-c",
                         self.conf, "-e", self.path("error.log"),
                         *arguments)

    def start(self, **_):
        numbers = [s.fileno() for s in self.sockets]
        super().start(numbers, NGINX="".join("%d;" % n for n in numbers))

    def started(self):
        return os.path.exists(self.path("nginx.pid"))

    # What it is asked.

    def connections(self):
        """How many are active, with that of whoever asks."""
        return int(self.ask("/connections").body.split()[2])

    def served(self):
        numbers = self.ask("/connections").body.split()
        return int(numbers[9])

    def wait_served(self, at_least):
        """Asking is a request, too: each look raises what is waited for."""
        looks = itertools.count(1)
        self.until(lambda: self.served() >= at_least + next(looks),
                   "%d requests to be begun" % at_least)

    # Its processes.

    def workers_now(self):
        """Those that the log calls workers: a title would not be seen under
        valgrind."""
        started = re.findall(r"start worker process (\d+)", self.log())
        return [pid for pid in self.children() if str(pid) in started]
