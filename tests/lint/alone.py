# SPDX-License-Identifier: MIT
"""The project speaks of itself: of no developer's machine, of no registry."""

import os
import re

from common import FILES, Check, finish, read

# Folders in which people keep their work; a name goes behind the slash.
MACHINE = re.compile(r"(?<![\w.*)\]}~])/(?:work|home|root|Users|build|builds)/\w")

# Where packages come from is decided by whoever installs them.
REGISTRY = re.compile(
    r"\b(?:(?:test\.)?pypi\.(?:org|io)|files\.pythonhosted\.org|"
    r"(?:registry\.)?npmjs\.(?:org|com)|(?:static\.)?crates\.io|rubygems\.org|"
    r"(?:proxy|sum)\.golang\.org|(?:deb|security|snapshot)\.debian\.org|"
    r"(?:archive|ports)\.ubuntu\.com|docker\.io|quay\.io|ghcr\.io|"
    r"repo1?\.maven\.org)\b")

PAGE = re.compile(r"(?<![\w/-])([A-Za-z][\w-]*\.md)\b")

check = Check("alone")
pages = {os.path.basename(p) for p in FILES if p.endswith(".md")}
for path in FILES:
    try:
        lines = read(path).split("\n")
    except UnicodeDecodeError:
        continue
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        for m in MACHINE.finditer(line):
            check.wrong(where, f"a path of somebody's machine: {m[0]}...")
        for m in REGISTRY.finditer(line):
            check.wrong(where, f"the name of a registry: {m[0]}")
        for m in PAGE.finditer(line):
            check.need(m[1] in pages, where, f"there is no {m[1]} here")
check.done(f"{len(FILES)} files name no machine, no registry and no page that "
           "is not here")
finish()
