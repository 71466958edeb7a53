#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The location that monime_status makes."""

import unittest

import common
import counted
from server import Server

HTTP = """
    server {
        {tls}
        monime_profile test/gateway;
        location / { monime_check on; try_files /page =404; }
        location = /numbers { monime_status; }
        location = /checked { monime_check on; monime_status; }
        location = /denied { deny all; monime_status; }
    }
    server {
        {plain}
        monime_profile test/payouts;
        location = /worker { return 200 $pid; }
        location / { monime_check on; try_files /page =404; }
    }
"""


class Status(counted.Counts, common.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.sandbox, HTTP, workers=2)


if __name__ == "__main__":
    unittest.main()
