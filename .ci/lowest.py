"""Runs the quick tests on the lowest versions that pyproject.toml allows, in build/lowest.

The direct requirements are installed at their lower bounds (uv knows how to choose those), what
they need in turn as new as it can be. `.venv` is not touched. ruff and mypy are not run here: they
are tools, not what nbchat stands on, and read the same text as before.

    .venv/bin/python .ci/lowest.py [arguments of pytest]
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "lowest"
VENV = FOLDER / "venv"
BIN = "Scripts" if sys.platform == "win32" else "bin"
UV = (sys.executable, "-m", "uv")
LOWEST = ("--resolution", "lowest-direct")
STAMP = FOLDER / "installed"
TRIES = 3
QUICK = (".ci/quick.py", "-m", "not (browser or kernel or local or long)")
#: that an old library asks for what is deprecated in a newer one is no fault of nbchat's
MILDER = (
    *("-W", "ignore::DeprecationWarning", "-W", "ignore::PendingDeprecationWarning"),
    *("--reruns", "2"),
)


def main(*arguments: str) -> None:
    wanted = fingerprint()
    if not (STAMP.is_file() and STAMP.read_text(encoding="utf-8") == wanted):
        STAMP.unlink(missing_ok=True)
        print("Installing the lowest versions into build/lowest; this takes a minute.", flush=True)
        if not any(install() for _ in range(TRIES)):
            sys.exit("The lowest versions could not be installed; the lines above say why.")
        STAMP.write_text(wanted, encoding="utf-8")
    words = [VENV / BIN / "python", *QUICK, *MILDER, *arguments]
    sys.exit(subprocess.run(words, cwd=ROOT, check=False).returncode)


def fingerprint() -> str:
    """Of what decides which versions are the lowest, and where they are installed."""
    return hashlib.sha256(repr((str(ROOT), sys.version, project())).encode()).hexdigest()


def project() -> dict[str, Any]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)["project"]
    return table


def direct() -> tuple[list[str], list[str]]:
    """Give the extras, and what `dev` names beside them.

    Without `docs`: what makes the site is named exactly, and needs newer versions than nbchat does.
    """
    own, *others = project()["optional-dependencies"]["dev"]
    extras = own.partition("[")[2].rstrip("]").split(",")
    return [extra for extra in extras if extra != "docs"], others


def install() -> bool:
    """Make the environment anew; tell whether that went well."""
    extras, others = direct()
    return runs(
        *(*UV, "venv", "--quiet", "--clear", "--seed", "--python", sys.executable, VENV)
    ) and runs(
        *(*UV, "pip", "install", "--quiet", "--python", VENV / BIN / "python", *LOWEST),
        *("--editable", f"{ROOT}[{','.join(extras)}]", *others),
    )


def resolved() -> str:
    """Give the lowest versions, `name==version` lines; nothing is installed.

    Raise CalledProcessError with uv's sentence where no versions fit together.
    """
    extras, others = direct()
    words = [*UV, "pip", "compile", "--quiet", "--no-header", "--no-annotate", *LOWEST]
    words += ["--python", sys.executable, *(f"--extra={extra}" for extra in extras)]
    words += [str(ROOT / "pyproject.toml"), "-"]
    return subprocess.run(
        words,
        check=True,
        capture_output=True,
        text=True,
        env=environment(),
        input="\n".join(others),
    ).stdout


def runs(*words: str | Path) -> bool:
    done = subprocess.run(words, check=False, env=environment(), stdin=subprocess.DEVNULL)
    return done.returncode == 0


def environment() -> dict[str, str]:
    """Give this one, in which uv asks the index that pip asks: it does not read pip's settings."""
    found = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_USER="0")
    settings = pip_settings()
    for name, variable in (("index-url", "UV_DEFAULT_INDEX"), ("cert", "SSL_CERT_FILE")):
        if value := settings.get(name):
            found.setdefault(variable, value)
    return found


def pip_settings() -> dict[str, str]:
    words = [sys.executable, "-m", "pip", "config", "list"]
    lines = subprocess.run(words, check=False, capture_output=True, text=True).stdout.splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line]
    return {name.rpartition(".")[2]: value.strip("'\"") for name, _, value in pairs}


if __name__ == "__main__":
    main(*sys.argv[1:])
