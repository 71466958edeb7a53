# SPDX-License-Identifier: MIT
"""What stands in the memory of another process."""

import os
import re
from collections import namedtuple

# kind: "guarded" is left out of core dumps.
Region = namedtuple("Region", "start end mode name kind")
Found = namedtuple("Found", "canary kind name offset around")

LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (....) \S+ \S+ \S+ *(.*)$")
AROUND = 96


def kind(name, flags):
    if "dd" in flags:
        return "guarded"
    if name.startswith("[stack"):
        return "stack"
    if "(deleted)" in name or name.startswith("/memfd:"):
        return "shared"
    return "file" if name.startswith("/") else "heap"


def regions(pid):
    """All that can have been written: what is of a file, and was never to be
    written, is as the file is."""
    here = None
    with open("/proc/%d/smaps" % pid, encoding="utf-8",
              errors="replace") as file:
        for line in file:
            found = LINE.match(line)
            if found:
                here = found
            elif line.startswith("VmFlags:"):
                flags = line.split()[1:]
                start, end = int(here[1], 16), int(here[2], 16)
                name = here[4]
                if "w" in here[3] or not name.startswith("/"):
                    yield Region(start, end, here[3], name, kind(name, flags))


def read(pid):
    """(region, bytes) of all of them."""
    descriptor = os.open("/proc/%d/mem" % pid, os.O_RDONLY)
    try:
        for region in regions(pid):
            if region.name in ("[vvar]", "[vvar_vclock]", "[vsyscall]"):
                continue
            try:
                data = os.pread(descriptor, region.end - region.start,
                                region.start)
            except OSError:
                continue  # a guard page, or it has just gone
            yield region, data
    finally:
        os.close(descriptor)


def look(pid, flock):
    found = []
    for region, data in read(pid):
        for name, at in flock.places(data):
            found.append(Found(name, region.kind, region.name, at,
                               data[max(at - AROUND, 0):at + AROUND]))
    return found
