"""A module that bears the name of the function in it never stands in the function's place."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "nbchat"
#: those whose names are public
ROOMS = ("nbchat", "nbchat.analysis", "nbchat.code", "nbchat.frames", "nbchat.measures",
         "nbchat.plots")  # fmt: skip
pytestmark = pytest.mark.long

PROGRAM = """
import importlib, json, sys, types
import nbchat
from tests.test_import_order import MODULES_ON_PURPOSE
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
wrong = []
for room in json.loads(sys.argv[2]):
    module = importlib.import_module(room)
    names = getattr(module, "__all__", None)
    assert names, f"{room} has no __all__"
    for name in names:
        value = getattr(module, name)
        if isinstance(value, types.ModuleType) and f"{room}.{name}" not in MODULES_ON_PURPOSE:
            wrong.append(f"{room}.{name} is the module {value.__name__}")
        star = {}
        exec(f"from {room} import {name}", star)
        if star[name] is not value:
            wrong.append(f"from {room} import {name} gives something else than {room}.{name}")
print(json.dumps(wrong))
"""


def modules() -> list[str]:
    return sorted(
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
        if path.stem != "__main__"
    )


def _on_purpose() -> set[str]:
    import nbchat

    return {f"nbchat.{name}" for name, (home, _) in nbchat._HOMES.items() if home is None}


MODULES_ON_PURPOSE = _on_purpose()


def wrong_after(order: list[str], rooms: tuple[str, ...] = ROOMS) -> list[str]:
    """Import in this order in a fresh process; say which public names are not what they were."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(order), json.dumps(rooms)],
        capture_output=True, text=True, check=False, cwd=PACKAGE.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("seed", range(3))
def test_public_names_are_what_they_are_in_whatever_order_modules_are_imported(seed: int) -> None:
    order = modules()
    random.Random(seed).shuffle(order)
    assert wrong_after(order) == []


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_what_they_are_where_their_modules_come_last(room: str) -> None:
    order = modules()
    assert wrong_after(sorted(order, key=lambda name: name.startswith(f"{room}."))) == []


def test_a_module_in_the_place_of_a_function_is_found() -> None:
    """`nbchat.frames.columns` is one: as a public name of a room it would be wrong."""
    assert "columns" not in __import__("nbchat.frames").frames.__all__
    program = PROGRAM.replace('importlib.import_module(room)', 'importlib.import_module(room); '
                              'module.__all__ = [*module.__all__, "columns"]')  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program, '["nbchat.frames.columns"]', '["nbchat.frames"]'],
        capture_output=True, text=True, check=True, cwd=PACKAGE.parent,
    )  # fmt: skip
    assert "nbchat.frames.columns is the module" in done.stdout
