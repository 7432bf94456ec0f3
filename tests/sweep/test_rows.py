"""From a cell of a figure to its rows, and from a row to its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib import pyplot as plt

import nbchat
from nbchat import evaluators, plots
from nbchat.errors import CheckError, RunNotFoundError
from tests.scripted import Reply, Request, ScriptedServer, completion

FRUITS = [{"thing": "apple", "answer": "yes"}, {"thing": "brick", "answer": "no"}]


def echo(request: Request) -> Reply:
    word = request.body["messages"][-1]["content"].split()[-1]
    return Reply.json(completion(f"{word} at {request.body.get('temperature')}"))


@pytest.fixture
def answering() -> object:
    return echo


@pytest.fixture
def sweep(server: ScriptedServer, tmp_path: Path) -> Any:
    return nbchat.sweep(
        "{{ how }} {{ thing }}",
        data=FRUITS,
        grid={"temperature": [None, 1], "how": ["Say", "Shout"]},
        repeats=2,
        folder=tmp_path,
        model="m",
        evaluate={"right": evaluators.contains("apple")},
    ).run()


def test_the_rows_of_a_cell_are_found_by_its_values(sweep: Any) -> None:
    found = sweep.rows(temperature=1, how="Say")
    assert found["text"].tolist() == ["apple at 1.0"] * 2 + ["brick at 1.0"] * 2
    assert found["right"].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert len(sweep.rows()) == 16
    assert len(sweep.rows({"how": ["Say", "Shout"]}, temperature=None, thing="apple")) == 4
    assert sweep.rows(right=0, status="answered", sample=0)["thing"].unique().tolist() == ["brick"]
    assert sweep.rows(status="error").empty


def test_rows_are_not_found_by_a_name_that_there_is_not(sweep: Any) -> None:
    with pytest.raises(CheckError, match="temperature"):
        sweep.rows(temperatur=1)


def test_a_row_leads_to_its_run(sweep: Any) -> None:
    row = sweep.rows(temperature=1, how="Shout", thing="brick", sample=1).iloc[0]
    run = sweep.run_of(row["row_id"])
    assert (run.id, run.text) == (row["run_id"], "brick at 1.0")
    assert run.messages[-1]["content"] == "Shout brick"
    assert sweep.run_of(row["row_id"][:12]).id == run.id
    for unknown in ("", "zz", None):
        with pytest.raises(RunNotFoundError, match="row_id"):
            sweep.run_of(unknown)
    shown = nbchat.inspect(sweep.rows(thing="apple", temperature=1, how="Say"))
    assert [run.text for run in shown.runs] == ["apple at 1.0"] * 2


@pytest.mark.parametrize("draw", [plots.sweep, plots.grid])
def test_a_figure_says_how_the_rows_behind_it_are_found(sweep: Any, draw: Any) -> None:
    figure = draw(sweep).figure
    assert "sweep.rows(temperature=…, how=…)" in figure.get_supxlabel()
    assert "nbchat.inspect(sweep)" in figure.get_supxlabel()
    assert "\\u" not in figure.get_supxlabel()
    # a table has no rows behind it, and a figure of the user's own is theirs
    assert draw(sweep.table()).figure.get_supxlabel() == ""
    axes = plt.subplots()[1]
    assert draw(sweep, ax=axes).figure.get_supxlabel() == ""
    plt.close("all")
