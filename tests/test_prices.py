from __future__ import annotations

import pytest

from nbchat import prices
from nbchat.api import Choice, Completion, ResponseMessage, Usage
from nbchat.run import Run
from nbchat.session.execution import _cost_usd

USAGE = Usage(prompt_tokens=1_000, completion_tokens=100)


def run_of(profile: str, base_url: str, model: str = "gpt-4o", usage: Usage | None = USAGE) -> Run:
    completion = Completion(model=model, choices=[Choice(0, ResponseMessage())], usage=usage)
    return Run.from_completion(completion, profile=profile, base_url=base_url)


def test_a_known_model_of_a_provider_has_its_price() -> None:
    # the list price of gpt-4o: $2.50 and $10.00 for a million tokens in and out
    assert prices.cost_usd("gpt-4o", "openai", USAGE) == pytest.approx(0.0035)
    assert _cost_usd(run_of("openai", "https://api.openai.com/v1")) == pytest.approx(0.0035)


def test_cached_tokens_cost_less() -> None:
    cached = Usage(1_000, 100, 1_100, prompt_tokens_details={"cached_tokens": 500})
    assert prices.cost_usd("gpt-4o", "openai", cached) == pytest.approx(0.002875)


@pytest.mark.parametrize(
    "run",
    [
        run_of("openai", "https://api.openai.com/v1", model="no-such-model"),
        run_of("openai", "http://localhost:8000/v1"),
        run_of("localhost:8000", "http://localhost:8000/v1"),
        run_of("local", "http://127.0.0.1:1/v1"),
        run_of("openai", "https://api.openai.com/v1", usage=None),
        run_of("openai", "https://api.openai.com/v1", usage=Usage(prompt_tokens=5)),
    ],
)
def test_an_unknown_cost_is_none_and_not_zero(run: Run) -> None:
    assert _cost_usd(run) is None


def test_without_the_price_list_no_cost_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "_price_list", lambda: None)
    assert prices.cost_usd("gpt-4o", "openai", USAGE) is None
