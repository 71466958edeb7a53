# SPDX-License-Identifier: MIT
"""What the checks share: the project's files, and how a finding is told."""

import os
import re
import shlex
import shutil
import subprocess
import sys

BUILD = os.environ.get("BUILD", "build")
CC = shlex.split(os.environ.get("CC", "gcc"))


class Check:
    """One line when all is well; else a line for each finding, and one more."""

    failed = False

    def __init__(self, name):
        self.name = name
        self.findings = 0

    def wrong(self, where, what):
        self.findings += 1
        print(f"{where}: {what}")

    def need(self, condition, where, what):
        if not condition:
            self.wrong(where, what)

    def same(self, one, where_one, other, where_other):
        """Two sets of names: each must hold what the other holds."""
        for name in sorted(set(one) - set(other)):
            self.wrong(spot(where_one, name), f"{name} is not in {where_other}")
        for name in sorted(set(other) - set(one)):
            self.wrong(spot(where_other, name), f"{name} is not in {where_one}")

    def done(self, summary):
        if self.findings:
            Check.failed = True
            print(f"  FAILED  {self.name}: {self.findings} findings")
        else:
            print(f"  OK      {self.name}: {summary}")

    def skip(self, why):
        print(f"  SKIP    {self.name}: {why}")


def finish():
    sys.exit(1 if Check.failed else 0)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def spot(path, word):
    """path:line of a word's first line in a file, or the path alone."""
    if not os.path.isfile(path):
        return path
    try:
        text = read(path)
    except UnicodeDecodeError:
        return path
    plain = re.compile(r"(?<![\w-])" + re.escape(word) + r"(?![\w-])")
    # In C, rather where it is declared than where it is talked about.
    found = path.endswith((".c", ".h")) and plain.search(code(text)) or \
        plain.search(text)
    return f"{path}:{line_of(text, found.start())}" if found else path


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def run(*command, **options):
    """(status, output) of a command; both of its streams."""
    p = subprocess.run(command, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, **options)
    return p.returncode, p.stdout


def listed():
    if os.path.exists(".git") and shutil.which("git"):
        status, out = run("git", "ls-files", "-co", "--exclude-standard", "-z")
        if status == 0 and out:
            return out.rstrip("\0").split("\0")
    # An unpacked release, say.
    found = []
    for top, folders, names in os.walk("."):
        folders[:] = [d for d in folders if d not in
                      (".git", "__pycache__", BUILD.removeprefix("./"))]
        found += [os.path.join(top, n)[2:] for n in names]
    return found


# A fuzzer's seeds are bytes that no rule of writing holds for.
FILES = sorted(p for p in listed() if os.path.isfile(p) and
               not p.startswith("tests/fuzz/seeds/"))


def files(pattern):
    """The project's files whose whole path matches."""
    return [p for p in FILES if re.fullmatch(pattern, p)]


def scripts(*interpreters):
    """Files whose first line names one of the interpreters."""
    found = []
    for path in FILES:
        with open(path, "rb") as f:
            first = f.readline(200)
        if first.startswith(b"#!") and re.search(
                rb"\b(" + b"|".join(interpreters) + rb")\s*(-\w+\s*)?$", first):
            found.append(path)
    return found


def pythons():
    return sorted(set(files(r".*\.py") + scripts(rb"python3")))


def shells():
    return sorted(set(files(r".*\.(sh|bash)") + scripts(rb"sh", rb"bash")))


def code(text):
    """C without comments; the lines stay where they are."""
    def blank(m):
        return m[0] if m[0][0] in "\"'" else re.sub(r"[^\n]", " ", m[0])
    return re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/', blank,
                  text, flags=re.S)


HEADER = "include/monime.h"
MAP = "lib/libmonime.map"
MANUAL = "lib/monime.3"


def one_line(declaration):
    """White space as it does not matter."""
    s = re.sub(r"\s+", " ", declaration.strip())
    return re.sub(r" ?([(),*]) ?", r"\1", s)


def header_declarations():
    """{name: declaration} of monime.h, functions and function types."""
    text = code(read(HEADER))
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$", "", text, flags=re.M)
    text = text.replace('extern "C" {', "").replace("MONIME_MUST_CHECK", "")
    found = {}
    for part in text.split(";"):
        m = re.search(r"\b(monime_\w+)\s*\(", part)
        if m and "{" not in part:
            found[m[1]] = one_line(part.replace("}", ""))
    return found
