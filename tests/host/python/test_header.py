#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""monime.py says what monime.h says, and is Python of the age it promises."""

import ast
import ctypes
import os
import re
import subprocess
import sys
import tempfile
import unittest

from case import BUILD, MODULE, TREE, monime

os.chdir(TREE)
sys.path.insert(0, os.path.join(TREE, "tests", "lint"))

from common import HEADER, code, header_declarations, read  # noqa: E402

CALL, HANDLE = monime.Call, monime._Handle
TYPES = {
    "void": None, "int": ctypes.c_int, "size_t": ctypes.c_size_t,
    "size_t*": ctypes.POINTER(ctypes.c_size_t),
    "void*": ctypes.c_void_p, "const void*": ctypes.c_char_p,
    "char*": ctypes.c_char_p, "const char*": ctypes.c_char_p,
    "const char**": ctypes.POINTER(ctypes.c_char_p),
    "const char*const*": ctypes.POINTER(ctypes.c_char_p),
    "struct monime*": HANDLE, "const struct monime*": HANDLE,
    "struct monime**": ctypes.POINTER(HANDLE),
    "struct monime*const*": ctypes.POINTER(ctypes.c_void_p),
    "struct monime_call*": CALL, "const struct monime_call*": CALL,
    "struct monime_call**": ctypes.POINTER(CALL),
    "monime_log_fn*": monime._LogFunction,
}

# Only an address there: a length goes with it, it is looked up, or it is
# freed.  Position 0 is the result.
ADDRESSES = {("monime_bearer", 0), ("monime_call_body", 0),
             ("monime_next", 0), ("monime_close", 1), ("monime_call_free", 1)}

DECLARATION = re.compile(r"(?:typedef )?(.+?) ?(monime_\w+)\((.*)\)$")


def prototypes():
    """{name: types as in the header, the result first}."""
    found = {}
    for name, declaration in header_declarations().items():
        result, called, arguments = DECLARATION.match(declaration).groups()
        assert called == name, declaration
        kinds = [] if arguments == "void" else [
            re.sub(r" ?\b\w+$", "", a) for a in arguments.split(",")]
        found[name] = [result] + kinds
    return found


class Header(unittest.TestCase):
    def test_every_function_has_the_types_of_the_header(self):
        header = prototypes()
        del header["monime_log_fn"]
        self.assertGreater(len(header), 30)
        self.assertEqual(set(header), set(monime._PROTOTYPES))
        for name, kinds in header.items():
            with self.subTest(name):
                wanted = [ctypes.c_void_p if (name, i) in ADDRESSES else
                          TYPES[kind] for i, kind in enumerate(kinds)]
                self.assertEqual(list(monime._PROTOTYPES[name]), wanted)
                function = getattr(monime._lib, name)
                self.assertIs(function.restype, wanted[0])
                self.assertEqual(list(function.argtypes), wanted[1:])

    def test_the_log_function_has_the_types_of_the_header(self):
        kinds = prototypes()["monime_log_fn"]
        self.assertEqual(
            [monime._LogFunction._restype_] +
            list(monime._LogFunction._argtypes_), [TYPES[k] for k in kinds])

    def test_every_constant_has_the_number_of_the_header(self):
        text = code(read(HEADER))
        header = {name: int(value) for name, value in re.findall(
            r"\b(MONIME_\w+)\s*=\s*(-?\s*\d+)", text)}
        self.assertGreater(len(header), 15)
        header.update((name, int(value)) for name, value in re.findall(
            r"^#define (MONIME_\w+_SIZE)\s+(\d+)$", text, re.M))
        module = {name: value for name, value in vars(monime).items()
                  if name.startswith("MONIME_")}
        self.assertEqual(module, header)
        release = re.search(r'^#define MONIME_VERSION\s+"(.*)"$', text, re.M)
        self.assertEqual(monime.version(), release[1])

    def test_every_result_code_has_a_class_named_after_it(self):
        codes = {value: name for name, value in vars(monime).items()
                 if re.match("MONIME_E", name)}
        self.assertEqual(set(monime._ERRORS), set(codes))
        for value, name in codes.items():
            found = monime._ERRORS[value]
            self.assertEqual("MONIME_E" + found.__name__.upper(), name)
            self.assertIn(found.__name__, monime.__all__)
            self.assertTrue(found.__doc__)
            self.assertEqual(found.__bases__, (monime.Error,))

    def test_a_newer_code_is_a_failure(self):
        with self.assertRaises(monime.Error) as caught:
            monime._answer(-99, monime.Call())
        self.assertIs(type(caught.exception), monime.Error)
        self.assertEqual(caught.exception.code, -99)
        self.assertGreaterEqual(caught.exception.http_status, 500)


class Source(unittest.TestCase):
    def setUp(self):
        self.tree = ast.parse(read(MODULE), feature_version=(3, 8))

    @unittest.skipUnless(hasattr(sys, "stdlib_module_names"),
                         "Python 3.10 is the first that lists its modules")
    def test_the_standard_library_is_all_it_imports(self):
        names = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names |= {a.name.partition(".")[0] for a in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module.partition(".")[0])
        self.assertIn("ctypes", names)
        self.assertEqual(names - sys.stdlib_module_names, set())

    def test_what_is_public_says_what_it_is_for(self):
        public = [n for n in ast.walk(self.tree) if isinstance(
            n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and
            not n.name.startswith("_")]
        inner = {"tell", "log", "answered", "sync_auth_flow",
                 "async_auth_flow"}
        for node in public:
            if node.name not in inner:
                self.assertTrue(ast.get_docstring(node), node.name)
        told = set(monime.__all__)
        self.assertEqual(sorted(told), sorted(
            n.name for n in self.tree.body if n in public))

    @unittest.skipUnless(sys.executable.startswith("/usr/bin/"),
                         "installs are for the system's own Python")
    def test_an_install_is_where_python_looks(self):
        with tempfile.TemporaryDirectory() as root:
            subprocess.run(
                ["make", "-s", "install-python", "DESTDIR=" + root],
                env={"PATH": os.environ["PATH"]}, check=True, cwd=TREE,
                umask=0o077)
            installed = []
            for top, _, names in os.walk(root + "/usr"):
                self.assertEqual(os.stat(top).st_mode & 0o777, 0o755)
                for name in names:
                    path = os.path.join(top, name)
                    self.assertEqual(os.stat(path).st_mode & 0o777, 0o644)
                    installed.append(path[len(root):])
        self.assertEqual(len(installed), 2)
        module = next(p for p in installed if p.endswith("/monime.py"))
        self.assertIn(os.path.dirname(module), sys.path)
        self.assertIn("/usr/share/man/man3/monime-python.3", installed)

    def test_it_loads_the_library_by_its_soname(self):
        self.assertEqual(monime._lib._name, "libmonime.so.0")
        with open("/proc/self/maps", encoding="utf-8") as maps:
            loaded = {line.split()[-1] for line in maps
                      if "/libmonime.so" in line}
        # That of this tree, unless one that is installed is to be tested.
        if "MONIME_TESTS_INSTALLED" not in os.environ:
            self.assertEqual([os.path.dirname(p) for p in loaded],
                             [os.path.realpath(BUILD)])


if __name__ == "__main__":
    unittest.main()
