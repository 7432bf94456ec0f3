"""The help of %%chat?. The snapshot beside this file says in its first line how to make it anew."""

from __future__ import annotations

from inspect import cleandoc
from pathlib import Path

from IPython.core.oinspect import getdoc

from nbchat.api.fields import FIELDS
from nbchat.code.flags import OPTION_FLAGS
from nbchat.magics.chat import ChatMagic
from nbchat.magics.usage import usage

SNAPSHOT = Path(__file__).with_name("usage.txt")
HOW = "# make anew with: python -m tests.magics.test_usage"


def test_the_help_is_that_of_the_snapshot() -> None:
    first, _, text = SNAPSHOT.read_text().partition("\n")
    assert first == HOW
    assert usage() == text, HOW


def test_ipython_is_given_the_help_for_the_docstring_of_the_magic() -> None:
    assert getdoc(ChatMagic.chat) == cleandoc(usage())


def test_the_help_names_every_flag_and_fits_a_terminal() -> None:
    text = usage()
    for name in [*FIELDS(), *(name for name in OPTION_FLAGS if name != "param")]:
        assert f"--{name.replace('_', '-')}" in text
    assert max(map(len, text.splitlines())) <= 100


if __name__ == "__main__":
    SNAPSHOT.write_text(f"{HOW}\n{usage()}")
