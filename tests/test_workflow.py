"""What a forge runs for each change: it is YAML, and calls what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
# YAML 1.1 reads the key `on` as true
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
CLASSIFIERS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "classifiers"
]


def commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def pythons(job: dict[str, Any]) -> set[str]:
    """Every version that a job asks for; as text, since 3.10 as a number is 3.1."""
    matrix = job.get("strategy", {}).get("matrix", {})
    versions = [*matrix.get("python", ()), *(more["python"] for more in matrix.get("include", ()))]
    fixed = [step.get("with", {}).get("python-version") for step in job["steps"]]
    found = [*versions, *(version for version in fixed if version and "${{" not in version)]
    assert all(isinstance(version, str) for version in found)
    return set(found)


def test_each_change_and_each_proposal_is_looked_at() -> None:
    assert set(WORKFLOW[True]) == {"push", "pull_request"}
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_every_job_says_where_and_how_long_and_begins_with_the_text() -> None:
    for name, job in JOBS.items():
        assert {"runs-on", "timeout-minutes", "steps"} <= set(job), name
        assert job["steps"][0]["uses"].startswith("actions/checkout@"), name
        assert commands(job), name


def test_what_is_called_is_there() -> None:
    phony = re.search(r"\.PHONY: (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert phony
    lines = [line for job in JOBS.values() for line in commands(job)]
    targets = {target for line in lines for target in re.findall(r"\bmake ([a-z-]+)", line)}
    assert targets == {"quick", "lowest"}
    assert targets <= set(phony[1].split())
    files = {file for line in lines for file in re.findall(r"(?<!\S)\.ci/\S+", line)}
    assert ".ci/run" in files
    assert not [file for file in files if not (ROOT / file).is_file()]


def test_windows_runs_the_tests_that_make_quick_runs() -> None:
    (quick,) = (line for line in commands(JOBS["windows"]) if "quick" in line)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"$(VENV_PYTHON) {quick.removeprefix('python ')} $(PYTEST_ARGS)" in makefile


def test_the_versions_that_the_index_is_told_are_those_that_are_run() -> None:
    told = {line.rpartition(" :: ")[2] for line in CLASSIFIERS if "Python :: 3." in line}
    assert pythons(JOBS["quick"]) == told
    assert set().union(*map(pythons, JOBS.values())) == told
