#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What victim.c does, by monime.py:

    visitor.py MODULE FOLDER LOG
"""

import logging
import sys
import syslog
import time

sys.path.insert(0, sys.argv[1])

import monime  # noqa: E402

FOLDER, LOG = sys.argv[2:]
logging.basicConfig(filename=LOG, level=logging.DEBUG,
                    format="log: %(message)s")
OPENED = {}


def handle(name):
    if name not in OPENED:
        OPENED[name] = monime.open(name, folder=FOLDER)
        OPENED[name].set_log(monime.to_logger(logging.getLogger("monime")),
                             syslog.LOG_DEBUG)
    return OPENED[name]


def ask(verb, profile, *words):
    m = handle(profile)
    if verb == "check":
        return m.check_token(*words)
    if verb == "webhook":
        return m.verify_webhook(*words)
    method, path = words
    return m.request(method, path, body=b'{"n":1}' if method != "GET" else
                     None)


def main():
    for line in sys.stdin:
        began = time.monotonic()
        code = 0
        try:
            logging.debug("answer: %r", ask(*line.split()))
        except monime.Error as error:
            code = error.code
            # As a program would that tells all it can.
            logging.debug("call: %s %r %r", error, error, vars(error),
                          exc_info=True)
        print(code, int((time.monotonic() - began) * 1000), flush=True)


main()
