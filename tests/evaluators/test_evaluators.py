from __future__ import annotations

import math
from typing import Any

import pytest

from nbchat import evaluators
from nbchat.errors import CheckError, TemplateError
from nbchat.evaluators.evaluator import as_evaluator, numbers_of
from tests.frames.made import choice, entry, run_of

ROW = {"answer": "Paris", "n": 12, "wanted": '{"city": "Paris"}', "sign": "+"}


def reply(text: str) -> Any:
    return run_of(choice(text=text))


@pytest.mark.parametrize(
    ("evaluator", "text", "score"),
    [
        (evaluators.equals("{{ answer }}"), " paris.", 1),
        (evaluators.equals("{{ answer }}"), "It is Paris.", 0),
        (evaluators.equals("Paris", exactly=True), "paris", 0),
        (evaluators.equals(["London", "{{ answer }}"]), "Paris", 1),
        (evaluators.equals(12), "12", 1),
        (evaluators.contains("{{ answer }}"), "It is Paris, of course", 1),
        (evaluators.contains("is"), "Paris", 0),
        (evaluators.contains("is", exactly=True), "Paris", 1),
        (evaluators.matches(r"^P\w+s$"), "Paris", 1),
        (evaluators.matches(r"{{ n }}\s*km"), "It is 12 km.", 1),
        (evaluators.matches(r"^\d+$"), "Paris", 0),
        (evaluators.json_equals("{{ wanted }}"), '{ "city":"Paris" }', 1),
        (evaluators.json_equals({"a": 1, "b": [2]}), '{"b": [2], "a": 1}', 1),
        (evaluators.json_equals({"a": 1}), '{"a": 2}', 0),
        (evaluators.json_equals({"a": 1}), "no object", 0),
        (evaluators.json_equals({"a": 1}), '```json\n{"a": 1}\n```', 1),
        (evaluators.number_within("{{ n }}", 0.5), "about 12.4", 1),
        (evaluators.number_within("{{ n }}", 0.5), "12 or 13", 0),
        (evaluators.number_within(2000, relative=0.1), "2,150 metres", 1),
        (evaluators.number_within(1e6), "1e6", 1),
        (evaluators.number_within(-3), "x = -3", 1),
        (evaluators.number_within(3), "none", 0),
        (evaluators.field("city", "{{ answer }}"), '{"city": "PARIS"}', 1),
        (evaluators.field("a.1.b", 7), '{"a": [0, {"b": 7}]}', 1),
        (evaluators.field("a", 7), '{"b": 7}', 0),
        (evaluators.field("a.b"), '{"a": {"b": 2.5}}', 2.5),
        (evaluators.field("a"), '{"a": true}', 1),
        (evaluators.field("a"), "{}", None),
    ],
)
def test_a_reply_counts(evaluator: Any, text: str, score: float | None) -> None:
    numbers = numbers_of("right", evaluator(ROW, reply(text)))
    assert numbers == {"right": pytest.approx(math.nan if score is None else score, nan_ok=True)}


def test_how_sure_a_reply_was_is_a_score() -> None:
    run = run_of(choice(entry("a", math.log(0.5)), entry("b", math.log(0.125))))
    assert evaluators.mean_surprisal()(ROW, run) == pytest.approx(2.0)
    assert evaluators.confidence()(ROW, run) == pytest.approx(0.25)
    whole = run_of(choice(entry("a", math.log(0.5), ("a", math.log(0.5)), ("b", math.log(0.5)))))
    bounds = evaluators.entropy()(ROW, whole)
    assert bounds["lo"] == pytest.approx(1.0)
    assert bounds["hi"] is None or bounds["hi"] >= bounds["lo"]


@pytest.mark.parametrize("evaluator", [evaluators.mean_surprisal, evaluators.entropy])
def test_without_probabilities_there_is_no_score(evaluator: Any) -> None:
    numbers = numbers_of("sure", evaluator()(ROW, reply("Paris")))
    assert all(map(math.isnan, numbers.values()))


def test_a_function_of_the_users_gives_a_number_a_bool_or_a_mapping() -> None:
    def length(row: Any, run: Any) -> Any:
        return {"words": len(run.text.split()), "has": {"answer": row["answer"] in run.text}}

    evaluator = as_evaluator("x", length)
    assert numbers_of("x", evaluator(ROW, reply("Paris it is"))) == {
        "x.words": 3.0,
        "x.has.answer": 1.0,
    }
    with pytest.raises(TypeError, match="x gave a str, and a score is a number"):
        numbers_of("x", "yes")


@pytest.mark.parametrize(
    ("text", "score"),
    [("Yes.", 1), ("no", 0), ("No, it is not.", 0), ("My verdict: yes", 1), ("Yes and no", None),
     ("perhaps", None)],
)  # fmt: skip
def test_a_judges_reply_is_one_of_the_labels_or_no_score(text: str, score: float | None) -> None:
    assert evaluators.judge("Is {{ reply }} right?").score(text) == score


def test_a_judge_has_labels_that_count_as_the_user_says() -> None:
    judge = evaluators.judge("Rate {{ reply }}.", labels={"good": 1, "fair": 0.5, "bad": 0})
    assert judge.score("Fair.") == 0.5
    assert judge.scale == "number"
    assert evaluators.judge("{{ reply }}?").scale == "right or wrong"


def test_what_cannot_be_an_evaluator_is_refused() -> None:
    with pytest.raises(CheckError, match=r"evaluate\['right'\] is a str, but it must be"):
        as_evaluator("right", "equals")
    with pytest.raises(CheckError, match="is no regular expression"):
        evaluators.matches("(")
    with pytest.raises(CheckError, match=r"needs \{\{ reply \}\}"):
        evaluators.judge("Is it right?")
    with pytest.raises(CheckError, match="needs labels"):
        evaluators.judge("{{ reply }}", labels={})
    with pytest.raises(CheckError, match="needs the path"):
        evaluators.field("")
    with pytest.raises(TemplateError, match="answr"):
        evaluators.equals("{{ answr }}")(ROW, reply("Paris"))
