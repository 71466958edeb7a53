# SPDX-License-Identifier: MIT
"""What a user without rights can get out of other processes:

    stranger.py FOLDER PID ...

tries all it knows, and prints what it got: {"tried": n, "got": [what, ...],
"read": all that anybody may read of them}.
"""

import ctypes
import errno
import json
import os
import signal
import sys

libc = ctypes.CDLL(None, use_errno=True)

PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
PIDFD_GETFD, KCMP = 438, 312

FILES = ("mem", "environ", "maps", "smaps", "smaps_rollup", "numa_maps",
         "auxv", "io", "stack", "syscall", "personality", "pagemap")
FOLDERS = ("fd", "fdinfo", "map_files", "task/{pid}/fd")
LINKS = ("exe", "cwd", "root", "ns/pid")
PUBLIC = ("cmdline", "status", "stat", "statm", "comm", "limits", "mounts",
          "cgroup", "sched", "schedstat", "oom_score", "net/tcp", "net/unix")


# Whoever is told that was let at it, and found nothing at that place.
REACHED = (errno.EFAULT, errno.EBADF, errno.EIO)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def called(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return b"done"


def contents(path):
    with open(path, "rb") as file:
        return file.read(4096) or b"opened"


def of_memory(pid):
    buffer = ctypes.create_string_buffer(64)
    here, there = (Iovec(at, 64) for at in (ctypes.addressof(buffer),
                                            0x400000))
    return called(libc.process_vm_readv(
        pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))


def stolen(pid):
    descriptor = os.pidfd_open(pid)
    try:
        return called(libc.syscall(PIDFD_GETFD, descriptor, 3, 0))
    finally:
        os.close(descriptor)


def attempts(pid):
    at = "/proc/%d/" % pid
    for name in FILES:
        yield name, lambda n=name: contents(at + n)
    for name in FOLDERS:
        yield name, lambda n=name: os.listdir(at + n.format(pid=pid))
    for number in range(12):
        yield "fd/%d" % number, lambda n=number: contents(at + "fd/%d" % n)
    for name in LINKS:
        yield name, lambda n=name: os.readlink(at + n)
    yield "mem, to write", lambda: open(at + "mem", "r+b")
    yield "process_vm_readv", lambda: of_memory(pid)
    for request in (PTRACE_ATTACH, PTRACE_SEIZE):
        yield "ptrace", lambda r=request: called(libc.ptrace(r, pid, 0, 0))
    yield "pidfd_getfd", lambda: stolen(pid)
    yield "kcmp", lambda: called(libc.syscall(KCMP, pid, os.getpid(), 1, 0, 0))
    for number in (signal.SIGSTOP, signal.SIGKILL, signal.SIGABRT):
        yield number.name, lambda n=number: os.kill(pid, n) or b"sent"
    yield "priority", lambda: os.setpriority(
        os.PRIO_PROCESS, pid, 19) or b"changed"


def below(folder):
    """Every file there, and what others leave lying about."""
    for place in (folder, "/dev/shm", "/dev/mqueue"):
        for path, folders, files in os.walk(place):
            for name in files:
                yield os.path.join(path, name)


def main(folder, pids):
    tried, got, read = 0, [], []
    for pid in pids:
        for what, attempt in attempts(pid):
            tried += 1
            try:
                attempt()
                got.append("%d: %s" % (pid, what))
            except OSError as error:
                if error.errno in REACHED:
                    got.append("%d: %s" % (pid, what))
        for name in PUBLIC:
            try:
                read.append(contents("/proc/%d/%s" % (pid, name)))
            except OSError:
                pass
    for path in below(folder):
        tried += 1
        try:
            read.append(contents(path))
        except OSError:
            pass
    print(json.dumps({"tried": tried, "got": got, "read": [
        data.decode("latin-1") for data in read]}))


if __name__ == "__main__":
    main(sys.argv[1], [int(pid) for pid in sys.argv[2:]])
