#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who gets in, by which arguments and which map, and what the host keeps."""

import ctypes
import os
import re
import subprocess
import time
import unittest

import common
from common import CONFIGURATION, DENIED, UNKNOWN, YES
from support import PATIENCE, fingerprint, profile, write_file

LIVE = "live/payouts"


class Users(common.Case):
    def setUp(self):
        super().setUp()
        self.before = 0

    def expect(self, code, *arguments, **more):
        self.before = self.sandbox.counts("connections")
        return super().expect(code, *arguments, **more)

    def test_a_token_of_the_user_is_let_in(self):
        result = self.expect(YES, "ada", self.good, "setcred")
        self.assertEqual(result.setcred, 0)
        self.assertEqual(result.log, [])
        self.assertEqual(result.prompts, ["Token: "])
        self.assertEqual(self.sent(), 2)

    def test_each_of_several_tokens_and_lines_is_let_in(self):
        others = [self.sandbox.token() for _ in range(3)]
        self.map("ada", others[0], "bob", others[1])
        with open(self.users, "a", encoding="ascii") as file:
            file.write("ada:%s,%s\n" % (fingerprint(others[2]),
                                        fingerprint(self.good)))
        for user, token, code in (
                ("ada", others[0], YES), ("ada", others[2], YES),
                ("ada", self.good, YES), ("bob", others[1], YES),
                ("ada", others[1], DENIED), ("bob", self.good, DENIED)):
            self.expect(code, user, token)

    def test_whoever_does_not_match_is_refused_with_nothing_sent(self):
        stranger = self.sandbox.tokens["stranger_test"]
        for user, token in (
                ("root", stranger), ("root", self.good), ("ada", stranger),
                ("ada", ""), ("ada", self.good + "x"), ("ada", self.good[:-1]),
                ("", self.good), ("ad", self.good), ("adaa", self.good),
                ("ada:" + fingerprint(self.good), self.good),
                ("ada", fingerprint(self.good)), ("a" * 5000, self.good),
                ("ada", "x" * 5000), ("#", self.good)):
            with self.subTest(user[:20], token=token[:20]):
                result = self.expect(DENIED, user, token)
                self.assertEqual(len(result.log), 1)
        self.assertEqual(self.sent(), 0)

    def test_a_strangers_valid_token_is_not_roots(self):
        stranger = self.sandbox.tokens["stranger_live"]
        self.service(name=LIVE)
        self.map("root", self.sandbox.tokens["live"])
        self.expect(YES, "root", self.sandbox.tokens["live"])
        self.sandbox.reset("log")
        result = self.expect(DENIED, "root", stranger)
        self.assertEqual(result.lines(), [
            "pam_monime(host:auth): root: denied: the token is none of this "
            "user's"])
        self.assertEqual(self.sandbox.counts("connections"), self.before)

    def test_every_digit_of_a_fingerprint_counts(self):
        right = fingerprint(self.good)
        for at in (0, 15, 16, 31):
            wrong = right[:at] + ("1" if right[at] == "0" else "0") + \
                right[at + 1:]
            write_file(self.users, "ada:%s\n" % wrong, 0o644)
            with self.subTest(at=at):
                self.expect(DENIED, "ada", self.good)
        self.assertEqual(self.sent(), 0)

    def test_a_user_is_not_who_begins_like_another(self):
        for name in ("ad", "adam", "ada.x"):
            self.map(name, self.good)
            with self.subTest(name=name):
                self.expect(DENIED, "ada", self.good)
        self.assertEqual(self.sent(), 0)

    def test_a_user_without_a_line_is_not_named(self):
        # It may be a token, typed a line too early.
        result = self.expect(DENIED, self.good, "x")
        self.assertEqual(result.lines(), [
            "pam_monime(host:auth): denied: a user without a line in "
            + self.users])

    def test_the_user_is_asked_for_like_the_token(self):
        self.service("[prompt=Access token of Ada: ]")
        result = self.expect(YES, "ada", self.good)
        self.assertEqual(result.prompts, ["Access token of Ada: "])

    def test_a_conversation_that_fails_is_unknown(self):
        self.expect(UNKNOWN, "ada", self.good, "quiet")
        self.assertEqual(self.sent(), 0)

    def test_a_token_of_the_other_environment_is_sent_nowhere(self):
        live = self.sandbox.tokens["live"]
        self.map("ada", live)
        self.expect(DENIED, "ada", live)
        self.assertEqual(self.sent(), 0)

    def test_a_token_that_was_revoked_is_refused(self):
        self.expect(YES, "ada", self.good)
        self.sandbox.control("/revoke", {"token": self.good})
        result = self.expect(DENIED, "ada", self.good)
        self.assertEqual(result.lines()[-1],
                         "pam_monime(host:auth): ada: denied")

    def test_the_limit_of_the_api_is_not_tried_again(self):
        self.sandbox.fault({"status": 429, "times": -1,
                            "headers": [["Retry-After", "0"]]})
        self.expect(UNKNOWN, "ada", self.good)
        self.assertEqual(self.sent(), 1)

    def test_the_command_writes_the_line_of_the_map(self):
        line = subprocess.run(
            [os.path.join(common.BUILD, "monime"), "fingerprint", "--user",
             "ada"], input=self.good.encode(), stdout=subprocess.PIPE,
            env={"LD_LIBRARY_PATH": common.BUILD}, check=True).stdout
        write_file(self.users, "# of today\n\n" + line.decode(), 0o644)
        self.expect(YES, "ada", self.good)
        self.assertEqual(line.decode(), "ada:%s\n" % fingerprint(self.good))

    def test_other_than_root_is_told_that_nobody_knows(self):
        nobody = ["setpriv", "--reuid=65534", "--regid=65534",
                  "--clear-groups"]
        if subprocess.run(nobody + ["test", "-r", self.room.module],
                          check=False).returncode != 0:
            self.skipTest("others cannot reach the build folder")
        result = subprocess.run(
            nobody + self.command("ada")[len(common.WRAP):], input=self.good.encode() + b"\n", stdout=subprocess.PIPE,
            check=True, env={})
        self.assertIn(b'"code":9,', result.stdout)
        self.assertIn(b"not root's", result.stdout)
        self.assertEqual(self.sent(), 0)


class EarlierModules(common.Case):
    """What an earlier module was told, which pam_wrapper's plays."""

    def login(self, user, token, *words, env=None, **more):
        return super().login(user, token, *words,
                             env={"PAM_AUTHTOK": self.earlier}
                             if self.earlier is not None else {}, **more)

    def stack(self, *words):
        module = common.SET_ITEMS
        if not os.path.exists(module):
            module = re.sub("/usr/lib/[^/]*/", "/usr/lib/%s-linux-gnu/" %
                            os.uname().machine, module)
        self.assertTrue(os.path.exists(module), module)
        self.service(*words, before="auth optional %s\n" % module)

    def test_use_first_pass_never_asks(self):
        self.stack("use_first_pass")
        self.earlier = self.good
        self.assertEqual(self.expect(YES, "ada", "x").prompts, [])
        self.earlier = "x"
        self.assertEqual(self.expect(DENIED, "ada", self.good).prompts, [])
        self.earlier = None
        self.assertEqual(self.expect(DENIED, "ada", self.good).prompts, [])

    def test_try_first_pass_asks_where_nobody_was_told(self):
        self.stack("try_first_pass")
        self.earlier = self.good
        self.assertEqual(self.expect(YES, "ada", "x").prompts, [])
        self.earlier = "x"
        self.assertEqual(self.expect(DENIED, "ada", self.good).prompts, [])
        self.earlier = None
        self.assertEqual(self.expect(YES, "ada", self.good).prompts,
                         ["Token: "])

    def test_without_either_it_asks(self):
        self.stack()
        self.earlier = self.good
        self.expect(DENIED, "ada", "x")
        self.earlier = "x"
        self.expect(YES, "ada", self.good)

    def test_no_module_that_follows_gets_the_token(self):
        self.earlier = None
        self.service()
        with open(os.path.join(self.services, "host"), "a",
                  encoding="ascii") as file:
            file.write("auth required %s profile=test/space users=%s "
                       "folder=%s use_first_pass\n" %
                       (self.room.module, self.users, self.etc))
        result = self.expect(DENIED, "ada", self.good)
        self.assertEqual(len(result.prompts), 1)


class Arguments(common.Case):
    def test_what_is_missing_or_unknown_is_our_fault(self):
        for words, told in (
                (("profiles=x",), "profiles: no such argument"),
                (("token=mon_test_canary",), "token: no such argument"),
                (("debug=yes",), "debug: no such argument"),
                (("use_first_pas",), "use_first_pas: no such argument"),
                (("DEBUG",), "DEBUG: no such argument"),
                (("prompt=",), "prompt: no value"),
                (("prompt=a", "prompt=b"), "prompt: given twice"),
                (("profile=test/space",), "profile: given twice"),
                (("users=/x",), "users: given twice"),
                (("folder=",), "folder: given twice")):
            with self.subTest(words):
                self.service(*words)
                result = self.expect(CONFIGURATION, "ada", self.good)
                self.assertEqual(result.lines(),
                                 ["pam_monime(host:auth): " + told])
        self.service(name=None)
        result = self.expect(CONFIGURATION, "ada", self.good)
        self.assertIn("must be given", result.log[0])
        self.assertEqual(self.sent(), 0)

    def test_an_empty_folder_is_not_the_usual_one(self):
        path = os.path.join(self.services, self.room.name)
        with open(path, encoding="ascii") as file:
            text = file.read()
        write_file(path, text.replace("folder=" + self.etc, "folder="), 0o644)
        result = self.expect(CONFIGURATION, "ada", self.good)
        self.assertIn("folder: no value", result.log[0])

    def test_a_profile_that_cannot_be_used_is_our_fault_whoever_asks(self):
        broken = os.path.join(self.etc, "test", "broken.conf")
        write_file(broken, 'provider = "nobody";\n', 0o600)
        for name, told in (
                ("test/missing", "missing.conf"), ("missing", "profile"),
                ("test/broken", "broken.conf:1"), ("test/../live/x", "name"),
                ("live/missing", "missing.conf")):
            self.service(name=name)
            for user, token in (("ada", self.good), ("bob", "x")):
                with self.subTest(name, user=user):
                    result = self.expect(CONFIGURATION, user, token)
                    self.assertIn(told, "".join(result.log))
        self.assertEqual(self.sent(), 0)

    def test_a_profile_that_others_can_read_is_our_fault(self):
        path = profile(self.etc, "test/open", 'provider = "monime";\n'
                       'space = "spc-sandbox";\n')
        os.chmod(path, 0o644)
        self.service(name="test/open")
        result = self.expect(CONFIGURATION, "ada", self.good)
        self.assertIn("chmod", result.lines()[0])

    def test_debug_tells_no_secret_and_no_fingerprint(self):
        self.service("debug")
        for user, token, code in (("ada", self.good, YES),
                                  ("ada", "mon_test_canary_x", DENIED),
                                  ("bob", self.good, DENIED)):
            result = self.expect(code, user, token)
            self.assertGreaterEqual(len(result.log), 2)
            told = "".join(result.log)
            self.assertNotIn(token, told)
            self.assertNotIn(fingerprint(token), told)
            self.assertNotIn("bob", told)


class Map(common.Case):
    """Every refusal names the file, and nobody gets in meanwhile."""

    def refused(self, told):
        self.sandbox.reset("log")
        for user, token in (("ada", self.good), ("bob", "x")):
            result = self.expect(CONFIGURATION, user, token)
            self.assertIn(told, "".join(result.log))
        self.assertEqual(self.sent(), 0)
        return result

    def test_comments_and_empty_lines_are_skipped(self):
        name = fingerprint(self.good)
        for text in ("# all\n\n   \n\t# more\nada:%s\n", "ada:%s", "ada:%s  ",
                     "ada:%s # her laptop: x,y", "ada:%s\t#\n#\n"):
            with self.subTest(text):
                write_file(self.users, text % name, 0o644)
                self.expect(YES, "ada", self.good)

    def test_a_commented_line_is_none(self):
        write_file(self.users, "#ada:%s\n# ada:%s\n" % (
            (fingerprint(self.good),) * 2), 0o644)
        self.expect(DENIED, "ada", self.good)
        write_file(self.users, "", 0o644)
        self.expect(DENIED, "ada", self.good)

    def test_a_line_that_is_wrong_is_our_fault(self):
        name = fingerprint(self.good)
        lines = ("ada", "ada:", ":" + name, "ada %s" % name, " ada:" + name,
                 "ada: " + name, "ada:%s," % name, "ada:%s, %s" % (name, name),
                 "ada:%s,,%s" % (name, name), "ada:%s;%s" % (name, name),
                 "ada:" + name[:-1], "ada:" + name + "0", "ada:" + name.upper(),
                 "ada:g" + name[1:], "ada:%s#" % name, "a,b:" + name,
                 "ada:%s\r" % name, "ada:%s x" % name, "äda:" + name,
                 "ada:%s\0" % name, "ada:" + name[:31] + "\0", "\0")
        for line in lines:
            with self.subTest(repr(line)):
                write_file(self.users, "ada:%s\n%s\n" % (name, line), 0o644)
                self.refused(self.users + ":2: ")

    def test_all_errors_are_told_at_once(self):
        write_file(self.users, "ada\nada:%s\nbob\n" % fingerprint(self.good),
                   0o644)
        told = "".join(self.refused(":1: ").log)
        self.assertIn(":3: ", told)

    def test_more_errors_than_an_answer_holds_are_said_to_be_there(self):
        write_file(self.users, "x\n" * 30000, 0o644)
        log = self.refused(":30: ").log
        self.assertIn("more than an answer holds", log[-1])
        self.assertLess(len(log), 100)

    def test_a_line_end_of_elsewhere_is_called_that(self):
        write_file(self.users, "ada:%s\r\n" % fingerprint(self.good), 0o644)
        self.refused(self.users + ":1: a carriage return")

    def test_a_file_that_others_could_have_written_is_our_fault(self):
        for mode in (0o664, 0o646, 0o666):
            self.map("ada", self.good, mode=mode)
            self.refused("chmod")
        self.map("ada", self.good)
        os.chown(self.users, 65534, 0)
        self.refused("chown root:root " + self.users)

    def test_a_file_that_is_missing_or_none_is_our_fault(self):
        os.unlink(self.users)
        self.refused(self.users)
        os.mkfifo(self.users)
        self.refused(self.users)
        os.unlink(self.users)
        os.mkdir(self.users)
        self.refused(self.users)
        os.rmdir(self.users)
        os.symlink("/dev/zero", self.users)
        self.refused("/dev/zero")
        os.unlink(self.users)
        write_file(self.users, "#" * 70000, 0o644)
        self.refused("65536")

    def test_a_relative_path_is_our_fault(self):
        self.service(users="pam_users")
        self.refused("relative path")

    def tearDown(self):
        if os.path.isdir(self.users) and not os.path.islink(self.users):
            os.rmdir(self.users)
        elif os.path.lexists(self.users):
            os.unlink(self.users)


class Host(common.Case):
    """What the module leaves as it was, however the host stands."""

    WAYS = ((), ("sigchld=ignore",), ("sigchld=nowait",),
            ("sigchld=handler",), ("close=0",), ("close=1",), ("close=2",),
            ("close=012",), ("close=012", "sigchld=ignore", "blocked"),
            ("blocked",))

    def test_nothing_of_the_host_changes(self):
        for words in self.WAYS:
            for token, code in ((self.good, YES), ("x", DENIED)):
                with self.subTest(words, code=code):
                    result = self.expect(code, "ada", token, *words)
                    self.assertEqual(result.changed, "")

    def test_nothing_of_the_host_changes_when_the_helper_fails(self):
        self.never_yes(self.WAYS[0], self.WAYS[8], scripts=(
            "exit 0", "kill -9 $$", "kill -STOP $$", "exec >&-; exit 1"))
    @unittest.skipIf(common.SANITIZED or common.WRAP,
                     "what looks for errors keeps what was freed")
    def test_no_copy_of_the_token_is_left(self):
        for token, code in ((self.good, YES),
                            ("mon_test_canary_wrong", DENIED)):
            result = self.expect(code, "ada", token, "copies")
            self.assertEqual(result.copies, 0)

    def test_a_thousand_rounds_leave_nothing_behind(self):
        result = self.expect(DENIED, "ada", "x", "rounds=%d" % (
            100 if common.SANITIZED or common.WRAP else 1000))
        self.assertEqual(result.changed, "")

    def test_the_helper_is_given_nothing_of_the_host(self):
        seen = os.path.join(self.sandbox.folder, "seen")
        self.room.place_script(
            "{ tr '\\0' '\\n' </proc/$$/environ; echo; "
            # No pipe, of which it would hold an end for a while; and no child
            # below, since a shell that starts one blocks signals meanwhile.
            "ls -l /proc/$$/fd; "
            "while read -r line; do echo \"$line\"; done </proc/$$/status; "
            "echo \"$@\"; } "
            ">%s; exec %s \"$@\"" % (seen, common.HELPER))
        inherited = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, inherited)
        self.expect(YES, "ada", self.good, "blocked", "sigchld=ignore",
                    env={"SSLKEYLOGFILE": "/x", "https_proxy": "http://x"},
                    pass_fds=[inherited])
        with open(seen, encoding="ascii") as file:
            lines = file.read().split("\n")
        self.assertEqual(lines[0], "")
        descriptors = {l.split(" -> ")[0].split()[-1] for l in lines
                       if " -> " in l}
        # And what the shell itself needs, from 10 on.
        self.assertNotIn(str(inherited), descriptors)
        self.assertEqual(descriptors - {"10", "11"}, {"0", "1", "2"})
        sets = dict(l.split(":\t") for l in lines
                    if l.startswith(("SigBlk:", "SigIgn:")))
        # The C library's own two, 32 and 33, are its business.
        self.assertEqual(int(sets["SigIgn"], 16) & ~(3 << 31), 0)
        self.assertEqual(int(sets["SigBlk"], 16), 0)
        # Nothing secret is an argument.
        self.assertIn("test/space %s %s " % (self.users, self.etc), lines)

    def test_two_names_are_exported(self):
        for path in (common.MODULE,
                     os.path.join(common.BUILD, "pam_monime.so")):
            out = subprocess.run(["nm", "-D", "--defined-only", path],
                                 stdout=subprocess.PIPE, check=True).stdout
            names = [line.split()[-1] for line in out.decode().splitlines()]
            if common.SANITIZED:
                names = [n for n in names if not n.startswith("__")]
            self.assertEqual(names, ["pam_sm_authenticate", "pam_sm_setcred"])

    @unittest.skipIf(common.SANITIZED, "the sanitizers' library is not here")
    def test_both_are_found_and_the_host_loads_no_curl(self):
        module = ctypes.CDLL(common.MODULE)
        for name in ("pam_sm_authenticate", "pam_sm_setcred"):
            self.assertTrue(getattr(module, name))
        for name in ("pam_sm_acct_mgmt", "pam_sm_chauthtok",
                     "pam_sm_open_session", "mn_helper_ask", "monime_open"):
            with self.assertRaises(AttributeError):
                getattr(module, name)
        with open("/proc/self/maps", encoding="utf-8") as file:
            maps = file.read()
        self.assertIn("pam_monime", maps)
        for name in ("libcurl", "libmonime", "libcrypto", "libsodium"):
            needed = subprocess.run(["ldd", common.MODULE],
                                    stdout=subprocess.PIPE, check=True).stdout
            self.assertNotIn(name.encode(), needed)


class Helpers(common.Case):
    """A helper that errs is never a yes."""

    WAYS = ((), ("sigchld=ignore",))

    def test_nonsense_is_no_verdict(self):
        self.never_yes(*self.WAYS, scripts=(
            "exit 0", "exit 1", "exit 3", "echo; exit 0",
            "echo accepte; exit 0", "echo accepted.; exit 0",
            "echo ACCEPTED; exit 0", "printf accepted; exit 0",
            "echo ' accepted'; exit 0", "echo; echo accepted; exit 0",
            "printf 'accepted\\0\\n'; exit 0",
            "printf 'accepted\\r\\n'; exit 0",
            "printf 'accepted\\n\\n'; exit 0",
            "printf 'accepted\\nx\\n'; exit 0",
            "printf 'accepted\\n7\\n'; exit 0",
            "printf 'accepted\\n8 x\\n'; exit 0",
            "printf 'accepted\\n7 x'; exit 0",
            "printf 'accepted\\n7 \\033[2J\\n'; exit 0",
            "echo accepted >&2; exit 0",
            "echo accepted; head -c 5000 /dev/zero | tr '\\0' x; exit 0",
            "head -c 60000 /dev/urandom; exit 0"))

    def test_two_signs_that_differ_are_no_verdict(self):
        self.never_yes((), scripts=(
            "echo accepted; exit 1", "echo accepted; exit 3",
            "echo accepted; kill -9 $$", "echo denied; exit 0",
            "echo accepted; kill -TERM $$", "echo unknown; exit 0"))

    def test_a_helper_that_gives_no_answer_is_killed_in_time(self):
        start = time.monotonic()
        for result in self.never_yes(*self.WAYS, scripts=(
                "kill -STOP $$", "echo accepted; kill -STOP $$",
                "exec sleep 60", "echo accepted; exec sleep 60",
                "echo accepted; exec yes accepted")):
            self.assertIn("no answer in time", result.log[0])
            self.assertGreater(result.us[0], 4.9e6)
        self.assertLess(time.monotonic() - start, 5 + common.LATE)

    def test_a_pipe_that_somebody_keeps_open_is_not_waited_for(self):
        self.room.place_script("sleep 30 & echo accepted; exit 0")
        start = time.monotonic()
        self.expect(YES, "ada", self.good)
        self.assertLess(time.monotonic() - start, 1 + common.LATE)

    @unittest.skipIf(common.WRAP, "valgrind knows no vfork(2) and its errors")
    def test_no_program_is_our_fault(self):
        os.unlink(self.room.helper)
        result = self.expect(CONFIGURATION, "ada", self.good)
        self.assertEqual(result.changed, "")
        write_file(self.room.helper, "exit 0\n", 0o644)
        self.expect(CONFIGURATION, "ada", self.good)
        write_file(self.room.helper, "no program\n", 0o755)
        os.chmod(self.room.helper, 0o755)
        self.expect(CONFIGURATION, "ada", self.good)

    def test_an_api_that_hangs_is_waited_for_no_longer(self):
        profile(self.etc, "test/slow", (
            'provider = "monime";\nspace = "spc-sandbox";\n'
            'base_url = "%s";\ncheck = { timeout = "20 s"; };\n' %
            self.sandbox.origins["monime"]))
        self.service(name="test/slow")
        self.sandbox.fault({"hold": True, "times": -1})
        start = time.monotonic()
        self.expect(UNKNOWN, "ada", self.good)
        self.assertLess(time.monotonic() - start, 5 + common.LATE)
        self.sandbox.release()


class Pamtester(common.Case):
    """The same by other people's programs."""

    def run_it(self, user, token, *operations):
        wrapper = "/usr/lib/%s-linux-gnu/libpam_wrapper.so" % \
            os.uname().machine
        return subprocess.run(
            ["pamtester", "host", user] + list(operations),
            input=token.encode() + b"\n", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False, env={
                "LD_PRELOAD": wrapper, "PAM_WRAPPER": "1", "PATH": "/usr/bin",
                "PAM_WRAPPER_SERVICE_DIR": os.path.join(self.services,
                                                        "host")})

    @unittest.skipIf(common.SANITIZED, "pamtester is not instrumented")
    def test_pamtester_sees_the_codes(self):
        for user, token, status, told in (
                ("root", self.good, 0, b"successfully authenticated"),
                ("root", "x", 1, b"Authentication failure"),
                ("nobody", self.good, 1, b"Authentication failure")):
            self.map("root", self.good)
            ran = self.run_it(user, token, "authenticate", "acct_mgmt",
                              "setcred")
            self.assertEqual(ran.returncode, status, ran.stdout)
            self.assertIn(told, ran.stdout)
        self.sandbox.fault({"status": 500, "times": -1})
        ran = self.run_it("root", self.good, "authenticate")
        self.assertEqual(ran.returncode, 1)
        self.assertIn(b"cannot retrieve authentication info",
                      ran.stdout)


if __name__ == "__main__":
    unittest.main()
