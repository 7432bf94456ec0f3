"""The messages between page and kernel: one table, which Python and the scripts keep to."""

from __future__ import annotations

import base64
import json
import math
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from nbchat.frames.packed import (
    ALTERNATIVE_COLUMNS,
    ALTERNATIVE_FLAGS,
    TOKEN_COLUMNS,
    TOKEN_FLAGS,
)
from nbchat.frames.page_columns import figures_of, types_of
from nbchat.widgets import explorer_messages, inspector_messages
from nbchat.widgets.explorer.answers import DOES
from nbchat.widgets.explorer.panel import Explorer
from nbchat.widgets.inspector import Inspector
from nbchat.widgets.protocol import EXPLORER, INSPECTOR, SWEEP_INSPECTOR, Protocol, Question
from nbchat.widgets.sweep_inspector import SweepInspector
from tests.frames.made import choice, entry, run_of
from tests.media.made import picture
from tests.scripted import ScriptedServer, chunk, logprob_entry, sse
from tests.widgets.explorer.conftest import Page, open_page
from tests.widgets.messages import name_of, read

ROOT = Path(__file__).parent.parent.parent
WRITER = runpy.run_path(str(ROOT / ".ci" / "protocol.py"))
PANELS: dict[str, Protocol] = WRITER["PANELS"]

__all__ = ["open_page"]

#: what the questions of an explorer's page have beside their name; ID stands for a run's
ID = "an id"
PICTURE = base64.b64encode(picture()).decode()
ASKED: dict[str, dict[str, Any]] = {
    "edit": {"seq": 1, "fields": {"temperature": 0.5}, "unset": ["seed"]},
    "attach": {
        "place": 0,
        "kind": "image",
        "name": "a.png",
        "data": base64.b64encode(picture()).decode(),
    },
    "run": {"auto": True},
    "answer": {"id": "question-0", "yes": True},
    "vary": {"axes": [{"name": "temperature", "text": "0, 1"}], "repeats": 1, "seeds": False},
    "plan": {"axes": [{"name": "seed", "text": "1-5"}], "repeats": 2, "seeds": False},
    "sweep": {"axes": [], "repeats": 5, "seeds": False},
    "show": {"id": ID},
    "paste": {"text": '{"messages": [{"role": "user", "content": "Ho"}]}'},
    "continue": {"id": ID, "choice": 0},
    "call": {"place": 2},
    "save": {"path": "session.json"},
    "open": {"path": "session.json"},
    "copy": {"id": ID, "choice": 0, "form": "json"},
    "restore": {"left": None},
    "mark": {"id": ID, "mark": "good", "note": "So it is."},
    "pin": {"id": ID},
    "compare": {"base": ID},
    "tokens": {"id": ID, "choice": 0},
    "alternatives": {"id": ID, "choice": 0, "start": 0, "count": 50},
}


@pytest.mark.parametrize("panel", PANELS)
def test_what_the_scripts_are_checked_with_is_made_of_the_table(panel: str) -> None:
    path = WRITER["WIDGETS"] / panel / "protocol.d.ts"
    declared = WRITER["declarations"](PANELS[panel])
    assert path.read_text(encoding="utf-8") == declared, "run .venv/bin/python .ci/protocol.py"


def test_a_field_that_is_added_is_in_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    class Poke(Question, tag_field="type", tag="poke"):
        times: list[int | None]
        why: str | msgspec.UnsetType = msgspec.UNSET

    text = WRITER["declarations"](INSPECTOR._replace(page=(*INSPECTOR.page, Poke)))
    poke = 'interface Poke {\n  type: "poke";\n  times: Array<number | null>;\n  why?: string;\n}'
    assert poke in text
    assert "| StopBranches\n  | Poke;" in text


@pytest.mark.parametrize("protocol", PANELS.values(), ids=PANELS)
def test_every_answer_is_a_message_of_the_kernel(protocol: Protocol) -> None:
    for question in protocol.page:
        assert set(question.answers) <= set(protocol.kernel)


def test_the_explorer_takes_the_questions_of_the_table_and_no_others() -> None:
    assert set(DOES) == {name_of(message) for message in EXPLORER.page}


def prepare(question: str, page: Page, folder: Path) -> None:
    """Bring a panel to where a question has an answer."""
    if question == "undo":
        page.ask("reset")
    if question == "open":
        page.panel.save(folder / "session.json")
    if question == "call":
        call = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
        messages = [
            {"role": "user", "content": "When?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": ""},
        ]
        page.panel.show({"messages": messages, "tools": [now]})


def now() -> str:
    """Say what time it is."""
    return "noon"


@pytest.mark.parametrize("question", EXPLORER.page, ids=name_of)
def test_an_explorer_answers_each_question_as_declared(
    question: type[Question],
    server: ScriptedServer,
    open_page: Callable[..., Page],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    probable = logprob_entry("Yes", math.log(0.9), {"No": math.log(0.1)})
    server.default = sse(chunk("Yes", logprobs=[probable]), chunk(finish_reason="stop"))
    page = open_page(logprobs=True, top_logprobs=2, seed=7)
    page.ask("run")
    page.wait_over()
    prepare(name_of(question), page, tmp_path)
    page.heard.clear()
    run = page.entries[0].id
    asked = {k: run if v == ID else v for k, v in ASKED.get(name_of(question), {}).items()}
    page.ask(name_of(question), **asked)
    expected = {name_of(answer) for answer in question.answers}
    page.wait(lambda: page.heard_of(name_of(question.answers[0])))
    page.wait_over()
    assert {message["on"] for message in page.heard} <= expected
    assert page.heard_of("told")


def test_an_inspector_answers_each_question_as_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(Inspector, "send", lambda _, content, buffers=None: told.append(content))
    run = run_of(choice(*[entry("a", -0.5, ("b", -1.0))] * 3))
    inspector = Inspector([run])
    monkeypatch.setattr(inspector, "_branch", lambda *given: told.append(given))
    monkeypatch.setattr(inspector, "_grow", lambda *given: told.append(given))
    monkeypatch.setattr(inspector, "_rescore", lambda number: told.append(number))
    monkeypatch.setattr(inspector._writing, "stop", lambda: told.append("stopped"))
    key = next(inspector._page.tables())[0]
    for content, answer in (
        ({"type": "alternatives", "key": key, "position": 1}, "alternatives"),
        ({"type": "branch", "key": key, "position": 1, "row": 1, "n": 2}, (key, 1, 1, 2, {})),
        ({"type": "tree", "key": key, "position": 2}, (key, 2, {})),
        ({"type": "rescore", "number": 0}, 0),
        ({"type": "stop"}, "stopped"),
    ):
        read(content, INSPECTOR.page)
        inspector._answer(inspector, content, [])
        said = told.pop()
        assert (said["type"] if isinstance(said, dict) else said) == answer
    assert told == []
    assert len(INSPECTOR.page) == 5


@pytest.mark.parametrize(
    ("panel", "of"),
    [(Explorer, EXPLORER), (Inspector, INSPECTOR), (SweepInspector, SWEEP_INSPECTOR)],
)
def test_what_a_widget_shares_with_its_page_is_declared(panel: Any, of: Protocol) -> None:
    its_own = {name for kind in panel.__mro__[:2] for name in vars(kind)}
    shared = {name for name in panel.class_traits(sync=True) if name in its_own}
    assert shared == set(of.shared)


def test_the_state_of_an_inspector_is_as_declared() -> None:
    inspector = Inspector([run_of(choice(entry("a", -0.5, ("b", -1.0)), entry("c", -9999.0)))])
    state = inspector._page.whole()
    found = msgspec.convert(state, inspector_messages.Whole)
    assert len(found.tables) == 1
    inspector.selected = 1
    for name in ("_at", "_work"):
        value = inspector._trait_to_json(getattr(inspector, name), inspector)
        read_as_one_of(value, INSPECTOR.shared[name])
    inspector.close()


def test_the_state_of_an_explorer_is_as_declared(open_page: Callable[..., Page]) -> None:
    opening = open_page(temperature=3).panel.opening
    found = msgspec.convert(json.loads(json.dumps(opening)), explorer_messages.Opening)
    assert found.form.problems


def keeps_to(name: str, declared: Any) -> None:
    told, names = get_args(getattr(inspector_messages, name)), tuple(declared)
    assert told == names, (
        f"{sorted({*told} ^ {*names})}: {name} of widgets/inspector_messages.py names what "
        f"frames/columns.py declares, in its order ({', '.join(names)}); "
        "then `python .ci/protocol.py` writes protocol.d.ts"
    )


def test_the_columns_are_those_that_are_packed() -> None:
    keeps_to("TokenColumn", TOKEN_COLUMNS)
    keeps_to("AlternativesColumn", ALTERNATIVE_COLUMNS)


def test_the_figures_types_and_flags_are_those_of_the_frames() -> None:
    keeps_to("FigureName", (figure.name for figure in figures_of("tokens")))
    keeps_to("TokenFlag", TOKEN_FLAGS)
    keeps_to("AlternativesFlag", ALTERNATIVE_FLAGS)
    told_types = {*types_of("tokens").values(), *types_of("alternatives").values()}
    assert told_types == set(get_args(inspector_messages.NumberType))


def read_as_one_of(value: Any, types: tuple[Any, ...]) -> None:
    fitting = [kind for kind in types if fits(value, kind)]
    assert fitting, f"{value!r} is none of {types}"


def fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def test_what_the_table_does_not_have_is_found() -> None:
    good = {"do": "pin", "view": "one", "id": "entry-1"}
    read(good, EXPLORER.page)
    for bad in (
        {**good, "do": "pim"},
        {**good, "id": 1},
        {**good, "more": 1},
        {"do": "pin", "view": "one"},
    ):
        with pytest.raises(msgspec.ValidationError):
            read(bad, EXPLORER.page)
