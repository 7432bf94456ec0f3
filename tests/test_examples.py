"""Every code block of README and docs: it runs, it is parsed, or it says why not."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import tomllib
from typing import TYPE_CHECKING

import pytest

from nbchat.client.presets import PRESETS
from tests.documented import ROOT, RUN, Block, all_blocks
from tests.kernel import Kernel
from tests.scripted import ScriptedServer, speaking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCKS = all_blocks()
RUN_PAGES = list(dict.fromkeys(block.page for block in BLOCKS if block.is_run))
SHELL = {"shell", "bash"}
KNOWN = RUN | SHELL | {"ini", "text"}
SERVER = "http://localhost:8000/v1"
#: what must be so when the blocks of a page have run
AFTERWARDS = {
    "README.md": (
        "len(nbchat.runs(runs)) == 3",
        "len(sky.tokens()) == sky.usage.completion_tokens",
    ),
    "docs/guides/cell-magic.md": (
        "len(nbchat.runs()) >= 7",
        "len(sky.tokens()) == sky.usage.completion_tokens",
        "thread.messages[0]['content'] == 'My name is Ada.'",
        "later.status == 'complete'",
    ),
    "docs/guides/explorer.md": ("len(explorer.runs) >= 4", "inspector.selected['position'] == 12"),
    "docs/guides/token-probabilities.md": (
        "foxes.choices()['perplexity_is_bound'].all()",
        "lemon.parse_error or {'name', 'colour'} <= set(lemon.fields()['path'])",
    ),
    "docs/howto/objects.md": (
        "fruits.parse_error or {type(fruit).__name__ for fruit in fruits.parsed} == {'Fruit'}",
    ),
    "docs/howto/own-server.md": ("nbchat.runs()['profile'].nunique() == 2",),
    "docs/howto/replay.md": ("second.is_replayed and second.text == first.text",),
    "docs/howto/history.md": ("paris.id in set(nbchat.history.search('Paris')['run_id'])",),
    "docs/howto/cost.md": ("run.cost_usd > 0",),
    "docs/howto/files.md": ("len(runs) == 2",),
    "docs/howto/sweeps.md": ("len(sweep.runs()) == 12",),
}
#: what a shell may be told to do, each with how it is known to be right
COMMANDS = {
    "make": lambda words: all(
        re.search(rf"^{word}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        for word in words
        if "=" not in word
    ),
    "pip": lambda words: words[0] == "install" and _is_installable(words[-1]),
    "python": lambda words: _is_runnable(words),
    "py": lambda words: words == ["-m", "venv", ".venv"],
    "jupyter": lambda words: words == ["lab"],
    "conda": lambda words: words[0] == "activate" or (ROOT / words[-1]).is_file(),
}


def _is_installable(name: str) -> bool:
    wanted = re.fullmatch(r"\.\[([\w,]+)\]|\.", name)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    return wanted is not None and set((wanted[1] or "").split(",")) - {""} <= extras


def _is_runnable(words: list[str]) -> bool:
    if words[0] != "-m":
        return (ROOT / words[0]).is_file()
    if words[1] == "pip":
        return COMMANDS["pip"](words[2:])
    if words[1] == "nbchat.local":
        return words[2] in ("download", "serve", "status")
    return importlib.util.find_spec(words[1]) is not None


def named(block: Block) -> str:
    return f"{block.page}, line {block.line}"


def commands_of(block: Block) -> Iterator[list[str]]:
    for line in block.code.splitlines():
        words = shlex.split(line.replace("\\", "/"), comments=True)
        if words:
            program = words[0].removeprefix(".venv/bin/").removeprefix(".venv/Scripts/")
            yield [program, *words[1:]]


def test_every_block_is_one_that_a_test_looks_at() -> None:
    others = [named(block) for block in BLOCKS if block.language not in KNOWN]
    assert not others, f"say what language it is, one of {sorted(KNOWN)}: {others}"


def test_a_block_that_is_not_run_says_why() -> None:
    for block in BLOCKS:
        if block.mark:
            assert block.mark == "server" or re.fullmatch(r"not run: .{10,}", block.mark), block


def test_text_is_no_code_in_disguise() -> None:
    for block in (block for block in BLOCKS if block.language == "text"):
        is_drawn = re.search(r"[─│└┴▼┐┘]|->| {3,}", block.code)
        assert is_drawn, f"{named(block)}: what is no drawing and no table has a language"


def test_python_blocks_can_be_read() -> None:
    for block in (block for block in BLOCKS if block.language == "python"):
        compile(block.code, named(block), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_shell_blocks_name_what_is_there() -> None:
    for block in (block for block in BLOCKS if block.language in SHELL):
        for program, *words in commands_of(block):
            assert program in COMMANDS, f"{named(block)}: nothing checks {program}"
            assert COMMANDS[program](words), f"{named(block)}: {program} {' '.join(words)}"


def test_variables_of_a_file_are_those_that_are_read() -> None:
    variables = {preset.key_variable for preset in PRESETS.values()}
    variables |= {"OPENAI_BASE_URL", "NBCHAT_API_KEY", "NBCHAT_PROFILE", "NBCHAT_MODEL"}
    for block in (block for block in BLOCKS if block.language == "ini"):
        assert {line.split("=")[0] for line in block.code.splitlines()} <= variables, named(block)


@pytest.fixture(scope="module")
def kernel(weights: Path) -> Iterator[Kernel]:
    with Kernel() as kernel:
        yield kernel


@pytest.mark.local
@pytest.mark.kernel
@pytest.mark.timeout(900)  # a busy machine is no finding
@pytest.mark.parametrize("page", RUN_PAGES)
def test_the_examples_of_a_page_run(kernel: Kernel, page: str, tmp_path: Path) -> None:
    kernel.run(
        "%reset -f\nimport os\nfrom nbchat.session.state import STATE\nSTATE.reset()\n"
        f"os.chdir({str(tmp_path)!r})\n%reset -f"
    )
    with ScriptedServer(default=speaking("Hello.")) as server:
        for number, block in enumerate(block for block in BLOCKS if block.page == page):
            if not block.is_run:
                continue
            code = block.code
            if block.mark == "server":
                assert SERVER in code, named(block)
                code = code.replace(SERVER, server.url)
            execution = kernel.execute(code, f"{page}-{number}", timeout=300)
            assert execution.status == "ok", f"{named(block)}\n{code}\n{execution.text}"
        for expression in AFTERWARDS.get(page, ()):
            assert kernel.value(f"bool({expression})") == "True", expression
    kernel.run("import nbchat\nnbchat.configure(history='off', cassette='off', replay='off')")
