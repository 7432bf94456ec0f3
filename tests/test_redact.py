"""What looks like a key is hidden, whatever kind of key it is."""

from __future__ import annotations

import pytest

from nbchat.redact import HIDDEN, redact_keys

SECRET = "abcdEFGH12345678"
KINDS = ["sk-", "pk-", "rk-", "gsk_", "gsk-", "hf_", "hf-", "xai-", "xai_", "csk-", "csk_"]


@pytest.mark.parametrize("kind", [*KINDS, "Bearer ", "bearer "])
def test_a_key_of_each_kind_is_hidden(kind: str) -> None:
    text = redact_keys(f"refused: {kind}{SECRET}, sorry")
    assert SECRET not in text
    assert HIDDEN in text


def test_a_text_without_a_key_is_as_it_was() -> None:
    assert redact_keys("a task-list, and a desk_lamp") == "a task-list, and a desk_lamp"
