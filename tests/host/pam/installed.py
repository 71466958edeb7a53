# SPDX-License-Identifier: MIT
"""What was installed, in the programs of others: the files of `make
install-pam DESTDIR=$MONIME_ROOT` and a service are seen in name spaces of
their own; the machine keeps what it has."""

import os
import subprocess
import tempfile
import unittest

import common

INSTALLED = os.environ.get("MONIME_ROOT", "")

# $1: the installed /usr; $2: the file of the service $3; then a command.
MOUNT = """set -e
mount --make-rprivate /
mount -t overlay -o lowerdir="$1:/usr" monime /usr
mount --bind "$2" "/etc/pam.d/$3"
shift 3
exec "$@"
"""

PRIVATE = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]


def inside(file, service, *command):
    """The command, where the file is that service of PAM."""
    return [*PRIVATE, "sh", "-c", MOUNT, "sh",
            os.path.join(INSTALLED, "usr"), file, service, *command]


@unittest.skipIf(common.SANITIZED, "other people's hosts are not instrumented")
@unittest.skipUnless(INSTALLED, "MONIME_ROOT does not say what is installed")
class Case(common.Case):
    SERVICE = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with tempfile.NamedTemporaryFile() as file:
            ran = subprocess.run(
                inside(file.name, cls.SERVICE, "true"),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if ran.returncode != 0:
            raise unittest.SkipTest("no name spaces here, or no overlay")

    def setUp(self):
        super().setUp()
        self.map("root", self.good)
        self.stack = os.path.join(self.sandbox.folder, self.SERVICE)

    def write_stack(self, *words, before="", name="test/space"):
        common.write_file(
            self.stack, "%sauth required pam_monime.so profile=%s users=%s "
            "folder=%s %s\naccount required pam_permit.so\nsession required "
            "pam_permit.so\n" % (before, name, self.users, self.etc,
                                 " ".join(words)), 0o644)
