#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The examples of README.md and of monime-python(3) do what they say."""

import asyncio
import functools
import os
import re
import unittest
import wsgiref.util

from case import MODULE, TREE, Case, monime, profile


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def of_the_readme():
    return re.search(r"^```python\n(.*?)^```$", read(os.path.join(
        TREE, "README.md")), re.S | re.M)[1]


def of_the_manual(name):
    page = read(os.path.join(os.path.dirname(MODULE), "monime-python.3"))
    text = re.search(r'^\.\\" python example: ' + name + r'\n\.Bd -literal\n'
                     r"(.*?)^\.Ed$", page, re.S | re.M)[1]
    return text.replace("\\e", "\\").replace("\\&", "")


class Examples(Case):
    def load(self, source):
        """The example, with the built-in folder in another place."""
        opened = monime.open
        self.addCleanup(setattr, monime, "open", opened)
        monime.open = functools.partial(opened, folder=self.etc)
        names = {}
        exec(compile(source, "example", "exec"), names)
        return names

    def answer(self, application, header):
        """(status, body) of a WSGI application."""
        environ = {} if header is None else {"HTTP_AUTHORIZATION": header}
        wsgiref.util.setup_testing_defaults(environ)
        told = []
        body = application(environ, lambda *what: told.append(what))
        return told[0][0][:3], b"".join(body)

    def test_the_readme_lets_in_who_has_a_token_of_ours(self):
        source = of_the_readme()
        lines = [line for line in source.splitlines() if line]
        self.assertLessEqual(len(lines), 12)
        application = self.load(source)["application"]
        token = self.sandbox.token()
        self.assertEqual(self.answer(application, "Bearer " + token), (
            "200", b"welcome, %s\n" % monime.fingerprint(token).encode()))
        for header in (None, "Basic abc", "Bearer " + self.sandbox.unknown()):
            self.assertEqual(self.answer(application, header), ("401", b""))
        self.assertEqual(self.answer(
            application, "Bearer " + self.sandbox.tokens["stranger_test"]),
            ("403", b""))
        self.sandbox.fault({"status": 500, "times": -1})
        self.assertEqual(self.answer(
            application, "Bearer " + self.sandbox.token()), ("503", b""))

    def test_the_gateway_of_the_manual(self):
        serve = self.load(of_the_manual("gateway"))["serve"]
        token = self.sandbox.token()

        async def ask(port, header):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.0\r\nHost: x\r\n%s\r\n" % header)
            answer = await reader.read()
            writer.close()
            return answer.split(b"\r\n")[0].split()[1]

        async def both():
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            statuses = await asyncio.gather(
                ask(port, b"AUTHORIZATION: Bearer " + token.encode() +
                    b"\r\n"), ask(port, b""))
            server.close()
            await server.wait_closed()
            return statuses
        self.assertEqual(asyncio.run(both()), [b"200", b"401"])

    def test_the_payment_of_the_manual_is_made_once(self):
        profile(self.etc, "test/payouts", read(os.path.join(
            self.etc, "test/payouts.conf")) + 'retry = { attempts = 1; };\n',
            self.sandbox.tokens["test"])
        pay = self.load(of_the_manual("payment"))["pay"]
        key = monime.new_key()
        self.sandbox.fault({"method": "POST", "drop": "status",
                            "execute": True})
        answer = pay({"n": 1}, key)
        self.assertEqual(answer.status // 100, 2)
        self.assertEqual(answer.get("replayed"), "yes")
        self.assertEqual(self.sandbox.control("/effects")["count"], 1)
        self.sandbox.fault({"method": "POST", "status": 422, "path": "/v1"})
        with self.assertRaises(monime.Http):
            pay({"n": 2}, monime.new_key())


if __name__ == "__main__":
    unittest.main()
