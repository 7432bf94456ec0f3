"""The README is a front page: short, and what it says of files, commands and profiles is so."""

from __future__ import annotations

import re
from pathlib import Path

from nbchat.client.presets import names

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_LINES = 200
MOST_BYTES = 3_000_000


def test_it_is_short_and_shows_its_commands_at_once() -> None:
    lines = README.splitlines()
    assert len(lines) <= MOST_LINES
    first = "\n".join(lines[:30])
    assert "| `make lab` |" in first
    assert "| `make test` |" in first


def test_its_picture_moves_and_is_not_large() -> None:
    picture = ROOT / "docs" / "images" / "nbchat.webp"
    assert picture.relative_to(ROOT).as_posix() in README
    data = picture.read_bytes()
    assert len(data) < MOST_BYTES
    assert data[:4] == b"RIFF"
    assert b"ANIM" in data[:64]


def test_every_profile_is_in_the_page_of_servers() -> None:
    page = (ROOT / "docs" / "howto" / "own-server.md").read_text(encoding="utf-8")
    assert [name for name in names() if f"`{name}`" not in page] == []


def test_links_lead_to_files_that_are_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    start = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"`make (\w+)`", README + start))
    assert targets >= {"lab", "demo", "test", "bench", "docs", "env"}
    assert [t for t in targets if not re.search(rf"^{t}:", makefile, re.MULTILINE)] == []
