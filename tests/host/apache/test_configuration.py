#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`apachectl -t`: what is wrong, where, and how it is mended."""

import unittest

import common
import opened
from server import Server

INSIDE = """
    {plain}
        <Location />
            %s
        </Location>
    </VirtualHost>
"""
CHECK = "MonimeProfile test/gateway\nAuthType Monime\nRequire monime\n"
CHECKED = INSIDE % CHECK

MONIME = "AuthType Monime\nRequire monime\n"
BOUNDED = MONIME + "MonimeProfile test/bounded\n"

# Directives that cannot be meant.
FORBIDDEN = (
    (MONIME.replace("\nRequire monime", "") + "Require monime test/bounded\n",
     "monime"),
    (MONIME + "MonimeProfile test/any\nMonimeAuthorize On", "accept"),
    (MONIME + "MonimeProfile test/no-allow\nMonimeAuthorize On", "allow"),
    (MONIME + "MonimeProfile test/no-methods\nMonimeAuthorize On",
     "allow.methods"),
    (MONIME + "MonimeProfile test/no-paths\nMonimeAuthorize On",
     "allow.paths"),
    ("MonimeProfile test/no-allow\nMonimeAuthorize Public", "allow"),
    (BOUNDED + "MonimeAuthorize maybe", "On, Public or Off"),
    (BOUNDED + "MonimeAuthorize", "MonimeAuthorize"),
    (BOUNDED + "MonimeAuthorize On Public", "MonimeAuthorize"),
    ("MonimeProfile", "MonimeProfile"),
    ("MonimeProfile test/bounded test/any", "MonimeProfile"),
    (MONIME + "MonimeProfile payouts", "payouts"),
    (MONIME + "MonimeProfile test/../live/payouts", "test/../live/payouts"),
    (MONIME + "MonimeProfile test/absent", "absent"),
    # Not even where nobody is checked.
    ("MonimeProfile test/absent", "absent"),
    # A method would make no difference.
    (BOUNDED + "<Limit GET>\nMonimeAuthorize Public\n</Limit>", "<Limit>"),
    (MONIME + "<LimitExcept GET>\nMonimeProfile test/bounded\n"
     "</LimitExcept>", "<Limit>"),
    ("MonimeFolder /etc/monime", "MonimeFolder"),
    ("MonimeNonsense On", "MonimeNonsense"),
)
ALLOWED = (
    BOUNDED + "MonimeAuthorize On",
    "MonimeProfile test/bounded\nMonimeAuthorize Public",
    "MonimeProfile test/any\nMonimeAuthorize Public",
    BOUNDED + "MonimeAuthorize Off",
    MONIME + "MonimeProfile test/any",
    MONIME + "MonimeProfile test/any\nMonimeAuthorize Off",
    MONIME + "MonimeProfile test/no-allow\nMonimeAuthorize Off",
    "MonimeAuthorize off", "MonimeAuthorize public\nMonimeProfile "
    "test/bounded", "SetHandler monime-status",
    "AuthType Monime\nMonimeProfile test/bounded\nRequire all granted",
    "AuthType Monime\nMonimeProfile test/bounded\n<RequireAny>\n"
    "Require monime\nRequire ip 127.0.0.1\n</RequireAny>",
)


class Configuration(opened.Opens, common.Case):
    Server, CHECKED = Server, CHECKED
    TWO = CHECKED.replace("</Location>", "</Location><Location /two>".replace(
        "><", ">\n<") + "\n%s</Location>" % CHECK.replace(
            "gateway", "two"), 1)
    # It stands in the second column of what httpd says before it starts.
    ERROR, TAKEN = "", "Syntax OK"
    PLACE = ("MonimeProfile", "apache.conf:")
    FOLDER, FORBIDDEN, ALLOWED = "MonimeFolder", FORBIDDEN, ALLOWED
    INSIDE = INSIDE

    def test_authorize_and_check_may_come_from_different_places(self):
        etc = self.etc_with_profiles()
        inside = "{plain}\n%s\n<Location />\n%s\n</Location>\n" \
            "</VirtualHost>"
        self.assert_taken(self.server_with(inside % (
            "MonimeProfile test/bounded",
            MONIME + "MonimeAuthorize On"), etc))
        self.assert_taken(self.server_with(
            "{plain}\nMonimeProfile test/bounded\n<Location />\n%s"
            "</Location>\n<Location /v1/>\nMonimeAuthorize On\n</Location>\n"
            "</VirtualHost>" % MONIME, etc))

    def test_profile_of_a_place_that_nobody_reaches_is_opened_too(self):
        etc = self.etc_with_profiles()
        for block in ("<Directory /nowhere>", "<Files *.never>",
                      "<LocationMatch ^/never$>", "<If \"false\">",
                      "<Proxy http://never.invalid/>"):
            with self.subTest(block):
                inside = "{plain}\n%s\nMonimeProfile test/absent\n" \
                    "</%s>\n</VirtualHost>" % (block, block[1:].split()[
                        0].rstrip(">"))
                self.assert_refused(self.server_with(inside, etc), "absent")

    def test_folder_is_named_once_and_for_the_whole_server(self):
        for wrong in ("MonimeFolder relative", "MonimeFolder",
                      "MonimeFolder /etc/monime /etc",
                      "{plain}\nMonimeFolder /etc/monime\n</VirtualHost>"):
            with self.subTest(wrong):
                self.assert_refused(self.server_with(CHECKED + wrong),
                                    "MonimeFolder")

    def test_server_that_is_wrong_does_not_start(self):
        for directives, word in ((FORBIDDEN[0][0], "monime"),
                                 (MONIME + "MonimeProfile test/absent",
                                  "absent")):
            server = self.server_with(INSIDE % directives)
            with self.assertRaises(AssertionError):
                server.start()
            self.assertIn(word, server.log() + server.log("stderr"))
            self.assertNotEqual(server.process.poll(), 0)
            server.process = None


if __name__ == "__main__":
    unittest.main()
