from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.display.blocks import MarkdownBlocks

LINES = [
    "text", "text with `code`", "", "  ", "# heading", "Title", "=====", "---", "- item", "* item",
    "1. item", "12) item", "  nested", "    indented", "\tindented", "```", "```python", "````",
    "````md", "~~~", "~~~~", "  ```", "    ```", "```a``` b", "$$", "$$x$$", "\\[", "\\]",
    "| a | b |", "|---|---|", "<details>", "</details>", "<div>", "</div>", "<br>", "<!-- note",
    "-->", "<pre>", "</pre>", "> quote", "> ```", "[ref]: http://example.org", "é🙂", "1", "-",
]  # fmt: skip
texts = st.lists(st.sampled_from(LINES), max_size=25).map("\n".join)


def blocks_of(text: str, sizes: list[int] | None = None) -> tuple[list[str], MarkdownBlocks]:
    blocks = MarkdownBlocks()
    finished, place = [], 0
    for size in [*(sizes or []), len(text) + 1]:
        finished += blocks.feed(text[place : place + size])
        place += size
    return finished, blocks


@given(texts, st.lists(st.integers(1, 9), max_size=60))
def test_the_blocks_joined_are_the_text_however_it_was_cut(text: str, sizes: list[int]) -> None:
    finished, blocks = blocks_of(text, sizes)
    assert "".join(finished) + blocks.open == text


@given(texts, st.lists(st.integers(1, 9), max_size=60))
def test_where_the_pieces_were_cut_changes_no_block(text: str, sizes: list[int]) -> None:
    assert blocks_of(text + "\n\nend.\n\n", sizes)[0] == blocks_of(text + "\n\nend.\n\n")[0]


@given(texts, texts)
def test_a_finished_block_never_changes(text: str, more: str) -> None:
    before, _ = blocks_of(text)
    assert blocks_of(text + more)[0][: len(before)] == before


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        ("one\n\ntwo", ["one\n\n"]),
        ("one\ntwo\n\n\nthree\n\n", ["one\ntwo\n\n", "\nthree\n\n"]),
        ("Title\n=====\n\ntext\n\n", ["Title\n=====\n\n", "text\n\n"]),
        ("```py\na\n\nb\n```\nafter", ["```py\na\n\nb\n```\n"]),
        ("~~~\n```\n\n```\n~~~\n", ["~~~\n```\n\n```\n~~~\n"]),
        ("````md\n```\nx\n```\n\n````\n", ["````md\n```\nx\n```\n\n````\n"]),
        ("```a``` is code\n\nnext", ["```a``` is code\n\n"]),
        ("| a |\n|---|\n| 1 |\n\nnext", ["| a |\n|---|\n| 1 |\n\n"]),
        ("> ```\n> x\n\nnext", ["> ```\n> x\n\n"]),
    ],
)
def test_a_block_ends_where_a_renderer_begins_afresh(text: str, finished: list[str]) -> None:
    assert blocks_of(text)[0] == finished


@pytest.mark.parametrize(
    "text",
    [
        "```py\na\n\nb\n\n",
        "~~~\na\n```\n\nb\n\n",
        "- one\n\n- two\n\n",
        "1. one\n\n   more\n\n2. two\n\n",
        "Intro:\n- one\n\n- two\n\n  more\n\n",
        "- one\n\n  ```\n  x\n\n  y\n  ```\n\n",
        "    code\n\n    more\n\n",
        "$$\na\n\nb\n\n",
        "\\[\na\n\nb\n\n",
        "<details>\n\ntext\n\n",
        "<div>\n<div>\n</div>\n\ntext\n\n",
        "<!-- a\n\nb\n\n",
        "<pre>\n\nx\n\n",
    ],
)
def test_nothing_is_cut_inside_what_belongs_together(text: str) -> None:
    assert blocks_of(text)[0] == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("- one\n\nText", 1),
        ("- one\n\nText that goes on\n\n", 2),
        ("1. one\n\n1", 0),
        ("1. one\n\n1. ", 0),
        ("1. one\n\n100 people", 1),
        ("    code\n\ntext", 1),
        ("<details>\n\nx\n</details>\n\nnext", 1),
        ("$$x$$\n\nnext", 1),
        ("$$\nx\n$$\n\nnext", 1),
        ("<br>\n\nnext", 1),
        ("<!-- a -->\n\nnext", 1),
    ],
)
def test_what_ends_such_a_thing_finishes_the_block(text: str, count: int) -> None:
    assert len(blocks_of(text)[0]) == count


@pytest.mark.parametrize(
    ("text", "fence"),
    [
        ("text", ""),
        ("```py\nx = 1", "```"),
        ("````\n```\nx", "````"),
        ("~~~\nx\n", "~~~"),
        ("```\nx\n```", ""),
        ("```\nx\n```\n", ""),
        ("text\n```", "```"),
        ("```a``` b", ""),
        ("    ```", ""),
    ],
)
def test_the_fence_that_is_still_open_is_known(text: str, fence: str) -> None:
    assert blocks_of(text)[1].closing_fence() == fence


def test_the_work_is_linear_in_the_text() -> None:
    looked_at = 0

    class Counted(str):
        def split(self, *args: object) -> list[str]:  # type: ignore[override]
            nonlocal looked_at
            looked_at += len(self)
            return str.split(self, "\n")

    blocks = MarkdownBlocks()
    for _ in range(5_000):
        blocks.feed(Counted("word "))
    assert looked_at == 25_000
    assert len(blocks._tail) == 5_000, (
        "the open line is joined when it is shown, not for each piece"
    )
