#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""README.md's table of failures: which tests show that what went wrong in
systems near this one does not here.

    BUILD=build tests/failures.py [--write]

failures.txt says which.  Each of them has to be there and, by what `make check`
has left below BUILD/passed, to have passed; the table has to be what README.md
holds.  --write makes it so.
"""

import collections
import os
import re
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILD", os.path.join(os.path.dirname(TESTS), "build"))
README = os.path.join(TESTS, "README.md")
BEGIN, END = "<!-- failures -->\n", "<!-- failures end -->\n"

# The target that runs what is below a folder.
TARGETS = (("unit/", "check-unit"), ("integration/", "check-integration"),
           ("cli/", "check-cli"), ("host/nginx/", "check-nginx"),
           ("host/apache/", "check-apache"), ("host/pam/", "check-pam"),
           ("host/python/", "check-python"), ("host/go/", "check-go"),
           ("abi/", "abi"))

Failure = collections.namedtuple("Failure", "number text tests")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def failures():
    for paragraph in read(os.path.join(TESTS, "failures.txt")).split("\n\n"):
        if paragraph.startswith("#"):
            continue
        first, *lines = paragraph.strip().split("\n")
        number, text = first.split(" ", 1)
        tests = [(name.split(": ")[0], test) for name in lines
                 for test in name.split(": ")[1].split(" ")]
        yield Failure(int(number), text, tests)


def target(path):
    return next(made for folder, made in TARGETS if path.startswith(folder))


def outcome(path, test):
    """What has been seen of a test: a name that is none has not been run."""
    noted = os.path.join(BUILD, "passed", path)
    if not os.path.exists(noted):
        return "has not been run: make " + target(path)
    # Rows of a table of tests have no "test_" before them.
    seen = dict(re.sub("^test_", "", line).rsplit(" ", 1)
                for line in read(noted).splitlines())
    return seen.get(test, "has not been run: make " + target(path))


def row(failure):
    cells = []
    for path in dict.fromkeys(path for path, _ in failure.tests):
        names = ", ".join("`%s`" % test for where, test in failure.tests
                          if where == path)
        cells.append("%s: %s" % (path, names))
    commands = dict.fromkeys("`make %s`" % target(path)
                             for path, _ in failure.tests)
    # The result is a claim, which main() holds against what has been seen.
    return "| %d | %s | %s | %s | %d passed |" % (
        failure.number, failure.text, "<br>".join(cells), " ".join(commands),
        len(failure.tests))


def main():
    table = ["| # | what goes wrong | the tests that show it does not here | "
             "command | result |", "|---|---|---|---|---|"]
    wrong = []
    passed = 0
    skipped = []
    for failure in failures():
        table.append(row(failure))
        if not failure.tests:
            wrong.append("row %d has no test" % failure.number)
        for path, test in failure.tests:
            seen = outcome(path, test)
            passed += seen == "passed"
            if seen == "skipped":
                skipped.append("%s: %s" % (path, test))
            elif seen != "passed":
                wrong.append("%s: %s %s" % (path, test, seen))
    text = read(README)
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    fresh = before + BEGIN + "\n".join(table) + "\n" + END + after
    if "--write" in sys.argv[1:]:
        with open(README, "w", encoding="utf-8") as f:
            f.write(fresh)
    elif fresh != text:
        wrong.append("tests/README.md: its table is not that of failures.txt: "
                     "tests/failures.py --write")
    for line in skipped:
        print("  SKIP    " + line)
    for line in wrong:
        print("  " + line)
    print("  %s failures: %d rows, %d tests passed, %d skipped" % (
        "FAILED " if wrong else "OK     ", len(table) - 2, passed,
        len(skipped)))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
