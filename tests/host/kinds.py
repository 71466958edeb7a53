# SPDX-License-Identifier: MIT
"""The kinds of web servers that have tests here, for those who want several in
one process: NAME/server.py of each has a class called Server."""

import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def path_of(name):
    return os.path.join(HERE, name, "server.py")


def has(name):
    return os.path.exists(path_of(name))


def server_of(name):
    # What stands beside them, nginx's client for one, they find by name.
    for folder in (HERE, os.path.dirname(path_of(name))):
        if folder not in sys.path:
            sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(name + "_server",
                                                  path_of(name))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Server
