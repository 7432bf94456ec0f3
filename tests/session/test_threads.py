from __future__ import annotations

from typing import Any

import pytest

import nbchat
from nbchat import session
from nbchat.errors import NbchatError
from nbchat.session import Thread
from tests.scripted import CUT, Reply, ScriptedServer, chunk, error, sse


@pytest.fixture
def answering() -> Any:
    def echo(request: object) -> Reply:
        said = request.body["messages"][-1]["content"]  # type: ignore[attr-defined]
        return Reply(sse(chunk(f"re: {said}"), chunk(finish_reason="stop")))

    return echo


def ask(
    text: str, cell: object = None, *, system: str | None = None, fork: bool = False
) -> nbchat.Run:
    draft = drafted(text, thread=Thread("t"), system=system, fork=fork)
    return session.execute(session.prepare(draft, cell=cell))


def drafted(text: str, **options: Any) -> nbchat.Draft:
    return nbchat.Draft(messages=[{"role": "user", "content": text}], **options)


def sent(server: ScriptedServer) -> list[str]:
    return [message["content"] for message in server.requests[-1].body["messages"]]


def test_a_thread_remembers(server: ScriptedServer) -> None:
    thread = nbchat.Thread("t")
    thread.ask("one")
    thread.ask("two")
    assert sent(server) == ["one", "re: one", "two"]
    assert [m["role"] for m in thread.messages] == ["user", "assistant"] * 2
    assert nbchat.Thread("t") is thread
    assert [(run.thread, run.turn) for run in session.runs] == [("t", 1), ("t", 2)]


def test_a_cell_run_again_replaces_its_turn_and_sees_only_what_stands_before(
    server: ScriptedServer,
) -> None:
    for cell in "abc":
        ask(f"q{cell}", cell)
    run = ask("qb again", "b")
    assert sent(server) == ["qa", "re: qa", "qb again"]
    assert run.turn == 2
    ask("qd", "d")
    assert sent(server) == ["qa", "re: qa", "qb again", "re: qb again", "qc", "re: qc", "qd"]


def test_run_all_on_a_fresh_kernel_gives_the_same_conversation(server: ScriptedServer) -> None:
    def run_all() -> list[list[str]]:
        requests = []
        for cell in "abc":
            ask(f"q{cell}", cell)
            requests.append(sent(server))
        return requests

    first = run_all()
    assert run_all() == first  # the cells again, in the same kernel
    session.STATE.threads.clear()
    assert run_all() == first


def test_without_a_cell_turns_are_appended(server: ScriptedServer) -> None:
    ask("one")
    ask("one")
    assert len(Thread("t")) == 2


def test_the_latest_system_message_before_a_turn_counts(server: ScriptedServer) -> None:
    ask("one", "a", system="S1")
    ask("two", "b")
    assert sent(server) == ["S1", "one", "re: one", "two"]
    ask("three", "c", system="S2")
    assert sent(server)[0] == "S2"
    ask("four", "d")
    assert sent(server)[0] == "S2"
    ask("two again", "b")
    assert sent(server)[0] == "S1"


def test_a_failed_turn_leaves_the_conversation_as_it_was(server: ScriptedServer) -> None:
    ask("one", "a")
    server.reply(error(400))
    with pytest.raises(NbchatError):
        ask("one, worse", "a")
    assert [m["content"] for m in Thread("t").messages] == ["one", "re: one"]


def test_what_came_before_a_cut_is_part_of_the_conversation(server: ScriptedServer) -> None:
    server.reply(Reply([sse(chunk("half"), done=False), CUT]))
    with pytest.raises(NbchatError):
        ask("one", "a")
    assert [m["content"] for m in Thread("t").messages] == ["one", "half"]


def test_a_fork_goes_its_own_way_and_a_cell_forks_once(server: ScriptedServer) -> None:
    ask("one", "a")
    ask("two", "b")
    run = ask("two, otherwise", "f", fork=True)
    assert sent(server) == ["one", "re: one", "two", "re: two", "two, otherwise"]
    assert run.thread == "t.2"
    assert len(Thread("t")) == 2
    ask("two, otherwise again", "f", fork=True)
    assert len(Thread("t.2")) == 3
    assert "t.3" not in Thread.names()


def test_fork_in_python_copies(server: ScriptedServer) -> None:
    thread = nbchat.Thread("t")
    thread.ask("one")
    fork = thread.fork()
    fork.ask("two")
    assert (len(thread), len(fork)) == (1, 2)
    assert thread.fork("named").name == "named"


def test_a_thread_is_named_in_chat(server: ScriptedServer) -> None:
    nbchat.chat("one", thread="other")
    nbchat.chat("two", thread=nbchat.Thread("other"))
    assert sent(server) == ["one", "re: one", "two"]


def test_a_cell_that_moves_to_another_thread_leaves_the_first(server: ScriptedServer) -> None:
    ask("one", "a")
    session.execute(session.prepare(drafted("one", thread=Thread("u")), cell="a"))
    assert [len(Thread(name)) for name in ("t", "u")] == [0, 1]
    session.execute(session.prepare(drafted("one"), cell="a"))  # stateless now
    assert len(Thread("u")) == 0


def test_a_fork_keeps_its_copies_when_the_original_cell_runs_again(server: ScriptedServer) -> None:
    ask("one", "a")
    ask("two", "f", fork=True)
    ask("one again", "a")
    assert [turn.asked[0]["content"] for turn in Thread("t.2").turns] == ["one", "two"]


def test_turns_of_deleted_cells_go(server: ScriptedServer) -> None:
    ask("one", ("a", 0))
    ask("two", ("b", 0))
    Thread.forget_cells({"a"})
    assert [turn.asked[0]["content"] for turn in Thread("t").turns] == ["two"]


def test_a_thread_has_a_system_message_runs_and_turns(server: ScriptedServer) -> None:
    thread = nbchat.Thread("poet", system="Rhyme.")
    runs = [thread.ask("one"), thread.ask("two")]
    assert sent(server) == ["Rhyme.", "one", "re: one", "two"]
    assert thread.system == "Rhyme."
    assert thread.messages[0] == {"role": "system", "content": "Rhyme."}
    assert thread.runs == runs
    assert [turn.run for turn in thread] == runs
    assert nbchat.runs(thread)["run_id"].tolist() == [run.id for run in runs]
    assert nbchat.Thread("poet").system == "Rhyme."
    assert thread.fork().system == "Rhyme."


def test_the_system_message_that_was_set_last_holds(server: ScriptedServer) -> None:
    thread = nbchat.Thread("t", system="First.")
    thread.ask("one")
    thread.ask("two", system="Second.")
    assert sent(server)[0] == "Second."
    thread.ask("three")
    assert sent(server)[0] == "Second."
    nbchat.Thread("t", system="Third.")
    thread.ask("four")
    assert sent(server)[0] == "Third."
    with pytest.raises(NbchatError, match="system"):
        nbchat.Thread("t", system=3)  # type: ignore[arg-type]
