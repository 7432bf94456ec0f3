import warnings
from types import SimpleNamespace

import pytest

from nbchat import frames
from nbchat.frames import MissingLogprobsWarning
from nbchat.frames.source import runs_of
from tests.frames.made import choice, entry, run_of

ASKED = {"logprobs": True, "top_logprobs": 2}
FRAMES_OF_LOGPROBS = [frames.tokens, frames.alternatives, frames.choices]


def test_a_run_some_runs_and_things_with_runs_are_sources():
    a, b, c = run_of(), run_of(), run_of()
    thread = SimpleNamespace(runs=[b, c])
    assert runs_of(a) == [a]
    assert runs_of([a, b]) == [a, b]
    assert runs_of(run for run in (a, b)) == [a, b]
    assert runs_of(thread) == [b, c]
    assert runs_of([a, thread]) == [a, b, c]
    assert runs_of([]) == []


@pytest.mark.parametrize("wrong", [None, 3, b"run", ["run"], [None], object()])
def test_anything_else_is_an_error_that_names_it(wrong):
    with pytest.raises(TypeError, match="expected a run"):
        frames.tokens(wrong)


@pytest.mark.parametrize("frame", FRAMES_OF_LOGPROBS)
def test_a_warning_where_logprobs_were_asked_for_and_did_not_come(frame):
    run = run_of(choice(text="Hello"), params=ASKED)
    with pytest.warns(MissingLogprobsWarning, match=run.id) as caught:
        frame([run, run])
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_the_warning_comes_once_for_each_run():
    first, second = (run_of(choice(text="Hello"), params=ASKED) for _ in range(2))
    with pytest.warns(MissingLogprobsWarning):
        frames.tokens(first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames.tokens(first)
        frames.alternatives(first)
    with pytest.warns(MissingLogprobsWarning, match=second.id):
        frames.tokens([first, second])


@pytest.mark.parametrize(
    "run",
    [
        run_of(choice(text="Hello")),
        run_of(choice(text="Hello"), params={"logprobs": False}),
        run_of(choice(entry("Hello", -0.1)), params=ASKED),
        run_of(choice(refusal=[entry("No", -0.1)]), params=ASKED),
        run_of(choice(text=None), params=ASKED),  # only tool calls
        run_of(params=ASKED, status="error"),
        run_of(choice(text="Hel"), params=ASKED, status="running"),
    ],
    ids=["unasked", "off", "came", "refusal", "no text", "failed", "running"],
)
def test_no_warning_where_nothing_is_missing(run):
    assert len(frames.choices(run)) == len(run.completion.choices)
