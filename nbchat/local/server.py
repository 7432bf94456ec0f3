"""The embedded server: started on first use, one for the process, gone when it goes."""

from __future__ import annotations

import atexit
import importlib.util
import os
import platform
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbchat.errors import LocalModelError
from nbchat.local import MODEL, weights
from nbchat.local.process import Process, Settings
from nbchat.regular_file import first_bytes
from nbchat.version import install_command

if TYPE_CHECKING:
    from collections.abc import Callable

# More threads than free cores make a small model several times slower, and the notebook, its
# kernel and its browser want a core too: measured on 2 cores of which one is busy, 1 thread
# writes 65 tokens a second and 2 threads write 27 (with both idle 66 and 93).
DEFAULT_THREADS = 2
CONTEXT = 4096
SLOTS = 4
MAX_TOKENS = 1024
OLDEST_MACOS = 13
NO_WHEEL = (
    " For this system it has no wheel (there are some for glibc Linux on x86-64 and Arm, for macOS "
    "13 and newer and for Windows on x86-64), so pip needs a compiler and CMake; a server of "
    "another kind, as of ollama, is one profile away: nbchat.configure(profile='ollama')."
)


@dataclass(frozen=True)
class Server:
    """A running embedded server.

    `base_url` ends in ``/v1``; `key` is random, made for this server and in no repr; `context`
    is the number of tokens that one request and its reply may have together; `slots` requests
    are answered at once, others wait; `max_tokens` is where a reply stops that says no limit
    of its own (None: nowhere).
    """

    base_url: str
    key: str
    model: str
    path: Path
    pid: int
    vocab_size: int
    threads: int
    context: int
    slots: int
    max_tokens: int | None

    def __repr__(self) -> str:
        return f"<Server {self.model} at {self.base_url}, pid {self.pid}, {_threads(self.threads)}>"


@dataclass(frozen=True)
class Status:
    """What there is of the embedded model: its weights, and the server of this process."""

    downloaded: bool
    path: Path
    running: bool
    base_url: str | None
    model: str | None
    pid: int | None
    threads: int | None
    slots: int | None = None

    def __repr__(self) -> str:
        if self.running and self.threads:
            server = (
                f"{self.model} runs at {self.base_url} (pid {self.pid}, {_threads(self.threads)})"
            )
        else:
            server = "not running"
        there = f"at {self.path}" if self.downloaded else "not downloaded"
        return f"embedded model: {server}; weights of {MODEL} {there}"


class Host:
    """Keeps at most one server for this process. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process: Process | None = None
        self._server: Server | None = None
        self._wanted: Settings | None = None
        atexit.register(self.stop)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew_lock)

    def serve(self, settings: Settings, say: Callable[[str], None] | None = None) -> Server:
        with self._lock:
            if (server := self._current()) and self._wanted == settings:
                return server
            self.stop()
            if say:
                say(f"Starting the embedded model {settings.model} ({_threads(settings.threads)}).")
            try:
                process = Process(settings)
            finally:
                if say:
                    say("")  # it is over
            self._process = process
            self._server = Server(
                base_url=f"{process.address}/v1",
                key=process.key,
                model=settings.model,
                path=Path(settings.path),
                pid=process.pid,
                vocab_size=process.vocab_size,
                threads=settings.threads,
                context=process.context,
                slots=settings.slots,
                max_tokens=settings.max_tokens if settings.max_tokens > 0 else None,
            )
            self._wanted = settings
            return self._server

    def ensure(self, say: Callable[[str], None] | None = None) -> Server:
        with self._lock:
            if server := self._current():
                return server
            return self.serve(self._wanted or settings_for(), say)

    def stop(self) -> None:
        with self._lock:
            process, self._process, self._server = self._process, None, None
            if process:
                process.stop()

    def status(self) -> Status:
        process, server = self._process, self._server  # without the lock: a start takes a while
        running = bool(process and server and process.is_alive())
        path = weights.embedded_path()
        return Status(
            downloaded=weights.is_whole(path),
            path=path,
            running=running,
            base_url=server.base_url if running and server else None,
            model=server.model if running and server else None,
            pid=server.pid if running and server else None,
            threads=server.threads if running and server else None,
            slots=server.slots if running and server else None,
        )

    def wanted_model(self) -> str | None:
        wanted = self._wanted
        return wanted.model if wanted else None

    def _current(self) -> Server | None:
        return self._server if self._process and self._process.is_alive() else None

    def _renew_lock(self) -> None:
        # the thread that held it was not copied by the fork
        self._lock = threading.RLock()


def settings_for(
    model: str | os.PathLike[str] | None = None,
    *,
    threads: int | None = None,
    context: int = CONTEXT,
    at_once: int = SLOTS,
    max_tokens: int | None = MAX_TOKENS,
) -> Settings:
    if importlib.util.find_spec("xllamacpp") is None:
        raise LocalModelError(
            f"The embedded model needs one more package: {install_command('local')}.{no_wheel()}"
        )
    cores = available_cores()
    if threads is None:
        threads = max(1, min(DEFAULT_THREADS, cores - 1))
    elif not 1 <= threads <= cores:
        raise LocalModelError(
            f"threads={threads}: this process may use {cores} "
            f"{'core' if cores == 1 else 'cores'}, and more threads than cores are slower."
        )
    for name, value, least in (
        ("context", context, 1),
        ("at_once", at_once, 1),
        ("max_tokens", max_tokens, 1),
    ):
        if value is not None and value < least:
            raise LocalModelError(f"{name}={value}: it must be {least} or more.")
    path = find(model)
    return Settings(
        path=str(path),
        model=short_name(path),
        threads=threads,
        context=context,
        slots=at_once,
        max_tokens=-1 if max_tokens is None else max_tokens,
    )


def no_wheel() -> str:
    """Say so where llama.cpp comes without a wheel, so that pip would want to compile it."""
    system, machine = platform.system(), platform.machine().lower()
    if system == "Linux" and platform.libc_ver()[0] == "glibc":
        has_wheel = machine in ("x86_64", "aarch64")
    elif system == "Darwin":
        has_wheel = int(platform.mac_ver()[0].partition(".")[0] or 0) >= OLDEST_MACOS
    else:
        has_wheel = system == "Windows" and machine == "amd64"
    return "" if has_wheel else NO_WHEEL


def find(model: str | os.PathLike[str] | None) -> Path:
    """The GGUF file that `model` means: a path, the name of one in the models folder, or None."""
    embedded = weights.embedded_path()
    if not isinstance(model, str | os.PathLike | None):
        raise LocalModelError(f"A model is a path or a name, not a {type(model).__name__}.")
    if model is None or os.fspath(model) == MODEL:
        if weights.is_whole(embedded):
            return embedded
        state = "broken" if embedded.exists() else "not here yet"
        raise LocalModelError(
            f"The weights of {MODEL} are {state} ({weights.SIZE / 1e6:.0f} MB): call "
            "nbchat.local.download(), or `python -m nbchat.local download` in a terminal."
        )
    try:
        path = Path(model).expanduser()
        if not path.exists() and path.name == str(path):
            known = {short_name(file): file for file in sorted(embedded.parent.glob("*.gguf"))}
            path = known.get(short_name(path), path)
        is_gguf = first_bytes(path, 4) == b"GGUF"
    except (OSError, ValueError, RuntimeError) as error:
        # a name too long or with a NUL in it, a folder that may not be read, ~nobody
        reason = getattr(error, "strerror", None) or error
        raise LocalModelError(f"There is no model file {_shortened(model)} ({reason}).") from None
    if not is_gguf:
        raise LocalModelError(f"{path.name} is not a GGUF file.")
    return path.absolute()  # a link keeps its name: the caches of hubs link to hashes


def _shortened(model: str | os.PathLike[str]) -> str:
    text = os.fspath(model)
    return repr(text if len(text) <= 200 else f"{text[:200]}…")


def short_name(path: Path) -> str:
    """``/models/Qwen2.5-0.5B-Instruct-Q4_K_M.gguf`` -> ``qwen2.5-0.5b-instruct-q4_k_m``."""
    return re.sub(r"(-\d{5}-of-\d{5})?(\.gguf)?$", "", path.name.lower())


def available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"


_HOST = Host()


def serve(
    model: str | os.PathLike[str] | None = None,
    *,
    threads: int | None = None,
    context: int = CONTEXT,
    at_once: int = SLOTS,
    max_tokens: int | None = MAX_TOKENS,
) -> Server:
    """Serves a GGUF file on 127.0.0.1 in a child process that ends with this one.

    `model` is a path, the name of a file in the models folder, or None for the embedded
    model. A server that runs with the same settings is kept, another one is stopped first.
    `threads` is 2 by default, or 1 where there are fewer than three cores; `context` the
    tokens of one request and its reply together; `at_once` the requests that are answered at
    once, each in a slot with a context of its own, and as many a sweep sends at once;
    `max_tokens` where a reply ends that asks for no limit of its own (finish reason
    ``length``), None: nowhere.

    Raises LocalModelError where the file cannot be served, with llama.cpp's own reason.
    """
    return _HOST.serve(
        settings_for(
            model, threads=threads, context=context, at_once=at_once, max_tokens=max_tokens
        )
    )


def ensure(say: Callable[[str], None] | None = None) -> Server:
    """The running server; where there is none, starts one and says so in one line.

    After `serve()` that is the model which was served, even if its server has died since.
    """
    return _HOST.ensure(say)


def status() -> Status:
    """Whether the weights are there, and where the server of this process runs."""
    return _HOST.status()


def wanted_model() -> str | None:
    """The model that runs, or would be started again; None before there was one."""
    return _HOST.wanted_model()


def stop() -> None:
    """Stops the server of this process, if there is one. A later request starts it again."""
    _HOST.stop()
