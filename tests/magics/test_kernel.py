"""The magics on a real IPython kernel: what goes over its sockets, and what an interrupt does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.kernel import Kernel
from tests.scripted import HANG, Gate, Pause, Reply, ScriptedServer, chunk, error, speaking, sse

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel

TEXT = "## Why\n\nThe *sky* scatters.\n\n- one\n\n- two\n\n```py\nx = 1\n\ny = 2\n```\n\nEnd.\n" * 6


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with Kernel() as kernel:
        kernel.run("%load_ext nbchat")
        yield kernel


@pytest.fixture(autouse=True)
def kernel_asks(kernel: Kernel, server: ScriptedServer) -> None:
    kernel.run(f"%config NbChat.profile = {server.url!r}")
    kernel.run("import nbchat; nbchat.configure(max_retries=0); nbchat.Thread().clear()")


def slowly(text: str, pause_s: float = 0.004, size: int = 4) -> Reply:
    steps: list[bytes | Pause] = []
    for place in range(0, len(text), size):
        steps += [sse(chunk(text[place : place + size]), done=False), Pause(pause_s)]
    return Reply([*steps, sse(chunk(finish_reason="stop"))])


def drawn(execution: object) -> list[str]:
    return [message.type for message in execution.display_messages]  # type: ignore[attr-defined]


def test_a_cell_streams_in_few_messages_and_ends_as_one_markdown_output(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.reply(slowly(TEXT))
    done = kernel.execute("%%chat\nWhy?", "a")
    reply, grey = done.final_outputs()
    assert reply["data"] == {"text/markdown": TEXT, "text/plain": TEXT}
    assert grey["data"]["text/plain"].startswith("scripted-model · main 1")
    lasted_s = done.messages[-1].received_at - done.messages[0].received_at
    assert 3 < len(done.display_messages) <= 12 * lasted_s + 5
    assert drawn(done)[-3:] == ["clear_output", "display_data", "display_data"]


def test_a_finished_block_is_not_sent_again(kernel: Kernel, server: ScriptedServer) -> None:
    first = "The first paragraph, of which not a word is to be sent twice once it is finished."
    server.reply(slowly(f"{first}\n\n" + "And then much more follows. " * 20))
    done = kernel.execute("%%chat\nWhy?")
    while_it_came = done.display_messages[:-3]
    sent = [message.content["data"].get("text/markdown", "") for message in while_it_came]
    finished_at = next(place for place, text in enumerate(sent) if text.startswith(first))
    assert not any(first in text for text in sent[finished_at + 1 :])


def test_among_other_code_nothing_is_cleared(kernel: Kernel, server: ScriptedServer) -> None:
    server.reply(slowly(TEXT))
    done = kernel.execute("print('before')\n%chat Why?\nprint('after')")
    assert "clear_output" not in drawn(done)
    before, reply, _, after = done.final_outputs()
    assert (before["text"], after["text"]) == ("before\n", "after\n")
    assert reply["data"]["text/markdown"] == TEXT


def test_the_last_tokens_before_a_stall_are_shown(kernel: Kernel, server: ScriptedServer) -> None:
    server.reply(stalled("Hello there"))
    running = kernel.start("%%chat\nWhy?")
    running.wait_for(lambda cell: cell.text.startswith("Hello there"))
    kernel.interrupt()
    running.wait()


def stalled(text: str) -> Reply:
    return Reply([sse(chunk(piece), done=False) for piece in text] + [HANG])


def test_an_interrupt_keeps_the_partial_reply_and_closes_the_socket(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.reply(stalled("Half of the"))
    running = kernel.start("%%chat -o cut\nWhy?", "cut")
    running.wait_for(lambda cell: "Half of the" in cell.text)
    kernel.interrupt()
    running.wait()
    assert running.status == "error"
    assert running.errors[0]["ename"] == "KeyboardInterrupt"
    assert len(running.errors[0]["traceback"]) == 1
    reply, grey, _ = running.final_outputs()
    assert reply["data"]["text/markdown"] == "Half of the"
    assert grey["data"]["text/plain"].endswith("interrupted")
    assert server.requests[0].wait_over().disconnected_at is not None
    assert kernel.value("(cut.text, cut.status)") == "('Half of the', 'interrupted')"


def test_an_interrupt_stops_what_stands_below(kernel: Kernel, server: ScriptedServer) -> None:
    server.reply(stalled("Half"))
    running = kernel.start("reached = False\n%chat Why?\nreached = True")
    running.wait_for(lambda cell: "Half" in cell.text)
    kernel.interrupt()
    running.wait()
    assert kernel.value("reached") == "False"


def test_an_interrupt_before_the_first_token_leaves_one_line(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.reply(Reply([HANG]))
    running = kernel.start("%%chat\nWhy?")
    server.wait_for_requests(1)
    kernel.interrupt()
    running.wait()
    (shown,) = running.final_outputs()
    assert shown["ename"] == "KeyboardInterrupt"


def test_an_interrupt_before_anything_is_sent_leaves_one_line(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.run("class Slow:\n    def __str__(self): raise KeyboardInterrupt\nslow = Slow()")
    done = kernel.execute("%%chat\nWhy {{ slow }}?")
    assert [len(error["traceback"]) for error in done.errors] == [1]
    assert server.requests == []


def test_an_error_of_the_api_marks_the_cell_as_failed(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.reply(error(404, "No such model.", code="model_not_found"))
    done = kernel.execute("%%chat\nWhy?")
    assert done.status == "error"
    assert done.errors[0]["ename"] == "NotFoundError"
    assert len(done.errors[0]["traceback"]) == 1
    assert "No such model." in done.text


def test_running_all_again_gives_the_same_conversation(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.default = lambda request: speaking(f"reply {len(request.body['messages'])}")(request)
    for _ in range(2):
        for cell_id in ("one", "two", "three"):
            kernel.execute(f"%%chat\nask {cell_id}", cell_id)
    first, second = server.requests[:3], server.requests[3:]
    assert [r.body for r in first] == [r.body for r in second]
    assert len(second[2].body["messages"]) == 5


def test_chat_live_shows_the_reply_in_the_cell(kernel: Kernel, server: ScriptedServer) -> None:
    server.reply(slowly(TEXT))
    done = kernel.execute(f"run = nbchat.chat('Why?', profile={server.url!r}, live=True)\nprint(1)")
    reply, _, printed = done.final_outputs()
    assert reply["data"]["text/markdown"] == TEXT
    assert printed["text"] == "1\n"


def test_replies_from_threads_go_to_the_cell_that_asked(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.default = slowly("Hello from afar. " * 5)
    done = kernel.execute(
        "from concurrent.futures import ThreadPoolExecutor\n"
        f"ask = lambda n: nbchat.chat(str(n), profile={server.url!r}, live=True)\n"
        "with ThreadPoolExecutor(8) as pool: runs = list(pool.map(ask, range(8)))\n"
    )
    replies = [o["data"].get("text/markdown") for o in done.final_outputs()]
    assert [text for text in replies if text] == ["Hello from afar. " * 5] * 8


def test_what_is_captured_does_not_show(kernel: Kernel, server: ScriptedServer) -> None:
    server.reply(slowly("Hidden text"))
    done = kernel.execute("%%capture kept\n%chat Why?")
    assert done.final_outputs() == []
    kept = kernel.value("[o.data.get('text/markdown') for o in kept.outputs]")
    assert "'Hidden text'" in kept


def test_tab_and_help_go_through_the_kernel(kernel: Kernel, server: ScriptedServer) -> None:
    assert kernel.complete("%%chat --temper")["matches"] == ["--temperature"]
    assert kernel.complete("%%chat --model scr")["matches"] == ["scripted-model"]
    help_text = kernel.inspect("%%chat")["data"]["text/plain"]
    assert "--top-logprobs NUMBER" in help_text


def test_a_line_that_asks_with_a_question_mark_is_a_prompt(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.execute("%chat Why is the sky blue?")
    assert server.requests[0].body["messages"][-1]["content"] == "Why is the sky blue?"


def test_32_replies_at_once_send_at_most_60_messages_in_any_second(
    kernel: Kernel, server: ScriptedServer
) -> None:
    words = "one two three four five six seven eight nine ten " * 4
    server.default = speaking(words, tokens_per_s=15)
    done = kernel.execute(
        "import threading, contextvars\n"
        "def ask(n):\n"
        "    nbchat.chat(f'q{n}', profile=PROFILE, live=True)\n"
        "threads = [\n"
        "    threading.Thread(target=contextvars.copy_context().run, args=(ask, n))\n"
        "    for n in range(32)\n"
        "]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n".replace("PROFILE", repr(server.url)),
        timeout=60,
    )
    assert done.status == "ok", done.text
    times = [message.received_at for message in done.display_messages]
    busiest = max(sum(1 for t in times if start <= t < start + 1) for start in times)
    assert 32 < busiest <= 62  # a message may reach the reader a moment late
    shown = [o["data"].get("text/markdown") for o in done.final_outputs()]
    assert shown.count(words) == 32


def test_a_long_wait_for_the_first_token_says_so_and_a_refused_line_does_not(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.reply(Reply([Pause(2.5), sse(chunk("late"), chunk(finish_reason="stop"))]))
    done = kernel.execute("%%chat --stateless\nHi", "w")
    texts = [m.content["data"].get("text/plain", "") for m in done.of_type("display_data")]
    assert "waiting for the first token…" in texts
    assert done.final_outputs()[0]["data"]["text/markdown"] == "late"
    refused = kernel.execute("%%chat --temperature 9\nHi", "x")
    later = kernel.execute("import time; time.sleep(2)", "y")
    assert refused.status == "error"
    assert drawn(refused) == ["error"]
    assert drawn(later) == []


def test_a_question_mark_shows_the_help_that_is_made_from_the_declaration(kernel: Kernel) -> None:
    reply = kernel.execute("%%chat?").reply
    assert reply is not None
    assert "--top-logprobs" in str(reply["payload"])


def test_where_no_cell_is_named_the_reply_comes_whole_and_once(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.run("%reload_ext nbchat")
    server.reply(slowly(TEXT), slowly("Again."))
    done = kernel.execute("%%chat\nWhy?", None, answers=["no question"])
    assert "update_display_data" not in drawn(done)
    reply, grey = done.final_outputs()
    assert reply["data"] == {"text/markdown": TEXT, "text/plain": TEXT}
    assert "main 1" in grey["data"]["text/plain"]
    # no output of its own, and nothing red: a part of the line below the reply
    assert "does not say which cell runs" in grey["data"]["text/plain"]
    other = kernel.execute("%%chat\nAnd then?", None, answers=["no question"])
    assert "which cell" not in other.text
    again = kernel.execute("%%chat\nWhy?", None, answers=["no question"])
    assert "main 3" in again.text  # a user who ran a cell again is told why it is no 1
    assert "does not say which cell runs" in again.text


def test_what_executes_a_notebook_for_others_is_told_nothing_of_cells(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.run("%reload_ext nbchat")
    done = kernel.execute("%%chat\nWhy?", None)  # as nbconvert and papermill, which take no answers
    assert len(done.final_outputs()) == 2
    assert "which cell" not in done.text


def test_a_reply_that_is_waited_for_says_so_where_no_cell_is_named(
    kernel: Kernel, server: ScriptedServer
) -> None:
    gate = Gate()
    rest = sse(chunk(" whole."), chunk(finish_reason="stop"))
    server.reply(Reply([sse(chunk("Half and"), done=False), gate, rest]))
    running = kernel.start("%%chat\nWhy?", None)
    running.wait_for(lambda cell: "when it is whole" in cell.text)
    gate.open()
    outputs = running.wait().final_outputs()
    assert outputs[0]["data"]["text/plain"] == "Half and whole."
    assert len(outputs) == 2


@pytest.mark.parametrize("named", [True, False])
def test_in_the_background_where_no_cell_is_named_it_is_said_where_the_reply_is(
    kernel: Kernel, server: ScriptedServer, named: bool
) -> None:
    gate = Gate()
    rest = sse(chunk(" whole."), chunk(finish_reason="stop"))
    server.reply(Reply([sse(chunk("Half and"), done=False), gate, rest]))
    name = "-o later" if named else ""
    done = kernel.execute(f"%%chat --stateless --background {name}\nWhy?", None)
    # all that is shown while the cell runs, which is all that some front ends show
    (line,) = [m for m in done.display_messages if "in any case" in str(m.content)]
    assert "update_display_data" not in drawn(done)
    gate.open()
    done.wait_for(lambda cell: len(cell.final_outputs()) == 3)
    above, reply, grey = done.final_outputs()
    # gone where a display can be updated; where it cannot, the line stays and is true
    assert above["data"] == {"text/html": "", "text/plain": ""}
    assert reply["data"]["text/plain"] == "Half and whole."
    assert "scripted-model" in grey["data"]["text/plain"]
    told = line.content["data"]["text/plain"]
    code = re.search(r"(later\.wait\(\)|nbchat\.runs\('\w+'\))", told)
    assert code
    kernel.run("import nbchat")
    assert "Half and whole." in kernel.value(
        f"list({code[0]}['text'])" if not named else f"{code[0]}.text"
    )


IN_OUTPUTS = {
    "Output": "import ipywidgets, nbchat\nout = ipywidgets.Output()\nwith out:\n    {}",
    "interactive": (
        "import ipywidgets, nbchat\n"
        "def ask(n):\n    {}\n"
        "box = ipywidgets.interactive(ask, n=(0, 3))\nbox.update()"
    ),
}


@pytest.mark.parametrize("way", IN_OUTPUTS)
@pytest.mark.parametrize("call", ["nbchat.chat('Hi', live=True)", "%chat Hi"])
def test_in_an_output_widget_a_reply_is_shown_whole(
    kernel: Kernel, server: ScriptedServer, way: str, call: str
) -> None:
    server.reply(slowly(TEXT))
    done = kernel.execute(IN_OUTPUTS[way].format(call))
    assert done.errors == []
    assert "update_display_data" not in drawn(done)
    shown = [m.content["data"] for m in done.display_messages if "data" in m.content]
    whole = [TEXT, *["Hello from the scripted server."] * (len(server.requests) - 1)]
    assert [data["text/markdown"] for data in shown if "text/markdown" in data] == whole


def test_a_reply_in_the_background_goes_on_in_its_cell(
    kernel: Kernel, server: ScriptedServer
) -> None:
    gate = Gate()
    rest = sse(chunk(" whole."), chunk(finish_reason="stop"))
    server.reply(Reply([sse(chunk("Half and"), done=False), gate, rest]))
    running = kernel.execute("%%chat --background -o run\nWhy?")
    assert kernel.value("run.status") == "'running'"
    gate.open()
    assert kernel.value("run.wait(20).text") == "'Half and whole.'"
    running.wait_for(lambda cell: "Half and whole." in cell.text and "main" in cell.text)
    assert kernel.value("(await nbchat.achat('Hi')).status") == "'complete'"
