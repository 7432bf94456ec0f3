"""A run as rows of the history's tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from nbchat.api.logprobs import ChoiceLogprobs
from nbchat.api.response import Choice, Completion
from nbchat.history.contents import Contents, Kind, escaped
from nbchat.history.redaction import Redaction
from nbchat.history.token_columns import packed
from nbchat.run import Run
from nbchat.stored_run import as_dict
from nbchat.version import __version__

CHANNELS = ("content", "refusal")
#: of a choice whose log probabilities came with neither of the two lists
NEITHER = "neither"
#: characters of what was typed and answered that can be searched for, for each
_MOST_SEARCHED = 1_000_000
_PLAIN = (
    "id", "created_at", "profile", "base_url", "model_asked", "status", "thread", "turn",
    "notebook",
    "cell",
    "sweep", "request_sha256", "number_in_cell", "is_replayed", "ttft_s", "elapsed_s", "cost_usd",
)  # fmt: skip


class Record(msgspec.Struct):
    """What is written of a run: a row of `runs`, and what goes into the other tables.

    - `tables`: answer, choice, channel, n_tokens, n_alternatives, columns
    - `contents`: SHA-256 to kind and JSON
    """

    row: dict[str, Any]
    texts: tuple[str | None, str, str]
    body: str
    tables: list[tuple[int, int, str, int, int, bytes]]
    contents: dict[str, tuple[Kind, str]]


def record_of(run: Run, redaction: Redaction) -> Record:
    """Give the rows of a run, without keys."""
    answers: list[Completion] = []

    def without_tables(completion: Completion) -> dict[str, Any]:
        answers.append(completion)
        choices = [msgspec.structs.replace(c, logprobs=None) for c in completion.choices]
        return msgspec.structs.replace(completion, choices=choices).to_dict()

    stored = redaction(as_dict(run, without_tables))
    contents = Contents()
    params = _json(contents.of_params(stored.pop("params")))
    row = {name: stored[name] for name in _PLAIN}
    body = _json(_with_references(stored, contents))
    tables = [entry for at, answer in enumerate(answers) for entry in _tables(at, answer)]
    usage = run.usage
    texts = redaction(list(_texts(run)))
    row |= {
        "created_at": time_text(run.created_at),
        "model": redaction(run.model),
        "error": _sentence(stored["error"]),
        "magic_in_cell": None if run.cell_turn is None else run.cell_turn.magic,
        "params": params,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "nbchat_version": __version__,
        "n_bytes": len(params) + len(body) + sum(len(entry[-1]) for entry in tables),
    }
    return Record(row, tuple(texts), body, tables, contents.texts)


def write(connection: sqlite3.Connection, record: Record, *, replaces: bool) -> None:
    """Write a record in the transaction that is open.

    A run of this id that is there already gives way to it, or it to that.
    """
    known = connection.execute("SELECT number FROM runs WHERE id = ?", [record.row["id"]])
    number = next(known, (None,))[0]
    if number is not None:
        if not replaces:
            return
        remove(connection, number)
    names = ", ".join(record.row)
    marks = ", ".join("?" for _ in record.row)
    number = connection.execute(
        f"INSERT INTO runs (number, {names}) VALUES (?, {marks})",  # noqa: S608 - names of ours
        [number, *record.row.values()],
    ).lastrowid
    texts = (number, *record.texts)
    connection.execute("INSERT INTO texts VALUES (?, ?, ?, ?)", texts)
    connection.execute(
        "INSERT INTO texts_index (rowid, text, asked, also_answered) VALUES (?, ?, ?, ?)", texts
    )
    connection.execute("INSERT INTO bodies VALUES (?, ?)", (number, record.body))
    connection.executemany(
        "INSERT INTO token_probabilities VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(number, *entry) for entry in record.tables],
    )
    for sha256, (kind, body) in record.contents.items():
        connection.execute(
            "INSERT OR IGNORE INTO contents (sha256, kind, body) VALUES (?, ?, ?)",
            (sha256, kind, body),
        )
        connection.execute(
            "INSERT INTO run_contents SELECT ?, content FROM contents WHERE sha256 = ?",
            (number, sha256),
        )


def remove(connection: sqlite3.Connection, number: int) -> None:
    """Take a run out in the transaction that is open; its contents stay."""
    connection.execute(
        "INSERT INTO texts_index (texts_index, rowid, text, asked, also_answered) "
        "SELECT 'delete', number, text, asked, also_answered FROM texts WHERE number = ?",
        [number],
    )
    connection.execute("DELETE FROM runs WHERE number = ?", [number])


def time_text(when: Any) -> str:
    """Give a time as it is stored: UTC, of one length, so that texts sort as times do."""
    from datetime import UTC

    return str(when.astimezone(UTC).isoformat(timespec="microseconds"))


def _with_references(stored: dict[str, Any], contents: Contents) -> dict[str, Any]:
    structure = stored["structure"]
    return {
        **escaped(stored),
        "messages": [contents.of_message(message) for message in stored["messages"]],
        "rounds": [
            {**escaped(tool_round), "message": contents.of_message(tool_round["message"])}
            for tool_round in stored["rounds"]
        ],
        "structure": None if structure is None else contents.of_schema(structure),
    }


def _tables(answer: int, completion: Completion) -> Iterator[tuple[int, int, str, int, int, bytes]]:
    for place, choice in enumerate(completion.choices):
        logprobs = choice.logprobs
        if logprobs is None:
            continue
        if logprobs.content is None and logprobs.refusal is None:
            yield answer, place, NEITHER, 0, 0, b""
        for channel in CHANNELS:
            table = getattr(logprobs, channel)
            if table is not None:
                columns = packed(table)
                yield answer, place, channel, len(table), len(table.alternative_codes), columns


def with_tables(
    answer: Completion, tables: Mapping[tuple[int, str], Any], unpack: Any
) -> Completion:
    """Give a completion with the tables of its choices, by their place and channel."""
    opened = {at: unpack(columns) for at, columns in tables.items() if at[1] != NEITHER}
    places = {place for place, _ in tables}

    def logprobs(place: int) -> ChoiceLogprobs | None:
        if place not in places:
            return None
        return ChoiceLogprobs(*(opened.get((place, channel)) for channel in CHANNELS))

    choices: list[Choice] = [
        msgspec.structs.replace(choice, logprobs=logprobs(place))
        for place, choice in enumerate(answer.choices)
    ]
    return msgspec.structs.replace(answer, choices=choices)


def _texts(run: Run) -> Iterator[str | None]:
    """Give the reply, what was typed for it, and what else was answered."""
    completion = run.completion
    choices = sorted(completion.choices, key=lambda c: c.index) if completion else []
    replies = [choice.message.text for choice in choices]
    refusals = [choice.message.refusal for choice in choices]
    thoughts = [choice.message.reasoning for choice in choices]
    called = [
        f"{call.name} {call.arguments} {call.result or ''}" for r in run.rounds for call in r.calls
    ]
    in_rounds = [tool_round.text for tool_round in run.rounds]
    yield replies[0] if replies else None
    yield "\n".join(_of_user(run.messages))[:_MOST_SEARCHED]
    also = [*replies[1:], *refusals, *in_rounds, *called, *thoughts]
    yield "\n".join(text for text in also if text)[:_MOST_SEARCHED]


def _of_user(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Give the texts of the messages since the last reply: the turns before have their own runs."""
    start = 0
    for place, message in enumerate(messages):
        is_last = place == len(messages) - 1
        if message.get("role") == "assistant" and not message.get("tool_calls") and not is_last:
            start = place + 1
    for message in messages[start:]:
        if message.get("role") in ("tool", "function"):
            continue
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        for part in parts:
            text = part.get("text") if isinstance(part, Mapping) else None
            if isinstance(text, str):
                yield str.__str__(text)


def _sentence(error: Mapping[str, Any] | None) -> str | None:
    if error is None:
        return None
    return f"{error['type']}: {error['sentence']}" if error["sentence"] else str(error["type"])


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
