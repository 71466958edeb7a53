# SPDX-License-Identifier: MIT
"""What other people's checkers find."""

import re

from common import BUILD, Check, files, finish, pythons, read, run, shells


def tell(check, out, pattern):
    """Findings by a pattern of (where, what); all of it where none fits."""
    found = re.findall(pattern, out, re.M)
    for where, what in found:
        check.wrong(where, what)
    if not found:
        check.wrong(check.name, out.strip())


check = Check("shellcheck")
paths = shells()
for path in paths:
    dialect = ("-s", "bash") if path.endswith(".bash") else ()
    status, out = run("shellcheck", "-f", "gcc", *dialect, path)
    if status:
        tell(check, out, r"^(\S+?:\d+):\d+: (.*)$")
check.done(f"{len(paths)} scripts")

check = Check("python")
paths = pythons()
for path in paths:
    try:
        compile(read(path), path, "exec", dont_inherit=True)
    except SyntaxError as e:
        check.wrong(f"{path}:{e.lineno}", e.msg)
check.done(f"{len(paths)} files have no syntax error")

check = Check("mypy")
paths = files(r"module/.*\.py")
status, out = run("mypy", "--strict", "--python-version", "3.8", "--cache-dir",
                  f"{BUILD}/mypy", "--no-error-summary", *paths)
if status:
    tell(check, out, r"^(\S+?:\d+): (.*)$")
check.done(f"{', '.join(paths)}, by the strict rules for Python 3.8")

check = Check("codespell")
paths = files(r".*")
status, out = run("codespell", "-q", "3", "-I", "tests/lint/codespell-ignore",
                  *paths)
if status:
    tell(check, out, r"^(\S+?:\d+): (.*)$")
check.done(f"{len(paths)} files")

check = Check("cppcheck")
status, out = run(
    "cppcheck", "-q", "-j2", "--std=c11", "--enable=warning,portability",
    "--error-exitcode=1", "--inline-suppr", "--template={file}:{line}: {id}: "
    "{message}", "--suppressions-list=tests/lint/cppcheck-suppress",
    "-Iinclude", "-Ilib", "lib", "module")
if status:
    tell(check, out, r"^(\S+?:\d+): (.*)$")
check.done("lib and module: no warning, no portability issue")
finish()
