#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The table of behaviours, in Apache, whichever way it has of serving."""

import unittest

import common
import table
from server import Server

HTTP = """
    LogFormat "%>s|%{MONIME_VERDICT}e|%{MONIME_ENVIRONMENT}e|\
%{MONIME_FINGERPRINT}e|%{MONIME_SOURCE}e" monime
    {tls}
        CustomLog {folder}/access.log monime
        {page}
        <Location />
            AuthType Monime
            MonimeProfile test/space
            Require monime
        </Location>
        <Location /test/refused>
            MonimeProfile test/refused
        </Location>
        <Location /test/self-signed>
            MonimeProfile test/self-signed
        </Location>
        <Location /test/wrong-name>
            MonimeProfile test/wrong-name
        </Location>
    </VirtualHost>
"""


class Table(table.Behaves):
    MPM = None
    LINE, CLIENT = r"^(\[[^]]*\] )+", "[client 127.0.0.1:"
    BLOCKS = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # At the level at which it is by default.
        cls.server = Server(cls.sandbox, HTTP, etc=cls.folder(), workers=2,
                            mpm=cls.MPM)


class Event(Table, common.Case):
    MPM = "event"


class Worker(Table, common.Case):
    MPM = "worker"


class Prefork(Table, common.Case):
    MPM = "prefork"


if __name__ == "__main__":
    unittest.main()
