#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The behaviours of every host, for the tests in Go: JSON on standard output.

    table.py SANDBOX.JSON SECONDS
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import behaviours  # noqa: E402

with open(sys.argv[1], encoding="utf-8") as file:
    origins = json.load(file)["origins"]
json.dump({
    "behaviours": [row._asdict() for row in behaviours.BEHAVIOURS],
    "web": {name: web._asdict() for name, web in behaviours.WEB.items()},
    "profiles": behaviours.profiles(origins, int(sys.argv[2])),
}, sys.stdout)
