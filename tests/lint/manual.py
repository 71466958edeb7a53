# SPDX-License-Identifier: MIT
"""Manual pages are well-formed, and their examples are programs."""

import re
import tempfile

from common import BUILD, CC, FILES, Check, files, finish, line_of, read, run

EXAMPLE = re.compile(r'^\.\\" example: (\S+\.c)\n\.Bd -literal.*\n((?:.*\n)*?)'
                     r"\.Ed\n", re.M)

pages = files(r"(lib|module|etc)/.*\.[1-9]")

check = Check("manual pages")
for path in pages:
    status, out = run("mandoc", "-T", "lint", "-W", "warning", path)
    found = re.findall(r"^mandoc: (\S+?:\d+):\d+: (.*)$", out, re.M)
    for where, what in found:
        check.wrong(where, what)
    check.need(status == 0 or found, path, out.strip())
check.done(f"{len(pages)} pages, mandoc finds nothing")

check = Check("examples")
count = 0
with tempfile.TemporaryDirectory() as folder:
    for path in pages:
        text = read(path)
        examples = list(EXAMPLE.finditer(text))
        check.need(len(examples) == text.count('.\\" example:'), path,
                   "an example without its .Bd -literal and .Ed")
        for m in examples:
            where = f"{path}:{line_of(text, m.start(2))}"
            source = m[2].replace("\\e", "\0").replace("\\&", "")
            check.need("\\" not in source, where,
                       "an escape other than \\e and \\&")
            check.need(max(map(len, source.expandtabs(8).split("\n"))) <= 75,
                       where, "a line that no terminal of 80 columns shows")
            with open(f"{folder}/{m[1]}", "w", encoding="ascii") as f:
                # Errors name the line of the page.
                f.write(f'#line {line_of(text, m.start(2))} "{path}"\n' +
                        source.replace("\0", "\\"))
            status, out = run(*CC, "-std=gnu11", "-Wall", "-Wextra", "-Wshadow",
                              "-Werror", "-O1", "-Iinclude", "-o",
                              f"{folder}/program", f"{folder}/{m[1]}",
                              f"-L{BUILD}", "-lmonime", "-levent_core")
            check.need(status == 0, where, f"{m[1]}: {out.strip()}")
            # Those that are also run stand in a file of their own.
            twin = f"tests/examples/{m[1]}"
            check.need(twin not in FILES or source.replace("\0", "\\") ==
                       read(twin).split("*/\n\n", 2)[-1], where,
                       f"{twin} is not the same")
            count += 1
    for path in files(r"tests/examples/.*\.c"):
        check.need(f'example: {path.rsplit("/", 1)[1]}\n' in
                   read("lib/monime.3"), path, "monime(3) does not print it")
    check.need(count >= 4, "lib/monime.3", f"{count} examples, not four")
check.done(f"{count} programs compile without a warning and link")
finish()
