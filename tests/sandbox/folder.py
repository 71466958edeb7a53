#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A ready configuration folder for a running sandbox.

    folder.py FOLDER SANDBOX.JSON [--show]

writes into FOLDER, which must be there:

    monime.conf             0644  both environments, the sandbox's CA
    ca.pem                  0644  a copy of it: the sandbox's own folder may
                                  lie where the library trusts no file
    test/, live/            0700
    test/payouts.conf       0600  Monime, spc-sandbox
    live/payouts.conf       0600  Monime, spc-live
    test/bank.conf          0600  Mono banking, checked by an object of ours
    test/gateway.conf       0600  Monime without a credential: it can only
                                  check the tokens of others
    */NAME.token            0600  the credentials of the first three

and with --show tells on standard output how to use it.  As a module:
write_folder(folder, description).
"""

import datetime
import json
import os
import shutil
import sys

HOST = """\
# The policy of this host.  The sandbox pretends to be both environments.
environments = ["test", "live"];
ca_file = "{folder}/ca.pem";
"""

PAYOUTS = """\
# {environment}/payouts: Monime, as the sandbox plays it.
provider = "monime";
space = "{space}";
base_url = "{origins[monime]}";

owner = "Sandbox <sandbox@example.org>";
purpose = "trying libmonime without an account";
rotate_by = "{rotate_by}";
"""

BANK = """\
# test/bank: Mono banking, as the sandbox plays it.
provider = "mono";
product = "banking";
base_url = "{origins[mono_sandbox]}";

# Any customer's key opens the lists: only an object of ours proves a key ours.
check = {{
	accept = "path";
	path = "/v1/bank_accounts/bac_sandbox";
}};

owner = "Sandbox <sandbox@example.org>";
purpose = "trying libmonime without an account";
rotate_by = "{rotate_by}";
"""

GATEWAY = """\
# test/gateway: no credential here, only a Space that a bearer must have.
provider = "monime";
space = "{space}";
base_url = "{origins[monime]}";

owner = "Sandbox <sandbox@example.org>";
purpose = "checking the tokens of others";
"""

# profile, template, name of the token or None
PROFILES = (
    ("test/payouts", PAYOUTS, "test"),
    ("live/payouts", PAYOUTS, "live"),
    ("test/bank", BANK, "mono_sandbox"),
    ("test/gateway", GATEWAY, None),
)


def write_file(path, text, mode):
    """Replace PATH.  The mode holds from the first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)


def write_folder(folder, description):
    """Fill FOLDER from the contents of sandbox.json."""
    folder = os.path.abspath(folder)
    rotate_by = datetime.date.today() + datetime.timedelta(days=90)
    with open(description["ca_file"], encoding="ascii") as file:
        write_file(os.path.join(folder, "ca.pem"), file.read(), 0o644)
    write_file(os.path.join(folder, "monime.conf"),
               HOST.format(folder=folder), 0o644)
    for environment in ("test", "live"):
        path = os.path.join(folder, environment)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o700)
    for name, template, token in PROFILES:
        environment = name.partition("/")[0]
        write_file(os.path.join(folder, name + ".conf"), template.format(
            environment=environment, origins=description["origins"],
            space=description["spaces"][environment],
            rotate_by=rotate_by.isoformat()), 0o600)
        if token is not None:
            write_file(os.path.join(folder, name + ".token"),
                       description["tokens"][token] + "\n", 0o600)


def unsafe_ancestor(folder):
    """The first part of the path that the library would refuse, or None."""
    path = os.path.realpath(folder)
    while True:
        found = os.stat(path)
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
            return path
        if path == "/":
            return None
        path = os.path.dirname(path)


def command():
    """How monime is called here: as it was installed, or else as it was built in
    BUILD."""
    build = os.environ.get("BUILD", "build")
    if shutil.which("monime"):
        return "monime"
    return "LD_LIBRARY_PATH={0} {0}/monime".format(build)


def show(folder, description, out=sys.stdout):
    origins = description["origins"]
    out.write("The sandbox is up. It ends with this command.\n\n")
    for name in ("monime", "mono_sandbox", "mono_production"):
        out.write("  %-16s %s\n" % (name, origins[name]))
    out.write("  %-16s %s\n" % ("control", origins["control"]))
    out.write("  %-16s %s\n" % ("CA", description["ca_file"]))
    out.write("  %-16s %s\n" % ("all of it", description["file"]))
    out.write("\nProfiles, and the files of their tokens, in %s:\n\n" % folder)
    for name, _, token in PROFILES:
        out.write("  %-16s %s\n" % (name, os.path.join(
            folder, name + ".token") if token else "(no token)"))
    path = os.path.join(folder, "test", "payouts.conf")
    out.write("\n%s:\n\n" % path)
    with open(path, encoding="utf-8") as file:
        for line in file:
            out.write(("  " + line).rstrip() + "\n")
    out.write("\nTry:\n\n"
              "  {2} -C {0} check test/payouts\n"
              "  {2} -C {0} request test/payouts GET "
              "'/v1/financial-accounts?limit=1'\n"
              "  curl -s {1}/effects\n".format(
                  folder, origins["control"], command()))
    out.flush()


def main(arguments):
    options = [a for a in arguments if a.startswith("--")]
    names = [a for a in arguments if not a.startswith("--")]
    if len(names) != 2 or options not in ([], ["--show"]):
        sys.stderr.write("usage: folder.py FOLDER SANDBOX.JSON [--show]\n")
        return 2
    with open(names[1], encoding="utf-8") as file:
        description = json.load(file)
    write_folder(names[0], description)
    part = unsafe_ancestor(names[0])
    if part is not None:
        sys.stderr.write("folder.py: %s: owned by somebody else or writable "
                         "by others, the library will refuse what is below\n"
                         % part)
    if options:
        show(os.path.abspath(names[0]), description)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
