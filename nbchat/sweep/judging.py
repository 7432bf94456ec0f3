"""A judge at work: its requests are a sweep of their own, and what it says is kept there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from nbchat import prices
from nbchat.code.filled import filled
from nbchat.errors import CheckError
from nbchat.evaluators import Judge
from nbchat.measures import normalised
from nbchat.session.state import STATE
from nbchat.session.worst_case import worst_case
from nbchat.sweep.batch_state import set_aside_usd
from nbchat.sweep.folder import Folder
from nbchat.sweep.records import HAVE_ANSWERS, Record
from nbchat.sweep.request_size import order_of, prompt_size, reply_limit

if TYPE_CHECKING:
    from nbchat.request.prepare import Prepared
    from nbchat.run import Run
    from nbchat.statistics import Interval
    from nbchat.sweep.design import Design

#: the folder in a sweep's folder in which judges have theirs
FOLDER = "judges"
#: rows of which the questions to come are reckoned
_SAMPLED = 200


class Ahead(NamedTuple):
    """`n` requests of a judge that are to come at most, and what they cost, about.

    `usd` has each answer at its full length; None where a price, or such a length, is not known.
    """

    n: int
    usd: float | None


def spent_on_judges(folder: Folder, *, but: str | None = None) -> float:
    """Give what the judges of a sweep have cost, in US dollars, one of them left out."""
    places = (folder.path / FOLDER).glob("*")
    return sum(Folder(path).spent_usd() for path in places if path.is_dir() and path.name != but)


def _about_usd(prepared: Prepared, reply_tokens: int | None) -> float | None:
    order = order_of(prepared)
    if worst_case(order).usd == 0:
        return 0.0
    limit = reply_limit(prepared)
    if limit is None or reply_tokens is None:
        return None
    most = prices.most(
        str(order.fields.get("model") or prepared.profile.model or ""),
        prepared.profile.base_url,
        prompt_tokens=prompt_size(prepared) + reply_tokens,
        completion_tokens=limit,
        service_tier=order.fields.get("service_tier"),
        own_prices=STATE.settings.prices,
    )
    return None if most is None else most.usd


class HumanAgreement(NamedTuple):
    """How far a judge agrees with people: `share` of the answers alike, with its interval.

    `n` answers were judged by both; `kappa` is the agreement beyond chance (Cohen).
    """

    n: int
    share: Interval
    kappa: float


class Judging:
    """What a judge of a sweep is asked, what it says, and how far it agrees with people.

    - `prompt`: the template; `runs`: its runs; `sweep`: the sweep that they are
    - `n_judged`, `n_unread`: answers that it was asked about, and those of its replies that were
      none of the labels
    - `agreement()`: with the labels of people, where there are some

    Answers of equal text to equal variables are judged once. Shown, it has all of this.
    """

    def __init__(
        self,
        name: str,
        judge: Judge,
        design: Design,
        folder: Folder,
        sweep_of: Callable[..., Any],
        limit_usd: float | None = None,
    ):
        self.name = name
        self._limit_usd = limit_usd
        self.judge = judge
        self._design = design
        self._folder = folder
        self._sweep_of = sweep_of
        if isinstance(judge.human, str) and judge.human not in design.items.columns:
            raise CheckError(
                f"judge(human={judge.human!r}): the data has no such column.",
                field="human",
                value=judge.human,
            )

    @property
    def prompt(self) -> str:
        return self.judge.prompt

    @property
    def sweep(self) -> Any:
        """The sweep of the judge's requests about all answers so far."""
        return self._sweep(self._questions(self._folder.records()))

    @property
    def runs(self) -> list[Run]:
        """The judge's runs, as they were written."""
        return list(Folder(self._path).runs())

    @property
    def n_judged(self) -> int:
        return len(self._replies(self._folder.records()))

    @property
    def n_unread(self) -> int:
        replies = self._replies(self._folder.records())
        return sum(self.judge.label(reply) is None for reply in replies.values())

    def ask(self) -> None:
        """Ask about each answer that was not judged yet, and wait."""
        questions = self._questions(self._folder.records())
        if questions:
            self._sweep(questions).run()

    def ahead(self) -> Ahead:
        """Reckon what is still to be asked, of answers that have not come, too."""
        records = self._folder.records()
        judged = self._replies(records)
        left = [
            row
            for row in self._design.rows()
            if row.id not in judged
            and (row.id not in records or records[row.id].status in HAVE_ANSWERS)
        ]
        sample = left[:: -(-len(left) // _SAMPLED) or 1]
        if not sample:
            return Ahead(0, 0.0)
        empty = [{**self._design.variables(row), "reply": ""} for row in sample]
        cells = self._sweep(dict(enumerate(empty))).design.cells()  # type: ignore[arg-type]
        total = 0.0
        for row, cell in zip(sample, cells, strict=True):
            usd = _about_usd(cell.prepared[0], reply_limit(self._design.cell_of(row)))
            if usd is None:
                return Ahead(len(left), None)
            total += usd
        return Ahead(len(left), total * len(left) / len(sample))

    def numbers(self, records: Mapping[str, Record]) -> dict[str, float]:
        """Give row id -> what the judge's reply counts, of the rows that it judged."""
        replies = self._replies(records)
        scores = {key: self.judge.score(reply) for key, reply in replies.items()}
        return {key: score for key, score in scores.items() if score is not None}

    def agreement(self) -> HumanAgreement | None:
        """Compare the judge with people; None where there are no labels of theirs.

        The share of answers that both count alike has its interval over items
        (`nbchat.statistics.mean_interval`); kappa is that of `nbchat.statistics.cohens_kappa`.
        """
        if self.judge.human is None:
            return None
        from nbchat import statistics

        numbers = self.numbers(self._folder.records())
        by_item: dict[int, list[float]] = {}
        pairs: list[tuple[float, float]] = []
        for row in self._design.rows():
            human = self._human(row.id, row.item)
            if human is not None and row.id in numbers:
                pairs.append((numbers[row.id], human))
                by_item.setdefault(row.item, []).append(float(numbers[row.id] == human))
        most = max(map(len, by_item.values()), default=0)
        alike = [same + [float("nan")] * (most - len(same)) for same in by_item.values()]
        kappa = statistics.cohens_kappa(*map(list, zip(*pairs, strict=True))) if pairs else None
        return HumanAgreement(
            len(pairs),
            statistics.mean_interval(alike or [[float("nan")]]),
            float("nan") if kappa is None else kappa,
        )

    def __repr__(self) -> str:
        return f"<Judging {self.name}: {self._summary()}>"

    def _repr_html_(self) -> str:
        counts = ", ".join(f"{label} {value:g}" for label, value in self.judge.labels.items())
        model = self.judge.fields.get("model") or "the default model"
        return (
            f"<div><b>{escape(self.name)}</b>, judged by {escape(str(model))} ({escape(counts)})"
            f'<pre style="white-space:pre-wrap">{escape(self.prompt)}</pre>'
            f"<p>{escape(self._summary())}</p></div>"
        )

    def _summary(self) -> str:
        words = [f"{self.n_judged:,} answers judged"]
        if unread := self.n_unread:
            words.append(f"{unread:,} of its replies are no label, and no score")
        if (with_people := self.agreement()) is not None:
            share = with_people.share
            words.append(
                f"alike with people in {share.estimate:.0%} [{share.lo:.0%}, {share.hi:.0%}] of "
                f"{with_people.n:,}, kappa {with_people.kappa:.2f}"
                if with_people.n
                else "no answer has a label of people, too"
            )
        return "; ".join(words)

    @property
    def _path(self) -> Any:
        return self._folder.path / FOLDER / self.name

    def _sweep(self, questions: Mapping[str, dict[str, Any]]) -> Any:
        return self._sweep_of(
            self.judge.prompt,
            data=[*questions.values()] or [{"reply": ""}],
            folder=self._path,
            **{"budget_usd": self._budget_usd(), **self.judge.fields},
        )

    def _budget_usd(self) -> float | None:
        """Give what the sweep's budget leaves to this judge, what it has cost before included."""
        if self._limit_usd is None:
            return None
        others = spent_on_judges(self._folder, but=self.name) + set_aside_usd(self._folder.path)
        return max(self._limit_usd - self._folder.spent_usd() - others, 0.0)

    def _questions(self, records: Mapping[str, Record]) -> dict[str, dict[str, Any]]:
        """Give what the judge is to be asked about, each once: the request's text -> variables."""
        return {text: variables for _, text, variables in self._answers(records)}

    def _answers(self, records: Mapping[str, Record]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Give row id, the text that the judge is asked, and its variables, in the plan's order."""
        system = self.judge.fields.get("system")
        for row in self._design.rows():
            record = records.get(row.id)
            if record is None or record.status not in HAVE_ANSWERS:
                continue
            variables = {**self._design.variables(row), "reply": record.text or ""}
            text = filled(self.judge.prompt, variables)
            if isinstance(system, str):
                text = f"{filled(system, variables)}\0{text}"
            yield row.id, text, variables

    def _replies(self, records: Mapping[str, Record]) -> dict[str, str]:
        """Give row id -> what the judge replied about it."""
        answers = [(key, text) for key, text, _ in self._answers(records)]
        judged = Folder(self._path).records()
        if not judged or not answers:
            return {}
        questions = self._questions(records)
        rows = self._sweep(questions).design.rows()
        by_text = dict(zip(questions, rows, strict=True))
        by_key = {key: judged.get(by_text[text].id) for key, text in answers}
        return {
            key: one.text or ""
            for key, one in by_key.items()
            if one is not None and one.status in HAVE_ANSWERS
        }

    def _human(self, row_id: str, item: int) -> float | None:
        human = self.judge.human
        value = (
            self._design.items[item].get(human)
            if isinstance(human, str)
            else (human or {}).get(row_id)
        )
        if value is None or value != value:
            return None
        if not isinstance(value, str):
            return float(value)
        counts = {normalised(label): count for label, count in self.judge.labels.items()}
        if normalised(value) not in counts:
            raise CheckError(
                f"judge(human=…): {value!r} is none of the labels {', '.join(self.judge.labels)}.",
                field="human",
                value=value,
            )
        return counts[normalised(value)]
