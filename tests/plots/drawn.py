"""What the tests of figures draw, and what they read in a figure."""

import io
import math

import pandas as pd

from nbchat.sweep.comparison import compare
from nbchat.sweep.tables import agreement, table
from tests.frames.made import choice, entry, run_of
from tests.sweep.made import scores_of

LN2 = math.log(2)
ODD = [
    "$",
    " $x_1$",
    "_a_",
    "\\frac{1}{2}",
    "<b>&",
    "\n\n",
    "😀",
    "你好",
    "שלום",
    "العربية",
    "\u200b",
    "%",
    "\U0001fae8",
    "e\u0301",
    "\ue000",
    "^{2}",
    "x" * 80,
]


def reply(count=3, step=1.0):
    entries = [
        entry(f" w{i}", -LN2 * step * (i % 7), (f" w{i}", -LN2 * step * (i % 7)), (" z", -9.0))
        for i in range(count)
    ]
    return run_of(choice(*entries), usage={"prompt_tokens": 5, "completion_tokens": count})


def odd_reply():
    return run_of(choice(*(entry(text, -1.0, *((t, -2.0) for t in ODD)) for text in ODD)))


def paired():
    texts = [f"{text} ({i})" for i, text in enumerate(ODD)]
    logprobs = {"good_logprob": -1.0, "bad_logprob": [-2.0, 0.0] * 8 + [-1.0]}
    return pd.DataFrame({"group": texts, **logprobs})


def draw(ax):
    # a missing glyph or markup that cannot be read is a warning or an error here
    with io.BytesIO() as picture:
        ax.figure.savefig(picture, format="png")
        return picture.getvalue()


def written(ax):
    labels = [*ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts]
    return [label.get_text() for label in labels]


def heights(ax):
    return [bar.get_height() for bar in ax.containers[0]]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def classified(count=12, labels=("good", "bad", "none of both")):
    """A frame as `nbchat.classify` gives it: every third answer is wrong."""
    rows = []
    for prompt in range(count):
        truth = labels[prompt % len(labels)]
        predicted = labels[(prompt + (prompt % 3 == 2)) % len(labels)]
        sure = 0.9 - 0.04 * (prompt % 10)
        for label in labels:
            is_predicted = label == predicted
            prob = sure if is_predicted else (1 - sure) / (len(labels) - 1)
            rows.append(
                {
                    "prompt": prompt,
                    "label": label,
                    "prob": prob,
                    "is_predicted": is_predicted,
                    "truth": truth,
                    "is_correct": label == truth,
                }
            )
    return pd.DataFrame(rows)


def compared():
    """A frame as `nbchat.compare` gives it."""
    nan, na = math.nan, pd.NA
    rows = [
        ("same", "␣The", "␣The", 0.5, True, 0.1),
        ("same", "␣sky", "␣sky", -1.5, True, 0.2),
        ("only_a", "␣is", na, nan, True, 0.3),
        ("only_b", na, "␣was", nan, False, nan),
        ("same", "␣$x_1$", "␣$x_1$", 2.0, False, nan),
    ]
    names = ["op", "display_a", "display_b", "delta_bits", "has_same_prefix", "jsd_lo"]
    return pd.DataFrame(rows, columns=names)


def branched():
    """A branches frame: a reply, two branches that leave it, and one that leaves the second."""
    whole = "The sky is blue."
    rows = [
        ("r", pd.NA, pd.NA, "", math.nan, pd.NA, whole),
        ("a", "r", 2, "␣was", 0.25, "exact", "The sky was green."),
        ("b", "r", 3, "␣not", 0.125, "text", "The sky is not there."),
        ("c", "b", 4, "␣$x_1$", math.nan, "samples", "The sky is not $x_1$ at all"),
    ]
    names = ["branch_id", "parent_id", "position", "display", "prob", "method", "text"]
    return pd.DataFrame(rows, columns=names)


def _of_odd_names():
    """The scores of a sweep whose values of an axis are hard to draw."""
    names = [f"{text} ({i})" for i, text in enumerate(ODD[:5])]
    answers = {name: [[1, 0], [1, 1], [0, math.nan]] for name in names}
    return scores_of(answers).assign(right=lambda frame: frame["right"] * (frame.index % 5 > 0))


def swept():
    frame = _of_odd_names()
    frame.insert(4, "temperature", [float(number % 2) for number in range(len(frame))])
    return table(frame)


def agreed():
    return agreement(_of_odd_names(), "right")


def differing():
    return compare(_of_odd_names(), "model", margin=0.1)
