"""A request whose answer has not begun can be given up from another thread.

Many servers send the first byte of an answer only with its first token. Until then there is no
response that could be closed, and the thread that sent the request waits in the library: so the
connections here know for whom they wait, and their socket can be shut from outside.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any, Self


class SlowHandshakeError(TimeoutError):
    """Connected, but what comes before a request (TLS, a proxy's consent) was not done in time."""


class Pending:
    """One request that waits. `cut` ends the waiting, now or as soon as it begins.

    In a ``with`` statement it is what this thread sends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._is_cut = False

    def __enter__(self) -> Self:
        _thread.pending = self
        return self

    def __exit__(self, *_: object) -> None:
        _thread.pending = None

    def cut(self) -> None:
        """Shut the socket that is waited for; the thread that waits gets an error."""
        with self._lock:
            self._is_cut = True
            _shut(self._sock)

    def _begin(self, sock: socket.socket | None) -> None:
        with self._lock:
            self._sock = sock
            if self._is_cut:
                _shut(sock)

    def _end(self) -> None:
        with self._lock:
            self._sock = None


class _Thread(threading.local):
    pending: Pending | None = None
    #: whether the last request of this thread went out on a connection that had answered before
    reuses: bool = False


_thread = _Thread()


def is_cut() -> bool:
    """Tell whether the request that this thread sends was given up."""
    return _thread.pending is not None and _thread.pending._is_cut  # noqa: SLF001 - of this module


def was_reused() -> bool:
    """Tell whether this thread's last request went out on a connection kept from another one."""
    return _thread.reuses


def note_connection(*, is_reused: bool) -> None:
    """Note, for this thread, whether its request goes out on a connection that has answered."""
    _thread.reuses = is_reused


def _shut(sock: socket.socket | None) -> None:
    if sock is not None:
        with contextlib.suppress(OSError, ValueError):  # it has just ended by itself
            sock.shutdown(socket.SHUT_RDWR)


class awaited:  # noqa: N801 - a context manager, in small letters as those of the standard library
    """Wait here for an answer on a socket, which can be cut from another thread."""

    __slots__ = ("_pending",)

    def __init__(self, sock: Any):
        self._pending = _thread.pending
        if self._pending is not None:
            self._pending._begin(sock)  # noqa: SLF001 - of this module

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if self._pending is not None:
            self._pending._end()  # noqa: SLF001 - of this module
