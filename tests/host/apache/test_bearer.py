#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a client may present to Apache, and what Apache does around the
check."""

import base64
import hashlib
import os
import unittest

import common
import presented
from client import Client, bearer
from server import Server
from support import CANARY, ROOT, fingerprint, write_file

# Places that are checked by test/gateway unless they say otherwise.
HTTP = """
    LimitRequestFieldSize 32768
    LogFormat "%>U %>s %{MONIME_VERDICT}e" monime
    LogFormat "%u" user
    <Directory {folder}/html>
        Options +Includes +MultiViews +ExecCGI +FollowSymLinks
        AllowOverride AuthConfig FileInfo Limit Indexes
        AddOutputFilter INCLUDES .shtml
        AddHandler cgi-script .cgi
        AddLanguage en .en
        AuthType Monime
        MonimeProfile test/gateway
        Require monime
    </Directory>
    <Directory {folder}/html/free>
        AuthType None
        Require all granted
    </Directory>
    {tls}
        CustomLog {folder}/access.log monime
        CustomLog {folder}/user.log user
        AliasMatch "^/$" {folder}/html/page
        AliasMatch "^/(open|denied|pages|pages/checked)$" {folder}/html/page
        AliasMatch "^/(any|basic|and|none|user|bare)/[^/]*$" {folder}/html/page
        AliasMatch "^/method/" {folder}/html/page
        <LocationMatch "^/(open|401.html|503.html)">
            AuthType None
            Require all granted
        </LocationMatch>
        <Location /open/to-checked>
            FallbackResource /page2
        </Location>
        <Location /404>
            FallbackResource /page2
        </Location>
        <Location /named>
            RewriteEngine On
            RewriteRule ^ /other [L]
        </Location>
        <LocationMatch "^/(other|pages/other)">
            MonimeProfile test/other
        </LocationMatch>
        <Location /open/index/>
            DirectoryIndex /page2
        </Location>
        <Location /index/>
            DirectoryIndex inside
        </Location>
        RewriteEngine On
        RewriteRule ^/open/rewritten$ /page2 [PT]
        <Location /denied>
            <RequireAll>
                Require all denied
                Require monime
            </RequireAll>
        </Location>
        <Location /any/allowed>
            <RequireAny>
                Require local
                Require monime
            </RequireAny>
        </Location>
        <Location /any/denied>
            <RequireAny>
                Require ip 192.0.2.1
                Require monime
            </RequireAny>
        </Location>
        <Location /any/other>
            AuthMerging Or
            MonimeProfile test/other
            Require ip 192.0.2.1
        </Location>
        <Location /and/denied>
            AuthMerging And
            Require ip 192.0.2.1
        </Location>
        <Location /and/allowed>
            AuthMerging And
            Require local
        </Location>
        <Location /none/monime>
            <RequireAll>
                Require valid-user
                <RequireNone>
                    Require monime
                </RequireNone>
            </RequireAll>
        </Location>
        <Location /none/user>
            <RequireAll>
                Require monime
                <RequireNone>
                    Require user ada
                </RequireNone>
            </RequireAll>
        </Location>
        <Location /user/valid>
            Require valid-user
        </Location>
        <Location /user/named>
            Require user @fingerprint@
        </Location>
        <Location /user/both>
            <RequireAll>
                Require monime
                Require user somebody-else
            </RequireAll>
        </Location>
        <Location /basic>
            AuthType Basic
            AuthName x
            AuthUserFile {folder}/users
        </Location>
        <Location /basic/any>
            <RequireAny>
                Require monime
                Require user ada
            </RequireAny>
        </Location>
        <Location /bare>
            MonimeProfile test/gateway
            AuthType None
        </Location>
        <Location /pages>
            ErrorDocument 401 /401.html
            ErrorDocument 503 /503.html
        </Location>
        <Location /pages/checked>
            ErrorDocument 401 /checked.html
        </Location>
        <Location /pages/other>
            ErrorDocument 403 /page2
        </Location>
        <Location /cgi/passed>
            CGIPassAuth On
        </Location>
        <Location /cgi/copied>
            SetEnvIf Authorization "(.+)" HAS_AUTHORIZATION=yes
        </Location>
        <Location /cgi/refused>
            ErrorDocument 401 /open/env.cgi
        </Location>
        ScriptAliasMatch "^/cgi/" {folder}/html/open/env.cgi
        # The quick handler comes before whoever checks.
        CacheRoot {folder}/cache
        CacheEnable disk /cached
        CacheHeader On
        CacheIgnoreNoLastMod On
        CacheDefaultExpire 600
        AliasMatch "^/cached/" {folder}/html/page
        <Location /cached/public>
            Header set Cache-Control "public, max-age=600"
        </Location>
        <Location /cached/shared>
            Header set Cache-Control "s-maxage=600"
        </Location>
        <Location /cached/again>
            Header set Cache-Control "must-revalidate, max-age=600"
        </Location>
        <Location /cached/private>
            CacheStorePrivate On
            CacheStoreNoStore On
            Header set Cache-Control "private, no-store, max-age=600"
        </Location>
        <Location /cached/any>
            <RequireAny>
                Require expr "%{HTTP:X-Inside} == 'yes'"
                Require monime
            </RequireAny>
            Header set Cache-Control "public, max-age=600"
        </Location>
        <Location /cached/open>
            AuthType None
            Require all granted
            Header set Cache-Control "public, max-age=600"
        </Location>
    </VirtualHost>
    {plain}
        {page}
    </VirtualHost>
    # Checked after the cache was asked.
    Listen 127.0.0.1:@late@
    <VirtualHost 127.0.0.1:@late@>
        {page}
        CacheRoot {folder}/cache-late
        CacheQuickHandler Off
        CacheIgnoreCacheControl On
        CacheEnable disk /
        CacheHeader On
        CacheDefaultExpire 600
        Header set Cache-Control "public, max-age=600"
    </VirtualHost>
"""

MODULES = ("http2", "include", "negotiation", "cache", "cache_disk", "cgid")

ENV = """\
#!/bin/sh
echo 'Content-Type: text/plain'
echo
/usr/bin/env
"""

# Below html/: the names, and what they have in them.
FILES = {
    "inside": "a page\n",
    "index/inside": "a page\n",
    "open/includes.shtml": '<!--#include virtual="/inside" -->\n',
    "open/includes-other.shtml": '<!--#include virtual="/other" -->\n',
    "includes-other.shtml": '<!--#include virtual="/other" -->\n',
    "checked.shtml": "a page\n",
    "other": "a page\n",
    "negotiated.html.en": "a page\n",
    "free/negotiated/doc.html.en": "a page\n",
    "free/negotiated/.htaccess": '<Files "doc.html.en">\nAuthType Monime\n'
    "Require monime\n</Files>\n",
    # What a .htaccess may say, and what not.
    "free/required/page": "a page\n",
    "free/required/.htaccess": "AuthType Monime\nRequire monime\n",
    "free/chosen/page": "a page\n",
    "free/chosen/.htaccess": "AuthType Monime\nRequire monime\n"
    "MonimeProfile test/other\n",
    "free/authorized/page": "a page\n",
    "free/authorized/.htaccess": "AuthType Monime\nRequire monime\n"
    "MonimeAuthorize Public\n",
    "free/words/page": "a page\n",
    "free/words/.htaccess": "AuthType Monime\nRequire monime test/other\n",
    "granted/page": "a page\n",
    "granted/.htaccess": "Require all granted\n",
    "rewritten/.htaccess": "RewriteEngine On\nRewriteRule ^x$ /inside [L]\n"
    "RewriteRule ^y$ /open [L]\n",
}


# Of "lovelace", as htpasswd -s writes it.
SHA = "{SHA}" + base64.b64encode(hashlib.sha1(b"lovelace").digest()).decode()


class Bearer(presented.Presents, common.Case):
    LOGGED = [line.replace("/named", "/other").replace("/page ", "/open ")
              for line in presented.Presents.LOGGED]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        etc = cls.folder()
        held = Server.bound()
        cls.addClassCleanup(held.close)
        cls.late = held.getsockname()[1]
        cls.server = Server(
            cls.sandbox, HTTP.replace("@late@", str(cls.late)).replace(
                "@fingerprint@", fingerprint(cls.good)), etc=etc,
            level="warn monime:trace8", modules=MODULES, start=False)
        cls.pages()
        for name, text in FILES.items():
            cls.server.html(name, text)
        cls.server.html("open/env.cgi", ENV)
        os.chmod(cls.server.path("html/open/env.cgi"), 0o755)
        for folder in ("cache", "cache-late"):
            os.mkdir(cls.server.path(folder))
            if ROOT:
                os.chmod(cls.server.path(folder), 0o777)
        write_file(cls.server.path("users"), "ada:%s\n" % SHA, 0o644)
        # What a .htaccess may not say.
        cls.server.tolerated = r"\[core:alert\].*/\.htaccess: "
        cls.server.start()

    # Who lets in beside the token.

    def test_basic_password_is_never_a_token(self):
        password = basic("ada", "lovelace")
        for headers in ((password,), (bearer(self.good),), ()):
            self.assert_out(self.ask("/basic/monime", *headers), 401, 403)
        self.assert_in(self.ask("/basic/any", password))
        self.assert_out(self.ask("/basic/any", basic("ada", "byron")), 401)
        self.assert_out(self.ask("/basic/any", bearer(self.good)), 401)
        self.assert_nobody_was_asked()

    def test_fingerprint_is_the_user(self):
        self.assert_in(self.ask("/user/valid", bearer(self.good)))
        self.assert_in(self.ask("/user/named", bearer(self.good)))
        another = self.sandbox.token()
        self.assert_in(self.ask("/user/valid", bearer(another)))
        self.assert_out(self.ask("/user/named", bearer(another)), 401, 403)
        self.assert_out(self.ask("/user/both", bearer(self.good)), 401, 403)
        for path in ("/user/valid", "/user/named", "/user/both"):
            self.assert_out(self.ask(path), 401)
            self.assert_out(self.ask(path, bearer(self.sandbox.unknown())),
                            401)
        self.server.until(lambda: fingerprint(another) in
                          self.server.log("user.log"), "the user in the log")

    def test_conditions_add_up_as_they_are_merged(self):
        self.assert_in(self.ask("/and/allowed", bearer(self.good)))
        self.assert_out(self.ask("/and/allowed"), 401)
        self.assert_out(self.ask("/and/denied", bearer(self.good)), 401, 403)
        self.assert_out(self.ask("/and/denied"), 401, 403)
        # The condition of the place above, by the profile of this one.
        other = self.sandbox.token(spaces=("spc-other",))
        self.assert_in(self.ask("/any/other", bearer(other)))
        self.assert_out(self.ask("/any/other", bearer(self.good)), 403)
        self.assert_out(self.ask("/any/other"), 401)

    def test_require_none_keeps_the_known_out(self):
        self.assert_out(self.ask("/none/monime", bearer(self.good)), 401, 403)
        self.assert_out(self.ask("/none/monime", bearer(
            self.sandbox.unknown())), 401)
        self.assert_in(self.ask("/none/user", bearer(self.good)))
        self.assert_out(self.ask("/none/user"), 401)

    def test_token_is_not_asked_for_where_nothing_else_is_said(self):
        # As httpd has it: without an AuthType nobody is checked, and then the
        # condition cannot be met.
        self.assert_out(self.ask("/bare/x"), 401, 403, 500)
        self.assert_out(self.ask("/bare/x", bearer(self.good)), 401, 403, 500)

    def test_method_makes_no_difference(self):
        with self.server.client() as c:
            for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS",
                           "PROPFIND", "BREW"):
                answer = c.ask("/method/x", method=method)
                self.assert_out(answer, 401, 405, 501)
                self.assertNotIn(CANARY.encode(), answer.body)
            self.assert_in(c.ask("/method/x", bearer(self.good)))

    # .htaccess

    def test_htaccess_may_require_a_token(self):
        self.assert_out(self.ask("/free/required/page"), 401)
        self.assert_out(self.ask("/free/required/page", bearer(
            self.sandbox.unknown())), 401)
        self.assert_in(self.ask("/free/required/page", bearer(self.good)))

    def test_htaccess_may_not_choose_who_is_asked_or_authorized(self):
        for name in ("chosen", "authorized", "words"):
            with self.subTest(name):
                for headers in ((), (bearer(self.good),)):
                    self.assert_out(self.ask("/free/%s/page" % name, *headers),
                                    500)
        self.assert_nobody_was_asked()
        self.assertIn("MonimeProfile not allowed here", self.server.log())
        self.assertIn("MonimeAuthorize not allowed here", self.server.log())

    def test_rewrites_of_htaccess_are_checked_where_they_lead(self):
        for headers, status in (((), 401), ((bearer(self.good),), 200),
                                ((bearer(self.sandbox.unknown()),), 401)):
            for path in ("/rewritten/x", "/rewritten/y"):
                answer = self.ask(path, *headers)
                self.assertEqual(answer.status, status)
                self.assertEqual(b"a page" in answer.body, status == 200)

    # Subrequests.

    def test_index_of_a_checked_folder_is_checked(self):
        self.assert_out(self.ask("/index/"), 401)
        self.assert_out(self.ask("/index/", bearer(self.sandbox.unknown())),
                        401)
        self.assert_in(self.ask("/index/", bearer(self.good)))

    def test_negotiated_file_is_checked(self):
        for path in ("/negotiated", "/free/negotiated/doc"):
            with self.subTest(path):
                self.assert_out(self.ask(path), 401, 404, 406)
                self.assert_out(self.ask(path, bearer(
                    self.sandbox.unknown())), 401, 404, 406)
                self.assert_in(self.ask(path, bearer(self.good)))

    def test_included_page_is_checked(self):
        other = self.sandbox.token(spaces=("spc-other",))
        both = self.sandbox.token(spaces=("spc-sandbox", "spc-other"))
        bad = self.sandbox.unknown()
        for path, allowed in (
                ("/open/includes.shtml", (self.good, both)),
                ("/open/includes-other.shtml", (other, both)),
                ("/includes-other.shtml", (both,))):
            for token in (None, bad, self.good, other, both):
                with self.subTest((path, token)):
                    headers = [bearer(token)] if token else []
                    answer = self.ask(path, *headers)
                    self.assertEqual(b"a page" in answer.body,
                                     token in allowed, answer)

    # Error pages.

    def test_error_page_is_checked_for_itself(self):
        # Not by test/other, and then by test/gateway.
        answer = self.ask("/pages/other", bearer(self.good))
        self.assertEqual((answer.status, answer.body), (403, b"a page\n"))
        other = self.sandbox.token(spaces=("spc-stranger-test",))
        self.assert_out(self.ask("/pages/other", bearer(other)), 403)

    # CGI.

    def environment(self, path, *headers):
        answer = self.ask(path, *headers)
        return answer.status, dict(
            line.split("=", 1) for line in answer.body.decode().splitlines()
            if "=" in line)

    def test_script_gets_the_verdict_and_not_the_token(self):
        status, env = self.environment("/cgi/x", bearer(self.good))
        self.assertEqual(status, 200)
        self.assertEqual(
            [env.get(name) for name in (
                "AUTH_TYPE", "REMOTE_USER", "MONIME_VERDICT",
                "MONIME_ENVIRONMENT", "MONIME_FINGERPRINT")],
            ["Monime", fingerprint(self.good), "accepted", "test",
             fingerprint(self.good)])
        self.assertIn(env["MONIME_SOURCE"], ("network", "cache"))
        self.assertNotIn(CANARY, repr(env))

    def test_script_gets_the_token_where_httpd_is_told_so(self):
        _, env = self.environment("/cgi/passed", bearer(self.good))
        self.assertEqual(env["HTTP_AUTHORIZATION"], "Bearer " + self.good)
        _, env = self.environment("/cgi/copied", bearer(self.good))
        self.assertEqual(env["HAS_AUTHORIZATION"], "yes")
        self.assertNotIn(CANARY, repr(env))

    def test_script_of_an_error_page_gets_no_token(self):
        for token, verdict in ((self.sandbox.unknown(), "denied"),
                               (self.sandbox.tokens["live"], "environment")):
            status, env = self.environment("/cgi/refused", bearer(token))
            self.assertEqual(status, 401)
            self.assertEqual(env["REDIRECT_STATUS"], "401")
            self.assertEqual(env.get("REDIRECT_MONIME_VERDICT",
                                     env.get("MONIME_VERDICT")), verdict)
            self.assertNotIn("REMOTE_USER", env)
            self.assertNotIn(CANARY, repr(env))

    def test_client_cannot_say_what_the_variables_say(self):
        status, env = self.environment(
            "/open/env.cgi", "MONIME_VERDICT: accepted",
            "Monime-Verdict: accepted", "Remote-User: ada")
        self.assertEqual(status, 200)
        for name in ("MONIME_VERDICT", "MONIME_FINGERPRINT", "REMOTE_USER",
                     "AUTH_TYPE"):
            self.assertNotIn(name, env)

    # Caches.

    def test_cache_serves_nobody_what_was_checked(self):
        for path in ("/cached/public", "/cached/shared", "/cached/again",
                     "/cached/private", "/cached/any", "/cached/plain"):
            with self.subTest(path):
                for _ in range(2):
                    self.assert_in(self.ask(path, bearer(self.good)))
                    self.assert_out(self.ask(path), 401)
                    self.assert_out(self.ask(path, bearer(
                        self.sandbox.unknown())), 401)

    def test_cache_that_is_asked_late_serves_nobody(self):
        for _ in range(2):
            with Client(self.late) as c:
                self.assert_in(c.ask("/x", bearer(self.good)))
                self.assert_out(c.ask("/x"), 401)
                self.assert_out(c.ask("/x", bearer(self.sandbox.unknown())),
                                401)

    def test_cache_is_one_where_nobody_is_checked(self):
        # Else the two tests above show nothing.
        self.assert_in(self.ask("/cached/open"))
        answer = self.ask("/cached/open")
        self.assert_in(answer)
        self.assertIn("HIT", answer.one("X-Cache"))


def basic(name, password):
    return "Authorization: Basic " + base64.b64encode(
        ("%s:%s" % (name, password)).encode()).decode()


if __name__ == "__main__":
    unittest.main()
