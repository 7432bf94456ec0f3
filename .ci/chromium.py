"""Sees to it that the browser tests have a Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    if not (system_browser() or playwrights_own() or from_apt() or from_playwright()):
        sys.exit(
            "The browser tests need Chromium, and it could not be installed from here. Install "
            "it with the system's packages (Debian: sudo apt-get install chromium), or with "
            "`.venv/bin/python -m playwright install --with-deps chromium`."
        )


def system_browser() -> bool:
    # Ubuntu's package is a stub that only starts with snapd: a name on the PATH is not enough
    return any(succeeds(path, "--version") for name in NAMES if (path := shutil.which(name)))


def playwrights_own() -> bool:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return Path(path).exists() and succeeds(path, "--version")


def from_apt() -> bool:
    if not shutil.which("apt-get"):
        return False
    if os.geteuid() == 0:
        apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    elif shutil.which("sudo") and succeeds("sudo", "-n", "true"):
        apt = ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    else:
        return False
    print("Installing Chromium with apt-get; this takes a minute.", flush=True)
    succeeds(*apt, "update")
    return succeeds(*apt, "install", "-y", "chromium") and system_browser()


def from_playwright() -> bool:
    print("Installing Chromium with playwright; this takes a minute.", flush=True)
    install = (sys.executable, "-m", "playwright", "install")
    return (
        os.geteuid() == 0 and succeeds(*install, "--with-deps", "chromium") and playwrights_own()
    ) or (succeeds(*install, "chromium") and playwrights_own())


def succeeds(*words: str) -> bool:
    try:
        return (
            subprocess.run(
                words, check=False, capture_output=True, stdin=subprocess.DEVNULL
            ).returncode
            == 0
        )
    except OSError:
        return False


if __name__ == "__main__":
    main()
