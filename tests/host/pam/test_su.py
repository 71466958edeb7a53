#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A real su, which a hostile user starts."""

import glob
import os
import shutil
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor

import installed
from support import PATIENCE, profile, write_file

USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

# What is hostile begins with su: root's own commands before it are not meant.
TRY = "env $HOSTILE su -c 'id -u >\"$MARK\"' root"

WAYS = (
    ("in peace", TRY),
    ("SIGCHLD ignored", "trap '' CHLD; " + TRY),
    ("signals ignored", "trap '' HUP INT QUIT PIPE ALRM TERM TSTP; " + TRY),
    ("0, 1 and 2 closed", TRY + " <&- >&- 2>&-"),
    ("all of it", "trap '' CHLD ALRM PIPE; ulimit -c unlimited; umask 0; "
     "cd \"$HOME\"; " + TRY + " <&- >&- 2>&-"),
)


# What a user may take away from the programs that she starts, and whether the
# right token still must let her in.
LIMITS = (
    ("ulimit -u 1", True), ("ulimit -l 0", True), ("ulimit -i 0", True),
    ("ulimit -s unlimited", True), ("nice -n 19 true", True),
    ('mkdir "$HOME/$$"; cd "$HOME/$$"; rmdir "$HOME/$$"', True),
    ("ulimit -n 4", None), ("ulimit -n 6", None), ("ulimit -n 8", None),
    ("ulimit -v 20000", None), ("ulimit -v 60000", None),
    ("ulimit -d 1000", None), ("ulimit -t 1", None),
)


def tree(folder):
    """All that is in it, and when it was last changed."""
    found = {}
    for top, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(top, name)
            status = os.lstat(path)
            found[path] = (status.st_mode, status.st_size, status.st_mtime_ns)
    return found


class Su(installed.Case):
    SERVICE = "su"

    def setUp(self):
        super().setUp()
        items = glob.glob("/usr/lib/*/pam_wrapper/pam_set_items.so")[0]
        # The token comes by an earlier module, since su has nobody to ask
        # when its descriptors are closed.
        self.write_stack("use_first_pass",
                         before="auth optional %s\n" % items)
        # A place of root's, and one of the user's.
        self.roots = os.path.join(self.sandbox.folder, "roots")
        os.mkdir(self.roots, 0o700)
        self.addCleanup(shutil.rmtree, self.roots)
        self.mark = os.path.join(self.roots, "mark")
        self.home = os.path.join(self.sandbox.folder, "home")
        os.mkdir(self.home, 0o755)
        self.addCleanup(shutil.rmtree, self.home)
        self.evil()
        os.chown(self.home, 65534, 65534)

    def evil(self):
        """What a hostile user has at home."""
        source = os.path.join(self.home, "evil.c")
        write_file(source, """
            #include <fcntl.h>
            #include <unistd.h>
            __attribute__((constructor)) static void evil(void) {
                if (geteuid() == 0)
                    close(open("%s/evil", O_CREAT | O_WRONLY, 0600));
            }""" % self.roots, 0o644)
        self.evil_so = os.path.join(self.home, "libsodium.so.23")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", self.evil_so, source],
                       check=True)
        write_file(os.path.join(self.home, ".netrc"),
                   "default login eve password eve\n", 0o600)
        write_file(os.path.join(self.home, "openssl.cnf"),
                   "openssl_conf = x\n[x]\nengines = y\n[y]\nz = w\n[w]\n"
                   "dynamic_path = %s\ninit = 1\n" % self.evil_so, 0o644)

    def hostile(self):
        proxy = "http://127.0.0.1:%d" % self.sandbox.ports["elsewhere"]
        own = os.path.join(self.sandbox.folder, "sandbox", "self_signed.pem")
        return {
            "SSLKEYLOGFILE": os.path.join(self.roots, "keys"),
            "http_proxy": proxy, "https_proxy": proxy, "HTTPS_PROXY": proxy,
            "ALL_PROXY": proxy, "all_proxy": proxy, "no_proxy": "",
            "SSL_CERT_FILE": own, "SSL_CERT_DIR": self.home,
            "CURL_CA_BUNDLE": own, "CURL_HOME": self.home, "HOME": self.home,
            "OPENSSL_CONF": os.path.join(self.home, "openssl.cnf"),
            "LD_PRELOAD": self.evil_so, "LD_LIBRARY_PATH": self.home,
            "LD_AUDIT": self.evil_so, "LD_DEBUG": "all",
            "LD_DEBUG_OUTPUT": os.path.join(self.roots, "debug"),
            "GCONV_PATH": self.home, "LOCPATH": self.home,
            "LC_ALL": "xx_XX.UTF-8", "LANGUAGE": self.home,
            "RES_OPTIONS": "debug", "HOSTALIASES": "/etc/passwd",
            "LOCALDOMAIN": "evil.invalid", "TMPDIR": self.roots,
            "CREDENTIALS_DIRECTORY": "/run/credentials/evil",
            "MALLOC_TRACE": os.path.join(self.roots, "malloc"),
            "MONIME_FOLDER": self.home, "PAM_WRAPPER": "1"}

    def su(self, script, token, env, mark=None):
        """Was root reached?"""
        mark = mark or self.mark
        subprocess.run(
            installed.inside(self.stack, "su", *USER, "sh", "-c", script),
            input=token.encode() + b"\n", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=PATIENCE, check=False,
            env={"MARK": mark, "PATH": "/usr/bin:/bin",
                 "HOME": self.home, "HOSTILE": " ".join(
                     "%s=%s" % pair for pair in dict(
                         env, PAM_AUTHTOK=token).items())})
        if not os.path.exists(mark):
            return False
        with open(mark, encoding="ascii") as file:
            self.assertEqual(file.read(), "0\n")
        os.unlink(mark)
        return True

    def test_a_hostile_user_changes_nothing(self):
        for name, script in WAYS:
            for env in ({}, self.hostile()):
                for token, good in ((self.good, True), (
                        self.sandbox.tokens["stranger_test"], False)):
                    with self.subTest(name, hostile=bool(env), good=good):
                        self.one(script, env, token, good)

    def one(self, script, env, token, good):
        self.sandbox.reset("log")
        before = tree(self.roots), tree(self.home), tree(self.etc)
        self.assertEqual(self.su(script, token, env), good)
        after = tree(self.roots), tree(self.home), tree(self.etc)
        self.assertTrue(after == before, [set(a.items()) ^ set(b.items())
                                          for a, b in zip(after, before)])
        requests = self.sandbox.requests()
        self.assertEqual([r["target"] for r in requests],
                         ["/", "/v1/financial-accounts?limit=1"] if good
                         else [])
        for server in ("elsewhere", "proxy", "plain", "self_signed"):
            self.assertEqual(self.sandbox.counts("connections", server), 0)

    def test_no_limit_of_the_user_is_a_way_in(self):
        def one(job):
            n, ((limit, _), token) = job
            return self.su(limit + "; " + TRY, token, {},
                           os.path.join(self.roots, str(n)))

        for token in "mon_test_canary_wrong", self.good:
            jobs = [(limit, token) for limit in LIMITS]
            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(one, enumerate(jobs)))
            for (limit, good), reached in zip(LIMITS, found):
                with self.subTest(limit, token=token):
                    if token != self.good:
                        self.assertFalse(reached)
                    elif good:
                        self.assertTrue(reached)
            if token != self.good:
                self.assertEqual(self.sent(), 0)

    def test_su_asks_and_lets_in_by_the_token_alone(self):
        self.write_stack()
        for token, good in ((self.good, True), ("", False), ("x", False)):
            with self.subTest(good=good):
                self.assertEqual(self.su(TRY, token, {}), good)

    def test_the_user_cannot_reach_a_helper_that_knows_the_token(self):
        # Before, while it is not yet root's alone, a signal ends in a no.
        profile(self.etc, "test/slow", (
            'provider = "monime";\nspace = "spc-sandbox";\n'
            'base_url = "%s";\ncheck = { timeout = "4 s"; };\n' %
            self.sandbox.origins["monime"]))
        self.write_stack(name="test/slow")
        self.sandbox.fault({"hold": True, "path": "/"})
        script = "exec 3<&0; " + TRY + """ <&3 &
            read -r go <&4
            helper=$(pgrep -x monime-pam-chec)
            for signal in STOP KILL TERM CONT; do
                kill -$signal $helper 2>/dev/null && echo "$signal"
            done
            cat /proc/$helper/environ /proc/$helper/mem 2>/dev/null
            echo "tried: $helper"
            wait"""
        end, go = os.pipe()
        self.addCleanup(os.close, go)
        process = subprocess.Popen(
            installed.inside(self.stack, "su", *USER, "sh", "-c",
                             "exec 4<&%d; %s" % (end, script)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, pass_fds=[end],
            env={"MARK": self.mark, "PATH": "/usr/bin:/bin", "HOSTILE": ""})
        os.close(end)
        process.stdin.write(self.good.encode() + b"\n")
        process.stdin.close()
        self.sandbox.wait("held", 1)
        os.write(go, b"go\n")
        self.assertRegex(process.stdout.readline(), rb"^tried: [0-9]+\n$")
        self.sandbox.release()
        self.assertEqual(process.wait(PATIENCE), 0)
        process.stdout.close()
        self.assertTrue(os.path.exists(self.mark))
        os.unlink(self.mark)


if __name__ == "__main__":
    unittest.main()
