"""`make quick`: the files of tests over several processes, joined to one outcome."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "quick.py"
QUICK: dict[str, Any] = runpy.run_path(str(SCRIPT))
shared_out, joined_code, summary = (QUICK[n] for n in ("shared_out", "joined_code", "summary"))


def record(**outcomes: int) -> Any:
    made = QUICK["Record"]()
    made.outcomes.update(outcomes)
    return made


def test_every_file_goes_to_one_process_and_none_is_left_out() -> None:
    paths = [f"tests/test_{number}.py" for number in range(9)]
    shares = shared_out(paths, {"tests/test_4.py": 60.0}, 2)
    assert sorted(path for share in shares for path in share) == paths
    assert ["tests/test_4.py"] in shares  # it takes longer than all the others


def test_there_are_no_more_processes_than_files() -> None:
    assert shared_out(["tests/test_1.py"], {}, 8) == [["tests/test_1.py"]]


def test_all_files_of_tests_that_need_no_browser_are_run() -> None:
    files = QUICK["files"]()
    assert "tests/test_quick.py" in files
    assert "tests/client/test_fold.py" in files
    assert not any(path.startswith("tests/browser/") for path in files)


@pytest.mark.parametrize(
    ("codes", "records", "code"),
    [
        ([0, 0], [record(passed=1), record(passed=2)], 0),
        ([0, 1], [record(passed=1), record(failed=1)], 1),
        ([5, 0], [record(), record(passed=1)], 0),  # a share of which nothing was chosen
        ([5, 5], [record(), record()], 5),
        ([1, 2], [record(failed=1), record()], 2),  # Ctrl-C
        ([0, -11], [record(passed=1), record()], -11),  # it died
    ],
)
def test_one_process_that_failed_is_a_failure(
    codes: list[int], records: list[Any], code: int
) -> None:
    assert joined_code(codes, records) == code


def test_the_last_line_counts_the_tests_of_all_processes() -> None:
    records = [record(passed=4000, failed=1), record(passed=4326, skipped=2)]
    line = summary(records, 81.2, 1)
    assert line == (
        "1 failed, 2 skipped, 8,326 passed in 81 s, 2 processes: not all is well (exit code 1)"
    )


@pytest.mark.long
@pytest.mark.parametrize(("line", "code"), [("assert True", 0), ("assert False", 1)])
def test_processes_that_run_tests_are_joined(line: str, code: int, tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / "tests").mkdir()
    shutil.copy(SCRIPT, tmp_path / ".ci")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\nmarkers = ['long: -']\n")
    (tmp_path / "tests" / "test_a.py").write_text(f"def test_a() -> None:\n    {line}\n")
    (tmp_path / "tests" / "test_b.py").write_text(
        "import pytest\ndef test_b() -> None: ...\n@pytest.mark.long\ndef test_c() -> None: 1 / 0\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / ".ci" / "quick.py", "-m", "not long", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1]
    assert done.returncode == code, done.stdout + done.stderr
    assert last.startswith("2 passed in " if code == 0 else "1 failed, 1 passed in ")
    assert (tmp_path / "build" / "quick.json").is_file()


def test_files_that_read_the_whole_package_share_a_process() -> None:
    files = QUICK["files"]()
    shares = shared_out(files, {}, 3)
    readers = {path for path in files if QUICK["reads_the_package"](QUICK["ROOT"] / path)}
    assert {"tests/test_layers.py", "tests/test_one_road.py"} <= readers
    assert sum(bool(readers & {*share}) for share in shares) == 1
