#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A newcomer's first minutes, in a bare system: what the README says for it is
typed at a terminal, word by word, and has to end in a token that is good.

    newcomer.py README FOLDER-OF-PACKAGES

The sandbox stands in for the API, behind a proxy that the host's policy names;
the newcomer types a Space and a token of it, and nothing else that the README
does not have.
"""

import os
import pty
import re
import select
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "host"))

from support import Sandbox, write_file  # noqa: E402

PATIENCE = 300  # s, for apt
BLOCK = r"^```sh\n([^`]*?apt-get install \./[^`]*?)^```"
SITE = """\
# What leads to the API in this place.
proxy = "%s";
ca_file = "/etc/monime/ca.pem";
"""


def commands(readme):
    """The lines of the block that begins with the packages."""
    with open(readme, encoding="utf-8") as file:
        block = re.search(BLOCK, file.read(), re.S | re.M)[1]
    lines = block.replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+", " ", line).strip() for line in lines
            if line.strip()]


def typed(command, token):
    """Run it at a terminal; the exit status, and what was to be read."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv("/bin/sh", ["sh", "-c", command])
    said, answers = b"", {b"[Y/n]": b"y", b"New token of": token.encode()}
    end = time.monotonic() + PATIENCE
    while select.select([terminal], [], [], end - time.monotonic())[0]:
        try:
            more = os.read(terminal, 4096)
        except OSError:  # the terminal has been left
            break
        said += more
        for question in [q for q in answers if q in said]:
            os.write(terminal, answers.pop(question) + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()


def site(sandbox):
    with open(sandbox.facts["ca_file"], encoding="ascii") as file:
        write_file("/etc/monime/ca.pem", file.read(), 0o644)
    write_file("/etc/monime/monime.conf", SITE % sandbox.origins["proxy"],
               0o644)


def main(readme, packages):
    os.chdir(packages)
    sandbox = Sandbox()
    began = time.monotonic()
    try:
        steps = commands(readme)
        for number, command in enumerate(steps, 1):
            print("%d  %s" % (number, command))
            command = command.replace("sudo ", "").replace(
                "spc-...", sandbox.facts["spaces"]["test"])
            status, said = typed(command, sandbox.tokens["test"])
            print(re.sub("^", "       ", "\n".join(
                said.replace("\r", "").splitlines()[-6:]), flags=re.M))
            if status != 0 or sandbox.tokens["test"] in said:
                print("newcomer: exit status %d\n%s" % (status, said))
                return 1
            if "apt-get install" in command:
                site(sandbox)
        if not sandbox.requests() or "check" not in steps[-1]:
            print("newcomer: the API was not asked in the end")
            return 1
    finally:
        sandbox.stop()
    print("newcomer: %d commands, %.0f s" % (len(steps),
                                             time.monotonic() - began))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
