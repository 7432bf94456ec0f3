"""The controls of the explorer: one for each declared field, all of it from the declaration."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, UnsetType

from nbchat.api import fields as declared
from nbchat.api.check import check
from nbchat.api.fields import FIELDS
from nbchat.api.params import about
from nbchat.code import Draft, implied, problems
from nbchat.options import OPTIONS
from nbchat.widgets.controls import control_of, controls, groups
from nbchat.widgets.hints import DEPRECATED, GROUPS, HINTS, OWN_GROUP

NOWHERE = "http://127.0.0.1:1/v1"
BY_NAME = {control["name"]: control for control in controls()}


def test_each_declared_field_has_exactly_one_control() -> None:
    names = [control["name"] for control in controls()]
    own = [name for name, option in OPTIONS().items() if not option.no_control]
    assert sorted(names) == sorted([*FIELDS(), *own])
    assert sorted(name for group in groups() for name in group["fields"]) == sorted(names)


def test_what_is_the_apis_is_the_declarations() -> None:
    for field in FIELDS().values():
        control = BY_NAME[field.name]
        for name in ("kind", "minimum", "maximum", "type_text", "default_text", "nullable",
                     "deprecated", "successor", "entry"):  # fmt: skip
            assert control[name] == getattr(field, name)
        assert control["help"] == field.description
        assert control["choices"] == list(field.choices)


@pytest.mark.parametrize(
    ("control", "names"),
    [
        ("slider", {"temperature", "top_p", "frequency_penalty", "presence_penalty", "n",
                    "top_logprobs", "max_completion_tokens", "max_tokens"}),
        ("number", {"seed"}),
        ("dropdown", {"reasoning_effort", "service_tier", "verbosity", "prompt_cache_retention"}),
        ("toggle", {"logprobs", "store", "stream", "parallel_tool_calls"}),
        ("text", {"model", "user", "safety_identifier", "prompt_cache_key"}),
        ("tags", {"stop", "modalities"}),
        ("pairs", {"metadata", "logit_bias"}),
    ],
)  # fmt: skip
def test_a_field_gets_the_control_that_fits_its_type(control: str, names: set[str]) -> None:
    assert {name for name, found in BY_NAME.items() if found["control"] == control} >= names


def test_objects_are_edited_as_json() -> None:
    for name in ("tools", "response_format", "tool_choice", "prediction", "audio", "moderation"):
        assert BY_NAME[name]["control"] == "json"


@pytest.mark.parametrize(
    ("hint", "control", "step", "start"),
    [
        (Annotated[float, Meta(ge=0, le=1)], "slider", 0.01, 0),
        (Annotated[float, Meta(ge=-2, le=2)], "slider", 0.1, -2),
        (Annotated[float, Meta(ge=0, le=1000)], "slider", 10.0, 0),
        (Annotated[int, Meta(ge=1, le=50)], "slider", 1, 1),
        (Annotated[int, Meta(ge=0, le=10**6)], "number", 1, 0),
        (Annotated[int, Meta(ge=0)], "number", 1, 0),
        (float, "number", 0.1, 0),
        (bool, "toggle", None, True),
        (Literal["low", "high"], "dropdown", None, "low"),
        (str, "text", None, ""),
        (list[str], "tags", None, []),
        (str | Annotated[list[str], Meta(min_length=1)], "tags", None, None),
        (list[Literal["a", "b"]], "tags", None, []),
        (dict[str, str], "pairs", None, {}),
        (dict[str, float], "pairs", None, {}),
        (dict[str, Any], "json", None, {}),
        (dict[str, list[str]], "json", None, {}),
        (list[dict[str, Any]], "json", None, []),
        (list[str | int], "json", None, []),
        (Literal["auto"] | dict[str, Any], "json", None, None),
    ],
)
def test_a_field_that_is_new_in_the_api_gets_a_sensible_control(
    hint: Any, control: str, step: float | None, start: Any
) -> None:
    field = declared._read("brand_new", Annotated[hint | UnsetType | None, about("New", "Is new.")])
    found = control_of(field)
    assert (found.control, found.step, found.start) == (control, step, start)
    assert (found.group, found.help) == ("New", "Is new.")
    assert found.nullable


def test_a_group_that_is_new_in_the_api_stands_before_the_deprecated_fields(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = declared._read("brand_new", Annotated[int | UnsetType, about("New", "Is new.")])
    monkeypatch.setattr("nbchat.widgets.controls.FIELDS", lambda: {"brand_new": new, **FIELDS()})
    names = [group["name"] for group in groups()]
    assert names[-3:] == ["New", OWN_GROUP, DEPRECATED]
    assert len(names) == len(set(names))


def test_groups_stand_in_their_order_and_the_deprecated_fields_last() -> None:
    names = [group["name"] for group in groups()]
    assert names == [*GROUPS, OWN_GROUP, DEPRECATED]
    assert [g["name"] for g in groups() if g["is_open"]] == [
        "Sampling", "Length", "Log probabilities",
    ]  # fmt: skip
    last = groups()[-1]["fields"]
    assert all(FIELDS()[name].deprecated for name in last)
    assert [control["name"] for control in controls()] == [
        name for group in groups() for name in group["fields"]
    ]


def test_hints_are_of_declared_fields_and_inside_their_bounds() -> None:
    assert set(HINTS) <= set(FIELDS())
    for name, control in BY_NAME.items():
        low, high, step = control["soft_minimum"], control["soft_maximum"], control["step"]
        for bound in (low, high):
            if bound is not None and name in FIELDS():
                check_alone(name, bound)
        if control["control"] == "slider":
            assert low < high
            parts = (high - low) / step
            assert math.isclose(parts, round(parts)), name


def test_what_a_control_starts_with_breaks_no_rule() -> None:
    user = [{"role": "user", "content": "Hi"}]
    for name, control in BY_NAME.items():
        if control["start"] in (None, "", [], {}):  # nothing suggests itself
            continue
        fields, _ = implied({name: control["start"]}, name)
        found = problems(Draft(messages=user, fields=fields, profile=NOWHERE), "m")
        assert not found or name == "parallel_tool_calls", found


def check_alone(name: str, value: Any) -> None:
    check(implied({name: value}, name)[0])


def test_the_models_that_are_known_are_offered() -> None:
    offered = {c["name"]: c["choices"] for c in controls(models=["a", "b"])}
    assert offered["model"] == ["a", "b"]
    assert offered["verbosity"] == BY_NAME["verbosity"]["choices"]


def test_controls_are_json() -> None:
    assert json.loads(json.dumps(controls())) == controls()
