# SPDX-License-Identifier: MIT
"""Who includes what, and how the sources look."""

import os
import re

from common import Check, code, files, finish, line_of, pythons, read, shells

# From the bottom up: an include points to its own layer or below.
LAYERS = (
    ("base", "text error secret log banned abi"),
    ("files", "safefile profile conf form keys scan"),
    ("wire", "transfer timer waiter sockets pool loop answer"),
    ("rules", "guard retry provider"),
    ("state", "call credential oauth2 edition reload bench events fork "
              "verdicts probe metrics reading openmetrics page"),
    ("verbs", "check request authorize webhook"),
    ("top", "monime"),
)

# The command is linked with these, and sees no more of the library.
COMMAND_SEES = ("base", "files")

# PAM's helper sees as much; what a host of PAM loads sees nothing of it.
PAM_HELPER = ("check", "map", "answer")

# Each third-party header has its place.
THIRD_PARTY = (
    (r"curl/.*", ("lib/transfer.c", "lib/loop.c")),
    (r"json-c/.*", ("lib/answer.c", "module/cli/output.c")),
    (r"libconfig\.h", ("lib/conf.c",)),
    (r"sodium(/.*)?\.h", ("lib/secret.c",)),
    (r"security/.*", ("module/pam/pam_monime.c",)),
)

# The C library's and the kernel's.
SYSTEM = set("""
    assert ctype dirent err errno fcntl fnmatch getopt glob grp inttypes limits
    poll pthread pwd sched signal spawn stdarg stdbool stddef stdint stdio stdlib
    string strings syslog termios time unistd arpa/inet netdb netinet/in
    """.split())
SYSTEM_FOLDERS = ("sys/", "linux/")

layer_of = {name: (rank, layer)
            for rank, (layer, names) in enumerate(LAYERS)
            for name in names.split()}

library = files(r"lib/[^/]+\.[ch]")
command = files(r"module/cli/[^/]+\.[ch]")
pam = files(r"module/pam/[^/]+\.[ch]")
# What the modules of web servers share, and no host's header.
shared = files(r"module/[^/]+\.[ch]")


def includes(path):
    """(line, kind, name) for each include of a file."""
    text = read(path)
    return [(f"{path}:{line_of(text, m.start())}", m[1], m[2]) for m in
            re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', text,
                        re.M)]


def stem(path):
    return os.path.basename(path).rsplit(".", 1)[0]


check = Check("layers")
for path in library:
    if stem(path) not in layer_of:
        check.wrong(f"{path}:1", "its layer is not in tests/lint/sources.py")
        continue
    rank, layer = layer_of[stem(path)]
    for where, kind, name in includes(path):
        if kind != '"':
            continue
        if name == "monime.h":
            # abi.h alone makes what monime.h declares visible.
            check.need(path == "lib/abi.h", where,
                       "monime.h is included by abi.h alone")
        elif f"lib/{name}" not in library:
            check.wrong(where, f"{name} is no header of lib/")
        elif layer_of.get(stem(name), (99, ""))[0] > rank:
            check.wrong(where, f"{stem(path)} ({layer}) must not include {name} "
                        f"({layer_of.get(stem(name), (0, 'unknown'))[1]})")
for path in command + pam:
    hosted = path in pam and stem(path) not in PAM_HELPER
    for where, kind, name in includes(path):
        if kind != '"' or name == "banned.h" or \
                f"{os.path.dirname(path)}/{name}" in command + pam:
            continue
        check.need(not hosted, where, f"the host of PAM does not see {name}")
        check.need(name == "monime.h" or
                   layer_of.get(stem(name), (0, ""))[1] in COMMAND_SEES and
                   f"lib/{name}" in library, where,
                   f"the command does not see {name}")
for path in shared:
    for where, kind, name in includes(path):
        check.need(f"module/{name}" in shared if kind == '"' else
                   name == "monime.h" or name.removesuffix(".h") in SYSTEM,
                   where, f"what web servers share does not see {name}")
low = re.search(r"^LOW\s*=\s*(.*)$", read("Makefile"), re.M)
for name in low[1].split() if low else []:
    check.need(layer_of.get(name, (0, ""))[1] in COMMAND_SEES, "Makefile",
               f"LOW has {name}, which is not of {' and '.join(COMMAND_SEES)}")
check.done(f"{len(library)} files of lib, {len(command)} of the command, "
           f"{len(pam)} of PAM, {len(shared)} that web servers share: includes "
           "point down")

check = Check("third-party headers")
for path in library + command + pam:
    for where, kind, name in includes(path):
        if kind != "<":
            continue
        places = [p for pattern, p in THIRD_PARTY if re.fullmatch(pattern, name)]
        if places:
            check.need(path in places[0], where,
                       f"{name} is for {' and '.join(places[0])}")
        else:
            check.need(name.removesuffix(".h") in SYSTEM or
                       name.startswith(SYSTEM_FOLDERS), where,
                       f"{name}: whose is it?  See tests/lint/sources.py")
check.done("curl, json-c, libconfig and sodium, each in its place")

check = Check("beginnings")
for path in [p for p in library + command + pam if p.endswith(".c")]:
    last = (includes(path) or [(path, "", "nothing")])[-1]
    check.need(last[1:] == ('"', "banned.h"), last[0],
               f"the last include is {last[2]}, not \"banned.h\"")
for path in library + command + pam + shared + \
        files(r"(include|tests)/.*\.([ch]|cpp)"):
    text = read(path)
    head = re.match(r"/\* SPDX-License-Identifier: MIT \*/\n\n/\*(.*?)\*/\n",
                    text, re.S)
    check.need(text.startswith("/* SPDX-License-Identifier: MIT */\n"),
               f"{path}:1", "the SPDX line is missing")
    check.need(head and re.search(r"\w+\W+\w+.*[.?:]", head[1], re.S),
               f"{path}:3", "no comment that says what the file is for")
for path in shells() + pythons() + files(r"(.*/)?Makefile"):
    check.need("SPDX-License-Identifier: MIT" in read(path)[:200],
               f"{path}:1", "the SPDX line is missing")
for path in files(r".*\.(go|mod|rs)"):
    check.need(read(path).startswith("// SPDX-License-Identifier: MIT\n"),
               f"{path}:1", "the SPDX line is missing")
for path in files(r".*\.[1-9]"):
    check.need(read(path).startswith('.\\" SPDX-License-Identifier: MIT\n'),
               f"{path}:1", "the SPDX line is missing")
check.done("licence, purpose, and banned.h at the end of the includes")

check = Check("lines")
long = set(files(r"(lib|module|include|tests)/.*\.([ch]|cpp)"))
texts = 0
for path in files(r".*"):
    try:
        text = read(path)
    except UnicodeDecodeError:
        continue
    texts += 1
    check.need(text == "" or text.endswith("\n"), path,
               "the last line does not end")
    check.need(not text.endswith("\n\n"), path, "empty lines at the end")
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{path}:{number}"
        check.need(line == line.rstrip(), where, "white space at the end")
        # The ABI page keeps its tables of codes on one line each.
        if path in long and path != "include/monime.h":
            check.need(len(line.expandtabs(8)) <= 80, where,
                       f"{len(line.expandtabs(8))} columns")
for path in library:
    text = code(read(path))
    for m in re.finditer(r"\btypedef\s+(struct|union|enum)\b", text):
        check.wrong(f"{path}:{line_of(text, m.start())}",
                    f"a typedef for {m[1]}")
check.done(f"{texts} files: 80 columns in C, no trailing white space")
finish()
