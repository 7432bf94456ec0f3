"""The scripts of the panels are checked, and a fault of each kind is found."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / ".ci" / "javascript.py"
CHECKS: dict[str, Any] = runpy.run_path(str(SCRIPT))
WIDGETS = ROOT / "nbchat" / "widgets"
PANELS = CHECKS["PANELS"]
NAME = re.compile(r"^(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)


@pytest.fixture(scope="session")
def tools() -> None:
    CHECKS["install"]()


@pytest.fixture
def copied(tools: None, tmp_path: Path) -> Path:
    """A copy of the panels to break something in."""
    wanted = shutil.ignore_patterns("*.py", "__pycache__")
    return Path(shutil.copytree(WIDGETS, tmp_path / "widgets", ignore=wanted))


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def types_fault(panel: Path, capfd: pytest.CaptureFixture[str]) -> str:
    assert not CHECKS["types"](panel)
    return capfd.readouterr().out


def lint_fault(done: bool, capfd: pytest.CaptureFixture[str]) -> str:
    assert not done
    told = capfd.readouterr()
    return told.out + told.err


def test_the_scripts_have_no_fault_and_nothing_is_written(copied: Path) -> None:
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    done = subprocess.run(
        [sys.executable, SCRIPT, copied], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert before == {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}


@pytest.mark.parametrize("panel", PANELS)
def test_a_name_that_is_not_there_is_found_in_every_file(
    panel: str, copied: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = {}
    for file in sorted((copied / panel).glob("*.js")):
        names[file.name] = name = NAME.findall(file.read_text(encoding="utf-8"))[0]
        change(file, f" {name}", f" {name}Misspelt")
    told = types_fault(copied / panel, capfd)
    linted = lint_fault(CHECKS["lint_joined"](copied, panel), capfd)
    for name in names.values():
        assert f"Cannot find name '{name}'" in told
        assert f"The {name} variable is undeclared" in linted
    assert len(names) > 1


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("explorer/main.js", '{ do: "run", auto: isAuto }', '{ do: "rum", auto: isAuto }', '"rum"'),
        ("explorer/main.js", '{ do: "run", auto: isAuto }', '{ do: "run" }', "auto"),
        ("explorer/tokens.js", "found.can_ask", "found.canAsk", "canAsk"),
        ("explorer/main.js", 'model.get("opening")', 'model.get("begin")', '"begin"'),
        ("explorer/main.js", "    rows(message) {", "    row(message) {", "row"),
        ("explorer/protocol.d.ts", "  | Told;", "  | Told | { on: 'new' };", "new"),
        ("inspector/page.js", '{ type: "stop" }', '{ type: "halt" }', '"halt"'),
        ("inspector/page.js", "content.run.number", "content.run.no", "no"),
        ("inspector/page.js", 'model.get("_at")', 'model.get("_where")', '"_where"'),
        ("inspector/protocol.d.ts", "  | Branches;", "  | Branches | { type: 'new' };", "new"),
        ("sweep_inspector/view.js", '{ type: "look" }', '{ type: "see" }', '"see"'),
        ("sweep_inspector/view.js", 'model.get("_rows")', 'model.get("_lines")', '"_lines"'),
        ("stand_in.js", 'model.get("_stand_in_id")', 'model.get("_stand_in")', '"_stand_in"'),
    ],
)
def test_what_is_no_message_is_found_by_its_type(
    file: str, old: str, new: str, told: str, copied: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    change(copied / file, old, new)
    panel = file.partition("/")[0] if "/" in file else "explorer"
    assert told in types_fault(copied / panel, capfd)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("function neverCalled() {}", "noUnusedVariables"),
        ("const isNone = (value) => value == 0; isNone(1);", "noDoubleEquals"),
        ("var old = 1; old;", "noVar"),
    ],
)
def test_what_the_types_allow_is_found_by_the_linter(
    line: str, rule: str, copied: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with (copied / "explorer" / "dom.js").open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = CHECKS["lint"](copied) and CHECKS["lint_joined"](copied, "explorer")
    assert rule in lint_fault(done, capfd)


def test_the_linter_reads_the_style_sheets(copied: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (copied / "inspector" / "inspector.css").open("a", encoding="utf-8") as file:
        file.write(".nbchat-inspector { colr: red; }\n")
    assert "colr" in lint_fault(CHECKS["lint"](copied), capfd)


def test_the_tools_are_fetched_once_and_need_no_network_afterwards(
    tools: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: object, **_: object) -> bool:
        raise AssertionError(f"this would ask for the network: {words}")

    install: Callable[[], None] = CHECKS["install"]
    monkeypatch.setitem(install.__globals__, "runs", refuse)
    install()


def test_the_tools_are_fetched_again_when_the_lock_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install: Callable[[], None] = CHECKS["install"]
    known = install.__globals__
    declared = Path(shutil.copytree(known["DECLARED"], tmp_path / "declared"))
    fetched: list[object] = []
    monkeypatch.setitem(known, "DECLARED", declared)
    monkeypatch.setitem(known, "TOOLS", tmp_path / "tools")
    monkeypatch.setitem(known, "STAMP", tmp_path / "tools" / "stamp")
    monkeypatch.setitem(known, "runs", lambda *words, **_: fetched.append(words) or True)
    install()
    install()
    assert len(fetched) == 1
    (declared / "package-lock.json").write_text("{}")
    monkeypatch.setitem(known, "runs", lambda *_, **__: False)
    with pytest.raises(SystemExit, match="could not be fetched"):
        install()
    with pytest.raises(SystemExit):  # what failed is tried again
        install()


def test_versions_are_exact_and_the_lock_names_no_host() -> None:
    declared = json.loads((CHECKS["DECLARED"] / "package.json").read_text())["devDependencies"]
    lock = (CHECKS["DECLARED"] / "package-lock.json").read_text()
    packages = json.loads(lock)["packages"]
    for name, version in declared.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert packages[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in facts for name, facts in packages.items() if name)
    assert '"resolved"' not in lock
