# SPDX-License-Identifier: MIT
"""What each test of a server's module begins with."""

import resource
import unittest

from support import Sandbox


class Case(unittest.TestCase):
    """A sandbox, and perhaps a server, for all tests of a class."""

    sandbox = None
    server = None

    @classmethod
    def setUpClass(cls):
        # As many descriptors as may be had, for us and for the server.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        cls.addClassCleanup(resource.setrlimit, resource.RLIMIT_NOFILE,
                            (soft, hard))
        cls.sandbox = Sandbox()
        cls.addClassCleanup(cls.sandbox.stop)

    @classmethod
    def tearDownClass(cls):
        if cls.server is not None:
            cls.server.stop()

    def start(self, server):
        """One that lives as long as a test."""
        self.addCleanup(server.stop)
        return server
