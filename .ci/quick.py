"""Runs the tests in one pytest for each core, each with files of its own, and joins what they say.

Workers of pytest-xdist each collect every test before one of them runs (17 s of a processor's time
each, and more for what they tell one another); here each file is imported once. Which file goes
where is told by how long each took the last time, which is kept in `build/quick.json`.

    .venv/bin/python .ci/quick.py -m "not long" [arguments of pytest]

Where an argument names a file or a test, it is one pytest as ever.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS = ROOT / "build" / "quick.json"
#: what a file costs that was never timed, and what its import costs beside its tests
UNKNOWN_S, IMPORT_S = 0.5, 0.1
#: all of it needs a browser, and only its import is saved
LEFT_OUT = "tests/browser"
NO_TESTS, INTERRUPTED = 5, 2


class Record:
    """What a pytest did: how many tests ended how, and the seconds of each file."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid.partition("::")[0]] += report.duration
        if report.when == "call" or report.outcome != "passed":
            is_broken = report.outcome == "failed" and report.when != "call"
            self.outcomes["error" if is_broken else report.outcome] += 1

    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome == "failed":
            self.outcomes["error"] += 1


def main(arguments: list[str]) -> int:
    """Run the tests; give the exit code."""
    if any(names_tests(word) for word in arguments):
        words = [sys.executable, "-m", "pytest", *arguments]
        return subprocess.run(words, check=False, cwd=ROOT).returncode
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        shares = shared_out(files(), known_seconds(), os.cpu_count() or 1)
        # the first is seen while it runs, the others when they have ended
        running = [
            started(share, arguments, Path(folder) / str(number), is_seen=number == 0)
            for number, share in enumerate(shares)
        ]
        codes, records = [], []
        for number, process in enumerate(running):
            said, _ = process.communicate()
            print(said or "", end="", flush=True)
            codes.append(process.returncode)
            records.append(record_of(Path(folder) / str(number)))
    keep_seconds(records)
    code = joined_code(codes, records)
    print(summary(records, time.monotonic() - began, code), flush=True)
    return code


def names_tests(word: str) -> bool:
    """Tell whether an argument is a file, a folder or a test."""
    return not word.startswith("-") and (ROOT / word.partition("::")[0]).exists()


def files() -> list[str]:
    """Give the files of tests, as paths from the project's folder."""
    paths = (path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/**/test_*.py"))
    return sorted(path for path in paths if not path.startswith(f"{LEFT_OUT}/"))


def shared_out(paths: list[str], seconds: dict[str, float], n: int) -> list[list[str]]:
    """Give each of n processes files that take about as long as those of the others."""
    costs = {path: seconds.get(path, UNKNOWN_S) + IMPORT_S for path in paths}
    # those that look at all of the package stay together, which is parsed once for all of them
    readers = [path for path in paths if reads_the_package(ROOT / path)]
    units = [[path] for path in paths if path not in readers] + [readers] * bool(readers)
    shares: list[list[str]] = [[] for _ in range(n)]
    sums = [0.0] * n
    for unit in sorted(units, key=lambda unit: (-sum(costs[path] for path in unit), unit)):
        least = sums.index(min(sums))
        shares[least] += unit
        sums[least] += sum(costs[path] for path in unit)
    # in the order of pytest, so that what one package shares is there once
    return [sorted(share) for share in shares if share]


def reads_the_package(path: Path) -> bool:
    """Tell whether a file of tests parses every module of the package."""
    return path.is_file() and "from tests.sources import" in path.read_text(encoding="utf-8")


def started(
    share: list[str], arguments: list[str], report: Path, *, is_seen: bool
) -> subprocess.Popen[str]:
    """Start a pytest over some files."""
    listed = report.with_suffix(".files")
    listed.write_text("\n".join(share), encoding="utf-8")
    words = [sys.executable, __file__, "--of", str(report), *arguments]
    pipe = None if is_seen else subprocess.PIPE
    return subprocess.Popen(
        words, cwd=ROOT, stdout=pipe, stderr=pipe and subprocess.STDOUT, text=True
    )


def one_of_many(report: Path, arguments: list[str]) -> int:
    """Be one of the processes: run the files that are listed, and write what came of them."""
    import pytest

    record = Record()
    share = report.with_suffix(".files").read_text(encoding="utf-8").splitlines()
    code = int(pytest.main(["-q", *arguments, *share], plugins=[record]))
    report.write_text(json.dumps([record.outcomes, record.seconds]), encoding="utf-8")
    return code


def record_of(report: Path) -> Record:
    """Read what a process wrote; nothing where it died before."""
    record = Record()
    if report.is_file():
        outcomes, seconds = json.loads(report.read_text(encoding="utf-8"))
        record.outcomes.update(outcomes)
        record.seconds.update(seconds)
    return record


def joined_code(codes: list[int], records: list[Record]) -> int:
    """Give the exit code of all: one that found no tests is no fault where others found some."""
    has_run = any(record.outcomes for record in records)
    faults = [code for code in codes if code and not (code == NO_TESTS and has_run)]
    return next((code for code in faults if code == INTERRUPTED), faults[0] if faults else 0)


def summary(records: list[Record], elapsed_s: float, code: int) -> str:
    """Give the last line: what all of them did together."""
    outcomes = sum((record.outcomes for record in records), Counter())
    names = [*sorted({*outcomes} - {"passed"}), "passed"]
    counts = ", ".join(f"{outcomes[name]:,} {name}" for name in names if outcomes[name])
    end = "" if not code else f": not all is well (exit code {code})"
    return f"{counts or 'no tests'} in {elapsed_s:.0f} s, {len(records)} processes{end}"


def known_seconds() -> dict[str, float]:
    """Give the seconds that each file took the last time."""
    try:
        seconds = json.loads(SECONDS.read_text(encoding="utf-8"))
        return {str(path): float(value) for path, value in seconds.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def keep_seconds(records: list[Record]) -> None:
    """Note how long each file took, for the next time."""
    seconds = known_seconds()
    for record in records:
        seconds |= {path: round(value, 2) for path, value in record.seconds.items()}
    SECONDS.parent.mkdir(exist_ok=True)
    SECONDS.write_text(json.dumps(seconds, indent=0, sort_keys=True), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--of"]:
        # `python -m pytest` has the project's folder first on the path, a script its own
        sys.path[0] = str(ROOT)
        sys.exit(one_of_many(Path(sys.argv[2]), sys.argv[3:]))
    sys.exit(main(sys.argv[1:]))
