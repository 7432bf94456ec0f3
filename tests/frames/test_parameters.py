import os
from pathlib import Path

import pandas as pd
import pytest

from nbchat.api import FIELDS
from nbchat.frames.parameters import parameters

SNAPSHOT = Path(__file__).parents[1] / "api" / "snapshots" / "parameters.txt"
RECIPE = "Made by: NBCHAT_SNAPSHOT=write pytest tests/frames/test_parameters.py"


def _as_text(table: pd.DataFrame) -> str:
    rows = [
        " | ".join("" if cell is pd.NA else str(cell) for cell in row)
        for row in table.itertuples(name=None)
    ]
    header = " | ".join(["name", *table.columns])
    return "\n".join([RECIPE, "", header, *rows, ""])


def test_the_table_is_the_one_that_was_agreed() -> None:
    text = _as_text(parameters())
    if os.environ.get("NBCHAT_SNAPSHOT") == "write":
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert text == SNAPSHOT.read_text(encoding="utf-8"), f"If the change is meant: {RECIPE}"


def test_there_is_one_row_for_each_field_in_declared_order() -> None:
    table = parameters()
    assert table.index.name == "name"
    assert list(table.index) == list(FIELDS())


def test_missing_is_missing() -> None:
    table = parameters()
    assert table.loc["model", "default"] is pd.NA
    assert table.loc["temperature", "successor"] is pd.NA
    assert not (table == "").any(axis=None)


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        ("type", "category"),
        ("range", "string"),
        ("default", "string"),
        ("nullable", "bool"),
        ("group", "category"),
        ("deprecated", "bool"),
        ("successor", "string"),
        ("description", "string"),
    ],
)
def test_a_column_has_its_dtype(column: str, dtype: str) -> None:
    assert parameters()[column].dtype == dtype


def test_a_range_is_said_in_words() -> None:
    ranges = parameters()["range"]
    assert ranges["temperature"] == "0 to 2"
    assert ranges["max_tokens"] == "at least 1"
    assert ranges["verbosity"] == "low, medium, high"
    assert ranges["stop"] == "string or list of 1 to 4 strings"
    assert pd.isna(ranges["logprobs"])
