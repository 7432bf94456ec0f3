"""Opens JupyterLab on the quickstart, with the kernel of this environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    words = [sys.executable, "-m", "jupyterlab", "--notebook-dir", str(ROOT)]
    # not as an argument: this way the URL that is printed leads to the notebook too
    words.append("--LabApp.default_url=/lab/tree/notebooks/01_quickstart.ipynb")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        words.append("--allow-root")
    if not has_screen():
        words.append("--no-browser")
        print("No browser here: open the URL that is printed below.", flush=True)
    # a kernel called python3 in the user's own folder must not be taken for this one
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.execv(sys.executable, words)


def has_screen() -> bool:
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    return named or not sys.platform.startswith("linux")


if __name__ == "__main__":
    main()
