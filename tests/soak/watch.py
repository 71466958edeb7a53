# SPDX-License-Identifier: MIT
"""Memory, descriptors and threads of the processes of a soak over time, and
whether they stay what they are."""

import csv
import os
import re
import statistics
import threading
import time

COLUMNS = ("seconds", "host", "role", "pid", "rss_kib", "pss_kib",
           "anon_kib", "descriptors", "threads")

# What half of a run may add, in the median of a process: to its memory beside
# files, in KiB, and to its descriptors.  Connections come and go with what
# goes wrong, 16 at most for each of three profiles.
BOUNDS = {"anon_kib": 4096, "descriptors": 24}


def number(text, name):
    found = re.search(r"^%s:\s+(\d+)" % name, text, re.M)
    return int(found[1]) if found else 0


def read(pid, name):
    with open("/proc/%d/%s" % (pid, name), encoding="ascii",
              errors="replace") as file:
        return file.read()


def children(pid):
    return [int(c) for c in read(pid, "task/%d/children" % pid).split()]


def look(pid):
    """The numbers of one process, or None when it has gone."""
    try:
        status, rollup = read(pid, "status"), read(pid, "smaps_rollup")
        return (number(rollup, "Rss"), number(rollup, "Pss"),
                number(status, "RssAnon"),
                len(os.listdir("/proc/%d/fd" % pid)),
                number(status, "Threads"))
    except (FileNotFoundError, ProcessLookupError):
        return None


class Watch:
    """hosts: {name: (pid of the parent, what its children are called by
    pid, or None for one that is to be left out)}."""

    def __init__(self, hosts, path, every, stop):
        self.hosts, self.every, self.stop = hosts, every, stop
        self.rows = []
        self.file = open(path, "w", newline="", encoding="ascii")
        self.csv = csv.writer(self.file)
        self.csv.writerow(COLUMNS)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.began = time.monotonic()
        self.thread.start()

    def _run(self):
        while True:
            self.sample()
            if self.stop.wait(self.every):
                break
        self.file.close()

    def sample(self):
        at = round(time.monotonic() - self.began, 2)
        for host, (parent, role) in self.hosts.items():
            for pid in [parent] + children(parent):
                name = "parent" if pid == parent else role(pid)
                seen = look(pid)
                if name is not None and seen is not None:
                    row = (at, host, name, pid) + seen
                    self.rows.append(row)
                    self.csv.writerow(row)
        self.file.flush()

    def series(self, column):
        """{(host, role): [(seconds, mean of its processes), …]}."""
        at = COLUMNS.index(column)
        found = {}
        for row in self.rows:
            found.setdefault(row[1:3], {}).setdefault(row[0], []).append(
                row[at])
        return {key: [(t, sum(values) / len(values))
                      for t, values in sorted(points.items())]
                for key, points in found.items()}

    def growth(self, column, first, last):
        """{(host, role): (median of the former half of that part of the run,
        of the latter)}; first and last are parts of its time."""
        found = {}
        for key, points in self.series(column).items():
            end = points[-1][0]
            some = [v for t, v in points
                    if first * end <= t <= last * end]
            cut = len(some) // 2
            if cut:
                found[key] = (statistics.median(some[:cut]),
                              statistics.median(some[cut:]))
        return found
