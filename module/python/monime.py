# SPDX-License-Identifier: MIT
"""Authenticated calls to the Monime and Mono APIs, and verdicts on the access
tokens that others present: libmonime for Python.

    import monime

    with monime.open("test/payouts") as m:
        answer = m.request("GET", "/v1/financial-accounts?limit=1")
        print(answer.json()["result"])

A server asks who may come in.  Only a return lets anybody in: a refusal, an
outage and a fault of our own are exceptions, and each knows what to answer.

    try:
        visitor = m.check_token(monime.bearer(header))
    except monime.Error as error:
        return error.http_status

In asyncio it is `await m.check_token_async(token)`: no thread, one descriptor.

A profile that is opened before fork(2), as by gunicorn with preload_app, works
in every child.  Any number of threads may use it; its _async functions belong
to one event loop at a time.  monime(3) is the contract of all that is here.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import json as _json
import logging
import os
import syslog
import threading
from ctypes import (POINTER, byref, c_char_p, c_int, c_size_t, c_void_p,
                    create_string_buffer, string_at)
from typing import (Any, AsyncGenerator, Callable, Dict, Generator, Iterable,
                    List, Mapping, NoReturn, Optional, Sequence, Tuple, Type,
                    TypeVar, Union)

__all__ = [
    "Call", "Canceled", "Config", "Denied", "Environment", "Error",
    "Forbidden", "Http", "Inval", "Limit", "Lost", "Monime", "Net", "NoMem",
    "Pending", "Policy", "Proto", "RequestsAuth", "Sys", "Unsafe", "bearer",
    "fingerprint", "http_status", "httpx_auth", "metrics", "new_key", "open",
    "strerror", "to_logger", "version",
]

MONIME_KEY_SIZE = 37
MONIME_FINGERPRINT_SIZE = 33

MONIME_OK = 0
MONIME_EDENIED = -1
MONIME_EFORBIDDEN = -2
MONIME_EENVIRONMENT = -3
MONIME_EPOLICY = -4
MONIME_ELIMIT = -5
MONIME_EHTTP = -6
MONIME_ENET = -7
MONIME_ELOST = -8
MONIME_EPROTO = -9
MONIME_EINVAL = -10
MONIME_ECONFIG = -11
MONIME_EUNSAFE = -12
MONIME_ENOMEM = -13
MONIME_ESYS = -14
MONIME_EPENDING = -15
MONIME_ECANCELED = -16

Text = Union[str, bytes]
Body = Union[str, bytes, bytearray, memoryview]
Headers = Union[Mapping[str, str], Iterable[Tuple[str, str]]]

_C = TypeVar("_C", bound="Call")

try:
    _lib = ctypes.CDLL("libmonime.so.0")
except OSError as _error:
    raise ImportError(str(_error)) from _error


class _Inside(threading.local):
    """Is this thread in a log function?  From there nothing may go back into
    the library, and the garbage collector runs wherever it likes."""

    log = False


_inside = _Inside()
_late: List[Tuple[Callable[[int], None], int]] = []


def _destroy(destroy: Callable[[int], None], address: int) -> None:
    """What dies in a log function is buried by the next one that does not."""
    if _inside.log:
        _late.append((destroy, address))
        return
    destroy(address)
    while _late:
        try:
            destroy, address = _late.pop()
        except IndexError:      # another thread was first
            return
        destroy(address)


class _Handle(c_void_p):
    """struct monime *.  Whoever is inside a function holds it, so that it is
    closed when nobody is."""

    log: Any = None

    def __del__(self) -> None:
        if self.value is not None:
            _destroy(_lib.monime_close, self.value)


class Call(c_void_p):
    """One operation that is over.  Made by the verbs of Monime alone.

    It is freed, and what it holds is wiped, when a `with` block ends or nobody
    refers to it.  After that it says what a call says that had no memory.
    """

    def __del__(self) -> None:
        if self.value is not None:
            _destroy(_lib.monime_call_free, self.value)

    def __enter__(self: _C) -> _C:
        return self

    def __exit__(self, *_: object) -> None:
        self.free()

    def __repr__(self) -> str:
        return "<monime.Call %s>" % strerror(self.result)

    def free(self) -> None:
        """Wipe and free it now."""
        value, self.value = self.value, None
        if value is not None:
            _destroy(_lib.monime_call_free, value)

    @property
    def result(self) -> int:
        """The result code."""
        return int(_lib.monime_call_result(self))

    @property
    def status(self) -> int:
        """The HTTP status of the last attempt, or 0."""
        return int(_lib.monime_call_status(self))

    @property
    def body(self) -> bytes:
        """The answer's body."""
        size = c_size_t()
        start = _lib.monime_call_body(self, byref(size))
        return string_at(start, size.value)

    @property
    def text(self) -> str:
        """The answer's body as UTF-8."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The answer's body, parsed."""
        return _json.loads(self.body)

    def header(self, name: Text) -> Optional[str]:
        """A header, whatever its case; the first of several."""
        return _latin(_lib.monime_call_header(self, _octets(name)))

    @property
    def headers(self) -> List[Tuple[str, str]]:
        """All headers: of the answer, or those that authorize() says to set."""
        found: List[Tuple[str, str]] = []
        value = c_char_p()
        while True:
            name = _lib.monime_call_header_at(self, len(found), byref(value))
            if name is None:
                return found
            found.append((name.decode("latin-1"),
                          (value.value or b"").decode("latin-1")))

    def get(self, name: Text) -> Optional[str]:
        """A fact, such as "source"; FACTS in monime(3) lists their names."""
        fact = _lib.monime_call_get(self, _octets(name))
        return None if fact is None else fact.decode("utf-8", "replace")

    @property
    def environment(self) -> Optional[str]:
        """"test" or "live"."""
        return self.get("environment")

    @property
    def executed(self) -> Optional[str]:
        """Of a request: "yes", "no" or "unknown"."""
        return self.get("executed")

    @property
    def fingerprint(self) -> Optional[str]:
        """A name for the token, which does not betray it."""
        return self.get("fingerprint")

    @property
    def idempotency_key(self) -> Optional[str]:
        """The key that was sent."""
        return self.get("idempotency-key")

    @property
    def reason(self) -> Optional[str]:
        """The provider's word for an error."""
        return self.get("reason")

    @property
    def request_id(self) -> Optional[str]:
        """What the provider's support asks for."""
        return self.get("request-id")

    @property
    def retry_after(self) -> Optional[int]:
        """When to ask again, in seconds from the answer."""
        seconds = self.get("retry-after")
        return None if seconds is None else int(seconds)

    @property
    def source(self) -> Optional[str]:
        """"network", "cache", "stale" or "local"."""
        return self.get("source")

    @property
    def error(self) -> str:
        """What went wrong, for a log; empty after success."""
        text: bytes = _lib.monime_call_error(self)
        return text.decode("utf-8", "replace")

    def report(self, status: int) -> None:
        """Tell the status with which what authorize() prepared was answered,
        so that a refused credential is refreshed or rested."""
        _lib.monime_call_report(self, status)


_LogFunction = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)

# As in monime.h: the result, then the arguments.  Where a length goes with a
# result, or only its address counts, that is a c_void_p.
_PROTOTYPES: Dict[str, Tuple[Any, ...]] = {
    "monime_version": (c_char_p,),
    "monime_strerror": (c_char_p, c_int),
    "monime_http_status": (c_int, c_int),
    "monime_bearer": (c_void_p, c_char_p, c_size_t, POINTER(c_size_t)),
    "monime_fingerprint": (c_int, c_char_p, c_size_t, c_char_p, c_size_t),
    "monime_new_key": (c_int, c_char_p, c_size_t),
    "monime_open": (c_int, c_char_p, c_char_p, POINTER(_Handle)),
    "monime_close": (None, c_void_p),
    "monime_error": (c_char_p, _Handle),
    "monime_get": (c_char_p, _Handle, c_char_p),
    "monime_set_log": (None, _Handle, c_int, _LogFunction, c_void_p),
    "monime_metrics": (c_size_t, POINTER(c_void_p), c_size_t, c_char_p,
                       c_char_p, c_size_t),
    "monime_check_token": (c_int, _Handle, c_char_p, c_size_t, POINTER(Call)),
    "monime_check_credential": (c_int, _Handle, POINTER(Call)),
    "monime_request": (c_int, _Handle, c_char_p, c_char_p, POINTER(c_char_p),
                       c_char_p, c_size_t, POINTER(Call)),
    "monime_authorize": (c_int, _Handle, c_char_p, c_char_p, POINTER(Call)),
    "monime_verify_webhook": (c_int, _Handle, c_char_p, c_size_t, c_char_p,
                              c_size_t),
    "monime_check_token_start": (c_int, _Handle, c_char_p, c_size_t, c_void_p,
                                 POINTER(Call)),
    "monime_request_start": (c_int, _Handle, c_char_p, c_char_p,
                             POINTER(c_char_p), c_char_p, c_size_t, c_void_p,
                             POINTER(Call)),
    "monime_authorize_start": (c_int, _Handle, c_char_p, c_char_p, c_void_p,
                               POINTER(Call)),
    "monime_fd": (c_int, _Handle),
    "monime_next": (c_void_p, _Handle),
    "monime_call_result": (c_int, Call),
    "monime_call_data": (c_void_p, Call),
    "monime_call_status": (c_int, Call),
    "monime_call_body": (c_void_p, Call, POINTER(c_size_t)),
    "monime_call_header": (c_char_p, Call, c_char_p),
    "monime_call_header_at": (c_char_p, Call, c_size_t, POINTER(c_char_p)),
    "monime_call_get": (c_char_p, Call, c_char_p),
    "monime_call_error": (c_char_p, Call),
    "monime_call_report": (None, Call, c_int),
    "monime_call_free": (None, c_void_p),
}

for _name, _types in _PROTOTYPES.items():
    _function = getattr(_lib, _name)
    _function.restype, _function.argtypes = _types[0], _types[1:]


class Error(Exception):
    """A result code that is not MONIME_OK.

    There is a class for each code, named after it.  A code that is newer than
    this module is an Error and no more.

    code, status, reason, request_id, retry_after and executed tell what the
    call told; call is the call itself, with the answer's body and headers.
    """

    def __init__(self, code: int, message: str, call: Optional[Call] = None
                 ) -> None:
        super().__init__(code, message)
        self.call = call = Call() if call is None else call
        self.code = code
        self.message = message
        self.status = call.status
        self.reason = call.reason
        self.request_id = call.request_id
        self.retry_after = call.retry_after
        self.executed = call.executed

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> Tuple[Any, ...]:
        # All but the call can go to another process.
        facts = {name: value for name, value in self.__dict__.items()
                 if name != "call"}
        return type(self), (self.code, self.message), facts

    @property
    def http_status(self) -> int:
        """What to answer a bearer over HTTP: 401 or 403 where the API said no,
        503 where nobody knows, 500 where the fault is ours."""
        return http_status(self.code)


class Denied(Error):
    """401: the token is missing, invalid, expired or revoked."""


class Forbidden(Error):
    """403: valid, but not for this."""


class Environment(Error):
    """test where live is meant, or the reverse."""


class Policy(Error):
    """Our own profile forbids it; nothing was sent."""


class Limit(Error):
    """429: not executed; see retry_after."""


class Http(Error):
    """Any other error status."""


class Net(Error):
    """No connection; nothing was sent."""


class Lost(Error):
    """Sent, no complete answer: the outcome is unknown."""


class Proto(Error):
    """The answer breaks the API's promises."""


class Inval(Error):
    """An argument is not valid; nothing was sent."""


class Config(Error):
    """A file is missing or wrong."""


class Unsafe(Error):
    """A file is not safe to read: owner, mode, path."""


class NoMem(Error):
    """Memory is short."""


class Sys(Error):
    """No descriptor, no random bytes, and the like."""


class Pending(Error):
    """The call has not finished."""


class Canceled(Error):
    """The handle was closed, or a fork left the call behind."""


_ERRORS: Dict[int, Type[Error]] = {
    MONIME_EDENIED: Denied,
    MONIME_EFORBIDDEN: Forbidden,
    MONIME_EENVIRONMENT: Environment,
    MONIME_EPOLICY: Policy,
    MONIME_ELIMIT: Limit,
    MONIME_EHTTP: Http,
    MONIME_ENET: Net,
    MONIME_ELOST: Lost,
    MONIME_EPROTO: Proto,
    MONIME_EINVAL: Inval,
    MONIME_ECONFIG: Config,
    MONIME_EUNSAFE: Unsafe,
    MONIME_ENOMEM: NoMem,
    MONIME_ESYS: Sys,
    MONIME_EPENDING: Pending,
    MONIME_ECANCELED: Canceled,
}


def _fail(code: int, message: str, call: Optional[Call] = None) -> NoReturn:
    raise _ERRORS.get(code, Error)(code, message or strerror(code), call)


def _answer(code: int, call: Call) -> Call:
    if code != MONIME_OK:
        _fail(code, call.error, call)
    return call


def _gone() -> NoReturn:
    _fail(MONIME_ECANCELED, "the handle is closed")


def _bytes(text: Text) -> bytes:
    # A visitor's text never raises here: what is no token gets refused.
    return text if isinstance(text, bytes) else \
        text.encode("utf-8", "surrogatepass")


def _octets(text: Text) -> bytes:
    """For a function to which a NUL is the end: nothing may hide behind it."""
    octets = _bytes(text)
    if b"\0" in octets:
        _fail(MONIME_EINVAL, "a NUL in an argument")
    return octets


def _latin(value: Optional[bytes]) -> Optional[str]:
    return None if value is None else value.decode("latin-1")


def _content(body: Optional[Body], json: Any) -> Optional[bytes]:
    if json is not None:
        if body is not None:
            raise TypeError("body and json are one too many")
        body = _json.dumps(json, allow_nan=False, separators=(",", ":"))
    if body is None or isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else bytes(body)


def _lines(headers: Optional[Headers], key: Optional[Text]) -> Any:
    """The list of "Name: value" strings that ends in NULL."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    lines = [_octets(name) + b": " + _octets(value) for name, value in pairs]
    if key is not None:
        lines.append(b"Idempotency-Key: " + _octets(key))
    return (c_char_p * (len(lines) + 1))(*lines, None)


def version() -> str:
    """The version of the library that runs."""
    text: bytes = _lib.monime_version()
    return text.decode()


def strerror(code: int) -> str:
    """A short English phrase for a result code."""
    text: bytes = _lib.monime_strerror(code)
    return text.decode()


def http_status(code: int) -> int:
    """What to answer a bearer over HTTP; see Error.http_status."""
    return int(_lib.monime_http_status(code))


def bearer(header: Optional[Text]) -> Optional[str]:
    """The token in the value of an Authorization header, by RFC 6750 2.1, or
    None.  check_token() refuses None, so its result need not be looked at."""
    octets = b"" if header is None else _bytes(header)
    size = c_size_t()
    start = _lib.monime_bearer(octets, len(octets), byref(size))
    return string_at(start, size.value).decode("ascii") if size.value else None


def fingerprint(token: Text) -> str:
    """A name for a token that does not betray it, the same on every host."""
    octets = _bytes(token)
    name = create_string_buffer(MONIME_FINGERPRINT_SIZE)
    code = _lib.monime_fingerprint(octets, len(octets), name, len(name))
    if code != MONIME_OK:
        _fail(code, "")
    return name.value.decode()


def new_key() -> str:
    """A random idempotency key: store it before the request that carries it,
    and a crash cannot make two payments of one."""
    key = create_string_buffer(MONIME_KEY_SIZE)
    code = _lib.monime_new_key(key, len(key))
    if code != MONIME_OK:
        _fail(code, "")
    return key.value.decode()


# By the levels of syslog(3).
_LEVELS = (logging.CRITICAL, logging.CRITICAL, logging.CRITICAL, logging.ERROR,
           logging.WARNING, logging.INFO, logging.INFO, logging.DEBUG)


def _teller(log: Callable[[int, str], None]
            ) -> Callable[[object, int, bytes], None]:
    def tell(_: object, level: int, line: bytes) -> None:
        _inside.log = True
        try:
            log(level, line.decode("utf-8", "replace"))
        finally:
            _inside.log = False
    return tell


def to_logger(logger: logging.Logger) -> Callable[[int, str], None]:
    """For set_log(): lines go to a logger."""
    def log(level: int, line: str) -> None:
        logger.log(_LEVELS[level], "%s", line)
    return log


class Monime:
    """A profile, opened: "ENVIRONMENT/NAME", so that whoever opens one says
    whether money moves.

    folder is absolute; None means the built-in one.  Nothing is sent.  An
    error tells what is wrong with which file, and the command that mends it.
    """

    def __init__(self, profile: Text,
                 folder: Union[None, Text, os.PathLike[str]] = None) -> None:
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._process = 0
        self._descriptor = -1
        self._waiting: Dict[int, asyncio.Future[None]] = {}
        self._handle: Optional[_Handle] = None
        handle = _Handle()
        code = _lib.monime_open(
            _octets(profile), None if folder is None else
            _octets(os.fsencode(folder)), byref(handle))
        if code != MONIME_OK:
            _fail(code, _lib.monime_error(handle).decode("utf-8", "replace"))
        self._handle = handle

    def __enter__(self) -> Monime:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Monime:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<monime.Monime %s>" % (
            self.profile if self._handle else "closed")

    def close(self) -> None:
        """Close it, in the thread of its event loop if it has one.  What is
        awaited becomes Canceled; functions that other threads are in finish
        first.  Each process closes its own copy."""
        self._leave()
        self._handle = None

    def get(self, name: Text) -> Optional[str]:
        """A fact that stays true while it is open: "profile", "provider",
        "product", "environment", "origin" or "space"."""
        return _latin(_lib.monime_get(self._handle or _gone(), _octets(name)))

    @property
    def profile(self) -> Optional[str]:
        """Its name."""
        return self.get("profile")

    @property
    def environment(self) -> Optional[str]:
        """"test" or "live"."""
        return self.get("environment")

    @property
    def origin(self) -> Optional[str]:
        """Where requests go."""
        return self.get("origin")

    @property
    def space(self) -> Optional[str]:
        """The Space that is sent with requests and used by checks."""
        return self.get("space")

    def set_log(self, log: Optional[Callable[[int, str], None]],
                level: int = syslog.LOG_NOTICE) -> None:
        """Let log(level, line) have the lines up to a level of syslog, at once
        those that opening the profile had to warn of.  It may be called in any
        thread that is inside the library, and must call nothing of it.  None
        is silence."""
        handle = self._handle or _gone()
        function = ctypes.cast(0, _LogFunction) if log is None else \
            _LogFunction(_teller(log))
        _lib.monime_set_log(handle, level, function, None)
        # The former one is not called again, and may go.
        handle.log = function

    def check_token(self, token: Optional[Text]) -> Call:
        """Is this access token acceptable to us?  If so it returns.

        Denied, Forbidden and Environment say no; with any other error nobody
        knows: do not let the bearer in.
        """
        octets = None if token is None else _bytes(token)
        call = Call()
        return _answer(_lib.monime_check_token(
            self._handle or _gone(), octets, len(octets) if octets else 0,
            byref(call)), call)

    def check_credential(self) -> Call:
        """Does the API accept the profile's own credential?  Always asks."""
        call = Call()
        return _answer(_lib.monime_check_credential(
            self._handle or _gone(), byref(call)), call)

    def request(self, method: Text, path: Text, *,
                headers: Optional[Headers] = None, body: Optional[Body] = None,
                json: Any = None, key: Optional[Text] = None) -> Call:
        """Perform one API request; it returns after a 2xx status.

        The path is sent byte for byte.  json is sent in the place of a body.
        key is the idempotency key: a write for which the provider honours keys
        gets a fresh one where none is given.  After Lost, and wherever
        executed is "unknown", only the same bytes with the same key are safe.
        """
        content = _content(body, json)
        call = Call()
        return _answer(_lib.monime_request(
            self._handle or _gone(), _octets(method), _octets(path),
            _lines(headers, key), content, len(content or b""), byref(call)),
            call)

    def authorize(self, method: Text, url: Text) -> Call:
        """Prepare a request that somebody else will send: headers are to be
        set on it, in the place of any of the same name.  Send what was judged
        and verify the certificate; then report() the status."""
        call = Call()
        return _answer(_lib.monime_authorize(
            self._handle or _gone(), _octets(method), _octets(url),
            byref(call)), call)

    def verify_webhook(self, signature: Optional[Text], body: Body) -> None:
        """Did the provider sign this delivery?  signature is the value of its
        signature header, body the exact bytes received.  If so it returns;
        remember the ids of the events that were handled."""
        octets = None if signature is None else _bytes(signature)
        content = _content(body, None) or b""
        code = _lib.monime_verify_webhook(
            self._handle or _gone(), octets, len(octets) if octets else 0,
            content, len(content))
        if code != MONIME_OK:
            _fail(code, "")

    async def check_token_async(self, token: Optional[Text]) -> Call:
        """check_token() for asyncio.  A verdict that is remembered, or a token
        that is refused here, is answered without a turn of the loop."""
        self._watch()
        octets = None if token is None else _bytes(token)
        call = Call()
        code: int = _lib.monime_check_token_start(
            self._handle or _gone(), octets, len(octets) if octets else 0,
            None, byref(call))
        if code == MONIME_EPENDING:
            code = await self._settle(call)
        return _answer(code, call)

    async def request_async(self, method: Text, path: Text, *,
                            headers: Optional[Headers] = None,
                            body: Optional[Body] = None, json: Any = None,
                            key: Optional[Text] = None) -> Call:
        """request() for asyncio.  Who cancels it does not know whether it was
        executed: give it a key of your own."""
        content = _content(body, json)
        self._watch()
        call = Call()
        code: int = _lib.monime_request_start(
            self._handle or _gone(), _octets(method), _octets(path),
            _lines(headers, key), content, len(content or b""), None,
            byref(call))
        if code == MONIME_EPENDING:
            code = await self._settle(call)
        return _answer(code, call)

    async def authorize_async(self, method: Text, url: Text) -> Call:
        """authorize() for asyncio."""
        self._watch()
        call = Call()
        code: int = _lib.monime_authorize_start(
            self._handle or _gone(), _octets(method), _octets(url), None,
            byref(call))
        if code == MONIME_EPENDING:
            code = await self._settle(call)
        return _answer(code, call)

    def _watch(self) -> None:
        """Let the running loop watch our descriptor, until it is closed or
        another one comes."""
        loop = asyncio.get_running_loop()
        process = os.getpid()
        if loop is self._loop and process == self._process:
            return
        descriptor = _lib.monime_fd(self._handle or _gone())
        if descriptor < 0:
            _fail(descriptor, "")
        if self._loop is not None and process == self._process and \
                self._loop.is_running():
            raise RuntimeError("%r is in use in another event loop" % self)
        self._leave(loop)
        loop.add_reader(descriptor, self._take)
        self._loop, self._process = loop, process
        self._descriptor = descriptor

    def _leave(self, heir: Optional[asyncio.AbstractEventLoop] = None
               ) -> None:
        """No loop watches from here on, and nothing awaited comes any more."""
        loop, self._loop = self._loop, None
        waiting, self._waiting = self._waiting, {}
        if loop is None or loop.is_closed():
            return
        # A parent's loop is the parent's, and its epoll is shared with us:
        # unless it goes on here, as in a daemon.
        if self._process != os.getpid() and loop is not heir:
            return
        loop.remove_reader(self._descriptor)
        for future in waiting.values():
            if not future.done():
                future.set_result(None)

    def _take(self) -> None:
        """The descriptor is readable."""
        while self._handle is not None:
            finished: Optional[int] = _lib.monime_next(self._handle)
            if finished is None:
                return
            future = self._waiting.pop(finished, None)
            if future is not None and not future.done():
                future.set_result(None)

    async def _settle(self, call: Call) -> int:
        future = asyncio.get_running_loop().create_future()
        address = call.value or 0
        self._waiting[address] = future
        try:
            await future
        except BaseException:
            # Who awaited it was cancelled: so is the call.
            if self._waiting.get(address) is future:
                del self._waiting[address]
            call.free()
            raise
        code = call.result
        if code == MONIME_EPENDING:
            # The handle is closed to us while another thread is in it.
            call.free()
            code = MONIME_ECANCELED
        return code


def open(profile: Text,
         folder: Union[None, Text, os.PathLike[str]] = None) -> Monime:
    """Open a profile: "test/payouts", "live/payouts"."""
    return Monime(profile, folder)


def metrics(handles: Sequence[Monime], format: Text = "openmetrics") -> str:
    """The counters of several profiles, summed over all processes that share
    them: for Prometheus, or as "html" for a page that people read."""
    held = [handle._handle or _gone() for handle in handles]
    pointers = (c_void_p * len(held))(*[handle.value for handle in held])
    name = _octets(format)
    size = 0
    while True:
        text = create_string_buffer(size)
        length: int = _lib.monime_metrics(pointers, len(held), name, text,
                                          size)
        if length < size or length == 0:
            return text.raw[:length].decode("utf-8", "replace")
        # Counting goes on.
        size = length + 1024


class RequestsAuth:
    """The credential of a profile for requests:

        requests.get(url, auth=monime.RequestsAuth(m))

    Each request is judged by the profile's `allow`, and its status reported.
    The headers are taken off again when the answer is there, so that no
    redirect carries them anywhere.  Leave `verify` on, and set `trust_env` of
    a session to False: else the environment names proxies and authorities.
    """

    def __init__(self, handle: Monime) -> None:
        self._monime = handle

    def __call__(self, request: Any) -> Any:
        call = self._monime.authorize(request.method, request.url)
        headers = call.headers
        request.headers.update(headers)

        def answered(response: Any, **_: object) -> None:
            # A redirect inherits the hook, in a request of its own.
            if response.request is not request:
                return
            call.report(response.status_code)
            for name, _value in headers:
                request.headers.pop(name, None)

        request.register_hook("response", answered)
        return request


class _HttpxFlow:
    """What httpx.Auth asks for."""

    def __init__(self, handle: Monime) -> None:
        self._monime = handle

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        with self._monime.authorize(request.method, str(request.url)) as call:
            request.headers.update(call.headers)
            response = yield request
            call.report((response.history or [response])[0].status_code)

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        with await self._monime.authorize_async(
                request.method, str(request.url)) as call:
            request.headers.update(call.headers)
            response = yield request
            call.report((response.history or [response])[0].status_code)


def httpx_auth(handle: Monime) -> Any:
    """The credential of a profile for httpx, in asyncio as well:

        httpx.get(url, auth=monime.httpx_auth(m))

    Each request is judged by the profile's `allow`, and its status reported.
    httpx follows no redirect unless it is told to; then it carries the
    credential to no other origin, but to paths that nobody judged.  Leave
    `verify` on, and set `trust_env` to False: else the environment names
    proxies and authorities.
    """
    auth = importlib.import_module("httpx").Auth
    return type("MonimeAuth", (_HttpxFlow, auth), {})(handle)
