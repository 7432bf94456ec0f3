"""From JSON to the frame of alternatives: time, size, peak."""

from __future__ import annotations

import json
import resource
import tempfile
import time
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tests.benchmarks.inputs import whole_body
from tests.benchmarks.measure import Line, isolated, megabytes, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

HERE = "tests.benchmarks.frames"
BODIES = 20
ALTERNATIVES = 20


class Alternative(msgspec.Struct, gc=False):
    token: str
    logprob: float


class Entry(msgspec.Struct, gc=False):
    top_logprobs: list[Alternative]


class Logprobs(msgspec.Struct):
    content: list[Entry]


class Choice(msgspec.Struct):
    logprobs: Logprobs


class Body(msgspec.Struct):
    choices: list[Choice]


def resident() -> int:
    """Bytes of this process that are in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def costs(folder: str, make: Callable[[list[bytes]], pd.DataFrame]) -> dict[str, float]:
    bodies = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
    before = resident()
    begin = time.process_time()  # one thread, no I/O: the time without the rest of the machine
    frame = make(bodies)
    took = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    size = int(frame.memory_usage(deep=True).sum())
    return {
        "s": took,
        "bytes": size,
        "peak": peak,
        "rows": len(frame),
        "columns": len(frame.columns),
    }


def nbchat(folder: str) -> dict[str, float]:
    import nbchat as package
    from nbchat.client import read_stream
    from nbchat.run import Run

    # the frames' libraries are loaded before the clock runs, as pandas is for the others
    package.alternatives(Run.from_completion(read_stream([whole_body(2, 2, seed=0)])))

    def make(bodies: list[bytes]) -> pd.DataFrame:
        runs = [Run.from_completion(read_stream([body])) for body in bodies]
        table: pd.DataFrame = package.alternatives(runs)
        return table

    return costs(folder, make)


def columns(folder: str) -> dict[str, float]:
    """The floor: msgspec into columns, repeated strings categorical, four columns."""
    import numpy as np
    import pandas as pd

    decode = msgspec.json.Decoder(Body).decode

    def make(bodies: list[bytes]) -> pd.DataFrame:
        codes: dict[str, int] = {}
        token, logprob, position, rank = array("i"), array("d"), array("q"), array("q")
        for body in bodies:
            for place, entry in enumerate(decode(body).choices[0].logprobs.content):
                for order, other in enumerate(entry.top_logprobs):
                    token.append(codes.setdefault(other.token, len(codes)))
                    logprob.append(other.logprob)
                    position.append(place)
                    rank.append(order)
        return pd.DataFrame(
            {
                "position": np.frombuffer(position, dtype="i8"),
                "alternative": np.frombuffer(rank, dtype="i8"),
                "token": pd.Categorical.from_codes(
                    np.frombuffer(token, dtype=np.int32), pd.Index(list(codes))
                ),
                "logprob": np.frombuffer(logprob, dtype="f8"),
            }
        )

    return costs(folder, make)


def list_of_dicts(folder: str) -> dict[str, float]:
    import pandas as pd

    def make(bodies: list[bytes]) -> pd.DataFrame:
        rows = [
            {
                "position": position,
                "alternative": rank,
                "token": other["token"],
                "logprob": other["logprob"],
            }
            for body in bodies
            for position, entry in enumerate(json.loads(body)["choices"][0]["logprobs"]["content"])
            for rank, other in enumerate(entry["top_logprobs"])
        ]
        return pd.DataFrame(rows)

    return costs(folder, make)


def frame(tokens: int = 100_000) -> list[Line]:
    with tempfile.TemporaryDirectory() as folder:
        for number in range(BODIES):
            body = whole_body(tokens // BODIES, ALTERNATIVES, seed=number)
            (Path(folder) / f"{number:02}.json").write_bytes(body)
        floor, others, ours = (
            min((isolated(f"{HERE}:{name}", folder) for _ in range(2)), key=lambda cost: cost["s"])
            for name in ("columns", "list_of_dicts", "nbchat")
        )
    assert floor["rows"] == others["rows"] == ours["rows"] == tokens * ALTERNATIVES
    what = f"JSON to the alternatives frame, {tokens:,} tokens, {ours['rows']:,} rows"
    named = {"floor, 4 columns": floor, "list of dicts, 4 columns": others}
    named[f"nbchat, {ours['columns']} columns"] = ours
    scale = tokens / 100_000
    return [
        Line(
            f"{what}: CPU time",
            {name: seconds(cost["s"]) for name, cost in named.items()},
            ours["s"] / others["s"],
            1 / 4,
            "nbchat / list of dicts",
        ),
        Line(
            f"{what}: the frame's memory",
            {name: megabytes(cost["bytes"]) for name, cost in named.items()},
            ours["bytes"] / 1e6,
            150 * scale,
            "nbchat, MB",
        ),
        Line(
            f"{what}: peak over the bodies (resident memory)",
            {name: megabytes(cost["peak"]) for name, cost in named.items()},
            ours["peak"] / ours["bytes"],
            3,
            "nbchat, peak / frame",
        ),
    ]
