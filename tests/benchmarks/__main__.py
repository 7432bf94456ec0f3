"""The table "What it must cost", measured on this machine, each candidate beside the others.

    python -m tests.benchmarks [name …] [--rate TOKENS_PER_S] [--tokens N] [--rows N]

Exit status 1 where a bound is not kept. `--rate` (100) is the speed of the reply whose notebook
traffic is counted: a higher one is quicker, but then it is another measurement. `--tokens`
(100,000) is the size of the frame, `--rows` (100,000) that of the sweep whose memory is measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial

from tests.benchmarks import (
    clusters,
    frames,
    history,
    latency,
    notebook,
    slots,
    start,
    streams,
    sweeps,
)
from tests.benchmarks.measure import Line


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="name")
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--cluster-rows", type=int, default=20_000)
    given = parser.parse_args()
    benchmarks: dict[str, Callable[[], list[Line]]] = {
        "chunk": streams.chunk,
        "alternatives": streams.alternatives,
        "start": start.first_token,
        "extension": start.extension,
        "latency": latency.latency,
        "frame": partial(frames.frame, given.tokens),
        "history": history.history,
        "sweep": partial(sweeps.sweeps, given.rows),
        "cluster": partial(clusters.clusters, given.cluster_rows),
        "slots": slots.slots,
        "notebook": partial(notebook.traffic, given.rate),
    }
    if unknown := set(given.names) - set(benchmarks):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: take {', '.join(benchmarks)}")
    os.environ["NBCHAT_HISTORY"] = "off"  # none of it belongs into one's own
    is_kept = True
    for name in given.names or benchmarks:
        begin = time.perf_counter()
        for line in benchmarks[name]():
            print(line, flush=True)
            is_kept &= line.is_kept
        print(f"      ({name}: took {time.perf_counter() - begin:.0f} s)\n", flush=True)
    return 0 if is_kept else 1


sys.exit(main())
