from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat import prices
from nbchat.api import Choice, Completion, ResponseMessage, Usage
from nbchat.api.check import check
from nbchat.errors import CheckError
from nbchat.prices import Cost, cost, most, read_prices
from nbchat.run import Run
from nbchat.session.cost import cost_of
from nbchat.tools.calls import Round

OPENAI = "https://api.openai.com/v1"
USAGE = Usage(prompt_tokens=1_000, completion_tokens=100)


def usd(model: str = "gpt-4o", base_url: str = OPENAI, usage: Usage = USAGE, **more: Any) -> Any:
    found = cost(model, base_url, usage, **more)
    return None if found is None else found.usd


def counted(prompt: int = 1_000, completion: int = 100, **details: int) -> Usage:
    def of(side: str) -> dict[str, int]:
        return {k.removeprefix(side): n for k, n in details.items() if k.startswith(side)}

    return Usage(prompt, completion, None, of("prompt_"), of("completion_"))


def test_a_known_model_of_a_provider_has_its_price_and_whose_it_is() -> None:
    # the list price of gpt-4o: $2.50 and $10.00 for a million tokens in and out
    found = cost("gpt-4o", OPENAI, USAGE)
    assert found is not None
    assert found.usd == pytest.approx(0.0035)
    name, version = found.source.split()
    assert name == "genai-prices"
    assert tuple(map(int, version.split(".")[:2])) >= (0, 2)


def test_cached_tokens_cost_less() -> None:
    assert usd(usage=counted(prompt_cached_tokens=500)) == pytest.approx(0.002875)


@pytest.mark.parametrize("tier", [None, "default", "auto"])
def test_the_ordinary_tier_has_the_list_price(tier: str | None) -> None:
    assert usd(service_tier=tier) == pytest.approx(0.0035)


def test_a_tier_with_a_price_of_its_own_has_that() -> None:
    assert usd(service_tier="priority") == pytest.approx(0.00595)
    assert usd("gpt-5", service_tier="flex") == pytest.approx(0.001125)


def test_a_batch_costs_half_and_a_tier_has_its_price_from_its_first_day_on() -> None:
    # of gpt-4o, since it is in the package's list
    late, early = datetime(2026, 11, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
    assert usd(service_tier="batch", when=late) == pytest.approx(0.00175)
    assert usd(service_tier="batch", when=early) is None
    assert usd(service_tier="priority", when=early) is None


UNKNOWN: dict[str, dict[str, Any]] = {
    "no such model": {"model": "no-such-model"},
    "no model": {"model": ""},
    "a server of one's own": {"base_url": "http://localhost:8000/v1"},
    "no server": {"base_url": ""},
    "a host that begins like a provider's": {"base_url": "https://api.openai.com.evil.org/v1"},
    "a provider's name in a path": {"base_url": "https://evil.org/https://api.openai.com/v1"},
    "another provider": {"base_url": "https://api.groq.com/openai/v1"},
    "no usage": {"usage": Usage()},
    "half a usage": {"usage": Usage(prompt_tokens=5)},
    "a tier without a price": {"service_tier": "flex"},
    "a tier nobody knows": {"service_tier": "overnight"},
    "a batch of a model without a price for it": {"model": "o1-mini", "service_tier": "batch"},
    "a batch before it had a price": {
        "service_tier": "batch",
        "when": datetime(2024, 6, 1, tzinfo=UTC),
    },
    "a cache in a batch, without a price": {
        "service_tier": "batch",
        "usage": counted(prompt_cached_tokens=10),
    },
    "sound in, without a price": {"usage": counted(prompt_audio_tokens=10)},
    "sound out, without a price": {"usage": counted(completion_audio_tokens=10)},
    "a cache, without a price": {
        "model": "gpt-4o-audio-preview",
        "usage": counted(prompt_cached_tokens=10),
    },
    "written to a cache, without a price": {"usage": counted(prompt_cache_write_tokens=10)},
    "more cached than sent": {"usage": counted(10, prompt_cached_tokens=11)},
    "a search of the web": {"searches": True},
    "numbers below 0": {"usage": counted(-1)},
}


@pytest.mark.parametrize("request_", UNKNOWN.values(), ids=UNKNOWN)
def test_a_price_that_is_not_known_for_exactly_this_is_none(request_: dict[str, Any]) -> None:
    assert usd(**request_) is None


def test_what_openrouter_says_it_charged_is_the_cost() -> None:
    usage = Usage(10, 5, extra={"cost": 0.00025})
    found = cost("some/model", "https://openrouter.ai/api/v1", usage)
    assert found == Cost(0.00025, "the server")
    assert usd("some/model", "https://openrouter.ai.evil.org/v1", usage) is None


def test_without_the_package_no_cost_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "_package", lambda: None)
    assert usd() is None
    own = read_prices({"gpt-4o": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}})
    assert usd(own_prices=own) == pytest.approx(0.0012)


ROW = {"model": "mine", "input_usd_per_mtok": 1.0, "output_usd_per_mtok": 10.0}
FORMS: dict[str, Any] = {
    "a frame": pd.DataFrame([ROW]),
    "a frame with holes": pd.DataFrame([{**ROW, "service_tier": None, "base_url": math.nan}]),
    "rows": [ROW],
    "a mapping": {"mine": {k: v for k, v in ROW.items() if k != "model"}},
    "a pattern": [{**ROW, "model": "mi*"}],
    "of a server": [{**ROW, "base_url": "http://localhost:8000/v1/"}],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_users_own_prices_are_read_in_every_form(form: Any) -> None:
    own = read_prices(form)
    assert usd("mine", "http://localhost:8000/v1", own_prices=own) == pytest.approx(0.002)
    assert usd("other", "http://localhost:8000/v1", own_prices=own) is None


def test_own_prices_come_before_all_others_and_tiers_are_kept_apart() -> None:
    batch = {**ROW, "model": "gpt-4o", "service_tier": "batch", "input_usd_per_mtok": 0.5}
    own = read_prices([batch])
    assert usd(own_prices=own) == pytest.approx(0.0035)  # the batch's price is the batch's alone
    assert usd(own_prices=own, service_tier="batch") == pytest.approx(0.0015)
    assert (
        cost("gpt-4o", OPENAI, USAGE, service_tier="batch", own_prices=own).source
        == "prices of yours"
    )  # type: ignore[union-attr]


def test_own_prices_count_each_kind_of_token_once() -> None:
    full = {
        **ROW,
        "cached_input_usd_per_mtok": 0.1,
        "cache_write_usd_per_mtok": 2.0,
        "input_audio_usd_per_mtok": 40.0,
        "output_audio_usd_per_mtok": 80.0,
    }
    usage = counted(prompt_cached_tokens=200, prompt_cache_write_tokens=100)
    expected = (700 * 1 + 200 * 0.1 + 100 * 2 + 100 * 10) / 1e6
    assert usd("mine", usage=usage, own_prices=read_prices([full])) == pytest.approx(expected)
    spoken = counted(prompt_audio_tokens=300, completion_audio_tokens=40)
    expected = (700 * 1 + 300 * 40 + 60 * 10 + 40 * 80) / 1e6
    assert usd("mine", usage=spoken, own_prices=read_prices([full])) == pytest.approx(expected)
    assert usd("mine", usage=spoken, own_prices=read_prices([ROW])) is None


@pytest.mark.parametrize(
    "table",
    [
        3,
        "gpt-4o",
        [{"model": "a"}],
        [{**ROW, "input_usd_per_mtok": -1.0}],
        [{**ROW, "input_usd_per_mtok": "1"}],
        [{**ROW, "input": 1}],
        {"mine": 3},
        [3],
    ],
    ids=repr,
)
def test_a_price_table_that_is_none_is_refused(table: Any) -> None:
    with pytest.raises(CheckError, match="prices"):
        read_prices(table)


def run_of(usage: Usage | None = USAGE, base_url: str = OPENAI, **params: Any) -> Run:
    completion = Completion(model="gpt-4o", choices=[Choice(0, ResponseMessage())], usage=usage)
    return Run.from_completion(completion, base_url=base_url, params=check(params))


def test_the_requests_of_all_rounds_are_paid_each_for_itself() -> None:
    run = run_of()
    assert run.completion is not None
    asked = Round({"role": "assistant"}, [], run.completion, is_answered=True)
    assert cost_of(run).usd == pytest.approx(0.0035)  # type: ignore[union-attr]
    run.rounds = [asked, asked]
    assert cost_of(run).usd == pytest.approx(3 * 0.0035)  # type: ignore[union-attr]
    run.rounds = [asked, Round({}, [], run_of(None).completion, is_answered=True)]  # type: ignore[arg-type]
    assert cost_of(run) is None


def test_a_run_that_searched_the_web_has_no_known_cost() -> None:
    assert cost_of(run_of(web_search_options={})) is None


@given(
    st.integers(0, 10**6), st.integers(0, 10**5), st.integers(1, 4),
    st.floats(0, 1), st.floats(0, 1), st.sampled_from([None, "priority"]),
)  # fmt: skip
def test_no_answer_costs_more_than_the_worst_case(
    prompt: int, completion: int, n: int, cached: float, written: float, tier: str | None
) -> None:
    worst = most(
        "gpt-4o", OPENAI, prompt_tokens=prompt, completion_tokens=completion, n=n, service_tier=tier
    )
    usage = counted(
        prompt, int(written * n * completion), prompt_cached_tokens=int(cached * prompt)
    )
    found = cost("gpt-4o", OPENAI, usage, service_tier=tier)
    assert worst is not None
    assert found is None or found.usd <= worst.usd + 1e-12
