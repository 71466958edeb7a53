#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The place that SetHandler monime-status makes."""

import unittest

import common
import counted
from server import Server

HTTP = """
    {tls}
        {page}
        {gateway}
        <Location /numbers>
            AuthType None
            Require all granted
            SetHandler monime-status
        </Location>
        <Location /checked>
            SetHandler monime-status
        </Location>
        <Location /denied>
            Require all denied
            SetHandler monime-status
        </Location>
    </VirtualHost>
    {plain}
        {payouts}
        {worker}
        {page}
    </VirtualHost>
"""


class Status(counted.Counts, common.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.sandbox, HTTP, workers=2)


class Prefork(counted.Counts, common.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.sandbox, HTTP, workers=2, mpm="prefork")


if __name__ == "__main__":
    unittest.main()
