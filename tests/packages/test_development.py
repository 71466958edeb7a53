#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The installed header and library: the program of the README, compiled as the
README says, asks whether a bearer is one of ours."""

import os
import re
import tempfile
import unittest

import common

PROGRAM = """\
#include <stdio.h>
#include <string.h>

static void
let_in(void)
{
	puts("in");
}

int
main(int argc, char **argv)
{
	char token[256];
	size_t len;

	(void)argc;
	(void)argv;
	if (fgets(token, sizeof(token), stdin) == NULL)
		return 2;
	len = strcspn(token, "\\n");
	%s
	return 0;
}
"""


class Development(common.Case):
    def test_the_program_of_the_readme_lets_in_who_is_ours(self):
        with open(os.path.join(common.TESTS, "..", "README.md"),
                  encoding="utf-8") as file:
            text = re.search(r"^```c\n(.*?)^```", file.read(), re.S | re.M)[1]
        heads = "".join(re.findall(r"^#include .*\n", text, re.M))
        body = re.sub(r"^#include .*\n", "", text, flags=re.M)
        body = body.replace("test/payouts", "test/gateway")
        with tempfile.TemporaryDirectory() as place:
            with open(place + "/program.c", "w", encoding="utf-8") as file:
                file.write(heads + PROGRAM % body)
            self.ran("sh", "-c", "cc -Wall -Werror -o program program.c "
                     "$(pkg-config --cflags --libs monime)", cwd=place)
            for token, said in (("test", "in\n"), ("stranger_test", ""),
                                ("live", "")):
                self.assertEqual(said, self.ran(
                    place + "/program", cwd=place,
                    given=self.sandbox.tokens[token] + "\n"))


if __name__ == "__main__":
    unittest.main()
