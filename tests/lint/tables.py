# SPDX-License-Identifier: MIT
"""What the sources hold in tables is what the pages say, and the reverse."""

import ast
import ctypes
import glob
import os
import re
import shlex
import subprocess
import tempfile

from common import (BUILD, CC, HEADER, MANUAL, Check, code, files, finish,
                    line_of, read, run, spot)

CONF_MANUAL = "etc/monime.conf.5"
CLI_MANUAL = "module/cli/monime.1"
PAM_MANUAL = "module/pam/pam_monime.8"
PAM_MODULE = "module/pam/pam_monime.c"
CLI_COMPLETION = "module/cli/monime.bash"
NGINX = "module/nginx/ngx_http_monime_module"
PYTHON = "module/python/"
NGINX_SAMPLE = "etc/nginx-monime.conf"
APACHE = "module/apache/mod_monime"
APACHE_SAMPLE = "etc/apache-monime.conf"
COMMAND = f"{BUILD}/monime"

manual = read(MANUAL)
library = ctypes.CDLL(os.path.abspath(f"{BUILD}/libmonime.so"))


def marked(comment):
    """The list of the manual that stands behind a comment."""
    return re.search(r'^\.\\" ' + comment + r'\n\.Bl .*?\n(.*?)^\.El', manual,
                     re.S | re.M)[1]


def missing(*paths):
    return next((p for p in paths if not os.path.exists(p)), None)


def result_codes():
    check = Check("result codes")
    text = code(read(HEADER))
    header = {n: int(v) for n, v in
              re.findall(r"\b(MONIME_\w+)\s*=\s*(-?\s*\d+)", text)}
    page = {}
    for name, number, status in re.findall(
            r"^\.It Dv (MONIME_\w+) Pq (\\?-?\d+), HTTP (\d+)$",
            marked("result codes"), re.M):
        page[name] = int(number.replace("\\", ""))
        check.need(library.monime_http_status(page[name]) == int(status),
                   spot(MANUAL, f"Dv {name} Pq"), f"{name}: HTTP {status}, and "
                   f"monime_http_status() says "
                   f"{library.monime_http_status(page[name])}")
    check.same(header, HEADER, page, MANUAL)
    for name in set(header) & set(page):
        check.need(header[name] == page[name],
                   spot(MANUAL, f"Dv {name} Pq"),
                   f"{name} is {page[name]}, in the header {header[name]}")
    for name in re.findall(r"^#define (MONIME_\w+)[ \t]+\S", read(HEADER), re.M):
        if name != "MONIME_MUST_CHECK":
            check.need(re.search(rf"^\.Dv {name}\b", manual, re.M),
                       spot(HEADER, name), f"{MANUAL} does not mention {name}")
    check.done(f"{len(header)} codes with number and HTTP status")


def facts():
    check = Check("facts")
    told = {}
    for path in files(r"lib/[^/]+\.c"):
        for name in re.findall(r'mn_call_fact(?:_\w+)?\([^",]*,\s*"([^"]*)"', read(path)):
            told[name] = path
    page = re.findall(r"^\.It Cm (\S+)$", marked("facts of a call"), re.M)
    for name in sorted(set(told) - set(page)):
        check.wrong(spot(told[name], f'"{name}"'), f"{name} is not in {MANUAL}")
    for name in sorted(set(page) - set(told)):
        check.wrong(spot(MANUAL, f".It Cm {name}"), f"no file of lib sets {name}")
    check.need(page == sorted(page), MANUAL, "the facts are not sorted")
    # What the header promises is described, or said to be missing.
    promise = re.search(r"A fact about the answer.*?\*/", read(HEADER), re.S)[0]
    for name in re.findall(r'"([a-z-]+)"', promise):
        check.need(f"Cm {name}\n" in manual or f"Cm {name} " in manual,
                   spot(HEADER, f'"{name}"'), f"{name} is not in {MANUAL}")
    own = re.search(r"\bfacts\[\] = \{(.*?)\n\t\};", read("lib/monime.c"),
                    re.S)[1]
    check.same(re.findall(r'\{ "([a-z-]+)",', own), "lib/monime.c",
               re.findall(r"^\.It Cm (\S+)$", marked("facts of a handle"), re.M),
               MANUAL)
    check.done(f"{len(told)} facts of a call, and those of a handle")


def request_headers():
    check = Check("request headers")
    table = re.search(r"\ballowed\[H_COUNT\] = \{(.*?)\};",
                      read("lib/guard.c"), re.S)[1]
    check.same(re.findall(r'"([^"]+)"', table), "lib/guard.c",
               re.findall(r"^\.It Li (\S+)$", marked("headers allowed"), re.M),
               MANUAL)
    check.done("those that the guard lets through")


def macros():
    """{name: value} of the numbers that lib defines."""
    found = {}
    for path in files(r"lib/[^/]+\.[ch]"):
        for name, value in re.findall(
                r"^#define (\w+)[ \t]+([\w() *+]+?)[ \t]*$",
                code(read(path)), re.M):
            found.setdefault(name, value)
    return found


def limits():
    """.\\" limit: EXPRESSION stands before a line that names its value."""
    check = Check("limits")
    known = macros()
    marks = list(re.finditer(r'^\.\\" limit: (.*)\n(.*)$', manual, re.M))
    for m in marks:
        where = f"{MANUAL}:{line_of(manual, m.start())}"
        value = m[1]
        for _ in range(4):      # a macro may name another one
            value = re.sub(r"[A-Z]\w*",
                           lambda w: f"({known.get(w[0], w[0])})", value)
        if not re.fullmatch(r"[\d ()*/+]+", value):
            check.wrong(where, f"no number in lib: {m[1]}")
            continue
        n = int(eval(value))    # digits and operators alone
        said = re.match(r"(\d+)(?: (KiB|MiB|days|s)\b)?", m[2])
        unit = {"KiB": (1024,), "MiB": (1048576,), "days": (86400,),
                "s": (1, 1000)}.get(said and said[2], (1,))
        check.need(said and n in [int(said[1]) * u for u in unit], where,
                   f"{m[1]} is {n}; the page says \"{m[2]}\"")
    check.done(f"{len(marks)} numbers of {MANUAL} are those of lib")


PRINT_KEYS = """
#include <stdio.h>
#include "profile.h"
int main(void) {
    for (size_t i = 0; mn_profile_key(i) != NULL; i++)
        puts(mn_profile_key(i));
    return 0;
}
"""


def profile_keys(check):
    objects = glob.glob(f"{BUILD}/lib/*.o")
    flags = subprocess.run(
        [os.environ.get("PKG_CONFIG", "pkg-config"), "--libs", "libcurl",
         "json-c", "libconfig", "libsodium"], check=True, text=True,
        stdout=subprocess.PIPE).stdout
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/keys.c", "w", encoding="ascii") as f:
            f.write(PRINT_KEYS)
        status, out = run(*CC, "-Iinclude", "-Ilib", "-o", f"{folder}/keys",
                          f"{folder}/keys.c", *objects, *shlex.split(flags),
                          "-lpthread")
        if status == 0:
            status, out = run(f"{folder}/keys")
    check.need(status == 0, "lib", f"mn_profile_key(): {out.strip()}")
    return set(out.split()) if status == 0 else set()


def configuration():
    check = Check("configuration keys")
    if missing(CONF_MANUAL, "lib/keys.c"):
        check.skip(f"no {missing(CONF_MANUAL, 'lib/keys.c')} yet")
        return
    page = set()
    for line in re.findall(r"^\.It (.*\bIc .*)$", read(CONF_MANUAL), re.M):
        page |= set(re.findall(r"\bIc ([a-z0-9_.]+)", line))
    keys = profile_keys(check)
    check.same(keys, "lib/keys.c", page, CONF_MANUAL)
    # Samples may leave a key commented out, but not invent one.
    leaves = {k.split(".")[-1] for k in keys} | \
        {k.split(".")[0] for k in keys if "." in k}
    for path in files(r"etc/.*\.conf"):
        for number, line in enumerate(read(path).split("\n"), 1):
            m = re.match(r"[ \t]*(?:#[ \t]?)?[ \t]*([a-z0-9_]+)[ \t]*[=:][ \t]*"
                         r"([\"{(\[]|\d|true\b|false\b|$)", line)
            check.need(not m or m[1] in leaves, f"{path}:{number}",
                       f"{m and m[1]} is no key")
    check.done(f"{len(keys)} keys, in the reader and in {CONF_MANUAL}")


def help_of(*words):
    env = dict(os.environ, LD_LIBRARY_PATH=os.path.abspath(BUILD))
    return run(COMMAND, "help", *words, env=env)


def options_in(text):
    """Options that a help text lists, as "-C" and "--folder"."""
    found = set()
    for line in re.findall(r"^  (-.*)$", text, re.M):
        found |= set(re.findall(r"(?:^|, )(-[A-Za-z]\b|--[a-z-]+)", line))
    return found


def options_of_page(text):
    found = set()
    for line in re.findall(r"^\.It (Fl .*)$", text, re.M):
        for flag in re.findall(r"\bFl (\\?-)?([A-Za-z][\w-]*)", line):
            found.add(("--" if flag[0] else "-") + flag[1])
    return found


def completed(check, *words):
    """What bash offers for the last of these words."""
    script = ('. "$1"; shift; COMP_WORDS=(monime "$@"); COMP_CWORD=$#; '
              '_monime monime "${!#}" ""; printf "%s\\n" "${COMPREPLY[@]}"')
    status, out = run("bash", "--norc", "-c", script, "bash", CLI_COMPLETION,
                      *words)
    check.need(status == 0, CLI_COMPLETION, out.strip())
    return set(out.split())


def command_line():
    check = Check("command line")
    if missing(COMMAND, CLI_MANUAL, CLI_COMPLETION):
        check.skip(f"no {missing(COMMAND, CLI_MANUAL, CLI_COMPLETION)} yet")
        return
    status, out = help_of()
    check.need(status == 0, COMMAND, f"help: {out.strip()}")
    block = re.search(r"^Commands:\n(.*?)\n\n", out, re.S | re.M)
    commands = re.findall(r"^  (\S+)", block[1], re.M) if block else []
    options = {"": options_in(out)}
    for name in commands:
        status, out = help_of(name)
        check.need(status == 0, COMMAND, f"help {name}: {out.strip()}")
        options[name] = options_in(out)

    page = read(CLI_MANUAL)
    parts = {m[1]: m[2] for m in re.finditer(
        r"^\.Ss (?:monime |Cm |Nm Cm )?([a-z-]+)\b.*?\n(.*?)(?=^\.S[sh] |\Z)",
        page, re.S | re.M)}
    for name in commands:
        if name not in parts:
            check.wrong(CLI_MANUAL, f"no subsection for the command {name}")
            continue
        # --help is everywhere, and described once.
        want = options[name] - {"-h", "--help"}
        have = options_of_page(parts[name]) - {"-h", "--help"}
        for o in sorted(want - have):
            check.wrong(CLI_MANUAL, f"{name}: {o} is not described")
        for o in sorted(have - want):
            check.wrong(CLI_MANUAL, f"{name} has no option {o}")
    for name in sorted(set(parts) - set(commands)):
        check.wrong(spot(CLI_MANUAL, name), f"{name} is no command")
    for o in sorted(options[""] - options_of_page(page)):
        check.wrong(CLI_MANUAL, f"{o} is not described")

    check.same(commands, COMMAND, completed(check, ""), CLI_COMPLETION)
    for name in [""] + commands:
        have = completed(check, *([name] if name else []), "-")
        want = {o for o in options[name] if o.startswith("--")}
        for o in sorted(want - have):
            check.wrong(CLI_COMPLETION, f"monime {name}: does not offer {o}")
        for o in sorted(have - options[name]):
            check.wrong(spot(CLI_COMPLETION, o), f"monime {name}: has no {o}")
    check.done(f"{len(commands)} commands and their options, in help, "
               "manual and completion")


def pam():
    check = Check("PAM")
    source, page = read(PAM_MODULE), read(PAM_MANUAL)
    table = re.search(r"\boptions\[\] = \{(.*?)\n\};", source, re.S)[1]
    check.same(re.findall(r'\{ "(\w+)=?",', table), PAM_MODULE,
               re.findall(r"^\.It Cm (\w+)", page, re.M), PAM_MANUAL)
    table = re.search(r"\bcodes\[MN_VERDICTS\] = \{(.*?)\n\};", source,
                      re.S)[1]
    check.same(re.findall(r"= (PAM_\w+),", table), PAM_MODULE,
               re.findall(r"^\.It Dv (PAM_\w+)$", page, re.M), PAM_MANUAL)
    check.done("arguments and codes")


def metrics():
    check = Check("metrics")
    told = {}
    for path in ("lib/reading.c", "lib/openmetrics.c"):
        for name in re.findall(r'"(monime_[a-z_]+)"', code(read(path))):
            told[name] = path
    page = re.findall(r"^\.It Cm (\S+)", marked("families of metrics"), re.M)
    check.same(sorted(told), "lib/reading.c", page, MANUAL)
    check.done(f"{len(told)} families")


def nginx_module():
    check = Check("nginx module")
    source, page = NGINX + ".c", read(NGINX + ".8")
    text = read(source)
    for name, kind in (("commands", "Ic"), ("vars", "Va")):
        table = re.search(rf"ngx_http_monime_{name}\[\] = \{{(.*?)\n\}};", text,
                          re.S)[1]
        known = set(re.findall(r'ngx_string\("(monime_\w+)"\)', table))
        check.same(known, source, re.findall(
            rf"^\.It {kind} \$?(monime_\w+)\b", page, re.M), NGINX + ".8")
        sign = r"\$" if kind == "Va" else "[^$]"
        for path in (NGINX_SAMPLE, NGINX + ".8"):
            for used in re.findall(sign + r"\b(monime_\w+)\b", re.sub(
                    r"(?m)#.*|\bupstream .*|https://.*", "", read(path))):
                check.need(used in known, spot(path, used),
                           f"{used} is not in {source}")
    check.done("directives and variables, in table, manual and sample")


def python_module():
    check = Check("python module")
    source, page = PYTHON + "monime.py", PYTHON + "monime-python.3"
    text = read(page)
    tree = ast.parse(read(source))
    classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}

    def members(name):
        return {n.name for n in classes[name].body if isinstance(
            n, (ast.FunctionDef, ast.AsyncFunctionDef)) and n.name[0] != "_"}
    told = next(n.value for n in tree.body if isinstance(n, ast.Assign) and
                n.targets[0].id == "__all__")
    tables = (("names of the module", set(ast.literal_eval(told))),
              ("methods of Monime", members("Monime")),
              ("members of Call", members("Call")))
    for comment, names in tables:
        part = re.search(r'^\.\\" ' + comment + r"\n(.*?)^\.El", text,
                         re.S | re.M)[1]
        have = set(re.findall(r"^\.It Fn (\w+)", part, re.M))
        for line in re.findall(r"^(?:\.It )?\.?(?:Li|Fa) (.*)$", part, re.M):
            have |= set(re.findall(r"\w+", line))
        # An argument of one is no name.
        for name in sorted(names - have):
            check.wrong(page, f"{name} of {source} is not described")
        for name in re.findall(r"^\.It (?:Fn|Li) (\w+)", part, re.M):
            check.need(name in names, spot(page, name),
                       f"{name} is not in {source}")
    check.done(f"{sum(len(names) for _, names in tables)} names, in "
               f"{source} and {page}")


def apache_module():
    check = Check("apache module")
    source, page = APACHE + ".c", read(APACHE + ".8")
    text = read(source)
    tables = (
        (r'AP_INIT_\w+\("(Monime\w+)"', "Ic", r"\bMonime[A-Z]\w*\b"),
        (r'set_variable\(r, "(MONIME_\w+)"', "Ev", r"\bMONIME_[A-Z]+\b"),
    )
    for told, kind, word in tables:
        known = set(re.findall(told, text))
        check.same(known, source, re.findall(
            rf"^\.It {kind} ({word})", page, re.M), APACHE + ".8")
        for path in (APACHE_SAMPLE, APACHE + ".8"):
            for used in re.findall(word, re.sub(r"(?m)#.*", "", read(path))):
                check.need(used in known, spot(path, used),
                           f"{used} is not in {source}")
    check.done("directives and variables, in table, manual and sample")


result_codes()
facts()
metrics()
request_headers()
limits()
configuration()
command_line()
nginx_module()
pam()
python_module()
apache_module()
finish()
