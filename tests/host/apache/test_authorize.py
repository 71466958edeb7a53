#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The host's own credential in requests that Apache proxies."""

import os
import unittest

import authorized
import common
from authorized import GOOD, NEVER, ONCE, SAFE, Row
from client import bearer, request
from server import Server
from support import CANARY, ROOT, profile

CHECKED = "AuthType Monime\nMonimeProfile test/pay\nRequire monime\n"
ON = CHECKED + "MonimeAuthorize On\n"
PUBLIC = "MonimeProfile test/pay\nMonimeAuthorize Public\n"
PLACES = {"on": ON, "public": PUBLIC, "off": CHECKED +
          "MonimeAuthorize Off\n"}
O = "{origins[monime]}"  # noqa: E741


def place(path, inside, kind="Location"):
    return "<%s %s>\n%s\n</%s>\n" % (kind, path, inside, kind)


def to(name, wanted, target, more="", on="on", at="/v1/", server="",
       path=GOOD, **rest):
    """A place that is proxied to the target, with more in it, and with more
    beside it in its server."""
    return Row(name, wanted, server + place(at, "%s\nProxyPass %s\n%s\n" % (
        PLACES.get(on, on), target, more)), path, **rest)


def api(name, wanted, more="", flags="nocanon", **rest):
    """One whose place goes to the API as it is asked."""
    return to(name, wanted, "%s/v1/ %s" % (O, flags), more, **rest)


def canonical(name, wanted, **rest):
    """One to which httpd writes what it has understood."""
    return api("understood: " + name, wanted, flags="", **rest)


def rewritten(name, wanted, rules, on=ON, at="/pay/", path="/pay/x", **rest):
    return Row(name, wanted, "RewriteEngine On\n%s\n%s" % (
        rules, place(at, on)), path, **rest)


def inner(name, wanted, outer, on=ON, **rest):
    """A place that asks another one, in one way or the other."""
    return Row(name, wanted, place("/outer", outer) + place(
        "/v1/", "%s\nProxyPass %s/v1/\n" % (on, O)), rest.pop(
            "path", "/outer.shtml"), **rest)


def by(profile):
    return PUBLIC.replace("test/pay", "test/" + profile)


VERIFY = "SSLProxyVerify %s\n"
UNNAMED = "SSLProxyCheckPeerName Off\nSSLProxyCheckPeerCN Off\n"
CARELESS = VERIFY % "none" + UNNAMED + "SSLProxyCheckPeerExpire Off\n"
CACHE = "CacheRoot {folder}/cache\nCacheEnable disk /\n" \
    "CacheDefaultExpire 600\nCacheIgnoreNoLastMod On\n" \
    "CacheStorePrivate On\nCacheStoreNoStore On\n"
ANY = "AuthType Monime\nMonimeProfile test/pay\nMonimeAuthorize On\n" \
    "<RequireAny>\nRequire monime\nRequire %s\n</RequireAny>\n"

ROWS = authorized.shared(api) + (
    # What httpd makes of it.
    canonical("as asked", ONCE, sent="GET " + GOOD),
    canonical("with a query", ONCE, path=GOOD + "?limit=1&after=x%3D",
              sent="GET " + GOOD + "?limit=1&after=x%3D"),
    canonical("encoded letters", ONCE, path="/v1/%66inancial-accounts",
              sent="GET " + GOOD),
    canonical("two slashes", SAFE, path="/v1//financial-accounts"),
    canonical("dots", ONCE, path="/v1/payouts/../financial-accounts",
              sent="GET " + GOOD),
    canonical("dots to what is not allowed", NEVER,
              path="/v1/payouts/%2e%2e/banks"),
    canonical("dots encoded twice", NEVER,
              path="/v1/payouts/%252e%252e/banks"),
    canonical("an encoded slash", NEVER, path="/v1/payouts/..%2fbanks"),
    canonical("an encoded slash, decoded", NEVER,
              path="/v1/payouts/..%2fbanks", server="AllowEncodedSlashes On\n"),
    canonical("an encoded slash, kept", NEVER, path="/v1/payouts/..%2fbanks",
              server="AllowEncodedSlashes NoDecode\n"),
    canonical("an encoded question mark", NEVER, path=GOOD + "%3Flimit=1"),
    canonical("an encoded space", ONCE, path="/v1/payouts/a%20b",
              sent="GET /v1/payouts/a%20b"),
    canonical("a semicolon", NEVER, path="/v1/payouts/;/x"),
    canonical("a method that is not allowed", NEVER, method="DELETE"),
    canonical("HEAD, which is not allowed", NEVER, method="HEAD"),
    canonical("TRACE", NEVER, method="TRACE"),
    canonical("OPTIONS", NEVER, method="OPTIONS"),
    canonical("an unknown method", NEVER, method="GETX"),
    to("ProxyPass with another path", ONCE, O + "/v1/", at="/pay/",
       path="/pay/financial-accounts", sent="GET " + GOOD),
    to("with another path, to what is not allowed", NEVER, O + "/v1/",
       at="/pay/", path="/pay/banks"),
    to("with another path, the asked one is allowed", NEVER, O + "/v1/banks",
       at=GOOD),
    to("with another path, dots", SAFE, O + "/v1/", at="/pay/",
       path="/pay/x/../financial-accounts"),
    Row("ProxyPass of the server", ONCE, "ProxyPass /v1/ %s/v1/\n" % O +
        place("/v1/", ON), GOOD),
    Row("ProxyPassMatch", ONCE, place("^/pay/(.+)$", ON + "ProxyPassMatch "
        "%s/v1/$1\n" % O, "LocationMatch"), "/pay/financial-accounts",
        sent="GET " + GOOD),
    Row("ProxyPassMatch, to what is not allowed", NEVER, place(
        "^/pay/(.+)$", ON + "ProxyPassMatch %s/v1/$1\n" % O,
        "LocationMatch"), "/pay/banks"),
    Row("SetHandler proxy:", SAFE, place("/v1/", ON + 'SetHandler "proxy:%s/"'
        % O), GOOD),
    rewritten("rewritten to the API", ONCE,
              "RewriteRule ^/pay/ %s%s [P]" % (O, GOOD), sent="GET " + GOOD),
    rewritten("rewritten to what is not allowed", NEVER,
              "RewriteRule ^/pay/ %s/v1/banks [P]" % O),
    rewritten("rewritten to odd bytes", NEVER,
              "RewriteRule ^/pay/ %s/v1/payouts/..\\%%2fbanks [P,NE]" % O),
    rewritten("rewritten with a query", ONCE,
              "RewriteRule ^/pay/ %s%s?limit=2 [P]" % (O, GOOD),
              sent="GET " + GOOD + "?limit=2"),
    rewritten("rewritten to the client's choice", NEVER,
              "RewriteRule ^/pay/ https://localhost:%%{QUERY_STRING}%s? [P]" %
              GOOD, path="/pay/x?{ports[elsewhere]}"),
    rewritten("rewritten to the client's choice, the API", SAFE,
              "RewriteRule ^/pay/ https://localhost:%%{QUERY_STRING}%s? [P]" %
              GOOD, path="/pay/x?{ports[monime]}"),
    rewritten("rewritten to plain HTTP", NEVER, "RewriteRule ^/pay/ "
              "http://localhost:{ports[plain]}%s [P]" % GOOD),
    rewritten("rewritten, without a token", NEVER,
              "RewriteRule ^/pay/ %s%s [P]" % (O, GOOD), token=False,
              status=401),
    rewritten("rewritten, from where nobody is checked", NEVER,
              "RewriteRule ^/pay/ %s%s [P]" % (O, GOOD), token=False,
              on="Require all granted\n"),
    rewritten("rewritten to a place", ONCE, "RewriteRule ^/pay/ %s [PT]\n"
              "ProxyPass /v1/ %s/v1/" % (GOOD, O), at="/v1/"),
    rewritten("rewritten to one that is not checked", NEVER, "RewriteRule "
              "^/pay/ %s [PT]\nProxyPass /v1/ %s/v1/" % (GOOD, O),
              token=False),
    Row("rewritten by .htaccess", ONCE, place("/htaccess/", ON),
        "/htaccess/x", sent="GET " + GOOD),
    Row("rewritten by .htaccess, without a token", NEVER,
        place("/htaccess/", ON), "/htaccess/x", token=False, status=401),
    Row("rewritten by .htaccess, to what is not allowed", NEVER,
        place("/htaccess/", ON), "/htaccess/y"),
    Row("FallbackResource to this place", SAFE, "FallbackResource %s\n"
        "ProxyPass /v1/ %s/v1/\n" % (GOOD, O) + place("/v1/", ON), "/none"),
    Row("FallbackResource, without a token", NEVER, "FallbackResource %s\n"
        "ProxyPass /v1/ %s/v1/\n" % (GOOD, O) + place("/v1/", ON), "/none",
        token=False),
    Row("ErrorDocument to this place", ONCE, "ErrorDocument 404 %s\n"
        "ProxyPass /v1/ %s/v1/\n" % (GOOD, O) + place("/v1/", ON), "/none"),
    Row("ErrorDocument, without a token", NEVER, "ErrorDocument 404 %s\n"
        "ProxyPass /v1/ %s/v1/\n" % (GOOD, O) + place("/v1/", ON), "/none",
        token=False),
    Row("ErrorDocument after another profile's no", ONCE, "ErrorDocument 403 "
        "%s\nProxyPass /v1/ %s/v1/\n" % (GOOD, O) + place("/v1/", ON) +
        place("/other", CHECKED.replace("test/pay", "test/other")), "/other"),
    Row("ErrorDocument after another profile's yes", NEVER, "ErrorDocument "
        "404 %s\nProxyPass /v1/ %s/v1/\n" % (GOOD, O) + place("/v1/", ON) +
        place("/other", CHECKED.replace("test/pay", "test/other")), "/other",
        token="stranger"),
    # Who was let in for another reason than its token.
    api("let in by address, without a token", NEVER, on=ANY % "local",
        token=False),
    api("let in by address, with a bad one", NEVER, on=ANY % "local",
        token="bad"),
    api("let in by address, with a good one", SAFE, on=ANY % "local"),
    api("let in by token", ONCE, on=ANY % "ip 192.0.2.1"),
    api("let in by expression, with a bad one", NEVER, on=ANY % "expr true",
        token="bad"),
    api("let in all", NEVER, on=ON.replace("monime\n", "all granted\n")),
    api("let in all, without a token", NEVER, token=False,
        on=ON.replace("monime\n", "all granted\n")),
    api("checked for another method", NEVER, on="AuthType Monime\n"
        "MonimeProfile test/pay\nMonimeAuthorize On\n<Limit GET>\n"
        "Require monime\n</Limit>\n", path="/v1/payouts/x", method="POST",
        token=False),
    api("without AuthType", NEVER, on=ON.replace("AuthType Monime\n", "")),
    api("AuthType None", NEVER, on=ON.replace("Type Monime", "Type None")),
    # To whom.
    to("plain HTTP", NEVER, "http://127.0.0.1:{ports[plain]}/v1/"),
    to("plain HTTP by name", NEVER, "http://localhost:{ports[plain]}/v1/"),
    to("another port", NEVER, "https://localhost:{ports[elsewhere]}/v1/"),
    to("an address for the name", NEVER, "https://127.0.0.1:{ports[monime]}"
       "/v1/", server=UNNAMED),
    to("another case", SAFE, "https://LOCALHOST:{ports[monime]}/v1/"),
    to("the origin of another profile", NEVER, O + "/v1/",
       on=by("elsewhere")),
    to("a Unix socket", NEVER, "unix:@sockets@/http|http://localhost:"
       "{ports[monime]}/v1/"),
    to("a Unix socket with TLS", NEVER, "unix:@sockets@/https|https://"
       "localhost:{ports[monime]}/v1/"),
    to("a balancer", ONCE, "balancer://api/v1/",
       server=place("balancer://api", "BalancerMember %s" % O, "Proxy")),
    to("a balancer, to what is not allowed", NEVER, "balancer://api/v1/",
       path="/v1/banks",
       server=place("balancer://api", "BalancerMember %s" % O, "Proxy")),
    to("a balancer of somebody else", NEVER, "balancer://api/v1/",
       server=place("balancer://api", "BalancerMember https://localhost:"
                    "{ports[elsewhere]}", "Proxy")),
    to("a balancer without TLS", NEVER, "balancer://api/v1/",
       server=place("balancer://api", "BalancerMember http://localhost:"
                    "{ports[plain]}", "Proxy")),
    to("a balancer, the second of which is somebody else", SAFE,
       "balancer://api/v1/", server=place(
           "balancer://api", "BalancerMember %s\nBalancerMember "
           "https://localhost:{ports[elsewhere]}" % O, "Proxy")),
    to("a balancer, the first of which is down", ONCE, "balancer://api/v1/",
       server=place("balancer://api", "BalancerMember https://localhost:1\n"
                    "BalancerMember %s" % O, "Proxy")),
    to("through a proxy", SAFE, O + "/v1/",
       server="ProxyRemote * http://127.0.0.1:@tunnel@\n"),
    to("HTTP/2", NEVER, "h2://localhost:{ports[monime]}/v1/"),
    to("WebSocket", NEVER, "wss://localhost:{ports[monime]}/v1/"),
    api("may be upgraded", SAFE, flags="upgrade=websocket"),
    to("FastCGI", NEVER, "fcgi://127.0.0.1:@fastcgi@/"),
    to("uwsgi", NEVER, "uwsgi://127.0.0.1:@uwsgi@/"),
    to("SCGI", NEVER, "scgi://127.0.0.1:@scgi@/"),
    to("AJP", NEVER, "ajp://127.0.0.1:@ajp@/"),
    Row("CGI", NEVER, "ScriptAlias /v1/ {folder}/html/env.cgi/\n" +
        place("/v1/", ON), GOOD),
    # How it is verified.
    api("SSLProxyVerify none", NEVER, server=VERIFY % "none"),
    api("SSLProxyVerify optional", NEVER, server=VERIFY % "optional"),
    api("SSLProxyVerify optional_no_ca", NEVER,
        server=VERIFY % "optional_no_ca"),
    api("SSLProxyVerify none for this upstream", NEVER, server=place(
        O + "/v1/", VERIFY % "none", "Proxy")),
    api("SSLProxyEngine off", NEVER, server="SSLProxyEngine Off\n"),
    api("SSLProxyCheckPeerName off", SAFE, server=UNNAMED),
    api("a CA that did not sign it", NEVER, server="SSLProxyCACertificateFile "
        "/etc/ssl/certs/ca-certificates.crt\n"),
    to("somebody else's certificate", NEVER, "{origins[wrong_name]}/v1/",
       on=by("wrong-name")),
    to("somebody else's, its name not looked at", NEVER,
       "{origins[wrong_name]}/v1/", on=by("wrong-name"), server=UNNAMED),
    to("somebody else's, nothing looked at", NEVER,
       "{origins[wrong_name]}/v1/", on=by("wrong-name"), server=CARELESS),
    to("a certificate of its own making", NEVER, "{origins[self_signed]}/v1/",
       on=by("self-signed")),
    to("of its own making, nothing looked at", NEVER,
       "{origins[self_signed]}/v1/", on=by("self-signed"), server=CARELESS),
    to("of its own making, optional_no_ca", NEVER,
       "{origins[self_signed]}/v1/", on=by("self-signed"),
       server=CARELESS + VERIFY % "optional_no_ca"),
    to("a certificate that is over", NEVER, "{origins[expired]}/v1/",
       on=by("expired")),
    to("one that is over, nothing looked at", NEVER, "{origins[expired]}/v1/",
       on=by("expired"), server=CARELESS),
    # In which header, and where else.
    api("RequestHeader set Authorization", ONCE,
        'RequestHeader set Authorization "Bearer canary-of-somebody"'),
    api("RequestHeader add Authorization", ONCE,
        'RequestHeader add Authorization "Bearer canary-of-somebody"'),
    api("RequestHeader unset Authorization", ONCE,
        "RequestHeader unset Authorization"),
    api("RequestHeader unset Authorization, early", NEVER,
        server="RequestHeader unset Authorization early\n", status=401),
    api("RequestHeader set Monime-Space-Id", ONCE,
        "RequestHeader set Monime-Space-Id spc-evil"),
    api("RequestHeader set Monime_Space_Id", SAFE,
        "RequestHeader set Monime_Space_Id spc-evil"),
    api("RequestHeader set Monime-Space-Id, early", NEVER, status=400,
        server="RequestHeader set Monime-Space-Id spc-evil early\n"),
    api("RequestHeader set X-HTTP-Method-Override", NEVER,
        "RequestHeader set X-HTTP-Method-Override DELETE"),
    api("RequestHeader set Connection", SAFE,
        "RequestHeader set Connection Monime-Space-Id"),
    api("RequestHeader set Host", ONCE, "RequestHeader set Host h"),
    api("ProxyPreserveHost", NEVER, "ProxyPreserveHost On"),
    api("ProxyAddHeaders off", ONCE, "ProxyAddHeaders Off"),
    api("ProxyVia full", ONCE, server="ProxyVia Full\n"),
    api("ProxyErrorOverride", ONCE, "ProxyErrorOverride On"),
    api("CGIPassAuth", ONCE, "CGIPassAuth On"),
    api("HTTP/1.0", ONCE, "SetEnv force-proxy-request-1.0 1"),
    api("no kept connection", ONCE, "SetEnv proxy-nokeepalive 1"),
    api("disablereuse", ONCE, flags="disablereuse=On"),
    api("ping", SAFE, flags="ping=2"),
    api("a chunked body", ONCE, "SetEnv proxy-sendchunked 1",
        path="/v1/payouts/x", method="POST"),
    api("the answer's header", ONCE, 'Header always set X-Leak '
        '"expr=%{resp:Authorization}%{resp:Monime-Space-Id}"\n'
        "Header echo ^Monime"),
    api("a cached place", SAFE, server=CACHE),
    api("a cached place, public", SAFE, server=CACHE, on="public",
        token=False),
    api("a cached place, late", SAFE, server=CACHE + "CacheQuickHandler Off\n",
        more='Header set Cache-Control "public, max-age=600"'),
    Row("a cached page", NEVER, CACHE, "/page", token=False, status=200),
    # Subrequests.
    inner("SSI", NEVER, ""),
    inner("SSI of who was checked elsewhere", NEVER, CHECKED),
    inner("SSI, public", SAFE, "", on=PUBLIC),
    inner("DirectoryIndex", SAFE, "DirectoryIndex " + GOOD, path="/outer/"),
    inner("DirectoryIndex, without a token", NEVER, "DirectoryIndex " + GOOD,
          path="/outer/", token=False),
    # What a client adds, written so that some readers take it for that.
    api("another Space, with underscores", NEVER, status=400,
        headers=["Monime_Space_Id: spc-evil"]),
    api("X_HTTP_Method_Override", NEVER, status=400,
        headers=["X_HTTP_Method_Override: DELETE"]),
    api("Proxy-Connection", ONCE, headers=["Proxy-Connection: Authorization"]),
    api("Max-Forwards", ONCE, headers=["Max-Forwards: 5"]),
    api("Expect", ONCE, headers=["Expect: 100-continue"]),
    api("TE and Trailer", SAFE, headers=["TE: trailers",
                                         "Trailer: Authorization"]),
)

# Every way that a format has to show something of a request.
HTTP = """
    LogFormat "%r %U %q %u %f %R %{MONIME_VERDICT}e %{MONIME_ENVIRONMENT}e \
%{MONIME_FINGERPRINT}e %{MONIME_SOURCE}e <%{Authorization}o> \
<%{Authorization}n> <%{Authorization}e> <%{HTTP_AUTHORIZATION}e> \
<%{Authorization}^to> <%{Monime-Space-Id}n> <%{Monime-Space-Id}o> \
<%{proxy-status}n> <%{Authorization}C>" all
    LogFormat "%{Authorization}i %{Authorization}^ti %>{Authorization}i \
%<{Authorization}i %{Monime-Space-Id}i" authorization
    ForensicLog {folder}/forensic.log
    <Directory {folder}/html>
        Options +Includes +ExecCGI
        AllowOverride FileInfo
        AddOutputFilter INCLUDES .shtml
        AddHandler cgi-script .cgi
    </Directory>
"""
MODULES = ("include", "cache", "cache_disk", "cgid", "log_forensic",
           "proxy_balancer", "lbmethod_byrequests", "slotmem_shm",
           "proxy_http2", "proxy_wstunnel", "proxy_fcgi", "proxy_uwsgi",
           "proxy_scgi", "proxy_ajp", "proxy_connect")


class Authorize(authorized.Authorizes, common.Case):
    rows = ROWS
    PORT = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.sandbox, HTTP + "".join(
            map(cls.block, ROWS)), etc=cls.etc, level="trace8",
            modules=MODULES, start=False)
        cls.server.html("outer.shtml", '<!--#include virtual="%s" -->' % GOOD)
        cls.server.html("outer/x", "")
        cls.server.html("htaccess/.htaccess", "RewriteEngine On\n" + "".join(
            "RewriteRule ^%s$ %s%s [P]\n" % (
                name, cls.sandbox.origins["monime"], path)
            for name, path in (("x", GOOD), ("y", "/v1/banks"))))
        cls.server.html("env.cgi", "#!/bin/sh\nprintf 'Content-Type: "
                        "text/plain\\n\\n'\n/usr/bin/env\n")
        os.chmod(cls.server.path("html/env.cgi"), 0o755)
        os.mkdir(cls.server.path("cache"))
        if ROOT:
            os.chmod(cls.server.path("cache"), 0o777)
        cls.server.start()

    @classmethod
    def block(cls, row):
        """A server for each row, chosen by its Host."""
        return "{plain}\nServerName row%d\n{verified}\n" \
            "RequestHeader set X-Row row\n" \
            "CustomLog {folder}/access.log all\n" \
            "CustomLog {folder}/authorization.log authorization\n%s\n" \
            "</VirtualHost>\n" % (ROWS.index(row), cls.located(row))

    def test_own_credential_goes_where_it_may_and_nowhere_else(self):
        self.sandbox.reset()
        type(self).good = self.sandbox.token()
        for row in ROWS:
            with self.subTest(row.name):
                self.one(row)

    def test_then_logs_that_are_asked_for_them_have_clients_tokens(self):
        # Those of clients, as the manual has it, and no other.
        for name in ("authorization.log", "forensic.log"):
            log = self.server.log(name)
            self.assertIn(self.good, log)
            self.assertNotIn(self.host, log)


PLAIN = "ProxyPass http://127.0.0.1:{ports[plain]}/%s disablereuse=On"
REQUESTS = """
    {tls}
        {verified}
        RequestHeader set X-Row row
        <Location />
            %(checked)s
        </Location>
        <Location /v1/>
            MonimeAuthorize On
            ProxyPass %(api)s/v1/
        </Location>
        <Location /kept/>
            %(plain)s
        </Location>
        <Location /forwarded/>
            CGIPassAuth On
            %(plain)s
        </Location>
        <Location /open/>
            AuthType None
            Require all granted
            %(plain)s
        </Location>
        <Location /fallen/>
            ErrorDocument 401 /unchecked/x
            ErrorDocument 403 /unchecked/x
            ErrorDocument 503 /unchecked/x
            %(plain)s
        </Location>
        <Location /unchecked/>
            AuthType None
            Require all granted
            %(fallen)s
        </Location>
        <Location /any/>
            <RequireAny>
                Require monime
                Require local
            </RequireAny>
            %(plain)s
        </Location>
    </VirtualHost>
""" % {"checked": CHECKED, "api": O, "plain": PLAIN % "",
       "fallen": PLAIN % "fallen/"}


class Requests(authorized.Requests, common.Case):
    def serve(self, etc):
        return Server(self.sandbox, REQUESTS, etc=etc, modules=("http2",))


class GivenUp(common.Case):
    """A request whose client leaves before all of it has come."""

    HTTP = """
        {plain}
            {verified}
            {worker}
            <Location /v1/>
                %s
                ProxyPass %s/v1/
            </Location>
            <Location /elsewhere/>
                ProxyPass {origins[elsewhere]}/v1/
            </Location>
        </VirtualHost>
    """ % (ON, O)

    def test_is_nobody_elses_credential(self):
        etc = self.sandbox.profiles()
        profile(etc, "test/pay", 'provider = "monime";'
                'space = "spc-sandbox"; base_url = "%s"; allow = {'
                'methods = ["POST"]; paths = ["/v1/payouts/*"]; };'
                'check = { timeout = "60 s"; };' %
                self.sandbox.origins["monime"], self.sandbox.tokens["test"])
        # The one that waited serves the next one as well.
        server = self.start(Server(self.sandbox, self.HTTP, etc=etc,
                                   threads=2))
        server.tolerated = "AH00484"  # Both are serving.
        good = bearer(self.sandbox.token())
        for _ in range(10):
            half = request("/v1/payouts/x", good, method="POST",
                           body=bytes(10000))[:-1000]
            leaving = server.client(2)
            leaving.send(half)
            server.wait_served(1)
            leaving.abort()
            server.until(lambda: not server.serving(), "it to be given up")
            for _ in range(2):
                with server.client(2) as c:
                    self.assertEqual(c.ask("/elsewhere/banks").status, 200)
        self.assertEqual([r["head"] for r in self.sandbox.requests() if
                          "payouts" in r["head"]], [])
        heads = [r["head"] for r in self.sandbox.requests("elsewhere")]
        self.assertEqual(len(heads), 20)
        self.assertNotIn(CANARY, "".join(heads))
        self.assertNotIn("spc-sandbox", "".join(heads))


if __name__ == "__main__":
    unittest.main()
