# SPDX-License-Identifier: MIT
"""The kinds of web servers, for those who want several in one process:
NAME/server.py of each has a class called Server."""

import importlib.util
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def server_of(name):
    spec = importlib.util.spec_from_file_location(
        name + "_server", os.path.join(HERE, name, "server.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Server
