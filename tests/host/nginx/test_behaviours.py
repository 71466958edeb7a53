#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The table of behaviours, in nginx."""

import unittest

import common
import table
from server import Server

HTTP = """
    log_format monime '$status|$monime_verdict|$monime_environment|'
                      '$monime_fingerprint|$monime_source';
    server {
        {tls}
        access_log {folder}/access.log monime;
        monime_check on;
        monime_profile test/space;
        location / { try_files /page =404; }
        location /test/refused {
            monime_profile test/refused; try_files /page =404;
        }
        location /test/self-signed {
            monime_profile test/self-signed; try_files /page =404;
        }
        location /test/wrong-name {
            monime_profile test/wrong-name; try_files /page =404;
        }
    }
"""


class Table(table.Behaves, common.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.sandbox, HTTP, etc=cls.folder(), level="info")


if __name__ == "__main__":
    unittest.main()
