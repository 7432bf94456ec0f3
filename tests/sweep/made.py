"""Frames of scores made by hand, and the published ones."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

GPQA = Path(__file__).parents[1] / "data" / "gpqa_diamond_counts.csv"


def gpqa() -> pd.DataFrame:
    """The scores of two models: 198 items by 5 repeats each."""
    lines = [line for line in GPQA.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    return scores_of({
        model: [[1.0] * int(row[model]) + [0.0] * (5 - int(row[model])) for row in rows]
        for model in ("gpt_5_nano", "gpt_5_4_mini")
    })  # fmt: skip


def scores_of(
    answers: Mapping[str, Sequence[Sequence[float]]], status: str = "error"
) -> pd.DataFrame:
    """A scores frame of model -> item -> answers, NaN for one that did not come."""
    rows: list[Any] = [
        (f"{model}/{item}/{sample}", item, sample, model, status if value != value else "answered",
         f"run {model}/{item}/{sample}", value)
        for model, items in answers.items()
        for item, values in enumerate(items)
        for sample, value in enumerate(values)
    ]  # fmt: skip
    names = ["row_id", "item", "sample", "model", "status", "run_id", "right"]
    return pd.DataFrame(rows, columns=names)


def study(seed: int = 1, n_items: int = 12, repeats: int = 3) -> pd.DataFrame:
    """A study with two axes, of which one cell has no answer and another lacks some."""
    rng = np.random.default_rng(seed)
    frames = []
    for wording in ("plain", "kind"):
        for temperature in (0.0, 1.0):
            values = (rng.random((n_items, repeats)) < 0.7 - 0.3 * temperature).astype(float)
            if temperature:
                values[:4, 0] = np.nan
            part = scores_of({wording: values.tolist()}).rename(columns={"model": "wording"})
            part["row_id"] += f"/{temperature}"
            part["run_id"] += f"/{temperature}"
            part.insert(4, "temperature", temperature)
            frames.append(part)
    return pd.concat(frames, ignore_index=True)
