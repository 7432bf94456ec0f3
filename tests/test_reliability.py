"""RELIABILITY.md is in step with what is tried."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "RELIABILITY.md").read_text(encoding="utf-8")
LINKS = re.findall(r"\[(\w+)\]\(([\w/.]+)\)", PAGE)


def test_each_file_of_cases_is_a_row_of_the_page() -> None:
    cases = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests/cases").glob("test_*.py")}
    missing = cases - {path for _, path in LINKS}
    assert not missing, "a kind that is tried is a row of RELIABILITY.md: kind, what happens, file"


def test_each_row_says_a_kind_what_happens_and_a_file_that_is_there() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "](" in line]
    assert len(rows) == len(LINKS) > 20
    for row in rows:
        kind, happens, link = (cell.strip() for cell in row.strip("|").split("|"))
        assert kind
        assert happens
        name, path = re.fullmatch(r"\[(\w+)\]\(([\w/.]+)\)", link).groups()  # type: ignore[union-attr]
        assert (ROOT / path).is_file()
        assert Path(path).stem == name


def test_the_readme_links_it() -> None:
    assert "(RELIABILITY.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
