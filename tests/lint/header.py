# SPDX-License-Identifier: MIT
"""monime.h compiles by itself, in every language that includes it."""

import re
import tempfile

from common import CC, HEADER, Check, finish, read, run, spot

DIALECTS = (
    (CC, "c", "c89", "-Wstrict-prototypes"),
    (CC, "c", "c99", "-Wstrict-prototypes"),
    (CC, "c", "c11", "-Wstrict-prototypes"),
    (["g++"], "c++", "c++98", "-Wold-style-cast"),
)

check = Check("header")
with tempfile.TemporaryDirectory() as folder:
    source = f"{folder}/alone.c"
    with open(source, "w", encoding="ascii") as f:
        # Twice, for the guard; and something, for -pedantic.
        f.write('#include "monime.h"\n#include "monime.h"\n'
                "int code = MONIME_OK;\n")
    for compiler, language, standard, extra in DIALECTS:
        status, out = run(*compiler, "-x", language, f"-std={standard}",
                          "-pedantic-errors", "-Wall", "-Wextra", "-Wundef",
                          "-Werror", extra, "-fsyntax-only", "-Iinclude",
                          source)
        check.need(status == 0, HEADER, f"as {standard}: {out.strip()}")
check.done("compiles alone as " + ", ".join(d[2] for d in DIALECTS))

check = Check("version")
version = re.search(r"^VERSION\s*=\s*(\S+)$", read("Makefile"), re.M)[1]
text = read(HEADER)
told = re.search(r'^#define MONIME_VERSION\s+"(.*)"$', text, re.M)[1]
number = re.search(r"^#define MONIME_VERSION_NUMBER\s+(0x\w+)$", text, re.M)[1]
major, minor, patch = map(int, version.split("."))
check.need(told == version, spot(HEADER, "MONIME_VERSION"),
           f"{told}, in the Makefile {version}")
check.need(int(number, 16) == major << 16 | minor << 8 | patch,
           spot(HEADER, "MONIME_VERSION_NUMBER"), f"{number} is not {version}")
news = re.search(r"^(\d+\.\d+\.\d+)\b", read("NEWS"), re.M)
check.need(news and news[1] == version, "NEWS",
           f"does not begin with {version}")
for path, pattern in (
        ("packaging/debian/changelog", r"\Alibmonime \((.*)-[^-]+\) "),
        ("packaging/rpm/libmonime.spec", r"^Version:\s+(\S+)$")):
    found = re.search(pattern, read(path), re.M)
    check.need(found and found[1] == version, path,
               f"{found and found[1]}, in the Makefile {version}")
check.done(f"{version} in Makefile, header, NEWS and packages")
finish()
