"""One road for a request: a face makes a draft, and takes none of the steps itself."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import nbchat
from nbchat import session
from nbchat.api.fields import FIELDS
from nbchat.code import as_call, as_cell, changed_fields, read_cell
from nbchat.code.flags import CELL_FLAGS, OPTION_FLAGS
from nbchat.options import OPTIONS, Option, Options
from nbchat.request.draft import Draft, copied
from nbchat.widgets.controls import controls
from tests.scripted import ScriptedServer, speaking
from tests.sources import nodes_of

PACKAGE = Path(nbchat.__file__).parent
#: the steps of the road, and the modules beside `nbchat.request` that may take one
STEPS = {
    "check": {
        "api/check.py",
        "api/__init__.py",
        "client/client.py",  # Client is a door of its own, for those who want no run
        "widgets/explorer/opening.py",  # to refuse unknown names with their nearest
    },
    "take_functions": set(),
    "toolbox_of": set(),
    "structure_of": {"structured/structure.py", "structured/__init__.py"},
    "attach": {
        "media/parts.py",
        "media/__init__.py",
        "code/inline_data.py",  # to see that written code makes the very same again
    },
    "describe": {
        # as the page of a panel shows them
        "widgets/explorer/form.py",
        "widgets/explorer/opening.py",
        "code/draft_problems.py",
    },
    "check_messages": {
        "api/messages.py",
        "api/__init__.py",
        "client/client.py",
        "analysis/score.py",  # a conversation is scored with several texts
        "analysis/classify.py",
    },
}


def calls_in(source: str) -> Iterator[tuple[int, str]]:
    """The names of the functions that are called, and the lines."""
    for node in nodes_of(source):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.id if isinstance(function, ast.Name) else None
            name = function.attr if isinstance(function, ast.Attribute) else name
            if name is not None:
                yield node.lineno, name


def steps_taken(source: str, place: str) -> list[str]:
    return [
        f"{place}:{line} calls {name}: make a Draft and call nbchat.session.prepare, which knows "
        "the order (nbchat/request/prepare.py)"
        for line, name in calls_in(source)
        if name in STEPS and place not in STEPS[name]
    ]


def test_no_face_takes_a_step_of_the_road_itself() -> None:
    found = []
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        if not place.startswith("request/"):
            found += steps_taken(path.read_text(), place)
    assert found == []


@pytest.mark.parametrize("step", STEPS)
def test_a_face_that_takes_a_step_is_found(step: str) -> None:
    assert steps_taken(f"def face(): return {step}({{}})", "magics/new.py")
    assert steps_taken(f"import nbchat\nnbchat.{step}({{}})", "analysis/new.py")


def test_exceptions_are_there() -> None:
    for places in STEPS.values():
        assert all((PACKAGE / place).is_file() for place in places)


#: a value of each kind that an option can have
SAMPLES: dict[str, Any] = {"text": "local", "nothing": True, "count": 3, "seconds": 2.5}


def sample(option: Option) -> Any:
    if option.name in ("profile", "detail"):
        return {"profile": "local", "detail": "low"}[option.name]
    return SAMPLES.get(option.takes, ["there.png"])


@pytest.mark.parametrize("option", OPTIONS().values(), ids=OPTIONS())
def test_each_option_is_a_flag_an_argument_a_control_and_a_field_or_says_why_not(
    option: Option,
) -> None:
    assert option.name in Draft.__struct_fields__
    assert (option.flag in OPTION_FLAGS) == (not option.no_flag)
    for function in (nbchat.chat, nbchat.stream):
        assert (option.name in inspect.signature(function).parameters) == (not option.no_argument)
    if not option.no_argument:
        assert f"- `{option.name}`: {option.about[:30]}" in (nbchat.chat.__doc__ or "")
    shown = {control["name"] for control in controls()}
    assert (option.name in shown) == (not option.no_control)
    assert option.name not in FIELDS()


def test_flags_that_are_no_options_are_named_apart() -> None:
    flags = {option.flag for option in OPTIONS().values()}
    assert set(OPTION_FLAGS) == flags | set(CELL_FLAGS)
    assert flags & set(CELL_FLAGS) == set()


@pytest.mark.parametrize("name", [*Draft.__struct_fields__])
def test_a_copy_keeps_each_field_of_a_draft(name: str) -> None:
    value = sample(OPTIONS()[name]) if name in OPTIONS() else {"messages": [{"a": 1}]}.get(name)
    draft = msgspec.structs.replace(Draft(), **{name: {"n": 1} if value is None else value})
    assert getattr(copied(draft), name) == getattr(draft, name)
    assert copied(draft) == draft


@pytest.mark.parametrize("option", OPTIONS().values(), ids=OPTIONS())
def test_code_keeps_each_option_that_belongs_to_it(option: Option) -> None:
    if option.takes == "media" or option.name in ("detail", "system"):
        return  # they stand in the messages; tests/code/test_media_cells.py holds them
    messages = [{"role": "user", "content": "Hi"}]
    draft = Draft(messages=messages, **{option.name: sample(option)})
    back = read_cell(as_cell(draft))
    assert getattr(back, option.name) == (sample(option) if option.in_code else _unset(option))
    has_argument = option.in_code and not option.no_argument
    assert (f"{option.name}={sample(option)!r}" in as_call(draft)) == has_argument
    changed = changed_fields([draft, Draft(messages=messages)])[0]
    assert (option.name in changed) == option.in_code


def _unset(option: Option) -> Any:
    return getattr(Options(), option.name)


ONCE: dict[str, Any] = {
    "fields": {
        "temperature": 0.25,
        "prediction": "Blue.",
        "response_format": list[int],
        "logit_bias": {7: -1},
    },
    "timeout": 3.0,
}


def test_every_face_sends_the_same_body_for_the_same_draft(server: ScriptedServer) -> None:
    server.default = speaking("[1]")
    fields = ONCE["fields"]
    nbchat.chat("Hi", model="m", **fields)
    list(nbchat.stream("Hi", model="m", **fields))
    nbchat.Thread("faces").ask("Hi", model="m", **fields)
    nbchat.repeat("Hi", times=1, seed=None, model="m", **fields)
    panel = nbchat.explore("Hi", profile=server.url, model="m", **fields)
    panel.run()
    panel.wait()
    panel.close()
    draft = Draft(messages=[{"role": "user", "content": "Hi"}], fields={"model": "m", **fields})
    session.execute(session.prepare(draft))
    bodies = [request.body for request in server.requests]
    assert len(bodies) == 6
    assert all(body == bodies[0] for body in bodies)
