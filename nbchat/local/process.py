"""A child process that serves one model, as its parent sees it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbchat.errors import LocalModelError
from nbchat.redact import names_secret

_CHILD = Path(__file__).with_name("child.py")
_STOP_S = 5.0
_LOG_LINES = 40


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a server is started with. `max_tokens` -1 sets no limit."""

    path: str
    model: str
    threads: int
    context: int
    slots: int
    max_tokens: int


class Process:
    """Starts the child and waits until it answers. Raises LocalModelError with its own reason."""

    def __init__(self, settings: Settings) -> None:
        self.key = secrets.token_urlsafe(24)
        self._owner = os.getpid()
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._child = subprocess.Popen(  # noqa: S603 - this interpreter, a file of ours
            # a file and -P: neither the notebook's folder nor this one is searched for libraries
            [sys.executable, "-P", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=clean_environment(os.environ),
            **_apart_from_the_terminal(),
        )
        self.pid = self._child.pid
        self._reader = threading.Thread(target=self._read_log, name="nbchat-local", daemon=True)
        try:
            self._reader.start()
            self.address = self._start(settings)
            facts = self._facts()
            self.vocab_size = int(facts["n_vocab"])
            self.context = int(facts["n_ctx"])
        except BaseException:
            self.stop()
            raise

    def is_alive(self) -> bool:
        if self._owner == os.getpid():
            return self._child.poll() is None
        # in a forked process: the server is the parent's, good to use while it answers
        return _answers(self.address)

    def stop(self) -> None:
        if self._owner != os.getpid():
            return
        with contextlib.suppress(OSError):
            self._child.terminate()
        try:
            self._child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._reader.join(_STOP_S)
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _start(self, settings: Settings) -> str:
        child = self._child
        if child.stdin is None or child.stdout is None:
            raise AssertionError
        order = {**dataclasses.asdict(settings), "key": self.key, "parent": self._owner}
        with contextlib.suppress(OSError):  # a child that is dead already says why below
            child.stdin.write(json.dumps(order) + "\n")
            child.stdin.flush()
        line = child.stdout.readline()
        if not line:
            child.wait()
            self._reader.join(_STOP_S)
            raise LocalModelError(f"{Path(settings.path).name} cannot be served: {self._reason()}")
        return str(json.loads(line)["address"])

    def _facts(self) -> dict[str, Any]:
        answer = _get(f"{self.address}/v1/models", key=self.key, timeout_s=30)
        facts: dict[str, Any] = answer["data"][0]["meta"]
        return facts

    def _read_log(self) -> None:
        if self._child.stderr:
            with self._child.stderr as log:
                self._log.extend(log)

    def _reason(self) -> str:
        lines = [re.sub(r"^[\d.]+ [A-Z] ", "", line.strip()) for line in self._log]
        for line in lines:
            if "error loading model: " in line:
                return line.partition("error loading model: ")[2]
        last = [line for line in lines if line][-3:]
        return " | ".join(last) or f"its process ended with code {self._child.returncode}"


#: what a child needs to find its libraries, its files and its threads; no key of anybody's
_NEEDED = {
    *("PATH", "HOME", "USERPROFILE", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP"),
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE"),
}
_NEEDED_KINDS = ("LC_", "CUDA_", "HIP_", "ROCR_", "GGML_", "OMP_", "KMP_", "VK_", "MKL_")


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Give of an environment what the child needs: it serves a model, and has no use for keys."""
    return {
        name: value
        for name, value in environment.items()
        if (name.upper() in _NEEDED or name.upper().startswith(_NEEDED_KINDS))
        and not names_secret(name)
    }


def _apart_from_the_terminal() -> dict[str, Any]:
    # an interrupt goes to all processes of a terminal's group; this one is not meant
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _answers(address: str) -> bool:
    import requests

    try:
        return bool(_get(f"{address}/health", timeout_s=2).get("status") == "ok")
    except (requests.RequestException, ValueError):
        return False


def _get(url: str, *, timeout_s: float, key: str = "") -> dict[str, Any]:
    import requests

    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between this machine and itself
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer: dict[str, Any] = session.get(url, headers=headers, timeout=timeout_s).json()
        return answer
