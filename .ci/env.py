"""Makes .venv with the given extras (`dev`, or `lab,local`), or finds it as it should be.

Runs with the Python that make found, before anything is installed: standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "nbchat.json"


def main(extras: str) -> None:
    wanted = {"root": str(ROOT), "project": project_hash()}
    have = stamp()
    is_same = {**have, **wanted} == have
    there = set(have.get("extras", "").split(",")) if is_same else set()
    if is_usable() and ("dev" in there or set(extras.split(",")) <= there):
        return
    # its scripts name the folder that it was made in
    is_elsewheres = have.get("root", str(ROOT)) != str(ROOT)
    if is_elsewheres or not (is_usable() and (has_pip() or shutil.which("uv"))):
        create()
    STAMP.unlink(missing_ok=True)
    say(f"Installing nbchat with {extras} into .venv; the first time this takes a minute or two.")
    install("-e", f"{ROOT}[{extras}]")
    STAMP.write_text(json.dumps({**wanted, "extras": extras}))


def project_hash() -> str:
    """Of what decides an installation; the settings of the tools do not."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    facts = {name: tables[name] for name in ("project", "build-system")}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def stamp() -> dict[str, str]:
    try:
        facts: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return facts


def is_usable() -> bool:
    test = "import sys; sys.exit(sys.version_info < (3, 11) or sys.prefix == sys.base_prefix)"
    try:
        return (
            subprocess.run([PYTHON, "-c", test], check=False, capture_output=True).returncode == 0
        )
    except OSError:
        return False


def has_pip() -> bool:
    """What was interrupted while it was made has a Python, but nothing to install with."""
    done = subprocess.run([PYTHON, "-m", "pip", "--version"], check=False, capture_output=True)
    return done.returncode == 0


def create() -> None:
    if VENV.is_symlink():
        VENV.unlink()  # where it leads is another's, and stays as it is
    try:
        make_any()
    except KeyboardInterrupt:
        shutil.rmtree(VENV, ignore_errors=True)  # half an environment is none
        raise


def make_any() -> None:
    say(f"Making .venv with Python {sys.version.split()[0]} ({sys.executable}).")
    if make_venv():
        return
    # Debian's python3 comes without ensurepip
    if shutil.which("uv") and make_venv("--without-pip"):
        return
    if make_venv("--without-pip") and installed_by_the_pip_of_the_system():
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if shutil.which("apt-get") and os.geteuid() == 0:
        say(f"This Python cannot make environments with pip: installing {package}.")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=quiet)
        subprocess.run(["apt-get", "install", "-yqq", package], check=False, env=quiet)
        if make_venv():
            return
    shutil.rmtree(VENV, ignore_errors=True)
    sys.exit(
        f"{sys.executable} cannot make an environment with pip in it. On Debian and Ubuntu "
        f"`sudo apt-get install {package}` adds what is missing; or install uv; or name "
        "another Python: make PYTHON=/path/to/python3"
    )


def make_venv(*options: str) -> bool:
    words = [sys.executable, "-m", "venv", "--clear", *options, str(VENV)]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def installed_by_the_pip_of_the_system() -> bool:
    words = [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "--quiet", "pip"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def install(*words: str) -> None:
    if has_pip():
        command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    else:
        command = ["uv", "pip", "install", "--python", str(PYTHON), "--quiet"]
    # a rule for the user's own installations would be refused inside an environment
    done = subprocess.run(
        [*command, *words],
        check=False,
        env={**os.environ, "PIP_USER": "0"},
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        sys.exit("The installation failed; the lines above say why. `make` again continues it.")


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
