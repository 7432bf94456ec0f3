"""The README's examples, run as they stand, and its promises about files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nbchat.client.presets import names
from tests.kernel import Kernel

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLES = README.split("## Five examples")[1].split("\n## Where requests go")[0]


def cells() -> list[str]:
    return re.findall(r"```(?:ipython|python)\n(.*?)```", EXAMPLES, re.DOTALL)


@pytest.mark.local
@pytest.mark.kernel
def test_the_examples_run(weights: Path) -> None:
    assert len(cells()) >= 8
    with Kernel() as kernel:
        for number, cell in enumerate(cells()):
            execution = kernel.execute(cell, cell_id=f"cell-{number}")
            assert execution.status == "ok", f"{cell}\n{execution.text}"
        assert kernel.value("len(nbchat.runs()) >= 7") == "True"
        assert kernel.value("len(sky.tokens()) == sky.usage.completion_tokens") == "True"
        assert kernel.value("[type(fruit).__name__ for fruit in fruits.parsed][:1]") == "['Fruit']"
        assert kernel.value("thread.messages[0]['content']") == "'My name is Ada.'"


def test_every_profile_is_in_the_readme() -> None:
    missing = [name for name in names() if f"`{name}`" not in README]
    assert missing == []


def test_links_lead_to_files_that_are_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"`make (\w+)`", README))
    assert targets >= {"lab", "demo", "test", "bench", "env"}
    assert [t for t in targets if not re.search(rf"^{t}:", makefile, re.MULTILINE)] == []
