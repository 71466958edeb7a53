# SPDX-License-Identifier: MIT
"""The control interface of a sandbox, for tests in Python."""

import http.client
import json

PATIENCE = 60  # s


def control(port, path, given=None):
    """GET the path, or POST what is given; the answer, or a ValueError."""
    connection = http.client.HTTPConnection("127.0.0.1", port,
                                            timeout=PATIENCE)
    if given is None:
        connection.request("GET", path)
    else:
        connection.request("POST", path, json.dumps(given))
    answer = connection.getresponse()
    value = json.load(answer)
    connection.close()
    if answer.status != 200:
        raise ValueError(value["error"])
    return value
