"""A request with other messages is the one that a whole preparation gives."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from nbchat.client.profiles import Profile
from nbchat.errors import CheckError
from nbchat.request.draft import Draft
from nbchat.request.prepare import with_messages
from nbchat.session import prepare
from nbchat.sweep.design import Design

PROFILE = Profile(base_url="http://localhost:1/v1", model="m")


def text(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"system": "Be brief."},
        {"fields": {"temperature": 0.5, "logprobs": True, "top_logprobs": 3, "stream": False}},
        {"fields": {"response_format": list[str]}, "extra": {"min_p": 0.1}},
    ],
)
def test_it_is_what_prepare_gives(options: dict[str, Any]) -> None:
    drafts = [
        Draft(messages=text(word), profile=PROFILE, **options)
        for word in ("one", "zwölf", [{"type": "text", "text": "three"}])
    ]
    first, *others = map(prepare, drafts)
    for draft, other in zip(drafts[1:], others, strict=True):
        changed = with_messages(first, draft.messages)
        assert changed.body == other.body
        assert list(changed.body) == list(other.body)
        apart = {"structure": None, "toolbox": None}  # equal, and two objects
        one, two = (msgspec.structs.replace(each, **apart) for each in (changed, other))
        assert one == two


def test_its_messages_are_checked() -> None:
    first = prepare(Draft(messages=text("one"), profile=PROFILE))
    for wrong in (text(1), text("\ud800"), [{"role": "use", "content": ""}], []):
        with pytest.raises(CheckError, match="messages"):
            with_messages(first, wrong)


def test_a_request_with_attachments_is_not_taken() -> None:
    picture = "https://example.org/a.png"
    first = prepare(Draft(messages=text("one"), images=picture, profile=PROFILE))
    with pytest.raises(ValueError, match="not all that was new"):
        with_messages(first, text("two"))


def test_rows_of_a_sweep_are_what_each_would_be_alone() -> None:
    data = [{"word": f"w{n}", "mood": "calm" if n % 2 else "gay"} for n in range(6)]
    fields = {"model": "m", "profile": PROFILE, "system": "Be {{ mood }}.", "seed": 7}
    design = Design(
        "{{ word }} {{ many }}",
        data=data,
        grid={"temperature": [0, 1], "many": [1, 2]},
        repeats=2,
        fields=fields,
    )
    for cell in design.cells():
        for row, prepared in zip(cell.rows, cell.prepared, strict=True):
            assert prepared.body == design.cell_of(row).body
            assert prepared.messages == design.cell_of(row).messages
