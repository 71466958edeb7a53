#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The example units: systemd finds nothing wrong with them, and their command
works as a user who is handed the profile and can read nothing else.

systemd itself does not run here: its folder of credentials is made as it makes
it, a mount of its own that nobody can write to.
"""

import configparser
import os
import shlex
import shutil
import unittest

import common
from common import ETC, write_file

UNITS = "/usr/share/doc/monime/systemd/"
SYSTEM = "/etc/systemd/system/"
NOBODY = "65534"
HANDED = """\
provider = "monime";
space = "spc-live";
base_url = "%s";
token = "%s";
"""

# As systemd.exec(5): a file system of the unit's own, read-only in the end.
AS_SYSTEMD = """
mkdir -p -m 0755 /run/credentials/monime-check.service
mount -t tmpfs -o mode=0700,nosuid,nodev,noexec credentials \
    /run/credentials/monime-check.service
cd /run/credentials/monime-check.service
install -m 0400 -o {user} "$1" monime.live.payouts
chown {user} .
chmod 0500 .
mount -o remount,ro,bind .
cd /
shift
export CREDENTIALS_DIRECTORY=/run/credentials/monime-check.service
exec setpriv --reuid {user} --regid {user} --clear-groups "$@"
""".format(user=NOBODY)


class Systemd(common.Case):
    def unit(self, name):
        # A key may stand twice, which is none of our business here.
        unit = configparser.RawConfigParser(strict=False)
        unit.optionxform = str
        unit.read(UNITS + name, encoding="utf-8")
        return unit

    def place(self, source, target):
        os.makedirs(os.path.dirname(SYSTEM + target), exist_ok=True)
        shutil.copy(UNITS + source, SYSTEM + target)
        self.addCleanup(os.unlink, SYSTEM + target)

    def test_systemd_finds_nothing_wrong(self):
        self.place("monime-check.service", "monime-check.service")
        self.place("monime-check.timer", "monime-check.timer")
        self.place("nginx-monime.conf", "nginx.service.d/monime.conf")
        for name in ("monime-check.service", "monime-check.timer",
                     "nginx.service"):
            with self.subTest(name):
                said = self.ran("systemd-analyze", "verify", "--man=no",
                                SYSTEM + name if name.startswith("monime")
                                else name)
                self.assertNotIn("monime", said)

    def test_the_check_is_confined(self):
        self.place("monime-check.service", "monime-check.service")
        self.ran("systemd-analyze", "security", "--offline=yes",
                 "--threshold=20", SYSTEM + "monime-check.service")

    def test_the_command_works_with_what_it_is_handed_alone(self):
        unit = self.unit("monime-check.service")["Service"]
        name, source = unit["LoadCredential"].split(":")
        self.assertEqual((name, source), ("monime.live.payouts",
                                          ETC + "/live/payouts.conf"))
        handed = os.path.join(self.sandbox.folder, "handed")
        write_file(handed, HANDED % (self.sandbox.origins["monime"],
                                     self.sandbox.tokens["live"]), 0o600)
        command = shlex.split(unit["ExecStart"])
        self.assertIn("live/payouts", self.ran(
            "unshare", "--mount", "sh", "-ec", AS_SYSTEMD, "sh", handed,
            *command))
        self.assertEqual(len(self.sandbox.requests()), 1)
        # Without it that user gets nothing.
        self.ran("setpriv", "--reuid", NOBODY, "--regid", NOBODY,
                 "--clear-groups", *command, status=2)


if __name__ == "__main__":
    unittest.main()
