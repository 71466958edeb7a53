# SPDX-License-Identifier: MIT
"""A throw-away certificate authority and what it has signed.

Made with the openssl command, P-256 throughout.  All of it is valid from two
days ago, so that a test which turns the clock back an hour or a day does not
meet a certificate of the future.
"""

import os
import shutil
import subprocess
import time

# Which names the good certificates carry.  The providers' own names are
# there for tests that reach the sandbox through its proxy with an untouched
# profile: no name server is asked and nothing leaves the machine.
PROVIDER_NAMES = ("api.monime.io", "api.cuentamono.com",
                  "api.sandbox.cuentamono.com",
                  "breb-participant.sandbox.mono.la")

CONFIG = """\
[ca]
default_ca = sandbox
[sandbox]
database = {work}/index
serial = {work}/serial
new_certs_dir = {work}
default_md = sha256
policy = policy
unique_subject = no
[policy]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""

SERVER = """\
[{section}]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = {issuer}
subjectAltName = {names}
"""

LOCAL = "DNS:localhost, IP:127.0.0.1"
SECTIONS = (
    ("local", "keyid", LOCAL),
    ("alone", "none", LOCAL),
    ("providers", "keyid", ", ".join("DNS:" + n for n in PROVIDER_NAMES)),
    ("wrong_name", "keyid", "DNS:elsewhere.invalid"),
)

# file name, extensions, signed by, first day, last day (counted from today)
WANTED = (
    ("ca", "authority", None, -2, 30),
    ("server", "local", "ca", -2, 30),
    ("providers", "providers", "ca", -2, 30),
    ("wrong_name", "wrong_name", "ca", -2, 30),
    ("self_signed", "alone", None, -2, 30),
    ("expired", "local", "ca", -2, -1),
)


def _openssl(*arguments):
    done = subprocess.run(("openssl",) + arguments, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise RuntimeError("openssl %s: %s" % (
            arguments[0], done.stdout.decode("utf-8", "replace").strip()))


def _day(days):
    moment = time.gmtime(time.time() + days * 86400)
    return time.strftime("%Y%m%d%H%M%SZ", moment)


def _write(path, text, mode):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)


def make(folder):
    """Fill FOLDER with NAME.pem and NAME.key for each name of WANTED, and
    FOLDER/ca with the authority as a hashed folder."""
    work = os.path.join(folder, "issued")
    hashed = os.path.join(folder, "ca")
    for path in (work, hashed):
        os.makedirs(path, mode=0o755, exist_ok=True)
    config = os.path.join(work, "openssl.cnf")
    _write(config, CONFIG.format(work=work) + "".join(
        SERVER.format(section=section, issuer=issuer, names=names)
        for section, issuer, names in SECTIONS), 0o644)
    _write(os.path.join(work, "index"), "", 0o644)
    _write(os.path.join(work, "serial"), "1000\n", 0o644)

    def path(name, kind):
        return os.path.join(folder, "%s.%s" % (name, kind))

    for name, extensions, signer, first, last in WANTED:
        request = os.path.join(work, name + ".csr")
        _write(path(name, "key"), "", 0o600)
        _openssl("req", "-new", "-config", config, "-nodes", "-newkey", "ec",
                 "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-subj", "/CN=libmonime sandbox " + name.replace("_", " "),
                 "-keyout", path(name, "key"), "-out", request)
        signing = ["-selfsign", "-keyfile", path(name, "key")]
        if signer is not None:
            signing = ["-cert", path(signer, "pem"),
                       "-keyfile", path(signer, "key")]
        _openssl("ca", "-config", config, "-batch", "-notext",
                 "-extensions", extensions, "-startdate", _day(first),
                 "-enddate", _day(last), "-in", request,
                 "-out", path(name, "pem"), *signing)
        os.chmod(path(name, "pem"), 0o644)
        os.chmod(path(name, "key"), 0o600)

    with open(path("ca", "pem"), encoding="ascii") as file:
        _write(os.path.join(hashed, "sandbox.pem"), file.read(), 0o644)
    _openssl("rehash", hashed)
    shutil.rmtree(work)
