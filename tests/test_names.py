"""Names inside the package are nouns of the field: what a thing is, not how it came about."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.test_layers import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

#: what such a name hides, and what a reader looks for in its place
INSTEAD = {
    "asked": "messages, params, options, a round",
    "own": "the token, the stretch, the default, the option, the rows of this run",
    "said": "the message, the sentence, the reason, the lines",
    "found": "match, rows, offences, the profile",
    "given": "fields, values, arguments",
}

#: file and name: why it stands
STANDS = {
    ("api/params.py", "given"): "a method of ChatParams, which is public",
    ("measures/top_k.py", "own"): "an argument of nbchat.measures.rank, which is public",
    ("session/threads.py", "asked"): "a field of the turns that a Thread gives, which are public",
}


def _bound(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Give the line and the name of all that a module gives a name to."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.ClassDef(name=name) | ast.alias(asname=str(name)):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name


def _sentences(path: str, source: str) -> list[str]:
    return [
        f"nbchat/{path}:{line} calls something {name!r}: call it what it is "
        f"({INSTEAD[word]}, ...), or put it into STANDS of tests/test_names.py with a reason"
        for line, name in _bound(ast.parse(source))
        if (word := name.strip("_").lower()) in INSTEAD and (path, name) not in STANDS
    ]


def test_a_name_says_what_a_thing_is_and_not_how_it_came_about() -> None:
    sentences = [
        sentence
        for path in sorted(PACKAGE.rglob("*.py"))
        for sentence in _sentences(path.relative_to(PACKAGE).as_posix(), path.read_text("utf-8"))
    ]
    assert not sentences, "\n".join(sentences)


@pytest.mark.parametrize(
    "source",
    [
        "found = 1",
        "self._said: str = ''",
        "for own in rows: pass",
        "def asked(): pass",
        "class Given: pass",
        "lambda found: found",
        "def f(*, given): pass",
        "from a import b as found",
        "if found := f(): pass",
        "with f() as (found, _): pass",
        "try: pass\nexcept OSError as found: pass",
        "match x:\n    case [found, *_]: pass",
        "OWN = 1",
    ],
)
def test_a_name_that_hides_what_a_thing_is_is_seen(source: str) -> None:
    (sentence,) = _sentences("a.py", source)
    assert "call it what it is" in sentence


@pytest.mark.parametrize("source", ["is_own = 1", "params.given()", "own_prices = 1", "f(found=1)"])
def test_a_predicate_and_a_name_of_another_pass(source: str) -> None:
    assert _sentences("a.py", source) == []


@pytest.mark.parametrize(("path", "name"), STANDS)
def test_an_exception_is_still_there(path: str, name: str) -> None:
    tree = ast.parse((PACKAGE / path).read_text("utf-8"))
    assert name in {bound for _, bound in _bound(tree)}, "take it out of STANDS"
