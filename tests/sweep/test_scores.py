"""Scores of a sweep that a server answered: of each answer once, and no request for them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbchat
from nbchat import evaluators
from nbchat.errors import BudgetError, CheckError, RunNotFoundError
from nbchat.session.state import STATE
from nbchat.sweep import journal, parts, records
from nbchat.sweep.scores import ScoreWarning
from nbchat.sweep.sweep import Sweep
from nbchat.sweep.tables import table
from tests.scripted import Reply, Request, ScriptedServer, completion, error, speaking
from tests.wire import made_up_logprobs

ITEMS = [
    {"city": "Paris", "land": "France", "human": "yes"},
    {"city": "Rome", "land": "Italy", "human": "no"},
    {"city": "Oslo", "land": "Norway", "human": "yes"},
]
CAPITAL = "The capital of {{ land }}?"


def reply_to(request: Request) -> Any:
    text = request.body["messages"][-1]["content"]
    if "right?" in text:
        return speaking("Yes." if "Paris" in text or "Oslo" in text else "No.")(request)
    if "Norway" in text and request.body["temperature"]:
        return error(400, "content of this kind is not wanted")
    return speaking("Rome" if request.body["temperature"] and "France" in text else
                    text.split()[-1].replace("France?", "Paris").replace("Italy?", "Milan")
                    .replace("Norway?", "Oslo"))(request)  # fmt: skip


@pytest.fixture
def answering() -> Any:
    return reply_to


def study(folder: Path | None = None, **more: Any) -> Sweep:
    return Sweep(
        CAPITAL,
        data=ITEMS,
        grid={"temperature": [0.0, 1.0]},
        repeats=2,
        folder=folder,
        **more,
    )


RIGHT = {"right": evaluators.equals("{{ city }}")}


def test_a_row_of_the_plan_is_a_row_of_scores(server: ScriptedServer) -> None:
    sweep = study(evaluate=RIGHT).run()
    frame = sweep.scores()
    assert list(frame) == ["row_id", "item", "sample", "temperature", "status", "run_id", "right"]
    assert frame.loc[frame["temperature"] == 0, "right"].tolist() == [1, 1, 0, 0, 1, 1]
    assert frame.loc[frame["temperature"] == 1, "right"].tolist()[:4] == [0, 0, 0, 0]
    failed = frame[frame["status"] == "error"]
    assert len(failed) == 2
    assert failed["right"].isna().all()


def test_before_anything_is_sent_all_is_missing(server: ScriptedServer) -> None:
    frame = study(evaluate=RIGHT).scores()
    assert set(frame["status"]) == {"not_sent"}
    assert frame["right"].isna().all()
    assert server.requests == []


def test_scores_later_send_nothing_and_each_answer_is_scored_once(server: ScriptedServer) -> None:
    sweep = study().run()
    n_sent, calls = len(server.requests), []

    def length(row: Any, run: Any) -> Any:
        calls.append(run.id)
        return {"letters": len(run.text), "is_city": run.text == row["city"]}

    frame = sweep.evaluate({"text": length}, **RIGHT)
    assert frame.columns[-3:].tolist() == ["text.letters", "text.is_city", "right"]
    assert (frame["text.is_city"].dropna() == frame["right"].dropna()).all()
    sweep.table(score="right")
    sweep.scores()
    assert len(calls) == len(set(calls)) == 10
    assert len(server.requests) == n_sent


def test_the_same_folder_has_the_same_scores_in_another_process(
    server: ScriptedServer, tmp_path: Path
) -> None:
    first = study(tmp_path / "capitals", evaluate=RIGHT).run()
    n_sent = len(server.requests)
    again = study(tmp_path / "capitals", evaluate=RIGHT)
    pd.testing.assert_frame_equal(again.scores(), first.scores())
    pd.testing.assert_frame_equal(again.table(), table(first.scores()))
    assert len(server.requests) == n_sent


def test_tables_and_comparisons_are_by_axes_and_by_columns_of_the_data(
    server: ScriptedServer,
) -> None:
    sweep = study(evaluate=RIGHT).run()
    assert sweep.table("land")["mean"].tolist() == [0.5, 0.0, 1.0]
    assert sweep.table("land")["error"].tolist() == [0, 0, 2]
    (row,) = sweep.compare("temperature", "right").frame().to_dict("records")
    assert (row["difference"], row["n_items"], row["missing"]) == (0.5, 2, 2)
    flips = sweep.compare("temperature").flips()
    assert flips["item"].tolist() == [0]
    assert {run.id for run in sweep._folder.runs()} >= set(flips["a_runs"][0])
    assert set(sweep.agreement()["agreement"].dropna()) == {1.0}
    with pytest.raises(CheckError, match=r"no axis or column lnd; there is temperature.*mean land"):
        sweep.table("lnd")
    with pytest.raises(CheckError, match=r"axis or column temprature.*Did you mean temperature"):
        sweep.table(by=["temprature"])


def test_the_id_of_a_row_leads_to_its_run(server: ScriptedServer) -> None:
    sweep = study(evaluate=RIGHT, logprobs=True).run()
    run_id = sweep.compare("temperature").flips()["a_runs"].iloc[0][0]
    assert set(nbchat.tokens(run_id)["run_id"]) == {run_id}
    with pytest.raises(RunNotFoundError):
        nbchat.tokens("no-run-of-this-name")


def test_what_a_function_breaks_at_is_missing_and_said(server: ScriptedServer) -> None:
    sweep = study().run()

    def broken(row: Any, run: Any) -> float:
        return {"Paris": 1.0}[run.text]

    with pytest.warns(
        ScoreWarning, match=r"broken has no score for 8 of 10 answers.*KeyError"
    ) as warned:
        frame = sweep.evaluate(broken=broken)
    assert {Path(each.filename).name for each in warned} == {Path(__file__).name}
    assert frame["broken"].notna().sum() == 2


@pytest.mark.parametrize("name", ["temperature", "status", "land", "answered", "completion_tokens"])
def test_a_score_has_a_name_of_its_own(server: ScriptedServer, name: str) -> None:
    with pytest.raises(CheckError, match=f"{name} is a column already"):
        study().evaluate({name: evaluators.equals("x")})
    with pytest.raises(CheckError, match=f"{name} is a column already"):
        study(evaluate={name: evaluators.equals("x")})


class TestJudge:
    JUDGE = evaluators.judge(
        "{{ land }}: {{ reply }} - is it right?", human="human", temperature=0.0, model="judge"
    )

    def test_it_judges_each_answer_once_and_its_runs_are_kept(
        self, server: ScriptedServer, tmp_path: Path
    ) -> None:
        sweep = study(tmp_path / "judged", evaluate={"good": self.JUDGE}).run()
        judged = [r for r in server.requests if "right?" in r.body["messages"][-1]["content"]]
        assert {request.body["model"] for request in judged} == {"judge"}
        texts = [request.body["messages"][-1]["content"] for request in judged]
        assert len(texts) == len(set(texts)) == 4
        frame = sweep.scores()
        assert frame.loc[frame["temperature"] == 0, "good"].tolist() == [1, 1, 0, 0, 1, 1]
        assert len(sweep.judges["good"].runs) == 4
        n_sent = len(server.requests)
        again = study(tmp_path / "judged", evaluate={"good": self.JUDGE}).run()
        pd.testing.assert_frame_equal(again.scores(), frame)
        assert len(server.requests) == n_sent

    def test_it_is_not_asked_where_the_sweep_was_stopped(self, server: ScriptedServer) -> None:
        sweep = study(evaluate={"good": self.JUDGE}, at_once=1)

        def stopping(request: Request) -> Any:
            sweep.stop()
            return reply_to(request)

        server.default = stopping
        sweep.run()
        assert sweep.status.not_sent
        assert "judge" not in {request.body.get("model") for request in server.requests}
        server.default = reply_to
        sweep.run()
        assert sweep.scores()["good"].notna().sum() == 10

    def test_it_shows_its_prompt_and_how_far_it_agrees_with_people(
        self, server: ScriptedServer
    ) -> None:
        sweep = study().run()
        sweep.evaluate(good=self.JUDGE)
        judging = sweep.judges["good"]
        agreed = judging.agreement()
        assert agreed is not None
        assert (agreed.n, agreed.share.estimate, agreed.share.n) == (10, pytest.approx(5 / 6), 3)
        assert agreed.kappa == pytest.approx(0.32 / 0.52)
        assert "{{ land }}: {{ reply }} - is it right?" in judging._repr_html_()
        assert "10 answers judged; alike with people in 83%" in repr(judging)

    def test_what_judges_cost_is_in_the_plan_and_in_the_budget(
        self, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("nbchat.session.worst_case._is_here", lambda _: False)
        STATE.settings.prices = nbchat.prices.read_prices([
            {"model": name, "input_usd_per_mtok": 100, "output_usd_per_mtok": 100}
            for name in ("*", "m", "judge")
        ])  # fmt: skip
        judge = evaluators.judge(
            "{{ land }}: {{ reply }} - is it right?", model="judge", max_completion_tokens=5
        )

        def sweep(budget_usd: float | None) -> Sweep:
            more: Any = {"model": "m", "max_completion_tokens": 10, "at_once": 1}
            return study(tmp_path, evaluate={"good": judge}, budget_usd=budget_usd, **more)

        plan = sweep(None).plan
        texts = [f"{item['land']}:  - is it right?" for item in ITEMS for _ in range(4)]
        tokens = sum(8 + -(-len(text) // 4) + 10 + 5 for text in texts)
        assert plan.judge_requests == 12
        assert plan.judges_usd == pytest.approx(tokens * 100 / 1e6)
        assert "judges: at most 12 requests, about $" in repr(plan)
        answers = nbchat.sweep(
            CAPITAL, data=ITEMS, grid={"temperature": [0.0, 1.0]}, repeats=2, folder=tmp_path,
            model="m", max_completion_tokens=10,
        ).run()  # fmt: skip
        spent_usd = answers.status.cost_usd
        assert spent_usd
        with pytest.raises(BudgetError):
            sweep(spent_usd + 0.009).run()
        judged = len(list((tmp_path / "judges").rglob("rows-*.jsonl")))
        assert judged == 1
        n_judged = sweep(None).judges["good"].n_judged
        assert 0 < n_judged < 10
        assert sweep(None).run().judges["good"].n_judged == 10
        assert sweep(None).plan.judge_requests == 0

    def test_people_may_label_single_answers(self, server: ScriptedServer) -> None:
        sweep = study().run()
        first = sweep.scores()["row_id"].iloc[0]
        sweep.evaluate(good=evaluators.judge("{{ reply }} - right?", human={first: 0}))
        agreed = sweep.judges["good"].agreement()
        assert agreed is not None
        assert (agreed.n, agreed.share.estimate) == (1, 0.0)

    def test_a_reply_that_is_no_label_is_no_score_and_counted(self, server: ScriptedServer) -> None:
        sweep = study().run()
        labels = {"good": 1.0, "bad": 0.0}
        frame = sweep.evaluate(good=evaluators.judge("{{ reply }} right?", labels=labels))
        assert frame["good"].isna().all()
        assert sweep.judges["good"].n_unread == 10
        assert "10 of its replies are no label" in repr(sweep.judges["good"])

    def test_labels_by_people_that_are_not_there_are_refused(self, server: ScriptedServer) -> None:
        with pytest.raises(CheckError, match="the data has no such column"):
            study().evaluate(good=evaluators.judge("{{ reply }}", human="people"))
        sweep = study().run()
        sweep.evaluate(good=evaluators.judge("{{ reply }} right?", human="city"))
        with pytest.raises(CheckError, match="'Paris' is none of the labels yes, no"):
            sweep.judges["good"].agreement()


def test_an_infinite_score_is_none_and_said(server: ScriptedServer) -> None:
    sweep = study().run()
    with pytest.warns(ScoreWarning, match="far gave inf, and a score is a finite number"):
        frame = sweep.evaluate(far=lambda row, run: math.inf)
    assert frame["far"].isna().all()


def test_few_items_show_no_difference_and_the_plan_says_so(server: ScriptedServer) -> None:
    few = nbchat.sweep(
        "{{ word }}", data=[{"word": "a"}], grid={"temperature": [0, 1]}, profile=server.url,
        model="m", evaluate={"right": evaluators.contains("a")},
    )  # fmt: skip
    assert "not even one of 100 points, is seen" in repr(few.plan)
    assert "twice the items: none" in repr(few.plan)


def test_measures_of_nbchats_are_scores(server: ScriptedServer) -> None:
    sweep = study(logprobs=True, evaluate={"bits": evaluators.mean_surprisal()}).run()
    frame = sweep.scores()
    known = frame[frame["status"] == "answered"]
    runs = {run.id: run for run in sweep._folder.runs()}
    for run_id, bits in zip(known["run_id"], known["bits"], strict=True):
        assert bits == pytest.approx(float(runs[run_id].tokens()["surprisal_bits"].mean()))
        assert not math.isnan(bits)


@pytest.mark.parametrize("is_packed", [False, True])
def test_scores_of_texts_read_no_log_probabilities(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_packed: bool
) -> None:
    read = []
    original = records.logprobs_of
    monkeypatch.setattr(records, "logprobs_of", lambda one: (read.append(1), original(one))[1])
    server.default = lambda _: Reply.json(
        completion("Paris", logprobs=made_up_logprobs("Paris", 3))
    )
    if is_packed:
        monkeypatch.setattr(parts, "PART_BYTES", 1)
        monkeypatch.setattr(journal, "MOST_BYTES", 1)
    sweep = study(tmp_path, evaluate=RIGHT, logprobs=True, top_logprobs=3).run()
    assert is_packed == (tmp_path / "parts").exists()
    assert sweep.scores()["right"].tolist() == [1.0] * 4 + [0.0] * 8
    assert read == []
    frame = sweep.evaluate(surprisal=evaluators.mean_surprisal())
    assert len(read) == 12
    assert frame["surprisal"].notna().all()
    assert frame["right"].sum() == 4
