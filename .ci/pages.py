"""Builds the site of the pages into build/docs/html: no network, warnings are errors."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "docs"


def main(build: Path = BUILD) -> int:
    os.environ["NBCHAT_HISTORY"] = "off"  # the reference looks at names, and nobody's record
    sys.path.insert(0, str(ROOT))
    from sphinx.cmd.build import build_main

    from docs.site.tree import assemble

    assemble(build / "source")
    words = ["-W", "--keep-going", "-q", "-b", "html", "-c", str(ROOT / "docs")]
    words += ["-d", str(build / "doctrees"), str(build / "source"), str(build / "html")]
    failed = build_main(words)
    if not failed:
        print(f"The site is {build / 'html' / 'index.html'}")
    return failed


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
