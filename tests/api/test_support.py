import pytest

from nbchat.api import FIELDS, check, support
from nbchat.api.support import Family, refusals, refused_here, vocab_size


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("o1", "temperature"),
        ("o3-2025-04-16", "stop"),
        ("o4-mini", "parallel_tool_calls"),
        ("gpt-5-mini", "max_tokens"),
        ("openai/gpt-5.2", "logit_bias"),
        ("gpt-5.6-terra", "tools"),
        ("gpt-4o", "web_search_options"),
        ("ft:gpt-4o:org::id", "reasoning_effort"),
    ],
)
def test_a_family_says_what_it_refuses(model: str, field: str) -> None:
    assert field in refusals(model)


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("gpt-5.2", "tools"),
        ("gpt-5-chat-latest", "temperature"),
        ("gpt-4o-search-preview", "web_search_options"),
        ("gpt-4o-audio-preview", "audio"),
        ("gpt-4o", "logprobs"),
    ],
)
def test_a_family_does_not_refuse_what_it_takes(model: str, field: str) -> None:
    assert field not in refusals(model)


def test_a_refusal_that_depends_on_reasoning_says_so() -> None:
    assert "reasoning_effort='none'" in refusals("gpt-5.6-terra")["logprobs"]


@pytest.mark.parametrize("model", ["", "llama-3.1-8b", "gpt-9000", "smollm2", "o2", "my/o1lama"])
def test_an_unknown_model_refuses_nothing(model: str) -> None:
    assert refusals(model) == {}
    assert vocab_size(model) is None


@pytest.mark.parametrize("model", ["gpt-6", "gpt-6-mini", "openai/gpt-6.1-2027-01-01"])
@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
def test_the_newest_models_always_reason_and_take_some_efforts(model: str, effort: str) -> None:
    given = {"reasoning_effort": effort, "temperature": 0.2, "logprobs": True, "n": 2}
    refused = refused_here(model, given)
    assert ("reasoning_effort" in refused) == (effort in ("none", "minimal", "max"))
    assert {"temperature", "logprobs"} <= set(refused)
    assert "n" not in refused
    assert "reasoning_effort" not in refused_here(model, {"reasoning_effort": None})


def test_a_value_that_is_refused_is_named_beside_those_that_are_taken() -> None:
    why = refused_here("gpt-6", {"reasoning_effort": "max"})["reasoning_effort"]
    assert why == "this model takes low, medium, high and xhigh, not max"


def test_the_table_never_blocks_a_request() -> None:
    assert check({"model": "o1", "temperature": 0.3}).given()["temperature"] == 0.3


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("gpt-4o-mini", 200_019),
        ("gpt-4.1", 200_019),
        ("gpt-5", 200_019),
        ("o3", 200_019),
        ("gpt-4", 100_277),
        ("ft:gpt-4:org::id", 100_277),
        ("gpt-4-turbo", 100_277),
        ("gpt-3.5-turbo-0125", 100_277),
    ],
)
def test_the_vocabulary_of_a_family_is_known(model: str, size: int) -> None:
    assert vocab_size(model) == size


def test_a_family_of_ones_own_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Family(patterns=("gpt-4o",), refuses={"n": "mine refuses it"}, vocab_size=7)
    monkeypatch.setattr(support, "FAMILIES", [own, *support.FAMILIES])
    assert refusals("gpt-4o") == {"n": "mine refuses it"}
    assert vocab_size("gpt-4o") == 7


def test_the_table_names_only_declared_fields() -> None:
    named = {field for family in support.FAMILIES for field in family.refuses}
    assert named <= set(FIELDS())


def test_each_declared_field_is_placed_in_one_of_the_tables() -> None:
    tables = (support.LEFT_OUT, support.REPLACED.keys(), support.ALWAYS_SENT)
    placed = [name for table in tables for name in table]
    missing = set(FIELDS()) - set(placed)
    assert not missing, (
        "say in nbchat/api/support.py what happens where a server refuses it: LEFT_OUT, "
        "REPLACED or ALWAYS_SENT"
    )
    assert len(placed) == len(set(placed)) == len(FIELDS())
    assert set(support.ONLY_WHOLE) <= support.LEFT_OUT
    assert {*support.GOES_WITH, *support.GOES_WITH.values()} <= support.LEFT_OUT
