"""Promise 12: the model in a frame, a line and a plot is the one that answered."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import nbchat
from nbchat import Profile, local
from nbchat.api.model_names import is_requested_model
from nbchat.errors import CheckError
from nbchat.run import Run
from tests.magics.conftest import Shell
from tests.scripted import ScriptedServer, completion


@pytest.mark.parametrize("model", ["gpt-4o", "smollm2", "SmolLM2-135M", "smollm2-135m ", ""])
def test_the_embedded_server_is_asked_for_none_but_its_own_models(shell: Shell, model: str) -> None:
    before = local.status().running
    with pytest.raises(CheckError, match=local.MODEL) as caught:
        nbchat.chat("Hi", model=model, profile="local")
    assert caught.value.field == "model"
    if model.strip() == model and model:
        raised = shell.error(f"%%chat --model {model}\nHi")
        assert isinstance(raised, CheckError)
        assert local.MODEL in str(raised)
    assert local.status().running == before


@pytest.mark.local
def test_its_own_model_may_be_named(weights: Path) -> None:
    run = nbchat.chat("Hi", model=local.MODEL, profile="local", max_completion_tokens=2)
    assert run.model == run.model_asked == local.MODEL


@pytest.mark.parametrize(
    ("asked", "answered", "is_said"),
    [
        ("mine", "llama-3", True),
        ("gpt-4o", "gpt-4o-mini", True),
        ("gpt-4o", "gpt-4o-2024-08-06", False),
        ("gpt-4o", "gpt-4o", False),
        (None, "llama-3", False),
    ],
)
@pytest.mark.parametrize("is_default", [False, True])
def test_who_was_asked_stands_beside_who_answered(
    asked: str | None, answered: str, is_said: bool, is_default: bool, tmp_path: Path
) -> None:
    with ScriptedServer(default=completion("Hello.", model=answered)) as server:
        profile = Profile(name="x", base_url=server.url, model=asked if is_default else None)
        fields = {} if asked is None or is_default else {"model": asked}
        run = nbchat.chat("Hi", profile=profile, stream=False, **fields)
    nbchat.save(run, tmp_path / "runs.jsonl")
    for each in (run, nbchat.load(tmp_path / "runs.jsonl")[0]):
        assert (each.model, each.model_asked) == (answered, asked)
        line = each._repr_mimebundle_()["text/plain"].splitlines()[-1]
        assert line.startswith(f"{answered} (asked: {asked})" if is_said else f"{answered} ·")
        for frame in (nbchat.runs(each), nbchat.usage(each)):
            assert frame["model"][0] == answered
            known = frame["model_asked"][0]
            assert known == asked if asked else pd.isna(known)


@pytest.mark.parametrize(
    ("asked", "answered", "expected"),
    [
        ("gpt-4", "gpt-4-0613", True),
        ("openai/gpt-4o", "gpt-4o-2024-08-06", True),
        ("openai/gpt-4o", "openai/gpt-4o", True),
        ("claude-3-5-sonnet", "claude-3-5-sonnet@20240620", True),
        ("mistral-large-latest", "mistral-large-2411", True),
        ("llama3", "llama3:latest", True),
        ("models/gemini-2.0-flash", "gemini-2.0-flash", True),
        ("Qwen", "qwen", True),
        ("gpt-4", "gpt-4o", False),
        ("gpt-4", "gpt-4-turbo-2024-04-09", False),
        ("gpt-4o-2024-08-06", "gpt-4o", False),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06", False),
        ("a/gpt-4o", "b/gpt-4o", False),
        ("", "x", False),
    ],
)
def test_a_dated_version_is_the_model_that_was_asked_for(
    asked: str, answered: str, expected: bool
) -> None:
    assert is_requested_model(asked, answered) is expected


def test_a_run_that_got_no_answer_has_the_model_that_was_asked() -> None:
    run = Run(messages=[], params=nbchat.ChatParams(model="m"))
    assert (run.model, run.model_asked) == ("m", "m")
