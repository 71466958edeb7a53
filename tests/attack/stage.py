# SPDX-License-Identifier: MIT
"""Everything that holds secrets, at its most talkative, with secrets that are
found again: nginx, Apache, a login by PAM, the command, Python, and a C program
with threads.

A player is asked to check somebody's token and to use the host's own
credential, and tells what came of it: "yes", "no", "unknown"."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import time

import kinds
import support
from canary import Flock
from client import bearer
from support import BUILD, PATIENCE, TREE, profile
from victim import Victim

HERE = os.path.dirname(os.path.abspath(__file__))
GOOD = "/v1/financial-accounts?limit=1"
COLLECTIONS = "/api/v1/collections"
BODY = '{"event":"paid"}'

MONIME = """\
provider = "monime";
space = "spc-sandbox";
base_url = "%s";
reload = "1 s";
timeout = "5 s";
allow = { methods = ["GET", "POST"]; paths = ["/v1/*"]; };
check = { ttl = "1 s"; negative_ttl = "1 s"; probes = 512;
    probe_rate = 10000; timeout = "2 s"; };
webhook = { secret_files = ["%s"]; };
retry = { attempts = 1; };
"""
OAUTH = """\
provider = "mono";
product = "breb";
base_url = "%s";
reload = "1 s";
allow = { methods = ["GET"]; paths = ["/api/v1/*"]; };
oauth2 = { client_id = "%s"; client_secret_file = "%s"; };
retry = { attempts = 1; };
"""
NGINX = """
    proxy_ssl_trusted_certificate {ca};
    proxy_ssl_verify on;
    proxy_ssl_server_name on;
    proxy_set_header Authorization $monime_authorization;
    proxy_set_header Monime-Space-Id $monime_space;
    log_format all '$remote_addr $request $status $upstream_addr $bytes_sent';
    access_log {folder}/access.log all;
    server {
        {tls}
        monime_profile test/pay;
        monime_check on;
        location / { try_files /page =404; }
        location /v1/ { monime_authorize on; proxy_pass {origins[monime]}; }
        location /api/ {
            monime_profile test/breb;
            monime_check off;
            monime_authorize public;
            proxy_pass {origins[mono_sandbox]};
        }
    }
"""
APACHE = """
    LogFormat "%h %r %>s %b" all
    CustomLog {folder}/access.log all
    {tls}
        {verified}
        AliasMatch ^/page {folder}/html/page
        <Location /page>
            AuthType Monime
            MonimeProfile test/pay
            Require monime
        </Location>
        <Location /v1/>
            AuthType Monime
            MonimeProfile test/pay
            Require monime
            MonimeAuthorize On
            ProxyPass {origins[monime]}/v1/ nocanon
        </Location>
        <Location /api/>
            MonimeProfile test/breb
            MonimeAuthorize Public
            ProxyPass {origins[mono_sandbox]}/api/ nocanon
        </Location>
    </VirtualHost>
"""


def signature(secret, body=BODY):
    moment = str(int(time.time()))
    mac = hmac.new(secret.encode(), ("%s_%s" % (moment, body)).encode(),
                   hashlib.sha256).digest()
    return "t=%s,v1=%s" % (moment, base64.b64encode(mac).decode())


class Player:
    """said: all that it told whoever asked it."""

    name = None

    def __init__(self):
        self.said = []

    def pids(self):
        """Those that stay."""
        return {}

    def logs(self):
        return []

    def again(self):
        """Have it see a changed profile."""


class Web(Player):
    OUTCOMES = {200: "yes", 401: "no", 403: "no", 503: "unknown"}

    def __init__(self, stage, kind, http, level, **more):
        super().__init__()
        self.name = kind
        self.stage = stage
        self.server = kinds.server_of(kind)(
            stage.sandbox, http, etc=stage.etc, level=level, **more)

    def ask(self, path, *headers):
        with self.server.client() as c:
            answer = c.ask(path, *headers)
        self.said.append("%d %r" % (answer.status, answer.headers))
        self.said.append(answer.body.decode("latin-1"))
        return self.OUTCOMES.get(answer.status, "%d" % answer.status)

    def check(self, token):
        return self.ask("/page", bearer(token))

    def use(self):
        # Whoever is let in; the credential is the host's.
        return self.ask(GOOD, bearer(self.stage.visitor))

    def fetch(self):
        return self.ask(COLLECTIONS)

    def again(self):
        self.server.reload()

    def pids(self):
        found = {self.name: self.server.process.pid}
        for i, pid in enumerate(self.server.workers_now()):
            found["%s's child %d" % (self.name, i)] = pid
        return found

    def logs(self):
        return [self.server.path(name) for name in (
            "error.log", "access.log", "stderr")]

    def stop(self):
        self.server.stop()


class Program(Player):
    """victim.c, or what speaks as it does."""

    OUTCOMES = {"0": "yes", "-1": "no", "-2": "no", "-3": "no",
                "-6": "unknown", "-7": "unknown", "-8": "unknown"}

    def __init__(self, stage, name, program=None, **environment):
        super().__init__()
        self.name = name
        self.log = os.path.join(stage.folder, name + ".log")
        self.stage = stage
        with open(self.log + ".stderr", "wb") as stderr:
            kind = type("Victim", (Victim,), {"PROGRAM": program}) \
                if program else Victim
            self.victim = kind(stage.etc, self.log, stderr=stderr,
                               cwd=stage.cwd, environment=environment)

    def ask(self, *words):
        answer = self.victim.ask(*words)
        self.said.append(" ".join(answer))
        return self.OUTCOMES.get(answer[0], answer[0])

    def check(self, token):
        return self.ask("check", "test/pay", token)

    def use(self):
        return self.ask("request", "test/pay", "GET", GOOD)

    def fetch(self):
        return self.ask("request", "test/breb", "GET", COLLECTIONS)

    def hook(self, given):
        return self.ask("webhook", "test/pay", given, BODY)

    def inline(self):
        return self.ask("request", "test/inline", "GET", GOOD)

    def crowd(self, *tokens):
        return map(int, self.victim.ask("load", 1, *tokens))

    def pids(self):
        return {self.name: self.victim.pid}

    def logs(self):
        return [self.log, self.log + ".stderr"]

    def stop(self):
        self.victim.stop()


class Short(Player):
    """One process for each question, watched by strace."""

    CALLS = "execve,execveat,open,openat,creat,memfd_create,link,linkat," \
        "rename,renameat,renameat2,symlink,symlinkat"

    def __init__(self, stage):
        super().__init__()
        self.stage = stage
        self.traces = []

    def trace(self, *command):
        path = os.path.join(self.stage.traces, "%s.%d" % (
            self.name, len(self.traces)))
        self.traces.append(path)
        return ["strace", "-f", "-qq", "-v", "-s", "65536", "-e",
                "trace=" + self.CALLS, "-e", "signal=none", "-o", path,
                *command]

    def ran(self, command, given):
        done = subprocess.run(
            self.trace(*command), input=given.encode(), cwd=self.stage.cwd,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE,
            env=self.stage.environment)
        text = [done.stdout.decode("latin-1"), done.stderr.decode("latin-1")]
        self.said += text
        return done.returncode, text

    def stop(self):
        pass


class Command(Short):
    name = "the command"
    OUTCOMES = {0: "yes", 1: "no", 3: "unknown"}

    def monime(self, *arguments, given=""):
        status, text = self.ran([os.path.join(BUILD, "monime"), "-C",
                                 self.stage.etc, *arguments], given)
        return self.OUTCOMES.get(status, "%d: %s" % (status, text))

    def check(self, token):
        return self.monime("check", "-v", "--token-file", "-", "test/pay",
                           given=token + "\n")

    def use(self):
        return self.monime("request", "-v", "test/pay", "GET", GOOD)

    def fetch(self):
        return self.monime("request", "-v", "test/breb", "GET", COLLECTIONS)

    def inline(self):
        return self.monime("request", "-v", "test/inline", "GET", GOOD)

    def hook(self, given):
        return self.monime("webhook", "--signature", given, "test/pay",
                           given=BODY)

    def look_around(self):
        """What else it can tell of all profiles."""
        for words in (("list",), ("list", "--json"), ("doctor", "-v"),
                      ("doctor", "-v", "--online"), ("doctor", "--json"),
                      ("check", "-v", "test/pay"),
                      ("check", "--json", "test/pay"),
                      ("check", "-v", "test/breb"),
                      ("check", "-v", "test/broken"),
                      ("fingerprint", "test/pay")):
            self.monime(*words)

    def exchange(self, token):
        return self.monime("set-token", "-v", "test/other",
                           given=token + "\n")


class Login(Short):
    name = "login"
    OUTCOMES = {0: "yes", 7: "no", 9: "unknown"}
    BUILT = os.path.join(BUILD, "tests", "host", "pam")

    def __init__(self, stage):
        super().__init__(stage)
        users = os.path.join(stage.etc, "pam_users")
        support.write_file(users, "".join(
            "ada:%s\n" % support.fingerprint(token) for token in
            (stage.visitor, stage.later, stage.after)), 0o644)
        self.services = os.path.join(stage.folder, "pam.d")
        os.mkdir(self.services, 0o755)
        support.write_file(
            os.path.join(self.services, "host"), "auth required %s "
            "profile=test/pay users=%s folder=%s debug\n"
            "account required pam_permit.so\n" % (os.path.join(
                self.BUILT, "pam_monime.so"), users, stage.etc), 0o644)

    def command(self, *words):
        return [os.path.join(self.BUILT, "login"), self.services, "host",
                "ada", *words]

    def check(self, token):
        _, text = self.ran(self.command(), token + "\n")
        code = json.loads(text[0])["code"]
        return self.OUTCOMES.get(code, str(code))


class Stage:
    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.flock = Flock()
        self.folder = support.work_folder("stage")
        for name in ("cwd", "tmp", "traces"):
            os.mkdir(os.path.join(self.folder, name), 0o777)
            setattr(self, name, os.path.join(self.folder, name))
        os.chmod(self.tmp, 0o1777)
        self.environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                            "LD_LIBRARY_PATH": BUILD, "TMPDIR": self.tmp,
                            "HOME": self.cwd}
        self.players = []
        self.tokens()
        self.profiles()

    def tokens(self):
        new = self.flock.token
        self.credential = self.granted(new("the host's token"))
        self.next = self.granted(new("the host's next token"))
        self.written = self.granted(new("the host's token in NAME.conf"))
        self.visitor = self.granted(new("a visitor's token"))
        self.later = self.granted(new("a token in an outage"))
        self.after = self.granted(new("a token after an outage"))
        self.bad = new("a bad token")
        self.other = self.granted(new("a token of the other environment",
                                      "live"), "live")
        self.misplaced = new("a misplaced token")
        self.pair = [self.granted(new("the test one of two")),
                     self.granted(new("the live one of two", "live"), "live")]
        self.hook = self.flock.secret("a webhook's secret")
        self.client = self.flock.secret("a client's secret")
        ends = [self.flock.drawn("an access token", "canary_oauth_"),
                self.flock.drawn("a refresh token", "canary_refresh_")]
        self.sandbox.settings(oauth_client_secret=self.client,
                              oauth_ends=ends)

    def granted(self, token, environment="test"):
        space = {"test": "spc-sandbox", "live": "spc-live"}[environment]
        self.sandbox.control("/grant", {
            "token": token, "environment": environment, "spaces": [space]})
        return token

    def profiles(self):
        origins = self.sandbox.origins
        self.etc = self.sandbox.profiles()
        for name, token in zip(("test", "live"), self.pair):
            support.write_file("%s/%s/payouts.token" % (self.etc, name),
                               token + "\n", 0o600)
        for name, secret in (("client", self.client), ("hook", self.hook)):
            support.write_file("%s/test/%s.secret" % (self.etc, name),
                               secret + "\n", 0o600)
        common = MONIME % (origins["monime"], self.etc + "/test/hook.secret")
        profile(self.etc, "test/pay", common, self.credential)
        profile(self.etc, "test/other", common)
        profile(self.etc, "test/inline", common +
                'token = "%s";\n' % self.written)
        profile(self.etc, "test/broken", common + 'space = "%s";\n'
                'tokn = "%s";\n' % (self.misplaced, self.misplaced))
        profile(self.etc, "test/breb", OAUTH % (
            origins["mono_sandbox"], self.sandbox.tokens["oauth_client_id"],
            self.etc + "/test/client.secret"))

    def rotate(self):
        """Another credential, and the first is worth nothing."""
        profile(self.etc, "test/pay", MONIME % (
            self.sandbox.origins["monime"], self.etc + "/test/hook.secret"),
            self.next)
        self.sandbox.control("/revoke", {"token": self.credential})

    def add(self, player):
        self.players.append(player)
        return player

    # quiet: at the level that is usual.

    def nginx(self, quiet=False, **more):
        return self.add(Web(self, "nginx", NGINX, "notice" if quiet else
                            "debug", **more))

    def apache(self, quiet=False, **more):
        return self.add(Web(self, "apache", APACHE, "warn" if quiet else
                            "trace8", **more))

    def program(self, **environment):
        self.threads = self.add(Program(self, "C program", **environment))
        return self.threads

    def python(self, **environment):
        return self.add(Program(self, "python", (
            "/usr/bin/python3", "-B", os.path.join(HERE, "visitor.py"),
            os.path.join(TREE, "module", "python")), **environment))

    def command(self):
        return self.add(Command(self))

    def login(self):
        return self.add(Login(self))

    def stop(self):
        """Each of them, whatever becomes of the others."""
        wrong = None
        for player in self.players:
            try:
                player.stop()
            except AssertionError as why:
                wrong = wrong or why
        self.sandbox.reset("settings")
        if wrong:
            raise wrong
