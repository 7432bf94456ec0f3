import math

import pytest

from nbchat import frames, plots
from tests.frames.made import choice, entry, run_of
from tests.plots.drawn import draw


def answered(text, *probs):
    parts = text.split("|")
    return run_of(
        choice(
            *(
                entry(t, math.log(p), (t, math.log(p)), ("z", math.log(p / 2)))
                for t, p in zip(parts, probs, strict=True)
            )
        )
    )


RUNS = [answered("New| York", 0.5, 0.8), answered("new| york.", 0.4, 0.9), answered("Paris", 0.25)]


def test_each_scorer_by_hand():
    found = frames.scorers(RUNS, contradiction=lambda a, b: 0.9 if "Paris" in a + b else 0.1)
    scores = found.set_index("scorer")["score"].to_dict()
    each = [math.sqrt(0.4), math.sqrt(0.36), 0.25]
    shares = [2 / 3, 1 / 3]
    assert scores == pytest.approx(
        {
            "min_token_probability": 0.5,
            "mean_token_probability": 0.65,
            "normalized_probability": each[0],
            "sequence_probability": 0.4,
            "probability_margin": (0.25 + 0.4) / 2,
            "monte_carlo_probability": sum(each) / 3,
            "exact_match": 0.5,
            "semantic_negentropy": 1 + sum(p * math.log(p) for p in shares) / math.log(3),
            "noncontradiction": 1 - (0.1 + 0.1 + 0.9 + 0.9) / 4,
        }
    )
    assert found["kind"].tolist() == ["white"] * 6 + ["black"] * 2 + ["black"]
    assert found["n_samples"].tolist() == [1] * 5 + [3] * 4


def test_what_cannot_be_had_is_missing():
    alone = frames.scorers(RUNS[:1]).set_index("scorer")["score"]
    assert alone[["exact_match", "semantic_negentropy"]].isna().all()
    blind = frames.scorers([run_of(choice(text="a")), run_of(choice(text="a"))])
    blind = blind.set_index("scorer")
    assert blind.query("kind == 'white'")["score"].isna().all()
    assert blind.loc["exact_match", "score"] == 1
    censored = frames.scorers([run_of(choice(entry("a", -9999.0), entry("b", -1.0)))])
    assert censored.query("kind == 'white'")["score"].drop(index=4).isna().all()


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match="no run"):
        frames.scorers([])
    with pytest.raises(ValueError, match="from 0 to 1"):
        frames.scorers(RUNS, contradiction=lambda a, b: 2.0)


def test_scorers_are_compared_by_risk_and_coverage():
    import pandas as pd

    table = pd.DataFrame({"good": [0.9, 0.8, 0.3, 0.1], "bad": [0.1, 0.2, None, 0.9]})
    ax = plots.risk_coverage(table, [1, 1, 0, 0])
    assert draw(ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    # the third answer is not known to one of them; over three: risks 0 0 1/3 and 1 1/2 1/3
    assert labels[:2] == ["good (area 0.111)", "bad (area 0.611)"]
    assert plots.risk_coverage(table.to_dict("list"), [1, 1, 0, 0])
    with pytest.raises(ValueError, match=r"good \(4,\) and correct \(1,\) do not fit"):
        plots.risk_coverage(table, [1])
