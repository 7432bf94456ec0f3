"""Recording, opening and searching the history, beside SQLite that does no more than that."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Line, isolated, middle, seconds

HERE = "tests.benchmarks.history"
#: the history's own bounds, in seconds: the caller's time for a run, a frame, a search
RECORD_S, OPEN_S, SEARCH_S = 1e-3, 1.0, 0.2
WORDS = 20_000


class Words:
    """Texts of words that are frequent and seldom, as those of a language are."""

    def __init__(self) -> None:
        self._random = random.Random(1)
        letters = "abcdefghijklmnoprstuvw"
        self.all = [
            "".join(self._random.choices(letters, k=self._random.randint(2, 9)))
            for _ in range(WORDS)
        ]

    def text(self, n: int) -> str:
        draw = self._random.expovariate
        return " ".join(self.all[min(int(draw(1 / 2_000)), WORDS - 1)] for _ in range(n))


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        os.environ["NBCHAT_HISTORY"] = str(Path(made) / "history.sqlite")
        yield Path(made)


def filled(n: int, path: Path) -> list[tuple[str, str]]:
    """Write so many runs, in large commits, and give what was said in them."""
    from nbchat.history.connection import begin, commit, connect
    from nbchat.history.record import record_of, write
    from nbchat.history.redaction import Redaction
    from nbchat.history.schema import migrate
    from tests.history.made import run_of

    words, redaction = Words(), Redaction()
    said = [(words.text(100), words.text(30)) for _ in range(n)]
    connection = connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    migrate(connection, str(path))
    for start in range(0, n, 1_000):
        begin(connection)
        for answer, asked in said[start : start + 1_000]:
            run = run_of(answer, asked)
            run.completion.choices[0].logprobs = None  # type: ignore[union-attr]
            write(connection, record_of(run, redaction), replaces=False)
        commit(connection)
    connection.close()
    return said


def opening(n: int) -> dict[str, float]:
    """Seconds until the frame is there, and until a text is found; SQLite's own for the same."""
    import nbchat
    from tests.history.made import run_of

    with folder() as made:
        path = made / "history.sqlite"
        said = filled(n, path)
        nbchat.runs(run_of())  # pandas is imported
        word = said[n // 2][0].split()[3]

        def bare() -> None:
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute(
                    "SELECT id, created_at, profile, status, text, error, is_replayed, params "
                    "FROM runs JOIN texts USING (number) ORDER BY created_at DESC"
                ).fetchall()

        return {
            "frame": timed(lambda: nbchat.history.search(limit=None)),
            "rows": timed(bare),
            "search": timed(lambda: nbchat.history.search(word)),
            "n_found": float(len(nbchat.history.search(word, limit=None))),
            "bytes": float(path.stat().st_size),
        }


def timed(work: Any, repeats: int = 3) -> float:
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best


def recording(n: int) -> dict[str, float]:
    """Seconds of the caller for one run, until it is safe, and of a bare commit."""
    from nbchat.history import store
    from tests.history.made import run_of

    with folder() as made:
        called, safe, bare = [], [], []
        runs = [run_of(str(k)) for k in range(n)]
        store.record(runs[0])
        store.flush()
        for run in runs[1:]:
            begin = time.perf_counter()
            store.record(run)
            called.append(time.perf_counter() - begin)
            store.flush()
            safe.append(time.perf_counter() - begin)
        with contextlib.closing(sqlite3.connect(made / "bare", isolation_level=None)) as other:
            other.execute("CREATE TABLE runs (id TEXT, body TEXT)")
            for run in runs[1:]:
                begin = time.perf_counter()
                other.execute("INSERT INTO runs VALUES (?, ?)", (run.id, run.text))
                bare.append(time.perf_counter() - begin)
        return {"called": middle(called), "safe": middle(safe), "bare": middle(bare)}


def history() -> list[Line]:
    found = isolated(f"{HERE}:recording", 300)
    lines = [
        Line(
            "recording one run",
            {
                "the caller": seconds(found["called"]),
                "until it is on disk": seconds(found["safe"]),
                "a bare commit": seconds(found["bare"]),
            },
            found["called"] / RECORD_S,
            1.0,
            "the caller's time / 1 ms",
        )
    ]
    for n in (1_000, 10_000, 100_000):
        found = isolated(f"{HERE}:opening", n)
        figures = {
            "as a frame": seconds(found["frame"]),
            "SQLite's rows alone": seconds(found["rows"]),
            "a text": f"{seconds(found['search'])} ({found['n_found']:,.0f} found)",
        }
        notes = [f"{found['bytes'] / n:,.0f} bytes a run on disk"]
        what = f"opening {n:,} runs"
        share = found["frame"] / OPEN_S
        lines.append(Line(what, figures, share, 1.0, "the frame's time / 1 s", notes))
        share = found["search"] / SEARCH_S
        lines.append(Line(f"searching {n:,} runs", {}, share, 1.0, "the search's time / 0.2 s"))
    return lines
