# SPDX-License-Identifier: MIT
"""Header, version script, library and manual have the same functions."""

import re

from common import (BUILD, HEADER, MANUAL, MAP, Check, finish,
                    header_declarations, one_line, read, run, spot)

NODE = "MONIME_0.1"
LIBRARY = f"{BUILD}/libmonime.so"


def exported(check):
    status, out = run("nm", "-D", "--defined-only", "--with-symbol-versions",
                      LIBRARY)
    check.need(status == 0, LIBRARY, out.strip())
    names = []
    for line in out.splitlines() if status == 0 else []:
        _, kind, symbol = line.split()
        name, _, version = symbol.partition("@@")
        if kind == "A" and name == NODE:
            continue
        check.need(kind == "T", LIBRARY, f"{name} is no function ({kind})")
        check.need(version == NODE, LIBRARY,
                   f"{name} has version {version or 'none'}, not {NODE}")
        names.append(name)
    return names


def mapped(check):
    m = re.fullmatch(r"(\S+) \{\nglobal:\n(.*?)local:\n\t\*;\n\};\n",
                     read(MAP), re.S)
    check.need(m, MAP, "not one node of \"global:\" and \"local: *\"")
    if not m:
        return []
    check.need(m[1] == NODE, MAP, f"the node is {m[1]}, not {NODE}")
    names = re.findall(r"^\t([\w*]+);$", m[2], re.M)
    check.need(len(names) == len(m[2].splitlines()), MAP,
               "a line that is not one name")
    check.need(names == sorted(set(names)), MAP,
               "the names are not sorted, each once")
    return names


def documented():
    """{name: declaration} of the manual's synopsis, and of its NAME."""
    text = read(MANUAL)
    synopsis = re.search(r"^\.Sh SYNOPSIS\n(.*?)^\.Sh ", text, re.S | re.M)[1]
    found = {}
    for kind, name, args in re.findall(
            r'^\.Ft (.*)\n\.Fn (\w+) (.*)$', synopsis, re.M):
        words = re.findall(r'"([^"]*)"|(\S+)', args)
        args = ", ".join(a or b for a, b in words)
        kind = kind.strip('"')
        found[name] = one_line(f"{kind} {name}({args})")
    named = re.findall(r"^\.Nm (\w+)(?: ,)?$", text.split(".Sh SYNOPSIS")[0],
                       re.M)
    return found, named


check = Check("exports")
header = header_declarations()
functions = [n for n in header if not header[n].startswith("typedef")]
check.same(functions, HEADER, exported(check), LIBRARY)
check.same(functions, HEADER, mapped(check), MAP)
prototypes, named = documented()
check.same(header, HEADER, prototypes, MANUAL)
check.same(functions, HEADER, named, MANUAL)
for name in sorted(set(header) & set(prototypes)):
    check.need(header[name] == prototypes[name], spot(MANUAL, f".Fn {name} "),
               f"the prototype is \"{prototypes[name]}\", in the header "
               f"\"{header[name]}\"")
check.done(f"{len(functions)} functions: header, library, version script "
           "and manual agree")
finish()
