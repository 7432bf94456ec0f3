"""The panel on a real kernel: what it costs, and that nothing is left behind."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.kernel import Kernel, Message
from tests.scripted import HANG, Reply, ScriptedServer, chunk, speaking, split_tokens, sse

pytestmark = pytest.mark.kernel

# Markdown of all kinds, with one block of code that is long
PART = (
    "# A title\n\nSome **words** that are `common` in replies, considerably longer ones among "
    "them, [a link](https://example.com), and a list:\n\n- one of them\n- another one\n\n"
)
CODE = "```python\n" + "".join(f"value_{n} = compute({n})\n" for n in range(120)) + "```\n\n"


def reply_of(tokens: int) -> str:
    """A text of so many tokens of the scripted server, or a few more."""
    n_part, n_code = len(split_tokens(PART)), len(split_tokens(CODE))
    return CODE + PART * (1 + (tokens - n_code) // n_part)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def kernel(server: ScriptedServer) -> Iterator[Kernel]:
    with Kernel(env={"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "a-key"}) as kernel:
        kernel.run("import nbchat\npanel = nbchat.explore('Hi')\npanel")
        yield kernel


def messages_of(kernel: Kernel, since: int) -> list[Message]:
    return [m for m in kernel.messages[since:] if m.type in ("comm_msg", "update_display_data")]


def stream(kernel: Kernel, server: ScriptedServer, text: str, tokens_per_s: float) -> list[Message]:
    """Run the panel to its end; the messages that the page got meanwhile."""
    server.default = speaking(text, tokens_per_s=tokens_per_s)
    since = len(kernel.messages)
    ran = kernel.execute("panel.run()")
    assert ran.status == "ok"  # the cell is over, and the reply has hardly begun
    deadline = time.monotonic() + 60
    while kernel.value("panel.last.status") == "'running'":
        assert time.monotonic() < deadline
        time.sleep(0.3)
    time.sleep(1.5)  # the picture comes a moment later
    assert kernel.value("panel.last.text") == repr(text)
    return messages_of(kernel, since)


def test_a_long_reply_is_cheap_to_watch_and_the_kernel_idle(
    kernel: Kernel, server: ScriptedServer
) -> None:
    sizes = {}
    for tokens in (2_000, 4_000):
        messages = stream(kernel, server, reply_of(tokens), tokens_per_s=1_000)
        frames = [m for m in messages if m.type == "comm_msg"]
        lasted_s = frames[-1].received_at - frames[0].received_at
        assert 8 < len(frames) <= 12 * lasted_s + 5
        sizes[tokens] = sum(message.size for message in messages)
        # at 100 tokens a second there would be more frames, and the same HTML
        overhead = sum(m.size - len(json.dumps(m.content["data"])) for m in frames) / len(frames)
        html = sum(len(json.dumps(m.content["data"])) for m in frames)
        assert html + overhead * 8 * tokens / 100 < 0.5e6
    assert sizes[4_000] < 0.5e6
    assert sizes[4_000] < 2.2 * sizes[2_000]


def test_opening_takes_well_under_a_second(kernel: Kernel) -> None:
    code = "import time; t = time.perf_counter(); nbchat.explore('Hi'); time.perf_counter() - t"
    assert float(kernel.run(code)) < 0.5


def test_a_restart_of_the_kernel_leaves_no_connection(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.default = Reply([sse(chunk("x"), done=False), HANG])
    before = len(server.requests)
    kernel.run("panel.run()")
    request = server.wait_for_requests(before + 1)[-1]
    kernel.restart()
    assert request.wait_over().disconnected_at is not None


def test_closing_leaves_no_thread_and_no_connection(kernel: Kernel, server: ScriptedServer) -> None:
    server.default = Reply([sse(chunk("x"), done=False), HANG])
    before = len(server.requests)
    kernel.run("panel.run()")
    request = server.wait_for_requests(before + 1)[-1]
    kernel.run("panel.close()")
    assert request.wait_over().disconnected_at is not None
    names = kernel.value("sorted(t.name for t in __import__('threading').enumerate())")
    assert "nbchat-explore" not in names
