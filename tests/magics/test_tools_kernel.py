"""Tool calls on a real IPython kernel: what tools print, how they are stopped and confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel import Kernel
from tests.scripted import ScriptedServer, speaking
from tests.session.test_rounds import calling

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel

FUNCTIONS = """
import time
import nbchat
nbchat.configure(max_retries=0)

def say(text: str) -> str:
    print("saying", text)
    return text

def spin(n: int) -> int:
    print("spinning", flush=True)
    while True:
        time.sleep(0.01)

async def later(n: int) -> int:
    return n + 1
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with Kernel() as kernel:
        kernel.run("%load_ext nbchat")
        kernel.run(FUNCTIONS)
        yield kernel


@pytest.fixture(autouse=True)
def kernel_asks(kernel: Kernel, server: ScriptedServer) -> None:
    kernel.run(f"%config NbChat.profile = {server.url!r}")
    kernel.run("nbchat.Thread().clear()")


@pytest.mark.parametrize("count", [1, 2])
def test_what_a_tool_prints_and_gives_stands_in_the_cell(
    kernel: Kernel, server: ScriptedServer, count: int
) -> None:
    server.reply(calling(*[("say", {"text": "x"})] * count), speaking("Said."))
    done = kernel.execute("%%chat --tools say,later\nSay x", "a")
    done.wait()
    assert done.status == "ok"
    calls = [
        o for o in done.final_outputs() if "<details" in o.get("data", {}).get("text/html", "")
    ]
    assert len(calls) == 1
    assert calls[0]["data"]["text/html"].count("<details") == count
    # a line that is printed in parts can have the calls between its parts
    printed = "".join(o["text"] for o in done.final_outputs() if o["output_type"] == "stream")
    assert printed.count("saying") == printed.count("x\n") == count
    assert "Said." in done.text


def test_coroutines_run_beside_the_loop_of_the_notebook(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.reply(calling(("later", {"n": 1})), speaking("Two."))
    kernel.run("%%chat --tools later -o run\nGo")
    assert kernel.value("run.rounds[0].calls[0].result") == "'2'"


@pytest.mark.parametrize("count", [1, 2])
def test_an_interrupt_stops_tools_that_would_never_end(
    kernel: Kernel, server: ScriptedServer, count: int
) -> None:
    server.reply(calling(*[("spin", {"n": n}) for n in range(count)]))
    running = kernel.start("%%chat --tools spin -o run\nGo", "b")
    running.wait_for(lambda so_far: so_far.of_type("stream"))
    kernel.interrupt()
    running.wait()
    assert [error["ename"] for error in running.errors] == ["KeyboardInterrupt"]
    assert "It was interrupted." in running.text
    assert kernel.value("run.status") == "'interrupted'"
    names = "[t.name for t in __import__('threading').enumerate() if t.name == 'nbchat-spin']"
    kernel.run("time.sleep(0.2)")
    assert kernel.value(names) == "[]"


def test_a_warning_stands_in_the_cell_when_the_reply_has_come(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.default = speaking("Said at leisure.", tokens_per_s=10)
    done = kernel.execute("""%%chat --functions '[{"name": "f"}]'\nGo""", "c")
    assert "functions is deprecated: use tools" in done.text
    assert "Said at leisure." in done.text


def test_a_front_end_that_cannot_ask_declines(kernel: Kernel, server: ScriptedServer) -> None:
    server.reply(calling(("say", {"text": "x"})), speaking("No."))
    kernel.run("%%chat --tools say --confirm -o run\nSay x")
    assert "nobody could be asked" in kernel.value("run.rounds[0].calls[0].error")
