#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The installed command, from outside, against the sandbox.

    MONIME_COMMAND=/usr/bin/monime /usr/bin/python3 test_cli.py

Every run of the command is searched for every secret that the sandbox knows.
"""

import base64
import datetime
import hashlib
import hmac
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TREE, "tests", "sandbox"))

from control import control  # noqa: E402

SANDBOX = os.path.join(TREE, "tests", "sandbox", "sandbox.py")
COMMAND = os.environ.get("MONIME_COMMAND", "monime")
ROOT = os.geteuid() == 0
COMMANDS = ("check", "request", "list", "doctor", "set-token",
            "fingerprint", "webhook", "help")
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"

needs_root = unittest.skipUnless(ROOT, "live profiles are root's alone")


def safe_base():
    """A folder that the library trusts, and all above it."""
    if ROOT:
        return "/run"
    return os.environ.get("XDG_RUNTIME_DIR") or os.path.expanduser("~")


def day(days):
    moment = datetime.datetime.now(datetime.timezone.utc)
    return (moment.date() + datetime.timedelta(days=days)).isoformat()


class Sandbox:
    def __init__(self):
        self.base = tempfile.TemporaryDirectory(prefix="monime-cli-")
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-B", SANDBOX, "--dir",
             os.path.join(self.base.name, "sandbox"), "--until-eof"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        word, file = self.process.stdout.readline().decode().split()
        assert word == "ready"
        with open(file, encoding="utf-8") as opened:
            self.facts = json.load(opened)
        self.tokens = self.facts["tokens"]
        self.origins = self.facts["origins"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
        self.base.cleanup()

    def control(self, path, given=None):
        return control(self.facts["ports"]["control"], path, given)

    def fault(self, **what):
        self.control("/fault", what)

    def effects(self):
        return self.control("/effects")["list"]

    def traffic(self):
        """How often anybody so much as connected."""
        return sum(self.control("/counts")["connections"].values())

    def wait(self, what, at_least):
        reached = self.control("/wait", {"what": what, "at_least": at_least,
                                         "seconds": 20})["reached"]
        assert reached, "%s did not reach %d" % (what, at_least)


SERVER = None


def setUpModule():
    global SERVER
    # Whoever runs this in the background may have had some ignored, and what
    # is ignored is inherited: the command would not end by them.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT,
                   signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    SERVER = Sandbox()


def tearDownModule():
    SERVER.stop()


class Result:
    def __init__(self, status, out, err):
        self.status = status
        self.raw = out
        self.out = out.decode("utf-8", "replace")
        self.err = err.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.out)


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        SERVER.control("/reset", {})
        self.folder = tempfile.mkdtemp(prefix="monime-cli-", dir=safe_base())
        self.addCleanup(shutil.rmtree, self.folder, True)
        os.chmod(self.folder, 0o755)
        SERVER.control("/folder", {"path": self.folder})
        if not ROOT:
            shutil.rmtree(self.path("live"))
        self.secrets = [text.encode() for name, text in SERVER.tokens.items()
                        if name != "oauth_client_id"]

    # Files.

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
        return self.path(name)

    def change(self, name, old, new):
        text = self.read(name)
        self.assertRegex(text, old)
        self.write(name, re.sub(old, lambda _: new, text))

    def add(self, name, text):
        self.write(name, self.read(name) + text)

    def profile(self, name, token=None, **settings):
        """A profile of Monime; its settings as in the file."""
        values = {"provider": '"monime"', "space": '"spc-sandbox"',
                  "base_url": '"%s"' % SERVER.origins["monime"],
                  "owner": '"Ada"', "purpose": '"tests"',
                  "rotate_by": '"%s"' % day(90)}
        values.update(settings)
        self.write(name + ".conf", "".join(
            "%s = %s;\n" % (key, value) for key, value in values.items()
            if value is not None))
        if token is not None:
            self.write(name + ".token", SERVER.tokens[token] + "\n")

    def unreachable(self, name="test/payouts"):
        self.change(name + ".conf", r"https://localhost:\d+",
                    SERVER.origins["refused"])

    def leftovers(self):
        return [os.path.join(where, name)
                for where, folders, files in os.walk(self.folder)
                for name in folders + files if name.startswith(".")]

    # The command.

    def environment(self, **more):
        environment = {name: os.environ[name] for name in (
            "LD_LIBRARY_PATH", "PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS",
            "LSAN_OPTIONS", "HOME") if name in os.environ}
        environment.update(more)
        return environment

    def command(self, *arguments):
        return [COMMAND, "-C", self.folder] + list(arguments)

    def start(self, *arguments, **more):
        return subprocess.Popen(
            self.command(*arguments), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.environment(), **more)

    def search(self, *texts):
        for text in texts:
            for secret in self.secrets:
                self.assertNotIn(secret, text)

    def run_raw(self, arguments, status, stdin=b"", **environment):
        if isinstance(stdin, str):
            stdin = stdin.encode()
        done = subprocess.run(
            arguments, input=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self.environment(**environment),
            timeout=60)
        self.search(done.stdout, done.stderr)
        if status is not None:
            self.assertEqual(done.returncode, status,
                             (arguments, done.stdout, done.stderr))
        return Result(done.returncode, done.stdout, done.stderr)

    def run_cli(self, status, *arguments, stdin=b"", **environment):
        return self.run_raw(self.command(*arguments), status, stdin,
                            **environment)


class Usage(Case):
    def test_help_names_every_command(self):
        for arguments in (["--help"], ["-h"], ["help"]):
            out = self.run_raw([COMMAND] + arguments, 0).out
            for command in COMMANDS:
                self.assertRegex(out, r"(?m)^  %s +[A-Z]" % command)

    def test_every_command_explains_itself(self):
        for command in COMMANDS:
            first = self.run_cli(0, "help", command).out
            self.assertEqual(self.run_cli(0, command, "--help").out, first)
            self.assertEqual(self.run_cli(0, command, "-h").out, first)
            self.assertIn("usage: monime [-C DIR] " + command, first)
            self.assertIn("--help", first)
            if command != "help":
                self.assertIn("Examples:\n  monime " + command, first)
            for line in first.splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_manual_and_completion_name_every_option(self):
        with open(os.path.join(TREE, "module/cli/monime.1"),
                  encoding="utf-8") as file:
            manual = file.read()
        with open(os.path.join(TREE, "module/cli/monime.bash"),
                  encoding="utf-8") as file:
            completion = file.read()
        sections = dict(re.findall(
            r"(?ms)^\.Ss (\S+)\n(.*?)(?=^\.S[sh] |\Z)", manual))
        for command in COMMANDS:
            text = self.run_cli(0, "help", command).out
            options = set(re.findall(r"(?m)^  (?:-\w, )?--([a-z-]+)", text))
            self.assertIn("help", options)
            told = set(re.findall(r"Fl -([a-z-]+)", sections[command]))
            self.assertEqual(options - {"help"} - told, set(), command)
            self.assertEqual(told - options, set(), command)
            listed = re.search(r"(?ms)^\t%s\)\s+echo (.*?);;" % command,
                               completion).group(1)
            self.assertEqual(set(re.findall(r"--([a-z-]+)", listed)),
                             options, command)

    def test_version(self):
        for option in ("--version", "-V"):
            self.assertRegex(self.run_raw([COMMAND, option], 0).out,
                             r"^monime \d+\.\d+\.\d+\n")

    def test_unknown_things_are_named_with_what_is_accepted(self):
        for arguments, words in (
                ((), ("no command",)),
                (("nope",), ("nope", "check", "set-token")),
                (("help", "nope"), ("nope", "fingerprint")),
                (("check", "--jsn"), ("--jsn", "--token-file FILE")),
                (("check", "-x", "test/payouts"), ("-x", "--json")),
                (("list", "--json=1"), ("--json=1", "no argument")),
                (("request", "test/payouts", "GET", "/", "-H"),
                 ("-H", "missing")),
                (("list", "-C", "/x"), ("before the command",)),
                (("check",), ("PROFILE", "missing", "monime help check")),
                (("request", "test/payouts"), ("METHOD PATH", "missing")),
                (("check", "test/a", "test/b"), ("test/b", "too many")),
                (("list", "more"), ("more", "too many")),
                (("webhook", "test/payouts"), ("--signature",)),
        ):
            done = self.run_cli(2, *arguments)
            self.assertEqual(done.out, "")
            for word in words:
                self.assertIn(word, done.err)
        for arguments in (["-C"], ["-x"], ["--nope", "list"],
                          ["-C", "relative", "list"]):
            self.run_raw([COMMAND] + arguments, 2)
        self.assertEqual(SERVER.traffic(), 0)

    def test_two_dashes_end_the_options(self):
        self.run_cli(0, "check", "--", "test/payouts")
        self.run_cli(2, "check", "test/payouts", "--", "--json")

    def test_options_may_follow_operands(self):
        self.run_cli(0, "check", "test/payouts", "--json").json()

    def test_folder_may_end_in_slashes(self):
        self.run_raw([COMMAND, "--folder", self.folder + "//", "check",
                      "test/payouts"], 0)

    def test_closed_standard_streams_are_an_error(self):
        line = " ".join(map(shlex.quote, self.command("list")))
        self.run_raw(["/bin/sh", "-c", line + " >&-"], 3)
        self.run_raw(["/bin/sh", "-c", line + " >/dev/full"], 3)
        self.run_raw(["/bin/sh", "-c", line + " <&- 2>&-"], 0)


class Check(Case):
    FACTS = ("environment  %s", "API version  caph.2025-06-20",
             "release      caph 2025-06-20", "deprecated   no",
             "seen from    2c0f:2a80:4ea:1f08:2c1b:e667:f921:ddcf",
             "country      SL", "fingerprint  ", "request id   req-")

    def test_own_credential_is_accepted_with_facts(self):
        out = self.run_cli(0, "check", "test/payouts").out
        self.assertTrue(out.startswith("test/payouts: accepted\n"))
        for fact in self.FACTS:
            self.assertIn(fact.replace("%s", "test"), out)

    @needs_root
    def test_live_is_in_every_line(self):
        for arguments in ((), ("-v",)):
            done = self.run_cli(0, "check", "live/payouts", *arguments)
            for line in (done.out + done.err).splitlines():
                self.assertIn("live/payouts: ", line)
        self.assertIn("environment  live", done.out)

    def test_mono_is_asked_for_an_object_of_ours(self):
        self.run_cli(0, "check", "test/bank")
        target = SERVER.control("/log")["requests"][-1]["target"]
        self.assertEqual(target, "/v1/bank_accounts/bac_sandbox")

    def breb(self, *lines):
        self.write("test/breb.conf", "\n".join((
            'provider = "mono";', 'product = "breb";',
            'base_url = "%s";' % SERVER.origins["mono_sandbox"],
            'owner = "Ada";', 'purpose = "tests";',
            'rotate_by = "%s";' % day(90),
            'oauth2 = {', 'client_id = "%s";' %
            SERVER.tokens["oauth_client_id"],
            'client_secret = "%s";' % SERVER.tokens["oauth_client_secret"])
            + lines + ("};", "")))

    def test_oauth_tells_scope_and_lifetime_and_no_token(self):
        self.breb('scope = "collections outgoing_transfers";')
        for more in ((), ("-v",)):
            done = self.run_cli(0, "check", "test/breb", *more)
            self.assertTrue(done.out.startswith("test/breb: accepted\n"))
            self.assertIn("scope        collections outgoing_transfers\n",
                          done.out)
            self.assertRegex(done.out, r"lifetime     (3600|3599) s\n")
            self.assertNotIn("canary_oauth", done.out + done.err)
            self.assertNotIn("canary_refresh", done.out + done.err)
        told = self.run_cli(0, "check", "test/breb", "--json").json()
        self.assertEqual(told["token_scope"],
                         "collections outgoing_transfers")
        self.assertIn(told["token_expires_in"], (3600, 3599))
        self.assertEqual(SERVER.control("/counts")["token_requests"], 3)

    def test_oauth_that_is_refused_is_no(self):
        self.breb('scope = "everything";')
        out = self.run_cli(1, "check", "test/breb").out
        self.assertIn("test/breb: denied\n", out)
        self.assertRegex(out, "cause .*reason invalid_scope")

    def test_refused_credential_is_no_with_cause_and_mend(self):
        self.write("test/payouts.token", SERVER.tokens["revoked_test"])
        for status in (200, 401):
            SERVER.control("/settings", {"unauthenticated_status": status})
            out = self.run_cli(1, "check", "test/payouts").out
            self.assertIn("test/payouts: denied\n", out)
            self.assertRegex(out, "cause .*revoked")
            self.assertRegex(out, "mend .*monime set-token test/payouts\n")

    def test_tokens_of_others(self):
        for name, status, verdict in (
                ("test", 0, "accepted"), ("revoked_test", 1, "denied"),
                ("stranger_test", 1, "forbidden"),
                ("live", 1, "environment")):
            SERVER.control("/reset", {})
            file = self.write("token", SERVER.tokens[name] + "\n")
            done = self.run_cli(status, "check", "test/gateway",
                                "--token-file", file, "--json").json()
            self.assertEqual(done["verdict"], verdict)
            self.assertEqual(done["of"], "token")
            if name == "live":
                self.assertEqual(SERVER.traffic(), 0)
        done = self.run_cli(1, "check", "test/gateway", "--token-file", file)
        self.assertIn("test/gateway: wrong environment\n", done.out)

    def test_token_from_standard_input(self):
        self.run_cli(0, "check", "test/gateway", "--token-file", "-",
                     stdin=SERVER.tokens["test"] + "\n")
        # One newline is ignored, and no more.
        self.run_cli(1, "check", "test/gateway", "--token-file", "-",
                     stdin=SERVER.tokens["test"] + "\n\n")

    def test_no_token_to_check_is_usage(self):
        self.run_cli(2, "check", "test/gateway", "--token-file", "-")
        self.run_cli(2, "check", "test/gateway", "--token-file", "-",
                     stdin="\n")
        self.run_cli(2, "check", "test/gateway", "--token-file",
                     self.path("none"))
        self.run_cli(2, "check", "test/gateway", "--token-file", "-",
                     stdin="x" * 9000)
        self.assertEqual(SERVER.traffic(), 0)

    def test_unknown_is_three(self):
        for fault in ({"status": 429}, {"status": 500}, {"status": 503},
                      {"garbage": True}, {"drop": "status"},
                      {"json": {"status": {"isAuthenticated": "true"}}},
                      {"redirect": "elsewhere"}):
            SERVER.control("/reset", {})
            SERVER.fault(server="monime", times=-1, **fault)
            done = self.run_cli(3, "check", "test/payouts")
            self.assertIn("test/payouts: unknown\n", done.out)
            self.assertRegex(done.out, "(?m)^test/payouts: mend  ")
        self.unreachable()
        done = self.run_cli(3, "check", "test/payouts", "--json").json()
        self.assertEqual(done["result"], "MONIME_ENET")

    def test_our_own_fault_is_two(self):
        self.assertRegex(self.run_cli(2, "check", "test/none").err,
                         "no such profile; monime list .* set-token test/none")
        self.assertNotIn("no such profile",
                         self.run_cli(2, "check", "nonsense").err)
        self.assertIn("no credential to check: monime set-token test/gateway ",
                      self.run_cli(2, "check", "test/gateway").out)
        self.write("test/payouts.token", SERVER.tokens["live"])
        done = self.run_cli(2, "check", "test/payouts")
        self.assertIn("live token", done.err)
        os.chmod(self.path("test/payouts.token"), 0o640)
        done = self.run_cli(2, "check", "test/payouts")
        self.assertIn("chmod 0600 " + self.path("test/payouts.token"),
                      done.err)
        done = self.run_cli(2, "check", "test/payouts", "--json")
        self.assertIn("chmod 0600", done.json()["error"])
        self.assertEqual(SERVER.traffic(), 0)

    def test_host_without_live_is_two_and_not_no(self):
        self.write("monime.conf", self.read("monime.conf").replace(
            ', "live"', ""), 0o644)
        self.assertIn("live", self.run_cli(2, "check", "live/payouts").err)

    def test_ssl_key_log_file_is_refused(self):
        done = self.run_cli(2, "check", "test/payouts",
                            SSLKEYLOGFILE=self.path("keys"))
        self.assertIn("unset SSLKEYLOGFILE", done.err)
        self.assertFalse(os.path.exists(self.path("keys")))

    def test_json_has_the_same_names_whatever_happened(self):
        names = set(self.run_cli(0, "check", "test/payouts",
                                 "--json").json())
        self.write("token", SERVER.tokens["live"])
        for arguments in (("test/none",), ("test/gateway",),
                          ("test/gateway", "--token-file",
                           self.path("token"))):
            done = self.run_cli(None, "check", "--json", *arguments)
            self.assertEqual(set(done.json()), names)

    def test_warning_of_the_profile_is_shown(self):
        self.change("test/payouts.conf", 'rotate_by = "[^"]*"',
                    'rotate_by = "2020-01-01"')
        done = self.run_cli(0, "check", "test/payouts")
        self.assertIn("rotate_by", done.err)

    def test_message_of_the_api_cannot_forge_a_line(self):
        SERVER.fault(server="monime", path="/v1/", status=403, times=-1,
                     body=json.dumps({"success": False, "error": {
                         "code": 403, "reason": "no",
                         "message": "x\nlive/x: accepted\x1b[2J\u202e"}}))
        file = self.write("token", SERVER.tokens["test"])
        done = self.run_cli(1, "check", "test/gateway", "--token-file", file)
        self.assertNotIn("\x1b", done.out)
        self.assertNotIn("\u202e", done.out)
        for line in done.out.splitlines():
            self.assertTrue(line.startswith("test/gateway: "), line)


class Request(Case):
    def test_body_goes_to_standard_output_as_it_came(self):
        body = bytes(range(256)) * 40
        SERVER.fault(path="/v1/payouts", body_base64=base64.b64encode(
            body).decode())
        done = self.run_cli(0, "request", "test/payouts", "GET",
                            "/v1/payouts")
        self.assertEqual(done.raw, body)
        self.assertEqual(done.err, "")

    def test_key_is_printed_before_the_request_is_sent(self):
        SERVER.fault(method="POST", hold=True)
        process = self.start("request", "test/payouts", "POST",
                             "/v1/payouts", "-d", "{}")
        line = process.stderr.readline().decode()
        key = re.search(UUID, line).group(0)
        self.assertTrue(line.startswith("monime: test/payouts: POST "))
        SERVER.wait("held", 1)
        with open("/proc/%d/limits" % process.pid,
                  encoding="ascii") as limits:
            self.assertRegex(limits.read(), r"Max core file size +0 +0")
        SERVER.control("/release", {})
        process.communicate()
        self.assertEqual(process.returncode, 0)
        self.assertEqual([e["key"] for e in SERVER.effects()], [key])

    def test_key_that_cannot_be_printed_stops_the_request(self):
        line = " ".join(map(shlex.quote, self.command(
            "request", "test/payouts", "POST", "/v1/payouts", "-d", "{}")))
        for where in (" 2>/dev/full", " 2>&-"):
            self.run_raw(["/bin/sh", "-c", line + where], 2)
        self.assertEqual(SERVER.traffic(), 0)

    def test_given_key_is_printed_and_sent(self):
        done = self.run_cli(0, "request", "test/payouts", "POST",
                            "/v1/payouts", "-d", "{}", "-H",
                            "idempotency-key:  my-key")
        self.assertIn("idempotency key my-key\n", done.err)
        self.assertEqual(SERVER.effects()[0]["key"], "my-key")

    def test_keys_only_where_the_provider_honours_them(self):
        for profile, method, keyed in (
                ("test/payouts", "POST", True),
                ("test/payouts", "PATCH", False),
                ("test/payouts", "DELETE", False),
                ("test/payouts", "GET", False),
                ("test/bank", "POST", True), ("test/bank", "PUT", True),
                ("test/bank", "PATCH", True), ("test/bank", "DELETE", False)):
            done = self.run_cli(None, "request", profile, method,
                                "/v1/payouts/none")
            self.assertEqual("idempotency key" in done.err, keyed,
                             (profile, method, done.err))
        self.run_cli(2, "request", "test/payouts", "DELETE", "/v1/payouts/x",
                     "-H", "Idempotency-Key: x")

    def test_bodies_from_text_file_and_standard_input(self):
        file = self.write("body", '{"amount": 3}')
        for data, stdin in (('{"amount": 3}', b""), ("@" + file, b""),
                            ("@-", b'{"amount": 3}')):
            self.run_cli(0, "request", "test/payouts", "POST", "/v1/payouts",
                         "--data", data, stdin=stdin)
        self.assertEqual([e["body"] for e in SERVER.effects()],
                         ['{"amount": 3}'] * 3)
        self.run_cli(2, "request", "test/payouts", "POST", "/v1/payouts",
                     "-d", "@" + self.path("none"))
        self.assertEqual(len(SERVER.effects()), 3)

    def test_output_file(self):
        file = self.write("out", "x" * 10000, 0o644)
        self.run_cli(0, "request", "test/payouts", "GET", "/v1/payouts", "-o",
                     file)
        with open(file, encoding="utf-8") as opened:
            self.assertTrue(json.load(opened)["success"])
        done = self.run_cli(0, "request", "test/payouts", "GET",
                            "/v1/payouts", "--output", self.path("new"))
        self.assertEqual(done.out, "")
        self.assertEqual(os.stat(self.path("new")).st_mode & 0o777, 0o600)

    def test_output_that_cannot_be_opened_stops_the_request(self):
        self.run_cli(2, "request", "test/payouts", "POST", "/v1/payouts",
                     "-d", "{}", "-o", self.path("none/out"))
        self.assertEqual(SERVER.traffic(), 0)

    def test_answer_that_cannot_be_written_is_unknown(self):
        done = self.run_cli(3, "request", "test/payouts", "POST",
                            "/v1/payouts", "-d", "{}", "-o", "/dev/full")
        self.assertIn("the request was sent", done.err)
        process = self.start("request", "test/payouts", "POST",
                             "/v1/payouts", "-d", "{}")
        process.stdout.close()
        process.stdin.close()
        self.assertIn(b"the request was sent", process.stderr.read())
        process.stderr.close()
        self.assertEqual(process.wait(30), 3)
        self.assertEqual(len(SERVER.effects()), 2)

    def test_statuses_as_exit_statuses(self):
        for fault, status in (
                ({"status": 400}, 1), ({"status": 401}, 1),
                ({"status": 403}, 1), ({"status": 404}, 1),
                ({"status": 422}, 1), ({"status": 429}, 3),
                ({"status": 500}, 3), ({"status": 503}, 3),
                ({"redirect": "elsewhere"}, 3), ({"garbage": True}, 3)):
            SERVER.control("/reset", {})
            self.profile("test/once", "test", retry="{ attempts = 1; }")
            SERVER.fault(method="DELETE", times=-1, **fault)
            done = self.run_cli(status, "request", "test/once", "DELETE",
                                "/v1/payouts/x")
            if "status" in fault:
                self.assertIn("status %d" % fault["status"], done.err)
                self.assertFalse(json.loads(done.out)["success"])

    def test_lost_write_tells_its_key_again(self):
        self.profile("test/once", "test", retry="{ attempts = 1; }")
        SERVER.fault(method="POST", drop="status", times=-1, execute=True)
        done = self.run_cli(3, "request", "test/once", "POST", "/v1/payouts",
                            "-d", "{}")
        key = SERVER.effects()[0]["key"]
        self.assertIn("the outcome is unknown", done.err)
        self.assertIn("-H 'Idempotency-Key: %s'" % key, done.err)
        self.assertIn("executed unknown", done.err)

    def test_no_connection_is_unknown_and_not_executed(self):
        self.unreachable()
        done = self.run_cli(3, "request", "test/payouts", "GET",
                            "/v1/payouts", "--json")
        told = json.loads(done.err.splitlines()[-1])
        self.assertEqual(told["result"], "MONIME_ENET")
        self.assertEqual(told["executed"], "no")

    def test_own_rules_are_no_and_arguments_are_usage(self):
        self.profile("test/few", "test", allow='{ methods = [ "GET" ]; '
                     'paths = [ "/v1/payouts" ]; }')
        for status, arguments in (
                (1, ("DELETE", "/v1/payouts")), (1, ("GET", "/v1/banks")),
                (2, ("GET", "/v1//payouts")), (2, ("get", "/v1/payouts")),
                (2, ("GET", "v1")), (2, ("GET", "/v1/payouts", "-d", "x")),
                (2, ("GET", "/v1/payouts", "-H", "Cookie: a")),
                (2, ("GET", "/v1/payouts", "-H", "nonsense")),
                (2, ("GET", "/v1/payouts") + ("-H", "Accept: a") * 20)):
            self.run_cli(status, "request", "test/few", *arguments)
        self.assertEqual(SERVER.traffic(), 0)

    def test_verbose_tells_what_happened(self):
        done = self.run_cli(0, "request", "test/payouts", "GET",
                            "/v1/payouts", "-v")
        self.assertRegex(done.err, r"GET /v1/payouts: status 200, "
                         r"attempts 1, executed yes, request id req-")

    def test_json_lines_on_standard_error(self):
        done = self.run_cli(0, "request", "test/payouts", "POST",
                            "/v1/payouts", "-d", "{}", "--json")
        first, second = map(json.loads, done.err.splitlines())
        self.assertEqual(first["idempotency_key"], second["idempotency_key"])
        self.assertEqual((second["status"], second["attempts"]), (200, 1))
        self.assertEqual(second["executed"], "yes")
        self.assertTrue(json.loads(done.out)["success"])

    @needs_root
    def test_live_is_in_every_line(self):
        for path, status in (("/v1/payouts", 0), ("/v1/none", 1)):
            done = self.run_cli(status, "request", "live/payouts", "POST",
                                path, "-d", "{}", "-v")
            for line in done.err.splitlines():
                self.assertIn("live/payouts: ", line)


class List(Case):
    def test_profiles_with_owner_purpose_and_dates(self):
        self.profile("test/aged", "test", rotate_by='"%s"' % day(9),
                     expires='"%s"' % day(20), owner='"Zo\u00eb"',
                     purpose='"paying out"')
        long_ago = time.time() - 12.5 * 86400
        os.utime(self.path("test/aged.token"), (long_ago, long_ago))
        done = self.run_cli(0, "list")
        line = re.search("(?m)^test/aged .*", done.out).group(0)
        self.assertIn("monime", line)
        self.assertIn("Zo\u00eb", line)
        self.assertIn("12 d ago", line)
        self.assertIn("%s (9 d)" % day(9), line)
        self.assertIn("%s (20 d)" % day(20), line)
        self.assertNotIn("\x1b", done.out)
        self.assertIn("FILE CHANGED", done.out.splitlines()[0])
        self.assertIn("mono/banking", done.out)

    def test_broken_profiles_show_their_first_error(self):
        self.write("test/broken.conf", "colour = 1;\nprovider = 2;\n")
        os.chmod(self.path("test/payouts.token"), 0o644)
        done = self.run_cli(0, "list")
        self.assertRegex(done.out, "(?m)^test/broken .*:1: colour: ")
        self.assertRegex(done.out, "(?m)^test/payouts .*chmod 0600 ")
        self.assertRegex(done.out, "(?m)^test/bank .*Sandbox <")

    @unittest.skipUnless(ROOT, "needs root")
    def test_live_is_in_every_line(self):
        self.write("live/broken.conf", "x = 1;\n")
        lines = self.run_cli(0, "list").out.splitlines()
        self.assertEqual([line.split(" ")[0] for line in lines],
                         ["PROFILE", "test/bank", "test/gateway",
                          "test/payouts", "live/broken", "live/payouts"])

    def test_json(self):
        self.write("test/broken.conf", "x = 1;\n")
        self.profile("test/late", "test", expires='"2020-01-01"')
        done = self.run_cli(0, "list", "--json").json()
        by_name = {p["profile"]: p for p in done["profiles"]}
        self.assertEqual(done["folder"], self.folder)
        good = by_name["test/payouts"]
        self.assertTrue(good["usable"])
        self.assertEqual(good["credential"], "token")
        self.assertEqual(good["credential_file"],
                         self.path("test/payouts.token"))
        self.assertEqual(good["credential_days"], 0)
        self.assertEqual(good["rotate_days"], 90)
        self.assertEqual(by_name["test/gateway"]["credential"], "none")
        self.assertIn("unknown key", by_name["test/broken"]["error"])
        self.assertFalse(by_name["test/late"]["usable"])
        self.assertLess(by_name["test/late"]["expires_days"], 0)
        self.assertEqual(by_name["test/late"]["owner"], "Ada")

    def test_names_open_no_profile(self):
        self.write("test/broken.conf", "x = 1;\n", 0o666)
        self.write("test/No Profile.conf", "")
        done = self.run_cli(0, "list", "--names")
        self.assertEqual(done.out.splitlines()[:4], [
            "test/bank", "test/broken", "test/gateway", "test/payouts"])
        self.assertNotIn("Profile", done.out)

    def test_names_and_json_do_not_go_together(self):
        for both in ("--names", "--json"), ("--json", "--names"):
            done = self.run_cli(2, "list", *both)
            self.assertEqual(done.out, "")
            self.assertIn("--names and --json", done.err)

    def test_two_hundred_profiles_and_no_network(self):
        for number in range(200):
            self.profile("test/p%03d" % number, "test")
        done = self.run_cli(0, "list")
        self.assertEqual(len(re.findall(r"(?m)^test/p\d{3} ", done.out)), 200)
        self.run_cli(1, "doctor")	# one token in all of them
        self.assertEqual(SERVER.traffic(), 0)

    def test_folders_that_cannot_be_used(self):
        self.run_raw([COMMAND, "-C", self.path("none"), "list"], 2)
        # Its names can be told, and why none of them can be used.
        os.chmod(self.path("test"), 0o777)
        self.assertRegex(self.run_cli(0, "list").out,
                         "(?m)^test/payouts .*chmod go-w ")
        os.chmod(self.folder, 0o777)
        self.assertIn("chmod go-w", self.run_cli(2, "list").err)

    def test_no_profile_yet(self):
        empty = self.path("empty")
        os.mkdir(empty, 0o755)
        done = self.run_raw([COMMAND, "-C", empty, "list"], 0)
        self.assertIn("monime set-token", done.err)
        done = self.run_raw([COMMAND, "-C", empty, "list", "--json"], 0)
        self.assertEqual(done.json()["profiles"], [])


class Doctor(Case):
    def findings(self, *arguments, **environment):
        done = self.run_cli(None, "doctor", "--json", *arguments,
                            **environment)
        return done.json()["findings"]

    def mend(self, command, stdin=b"y\n", **environment):
        """Do what a finding says, as somebody who reads it would."""
        place = tempfile.mkdtemp(prefix="monime-bin-")
        self.addCleanup(shutil.rmtree, place, True)
        os.symlink(os.path.abspath(COMMAND), os.path.join(place, "monime"))
        path = place + ":" + os.environ.get("PATH", "/usr/bin:/bin")
        self.run_raw(["/bin/bash", "-c", command], 0, stdin,
                     **dict(environment, PATH=path))

    def finds(self, rule, words, stdin=b"y\n", editor=None):
        """Exactly one such finding; mended by its own command, it goes."""
        lines = self.run_cli(1, "doctor").out.splitlines()
        found = [f for f in self.findings() if f["rule"] == rule]
        self.assertEqual(len(found), 1, self.findings())
        for word in words:
            self.assertIn(word, found[0]["problem"])
        mend = found[0]["mend"]
        self.assertEqual(len([line for line in lines
                              if line.endswith(": " + mend)]), 1, lines)
        more = {} if editor is None else {"EDITOR": editor}
        self.mend(mend, stdin, **more)
        self.assertEqual([f for f in self.findings() if f["rule"] == rule],
                         [])
        return found[0]

    def test_nothing_to_mend(self):
        done = self.run_cli(0, "doctor")
        self.assertIn("nothing to mend", done.out)
        self.assertEqual(self.findings(), [])
        self.assertEqual(SERVER.traffic(), 0)

    def test_days_left_are_told_and_are_no_finding(self):
        self.change("test/payouts.conf", 'rotate_by = "[^"]*"',
                    'rotate_by = "%s"' % day(13))
        self.add("test/payouts.conf", 'expires = "%s";\n' % day(0))
        out = self.run_cli(0, "doctor").out
        self.assertIn("test/payouts: rotate_by is %s: 13 days left\n" %
                      day(13), out)
        self.assertIn("test/payouts: expires is %s: 0 days left\n" %
                      day(0), out)
        self.assertIn("nothing to mend", out)
        notes = self.run_cli(0, "doctor", "--json").json()["notes"]
        self.assertEqual([(n["profile"], n["rule"]) for n in notes],
                         [("test/payouts", "rotate_by"),
                          ("test/payouts", "expires")])
        self.change("test/payouts.conf", 'rotate_by = "[^"]*"',
                    'rotate_by = "%s"' % day(14))
        self.assertNotIn("rotate_by", self.run_cli(0, "doctor").out)

    def test_no_owner(self):
        self.change("test/payouts.conf", "owner = .*\n", "# no newline")
        self.finds("owner", ["no owner", "test/payouts.conf"])

    def test_no_purpose(self):
        self.change("test/payouts.conf", "purpose = .*\n", "")
        self.finds("purpose", ["no purpose"])

    def test_no_rotation_date(self):
        self.change("test/payouts.conf", "rotate_by = .*\n", "")
        self.finds("rotate_by", ["no rotate_by"])

    def test_no_rotation_date_is_needed_without_a_credential(self):
        self.assertNotIn("rotate_by", self.read("test/gateway.conf"))
        self.assertEqual([f for f in self.findings()
                          if f["profile"] == "test/gateway"], [])

    def test_rotation_is_due(self):
        self.change("test/payouts.conf", 'rotate_by = "[^"]*"',
                    'rotate_by = "%s"' % day(-5))
        SERVER.control("/grant", {
            "token": "mon_test_canary_rotated_1", "environment": "test",
            "spaces": ["spc-sandbox"]})
        self.finds("rotate_by", [day(-5), "5 days ago"],
                   stdin=b"mon_test_canary_rotated_1")
        self.assertEqual(self.read("test/payouts.token"),
                         "mon_test_canary_rotated_1\n")

    def test_rotation_that_fails_moves_no_date(self):
        self.change("test/payouts.conf", 'rotate_by = "[^"]*"',
                    'rotate_by = "%s"' % day(-5))
        found = [f for f in self.findings() if f["rule"] == "rotate_by"][0]
        with self.assertRaises(AssertionError):
            self.mend(found["mend"], SERVER.tokens["revoked_test"])
        self.assertIn(day(-5), self.read("test/payouts.conf"))

    def test_expired(self):
        self.add("test/payouts.conf", 'expires = "%s";\n' % day(-3))
        found = self.finds("expires", [day(-3)], SERVER.tokens["test"])
        self.assertIn("set-token", found["mend"])

    def test_expired_and_overdue_are_mended_one_after_the_other(self):
        self.change("test/payouts.conf", 'rotate_by = "[^"]*"',
                    'rotate_by = "%s"' % day(-5))
        self.add("test/payouts.conf", 'expires = "%s";\n' % day(-3))
        found = [f for f in self.findings()
                 if f["profile"] == "test/payouts"]
        self.assertEqual([f["rule"] for f in found],
                         ["expires", "rotate_by"])
        for finding in found:
            self.mend(finding["mend"], SERVER.tokens["test"])
        self.assertEqual([f for f in self.findings()
                          if f["profile"] == "test/payouts"], [])

    def test_one_credential_in_two_profiles(self):
        self.profile("test/second", "test")
        SERVER.control("/grant", {
            "token": "mon_test_canary_own_2", "environment": "test",
            "spaces": ["spc-sandbox"]})
        found = self.finds("shared", ["test/payouts"],
                           stdin=b"mon_test_canary_own_2")
        self.assertEqual(found["profile"], "test/second")

    def test_credential_in_the_profile_itself(self):
        os.remove(self.path("test/payouts.token"))
        self.add("test/payouts.conf",
                 'token = "%s";\n' % SERVER.tokens["test"])
        self.profile("test/second", "test")
        self.finds("shared", ["same credential"],
                   stdin=SERVER.tokens["stranger_test"])
        self.assertIn("canary", self.read("test/payouts.conf"))

    def test_broken_profile_is_mended_by_an_editor(self):
        self.add("test/payouts.conf", "colour = 3;\n")
        self.finds("profile", [":", "colour: unknown key"],
                   editor="sed -i /colour/d")

    def test_broken_token_is_mended_by_a_new_one(self):
        for token in ("", "two words"):
            self.write("test/payouts.token", token)
            self.finds("profile", ["payouts.token: "],
                       stdin=SERVER.tokens["test"])

    def test_modes_and_links(self):
        for prepare, rule in (
                (lambda: os.chmod(self.path("test/payouts.token"), 0o640),
                 "profile"),
                (lambda: os.chmod(self.path("test/payouts.conf"), 0o604),
                 "profile"),
                (lambda: os.chmod(self.path("monime.conf"), 0o666),
                 "profile"),
                (lambda: os.chmod(self.path("test"), 0o750), "folder-mode"),
                (lambda: os.chmod(self.folder, 0o755), None)):
            prepare()
            if rule is not None:
                self.finds(rule, ["mode 0"])

    def test_unsafe_folder_is_told_once_for_all_its_profiles(self):
        os.chmod(self.path("test"), 0o770)
        found = [f for f in self.findings() if f["rule"] != "folder-mode"
                 and (f["profile"] or "test/").startswith("test/")]
        self.assertEqual([f["rule"] for f in found], ["folder"])

    def test_monime_conf_without_a_profile(self):
        for name in ("test", "live"):
            shutil.rmtree(self.path(name), True)
        self.write("monime.conf", "colour = 1;\n", 0o644)
        self.finds("host", ["monime.conf:1: colour"],
                   editor="sed -i /colour/d")

    def test_files_that_are_no_profile(self):
        known = set(os.listdir(self.path("test")))
        for name, start in (
                ("test/payouts.conf~", "rm "), ("test/.payouts.swp", "rm "),
                ("test/payouts.conf.bak", "rm "), ("test/#x#", "rm "),
                ("test/payouts.token.old", "rm "), ("test/.#x", "rm "),
                ("test/Payouts.conf", "rm -i "),
                ("test/Pay Outs.token", "mv "), ("test/\u00e9.conf", "mv "),
                ("test/notes.txt", "rm -i "), ("test/x\n.conf", "mv "),
                ("test/it's.conf", "mv "), ("test/a\udcff\\'.conf", "mv "),
                ("payouts.conf", "rm -i "),
                ("live.token", "rm -i ")):
            self.write(name, "secret\n")
            found = [f for f in self.findings()
                     if f["rule"] in ("stray", "orphan")]
            self.assertEqual(len(found), 1, (name, found))
            self.assertTrue(found[0]["mend"].startswith(start), found)
            self.mend(found[0]["mend"])
            self.assertFalse(os.path.exists(self.path(name)), name)
            for new in set(os.listdir(self.path("test"))) - known:
                os.remove(self.path("test/" + new))

    def test_names_cannot_forge_lines(self):
        self.write("test/x\nlive: all is well\x1b[2J", "")
        done = self.run_cli(1, "doctor")
        self.assertNotIn("\x1b", done.out)
        self.assertEqual(len([line for line in done.out.splitlines()
                              if "all is well" in line]), 1)

    def test_token_without_its_profile(self):
        self.write("test/alone.token", SERVER.tokens["test"])
        self.finds("orphan", ["test/alone.conf"])

    def test_files_that_a_profile_names_are_no_strangers(self):
        self.write("test/elsewhere", SERVER.tokens["stranger_test"])
        self.profile("test/other",
                     token_file='"%s"' % self.path("test/elsewhere"))
        self.assertEqual([f for f in self.findings()
                          if f["rule"] == "stray"], [])

    def test_ssl_key_log_file_hides_nothing_else(self):
        self.change("test/payouts.conf", "owner = .*\n", "")
        rules = {f["rule"] for f in self.findings(SSLKEYLOGFILE="/x")}
        self.assertLessEqual({"sslkeylogfile", "owner"}, rules)
        self.assertNotIn("profile", {
            f["rule"] for f in self.findings(SSLKEYLOGFILE="/x")
            if (f["profile"] or "").startswith("test/")})

    def test_online_is_asked_for_each_credential(self):
        done = self.run_cli(0, "doctor", "--online", "--json").json()
        self.assertEqual(done["asked"], 3 if ROOT else 2)
        self.assertGreater(SERVER.traffic(), 0)

    def test_online_refusal_is_a_finding(self):
        self.write("test/payouts.token", SERVER.tokens["revoked_test"])
        self.assertEqual([f for f in self.findings()
                          if f["profile"] == "test/payouts"], [])
        found = [f for f in self.findings("--online")
                 if f["rule"] == "online"]
        self.assertEqual(len(found), 1)
        self.assertIn("denied", found[0]["problem"])
        self.mend(found[0]["mend"], SERVER.tokens["test"])
        self.assertEqual([f for f in self.findings("--online")
                          if f["rule"] == "online"], [])

    def test_online_deprecated_version_is_a_finding(self):
        SERVER.control("/settings", {"api_version_deprecated": True})
        found = [f for f in self.findings("--online")
                 if f["profile"] == "test/payouts"]
        self.assertIn("deprecated", found[0]["problem"])

    def test_online_outage_is_unknown(self):
        self.unreachable()
        done = self.run_cli(3, "doctor", "--online")
        self.assertIn("test/payouts: unknown", done.err)
        self.assertIn("1 unknown", done.out)

    def test_no_folder_is_two(self):
        self.run_raw([COMMAND, "-C", self.path("none"), "doctor"], 2)

    @needs_root
    def test_live_is_in_every_line_about_live(self):
        self.change("live/payouts.conf", "owner = .*\n", "")
        os.chmod(self.path("live/payouts.token"), 0o640)
        os.chmod(self.path("live"), 0o755)
        for line in self.run_cli(1, "doctor").out.splitlines():
            self.assertIn("live", line)


class SetToken(Case):
    def setUp(self):
        super().setUp()
        SERVER.control("/grant", {
            "name": "next", "token": "mon_test_canary_next_token_9",
            "environment": "test", "spaces": ["spc-sandbox"]})
        self.next = "mon_test_canary_next_token_9"
        self.secrets.append(self.next.encode())

    def state(self, name="test/payouts.token"):
        found = os.stat(self.path(name))
        return found.st_ino, found.st_mtime_ns, self.read(name)

    def unchanged(self, status, *arguments, token=None, profile=None,
                  **environment):
        before = self.state()
        done = self.run_cli(
            status, "set-token", profile or "test/payouts", *arguments,
            stdin=self.next if token is None else token, **environment)
        self.assertEqual(self.state(), before)
        self.assertEqual(self.leftovers(), [])
        return done

    def test_token_is_replaced_after_the_api_was_asked(self):
        before = self.state()
        done = self.run_cli(0, "set-token", "test/payouts",
                            stdin=self.next + "\n")
        self.assertEqual(self.read("test/payouts.token"), self.next + "\n")
        self.assertNotEqual(self.state()[0], before[0])
        found = os.stat(self.path("test/payouts.token"))
        self.assertEqual(found.st_mode & 0o7777, 0o600)
        self.assertEqual(found.st_uid, os.geteuid())
        self.assertIn("accepts the token", done.out)
        self.assertEqual(SERVER.control("/log")["requests"][0]["token"],
                         "next")
        self.assertEqual(self.leftovers(), [])
        self.run_cli(0, "check", "test/payouts")

    def test_umask_does_not_matter(self):
        os.remove(self.path("test/payouts.token"))
        line = " ".join(map(shlex.quote, self.command("set-token",
                                                      "test/payouts")))
        self.run_raw(["/bin/sh", "-c", "umask 0; " + line], 0, self.next)
        self.assertEqual(os.stat(self.path("test/payouts.token")).st_mode &
                         0o7777, 0o600)

    def test_refused_token_changes_nothing(self):
        done = self.unchanged(1, token=SERVER.tokens["revoked_test"])
        self.assertIn("nothing was written", done.err)
        self.unchanged(1, "--unchecked", token=SERVER.tokens["revoked_test"])

    def test_token_of_the_other_environment_is_not_sent(self):
        done = self.unchanged(1, token=SERVER.tokens["live"])
        self.assertIn("live token", done.err)
        self.assertIn(self.path("test/payouts.token"), done.err)
        self.assertEqual(SERVER.traffic(), 0)

    def test_what_is_no_token_changes_nothing(self):
        self.unchanged(2, token="")
        self.unchanged(2, token="\n")
        self.unchanged(2, token="no token of Monime's")
        self.unchanged(2, token="mon_test_x\nmon_test_y\n")
        self.unchanged(2, token="x" * 10000)
        self.assertEqual(SERVER.traffic(), 0)

    def test_outage_changes_nothing_unless_told(self):
        self.unreachable()
        done = self.unchanged(3)
        self.assertIn("--unchecked", done.err)
        done = self.run_cli(0, "set-token", "test/payouts", "--unchecked",
                            stdin=self.next)
        self.assertEqual(self.read("test/payouts.token"), self.next + "\n")
        self.assertIn("nobody knows", done.err)

    def test_another_accounts_token_is_a_warning(self):
        done = self.run_cli(0, "set-token", "test/payouts",
                            stdin=SERVER.tokens["stranger_test"])
        self.assertIn("is it the right account's?", done.err)
        done = self.run_cli(0, "set-token", "test/payouts", stdin=self.next)
        self.assertEqual(done.err, "")

    def test_token_elsewhere_is_refused_with_the_place(self):
        os.remove(self.path("test/payouts.token"))
        conf = self.read("test/payouts.conf")
        for line, words in (
                ('token = "%s";\n' % SERVER.tokens["test"],
                 "NAME.conf itself"),
                ('token_file = "%s";\n' % self.write(
                    "other", SERVER.tokens["test"]), "token_file")):
            self.write("test/payouts.conf", conf + line)
            done = self.run_cli(2, "set-token", "test/payouts",
                                stdin=self.next)
            self.assertIn(words, done.err)
            self.assertFalse(os.path.exists(self.path("test/payouts.token")))
            self.assertEqual(self.leftovers(), [])
        self.assertEqual(SERVER.traffic(), 0)

    def test_link_in_the_tokens_place_is_refused(self):
        os.rename(self.path("test/payouts.token"), self.path("real"))
        os.symlink(self.path("real"), self.path("test/payouts.token"))
        done = self.run_cli(2, "set-token", "test/payouts", stdin=self.next)
        self.assertIn("not a regular file", done.err)
        self.assertTrue(os.path.islink(self.path("test/payouts.token")))

    def test_unsafe_files_are_refused(self):
        os.chmod(self.path("test/payouts.conf"), 0o644)
        self.assertIn("chmod 0600", self.unchanged(2).err)
        os.chmod(self.path("test/payouts.conf"), 0o600)
        os.chmod(self.path("test"), 0o770)
        self.assertIn("chmod go-w", self.unchanged(2).err)
        self.assertEqual(SERVER.traffic(), 0)

    def test_broken_profile_is_told_by_its_real_name(self):
        self.add("test/payouts.conf", "colour = 1;\n")
        done = self.unchanged(2)
        self.assertIn(self.path("test/payouts.conf") + ":", done.err)
        self.assertNotIn(".set-token.", done.err)

    def test_missing_profile_needs_its_settings(self):
        for more in ((), ("--provider", "monime"),
                     ("--provider", "monime", "--space", "spc-a"),
                     ("--provider", "monime", "--owner", "a", "--purpose",
                      "b"),
                     ("--provider", "mono", "--owner", "a", "--purpose",
                      "b"),
                     ("--provider", "mono", "--product", "breb", "--owner",
                      "a", "--purpose", "b"),
                     ("--provider", "monime", "--space", "spc-a", "--owner",
                      "a\nb", "--purpose", "b"),
                     ("--provider", "monime", "--space", "nonsense",
                      "--owner", "a", "--purpose", "b")):
            self.run_cli(2, "set-token", "test/new", *more, stdin=self.next)
            self.assertFalse(os.path.exists(self.path("test/new.conf")))
            self.assertFalse(os.path.exists(self.path("test/new.token")))
        self.unchanged(2, "--provider", "monime")
        for name in ("nonsense", "test/../live/x", "test/X", "prod/x"):
            self.run_cli(2, "set-token", name, stdin=self.next)
        self.assertEqual(SERVER.traffic(), 0)
        self.assertEqual(self.leftovers(), [])

    def through_proxy(self):
        self.write("monime.conf", self.read("monime.conf") +
                   'proxy = "%s";\n' % SERVER.origins["proxy"], 0o644)

    def test_missing_profile_is_made_from_a_template(self):
        self.through_proxy()
        owner = 'Ada "the \\ first" <\u00e4@example.org>'
        done = self.run_cli(
            0, "set-token", "test/new", "--provider", "monime", "--space",
            "spc-sandbox", "--owner", owner, "--purpose", "tests",
            stdin=self.next)
        self.assertIn("new.conf made", done.out)
        text = self.read("test/new.conf")
        self.assertIn("#", text)
        self.assertIn('rotate_by = "%s"' % day(90), text)
        self.assertNotIn(self.next, text)
        for name in ("test/new.conf", "test/new.token"):
            self.assertEqual(os.stat(self.path(name)).st_mode & 0o7777,
                             0o600)
        listed = self.run_cli(0, "list", "--json").json()["profiles"]
        new = [p for p in listed if p["profile"] == "test/new"][0]
        self.assertEqual(new["owner"], owner)
        self.assertTrue(new["usable"])
        self.run_cli(0, "check", "test/new")
        findings = self.run_cli(None, "doctor", "--json").json()["findings"]
        self.assertEqual([f for f in findings
                          if f["profile"] == "test/new"], [])

    def test_refused_token_makes_no_profile(self):
        self.through_proxy()
        self.run_cli(
            1, "set-token", "test/new", "--provider", "monime", "--space",
            "spc-sandbox", "--owner", "a", "--purpose", "b",
            stdin=SERVER.tokens["revoked_test"])
        self.assertFalse(os.path.exists(self.path("test/new.conf")))
        self.assertFalse(os.path.exists(self.path("test/new.token")))
        self.assertEqual(self.leftovers(), [])

    def test_mono_cannot_be_asked_before_it_has_a_path(self):
        self.through_proxy()
        new = ("set-token", "test/new", "--provider", "mono", "--product",
               "core", "--owner", "a", "--purpose", "b")
        done = self.run_cli(2, *new, stdin=SERVER.tokens["mono_sandbox"])
        self.assertIn("check.path", done.err)
        self.assertFalse(os.path.exists(self.path("test/new.conf")))
        self.run_cli(0, *new, "--unchecked",
                     stdin=SERVER.tokens["mono_sandbox"])
        self.assertEqual(self.read("test/new.token"),
                         SERVER.tokens["mono_sandbox"] + "\n")

    @needs_root
    def test_live_is_in_every_line(self):
        done = self.run_cli(0, "set-token", "live/payouts", "-v",
                            stdin=SERVER.tokens["live"])
        for line in (done.out + done.err).splitlines():
            self.assertIn("live/payouts: ", line)

    def test_reader_sees_the_old_token_or_the_new_one(self):
        seen, stop = set(), threading.Event()

        def read():
            while not stop.is_set():
                seen.add(self.read("test/payouts.token"))

        reader = threading.Thread(target=read)
        reader.start()
        try:
            for token in (self.next, SERVER.tokens["test"]) * 10:
                self.run_cli(0, "set-token", "test/payouts", stdin=token)
        finally:
            stop.set()
            reader.join()
        self.assertEqual(seen, {self.next + "\n",
                                SERVER.tokens["test"] + "\n"})

    def test_two_at_once_wait_for_each_other(self):
        SERVER.fault(token="next", hold=True)
        first = self.start("set-token", "test/payouts")
        first.stdin.write(self.next.encode())
        first.stdin.close()
        SERVER.wait("held", 1)
        second = self.start("set-token", "test/payouts")
        second.stdin.write(SERVER.tokens["stranger_test"].encode())
        second.stdin.close()
        self.assertIn(b"waiting", second.stderr.readline())
        self.assertEqual(SERVER.control("/counts")["requests"]["monime"], 1)
        SERVER.control("/release", {})
        for process in (first, second):
            self.assertEqual(process.wait(30), 0)
            self.search(process.stdout.read(), process.stderr.read())
            process.stdout.close()
            process.stderr.close()
        self.assertEqual(self.read("test/payouts.token"),
                         SERVER.tokens["stranger_test"] + "\n")
        self.assertEqual(self.leftovers(), [])

    def held(self):
        SERVER.fault(token="next", hold=True)
        process = self.start("set-token", "test/payouts")
        process.stdin.write(self.next.encode())
        process.stdin.close()
        process.stdin = None
        SERVER.wait("held", 1)
        return process

    def test_signals_leave_nothing_behind(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                       signal.SIGQUIT):
            SERVER.control("/reset", {"only": ["faults"]})
            before = self.state()
            process = self.held()
            self.assertEqual(len(self.leftovers()), 1)
            process.send_signal(number)
            process.communicate(timeout=30)
            self.assertEqual(process.returncode, -number)
            self.assertEqual(self.leftovers(), [])
            self.assertEqual(self.state(), before)

    def test_what_a_kill_leaves_is_found_by_doctor(self):
        process = self.held()
        process.kill()
        process.communicate(timeout=30)
        self.assertEqual(len(self.leftovers()), 1)
        left = self.leftovers()[0]
        self.assertEqual(os.stat(left).st_mode & 0o777, 0o700)
        found = [f for f in self.run_cli(
            1, "doctor", "--json").json()["findings"]
            if f["rule"] == "stray"]
        self.assertEqual(found[0]["mend"], "rm -r " + left)
        # It is in nobody's way.
        self.run_cli(0, "set-token", "test/payouts", stdin=self.next)


class Terminal(Case):
    """What a person sees, on a pseudo-terminal."""

    def spawn(self, *arguments, **environment):
        pid, fd = pty.fork()
        if pid == 0:
            # Without a command the child would be these tests once more.
            try:
                os.execve(COMMAND, self.command(*arguments), self.environment(
                    **dict({"TERM": "xterm"}, **environment)))
            finally:
                os._exit(127)
        return pid, fd

    def read_until(self, fd, what, seconds=20):
        seen, end = b"", time.monotonic() + seconds
        while what is None or what not in seen:
            ready, _, _ = select.select([fd], [], [],
                                        max(0, end - time.monotonic()))
            self.assertTrue(ready, seen)
            try:
                more = os.read(fd, 65536)
            except OSError:
                more = b""
            if not more:
                self.assertIsNone(what, seen)
                return seen
            seen += more
        return seen

    def on_terminal(self, *arguments, status=0, **environment):
        pid, fd = self.spawn(*arguments, **environment)
        seen = self.read_until(fd, None)
        os.close(fd)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]),
                         status, seen)
        self.search(seen)
        return seen.decode("utf-8", "replace").replace("\r\n", "\n")

    @needs_root
    def test_live_stands_out(self):
        painted = "\x1b[1;37;41mlive/payouts\x1b[0m"
        self.assertIn(painted, self.on_terminal("check", "live/payouts"))
        self.assertIn(painted, self.on_terminal("list"))

    def test_colour_and_progress_only_where_they_are_wanted(self):
        seen = self.on_terminal("check", "test/payouts")
        self.assertIn("\x1b[32maccepted", seen)
        self.assertIn("asking the API", seen)
        self.assertIn("\r\x1b[K", seen)
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"},
                            {"TERM": ""}):
            seen = self.on_terminal("check", "test/payouts", **environment)
            self.assertNotIn("\x1b", seen)
            self.assertIn("test/payouts: accepted\n", seen)
        self.assertIn("\x1b", self.on_terminal("check", "test/payouts",
                                               NO_COLOR=""))
        self.assertNotIn("\x1b", self.run_cli(0, "check", "test/payouts",
                                              TERM="xterm").out)

    def test_bodies_are_escaped_on_a_terminal_alone(self):
        body = "a\x1b]0;x\x07b\u009b2J\tc\nd\u202e\x00\u00e9"
        SERVER.fault(path="/v1/payouts", times=2, body_base64=base64.
                     b64encode(body.encode() + b"\xff").decode())
        arguments = ("request", "test/payouts", "GET", "/v1/payouts")
        seen = self.on_terminal(*arguments, NO_COLOR="1")
        self.assertEqual(seen, "a\\x1b]0;x\\x07b\\xc2\\x9b2J\tc\n"
                         "d\\xe2\\x80\\xae\\x00\u00e9\\xff\n")
        self.assertEqual(self.run_cli(0, *arguments).raw,
                         body.encode() + b"\xff")

    def test_prompt_does_not_echo(self):
        token = SERVER.tokens["test"]
        pid, fd = self.spawn("set-token", "test/payouts", NO_COLOR="1")
        seen = self.read_until(fd, b"New token of test/payouts: ")
        self.assertFalse(termios.tcgetattr(fd)[3] & termios.ECHO)
        os.write(fd, token.encode() + b"\n")
        seen += self.read_until(fd, None)
        os.close(fd)
        self.assertEqual(os.waitpid(pid, 0)[1], 0, seen)
        self.search(seen)
        self.assertIn(b"accepts the token", seen)

    def test_prompt_of_fingerprint_and_check(self):
        for arguments, words in (
                (("fingerprint",), b"[0-9a-f]{32}"),
                (("check", "test/gateway", "--token-file", "-"),
                 b"test/gateway: accepted")):
            pid, fd = self.spawn(*arguments, NO_COLOR="1")
            self.read_until(fd, b"Token: ")
            os.write(fd, SERVER.tokens["test"].encode() + b"\n")
            seen = self.read_until(fd, None)
            os.close(fd)
            self.assertEqual(os.waitpid(pid, 0)[1], 0, seen)
            self.search(seen)
            self.assertRegex(seen, words)

    def test_signal_at_the_prompt_gives_the_echo_back(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            master, slave = pty.openpty()
            process = subprocess.Popen(
                self.command("fingerprint"), stdin=slave, stdout=slave,
                stderr=slave, env=self.environment(TERM="xterm"))
            self.read_until(master, b"Token: ")
            self.assertFalse(termios.tcgetattr(slave)[3] & termios.ECHO)
            process.send_signal(number)
            self.assertEqual(process.wait(30), -number)
            self.assertTrue(termios.tcgetattr(slave)[3] & termios.ECHO)
            os.close(master)
            os.close(slave)

    def test_stop_at_the_prompt_asks_again(self):
        pid, fd = self.spawn("fingerprint")
        self.read_until(fd, b"Token: ")
        os.kill(pid, signal.SIGTSTP)
        # A session of its own is orphaned, so the kernel drops the stop.
        self.read_until(fd, b"Token: ")
        os.write(fd, SERVER.tokens["test"].encode() + b"\n")
        seen = self.read_until(fd, None)
        os.close(fd)
        self.assertEqual(os.waitpid(pid, 0)[1], 0, seen)
        self.search(seen)


class Fingerprint(Case):
    def expected(self, token):
        return hashlib.sha256(b"monime-fingerprint-1\0" +
                              token.encode()).hexdigest()[:32]

    def test_of_standard_input_and_of_a_profile(self):
        token = SERVER.tokens["test"]
        for stdin in (token, token + "\n"):
            done = self.run_cli(0, "fingerprint", stdin=stdin)
            self.assertEqual(done.out, self.expected(token) + "\n")
        done = self.run_cli(0, "fingerprint", "test/payouts")
        self.assertEqual(done.out, self.expected(token) + "\n")
        self.assertEqual(SERVER.traffic(), 0)

    def test_line_of_the_map(self):
        done = self.run_cli(0, "fingerprint", "--user", "ada",
                            "test/payouts")
        self.assertEqual(done.out, "ada:%s\n" % self.expected(
            SERVER.tokens["test"]))
        for name in ("", "a:b", "a,b", "a b", "a\nb", "#a"):
            self.run_cli(2, "fingerprint", "--user", name, "test/payouts")

    def test_without_a_token(self):
        self.run_cli(2, "fingerprint")
        self.run_cli(2, "fingerprint", "test/gateway")
        self.run_cli(2, "fingerprint", "test/none")
        self.run_cli(2, "fingerprint", "nonsense")


class Webhook(Case):
    SECRET = "canary-webhook-secret-of-32-bytes!"
    BODY = b'{"event":{"name":"payment.completed"}}'

    def setUp(self):
        super().setUp()
        self.profile("test/hook", webhook='{ secrets = [ "%s" ]; }' %
                     self.SECRET)
        self.secrets.append(self.SECRET.encode())

    def signature(self, secret=SECRET, body=BODY, ago=0):
        moment = str(int(time.time()) - ago)
        mac = hmac.new(secret.encode(), moment.encode() + b"_" + body,
                       hashlib.sha256).digest()
        return "t=%s,v1=%s" % (moment, base64.b64encode(mac).decode())

    def verify(self, status, signature, *arguments, stdin=BODY):
        done = self.run_cli(status, "webhook", "test/hook", "--signature",
                            signature, *arguments, stdin=stdin)
        self.assertEqual(SERVER.traffic(), 0)
        return done

    def test_signed_by_the_provider(self):
        done = self.verify(0, self.signature())
        self.assertEqual(done.out, "test/hook: signed by the provider\n")
        file = self.write("body", self.BODY.decode())
        self.verify(0, self.signature(), "--body", file, stdin=b"")
        self.verify(0, self.signature(), "--body", "-")

    def test_not_signed_by_the_provider(self):
        self.verify(1, self.signature(), stdin=self.BODY + b" ")
        self.verify(1, self.signature(secret="another-secret-of-32-bytes"))
        self.verify(1, self.signature(ago=4000))
        self.verify(1, "nonsense")
        self.verify(1, "")

    def test_own_faults(self):
        self.verify(2, self.signature(), "--body", self.path("none"))
        self.run_cli(2, "webhook", "test/payouts", "--signature", "t=1,v1=a")
        self.run_cli(2, "webhook", "test/none", "--signature", "t=1,v1=a")


class Completion(Case):
    def complete(self, *words):
        script = (
            "source %s; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
            "_monime %s \"${!#}\" x; printf '%%s\\n' \"${COMPREPLY[@]}\"" %
            (shlex.quote(os.path.join(TREE, "module/cli/monime.bash")),
             shlex.quote(COMMAND)))
        done = self.run_raw(["/bin/bash", "-c", script, "bash"] +
                            list(words), 0)
        self.assertEqual(done.err, "")
        return done.out.split()

    def test_commands_options_profiles_and_methods(self):
        folder = ("monime", "-C", self.folder)
        self.assertEqual(self.complete("monime", ""), list(COMMANDS))
        self.assertEqual(self.complete(*folder, "req"), ["request"])
        self.assertIn("test/payouts", self.complete(*folder, "check", "te"))
        self.assertEqual(self.complete(*folder, "check", "--to"),
                         ["--token-file"])
        self.assertEqual(self.complete(*folder, "request", "test/payouts",
                                       "PA"), ["PATCH"])
        self.assertEqual(self.complete("monime", "set-token", "--provider",
                                       ""), ["monime", "mono"])
        self.assertEqual(self.complete("monime", "help", "fi"),
                         ["fingerprint"])


if __name__ == "__main__":
    if not ROOT:
        sys.stderr.write("not root: what needs live profiles is skipped\n")
    unittest.main()
