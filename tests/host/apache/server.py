# SPDX-License-Identifier: MIT
"""A real Apache with the module.

    server = Server(sandbox, HTTP, etc=sandbox.profiles())
    with server.client() as c:
        c.ask("/checked", bearer(token))
    server.stop()

HTTP is the inside of the configuration; beside the words of host.py, {tls} and
{plain}, the first lines of a <VirtualHost> with and without TLS, {verified},
what mod_proxy needs to verify its upstreams, {page}, which answers every path
with the same file, {worker}, to stand before it, which answers /worker with
the number of the process, and {gateway} and {payouts}, which ask for a token
everywhere, are replaced.

httpd takes over no sockets.  Its ports are held by sockets that never listen,
which Linux lets it bind beside them, and nobody else.
"""

import os
import re
import signal

import host
import support
from support import BUILD

HTTPD = "/usr/sbin/apache2"
SYSTEM = "/usr/lib/apache2/modules"
MODULE = os.path.join(BUILD, "apache", "mod_monime.so")

# Loaded before ours.
MODULES = """
    authn_core authz_core authz_host authz_user auth_basic authn_file alias dir
    mime env setenvif headers rewrite status socache_shmcb ssl proxy proxy_http
    lua
""".split()

# Each kind of server with so many processes, always.  Those that leave need a
# place until they have left.
MPM = {
    "event": """
        StartServers {n}
        ServerLimit {slots}
        ThreadsPerChild {threads}
        ThreadLimit {threads}
        MaxRequestWorkers {all}
        MinSpareThreads 1
        MaxSpareThreads {all}
        AsyncRequestWorkerFactor 8
    """,
    "prefork": """
        StartServers {n}
        ServerLimit {slots}
        MaxRequestWorkers {n}
        MinSpareServers {n}
        MaxSpareServers {n}
        Mutex fcntl:{folder} mpm-accept
    """,
}
# Valgrind has its own idea of who may unlock what.
MPM["worker"] = MPM["event"].replace(
    "AsyncRequestWorkerFactor 8", "Mutex fcntl:{folder} mpm-accept")

CONFIG = """\
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
LogLevel {level}
{user}
{load}
{mpm}
Listen 127.0.0.1:{port[0]}
Listen 127.0.0.1:{port[1]}
Listen 127.0.0.1:{port[2]}
ListenBackLog 4096
ServerName localhost
DocumentRoot {folder}/html
TypesConfig /dev/null
DirectoryIndex disabled
AddType text/html .html
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 600
GracefulShutdownTimeout 60
EnableMMAP Off
ExtendedStatus On
SSLSessionCache none
MonimeFolder {etc}
{http}
<VirtualHost 127.0.0.1:{port[1]}>
    ServerName status
    {worker}
    <Location />
        AuthType None
        Require all granted
    </Location>
    <Location /status>
        SetHandler monime-status
    </Location>
    <Location /busy>
        SetHandler server-status
    </Location>
</VirtualHost>
"""

TLS = """<VirtualHost 127.0.0.1:{port[0]}>
    SSLEngine On
    SSLCertificateFile {certificate}
    SSLCertificateKeyFile {key}
    {protocols}"""

# Two servers that serve alike, with TLS and without it.
SERVERS = """
    {tls}
        {page}
    </VirtualHost>
    {plain}
        {worker}
        {page}
    </VirtualHost>
"""

# A place that asks for a token, by its path.
CHECKED = """<Location %s>
        AuthType Monime
        MonimeProfile %s
        Require monime
    </Location>
"""

VERIFIED = """SSLProxyEngine On
    SSLProxyVerify require
    SSLProxyCACertificateFile {ca}"""

# Which process has this connection.
WORKER = """Alias /worker {folder}/worker.lua
    <Location /worker>
        SetHandler lua-script
        AuthType None
        Require all granted
    </Location>"""
LUA = """\
function handle(r)
    local file = io.open("/proc/self/stat")
    r:puts(file:read("*n"))
    file:close()
    return apache2.OK
end
"""


class Server(host.Host):
    NAME = "apache"
    AGAIN, END = signal.SIGUSR1, signal.SIGWINCH
    # It looks once a second whether all has ended.
    STOP = signal.SIGTERM
    ALARMS = r"[\[:](alert|emerg|crit)\]|exit signal|AH00484|AH03490|==\d+=="
    LEAVING = "Doing graceful restart|shutting down gracefully"
    OURS = "[monime:"
    # It also says there, before it has a log, which level that has.
    SAID = r"\[[^]]*\] \[core:trace3\]|" + host.Host.SAID

    def __init__(self, sandbox, http, etc=None, level="warn", workers=1,
                 mpm="event", threads=25, modules=(), before=(),
                 start=True):
        self.http, self.mpm, self.threads = http, mpm, threads
        self.modules, self.before = modules, before
        self.leaving = set()
        super().__init__(sandbox, etc, level, workers, start)

    def write(self, http):
        """Another configuration; it holds from the next start or reload
        on."""
        self.http = http
        self.configure()

    def loads(self):
        files = {"monime": MODULE}
        return "\n".join("LoadModule %s_module %s" % (name, files.get(
            name, "%s/mod_%s.so" % (SYSTEM, name))) for name in (
            "mpm_" + self.mpm, *MODULES, *self.before, "monime",
            *self.modules))

    def configure(self):
        tls = TLS.format(
            port=self.port, certificate=self.certificate,
            key=self.certificate.replace(".pem", ".key"), protocols="" if
            "http2" not in self.modules else "Protocols h2 http/1.1")
        worker = WORKER.format(folder=self.folder)
        inside = self.filled(
            self.http, tls=tls, worker=worker,
            gateway=CHECKED % ("/", "test/gateway"),
            payouts=CHECKED % ("/", "test/payouts"),
            verified=VERIFIED.format(ca=self.ca),
            plain="<VirtualHost 127.0.0.1:%d>" % self.port[2],
            page="AliasMatch ^ %s/html/page" % self.folder)
        # Of those that serve one client at a time some are left for ours.
        processes = self.workers + (2 if self.mpm == "prefork" else 0)
        mpm = MPM[self.mpm].format(
            folder=self.folder, n=processes, slots=self.workers * 4 + 4,
            threads=self.threads,
            all=self.workers * self.threads)
        text = CONFIG.format(
            folder=self.folder, etc=self.etc, level=self.level, mpm=mpm,
            load=self.loads(), http=inside, port=self.port,
            worker=worker,
            user="User nobody\nGroup nogroup" if support.ROOT else "")
        support.write_file(self.conf, text, 0o644)
        support.write_file(self.path("worker.lua"), LUA, 0o644)

    def command(self, *arguments):
        return self.wrap(HTTPD, "-f", self.conf, "-DFOREGROUND", *arguments)

    def started(self):
        return self.begun() > 0

    def begun(self):
        """How often it has read its configuration."""
        return self.log().count("resuming normal operations")

    def reload(self):
        # A signal that comes before it is ready for it does nothing.
        before = self.begun()
        super().reload()
        self.until(lambda: self.begun() > before, "a new beginning")

    def again(self, how=None):
        self.leaving.update(self.workers_now())
        super().again(how)

    def quit(self, how=None):
        if self.process is not None and self.process.poll() is None:
            self.leaving.update(self.workers_now())
        super().quit(how)

    def own_fault(self, line):
        # One of fifty children of httpd 2.4.71 that are told to end does so by
        # looking at a connection that is gone: in the MPM event, and without
        # any module of ours as well.
        found = re.search(r"child pid (\d+) exit signal Segmentation", line)
        return self.mpm == "event" and found is not None and \
            int(found[1]) in self.leaving

    # What it is asked.

    def serving(self):
        """How many others are being served: whose request has been read."""
        said = self.ask("/busy?auto").body.decode()
        return re.search("^Scoreboard: (.*)", said, re.M)[1].count("W") - 1

    def served(self):
        """Those that have not been answered: one that has been stays for a
        moment more."""
        return min(self.serving() for _ in range(20))

    def wait_served(self, at_least):
        self.until(lambda: self.serving() >= at_least,
                   "%d requests to be begun" % at_least)

    def workers_now(self):
        return self.children()
