from __future__ import annotations

import copy
import inspect
import os
import pickle
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

import nbchat
from nbchat import session
from nbchat.api.fields import FIELDS
from nbchat.errors import (
    CheckError,
    NbchatError,
    ProfileError,
    RateLimitError,
    StreamCutError,
    UnknownFieldError,
)
from nbchat.run import Run
from tests.scripted import CUT, HANG, Gate, Reply, ScriptedServer, chunk, error, speaking, sse

HI = nbchat.Draft(messages=[{"role": "user", "content": "Hi"}])


class Watching:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.texts: list[str] = []
        self.finished: list[str] = []

    def status(self, line: str) -> None:
        self.lines.append(line)

    def update(self, run: Run) -> None:
        self.texts.append(run.text)

    def finish(self, run: Run) -> None:
        self.finished.append(run.status)


def test_chat_gives_a_run_with_everything_about_it(server: ScriptedServer) -> None:
    server.default = speaking("Hello there.")
    run = nbchat.chat("Hi", model="m-2", temperature=0.5, system="Be terse.")
    assert (run.text, run.status, run.model) == ("Hello there.", "complete", "m-2")
    assert run.messages == [
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "Hi"},
    ]
    assert run.params.given() == {"model": "m-2", "temperature": 0.5}
    assert run.usage.prompt_tokens == 9
    assert run.ttft_s is not None
    assert run.elapsed_s is not None
    assert run.tries == 1
    assert run.cost_usd is None
    assert session.runs == [run]


def test_the_signature_shows_every_declared_field() -> None:
    for function in (nbchat.chat, nbchat.stream):
        names = set(inspect.signature(function).parameters)
        assert names >= set(FIELDS()) | {"prompt", "messages", "profile", "thread", "extra"}


def test_a_wrong_call_sends_and_records_nothing(server: ScriptedServer) -> None:
    with pytest.raises(UnknownFieldError, match="temperature"):
        nbchat.chat("Hi", temprature=1)
    with pytest.raises(CheckError, match="prompt"):
        nbchat.chat()
    with pytest.raises(CheckError, match="not both"):
        nbchat.chat("Hi", messages=[{"role": "user", "content": "Hi"}])
    with pytest.raises(CheckError):
        nbchat.chat([])
    assert (server.requests, session.runs) == ([], [])


def test_stream_gives_pieces_with_the_run_so_far(server: ScriptedServer) -> None:
    server.default = speaking("one two three")
    texts = []
    for piece in nbchat.stream("Count", n=2):
        assert isinstance(piece, str)
        if piece.choice == 0:
            texts.append(str(piece))
            assert piece.run.text == "".join(texts)
    assert "".join(texts) == "one two three"
    assert session.runs[0].status == "complete"


def test_leaving_a_stream_early_interrupts_its_run(server: ScriptedServer) -> None:
    server.default = Reply([sse(chunk("so far"), done=False), HANG])
    pieces = nbchat.stream("Hi")
    assert next(pieces) == "so far"
    pieces.close()
    assert (session.runs[0].status, session.runs[0].text) == ("interrupted", "so far")
    assert server.requests[0].wait_over().disconnected_at is not None


def test_a_stream_that_is_never_read_is_never_sent(server: ScriptedServer) -> None:
    nbchat.stream("Hi")
    assert (server.requests, session.runs) == ([], [])


def test_an_interrupt_keeps_what_had_come_and_is_raised_again(server: ScriptedServer) -> None:
    server.default = Reply([sse(chunk("so far"), done=False), HANG])

    def interrupt() -> None:
        server.wait_for_requests(1)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt) as caught:
        nbchat.chat("Hi")
    (run,) = session.runs
    assert (run.status, run.text) == ("interrupted", "so far")
    assert server.requests[0].wait_over().disconnected_at is not None
    lines = caught.value._render_traceback_()  # type: ignore[attr-defined]
    assert len(lines) == 1
    assert lines == ["Interrupted. What had come of the reply is kept."]


def test_an_interrupt_before_anything_came_does_not_say_that_something_is_kept(
    server: ScriptedServer,
) -> None:
    server.default = Reply([HANG])

    def interrupt() -> None:
        server.wait_for_requests(1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt) as caught:
        nbchat.chat("Hi")
    lines = caught.value._render_traceback_()  # type: ignore[attr-defined]
    assert lines == ["Interrupted before anything of a reply had come."]


def test_a_run_as_text_is_its_reply(server: ScriptedServer) -> None:
    run = nbchat.chat("Hi")
    assert run.text
    assert str(run) == f"{run}" == run.text
    assert repr(run).startswith("<Run ")


def test_an_error_carries_its_run_and_shows_in_a_few_lines(server: ScriptedServer) -> None:
    server.default = Reply([sse(chunk("so far"), done=False), CUT])
    with pytest.raises(StreamCutError) as caught:
        nbchat.chat("Hi")
    (run,) = session.runs
    assert caught.value.run is run
    assert (run.status, run.text, run.error) == ("error", "so far", caught.value)
    lines = caught.value._render_traceback_()
    assert lines[-1].startswith("StreamCutError: ")
    assert len(lines) <= 4
    assert "site-packages" not in "".join(lines)


def test_an_error_before_any_answer_leaves_no_completion(server: ScriptedServer) -> None:
    server.default = error(429, "slow down", code="insufficient_quota")
    with pytest.raises(RateLimitError):
        nbchat.chat("Hi")
    (run,) = session.runs
    assert (run.status, run.completion, run.text) == ("error", None, "")
    assert not run.usage
    assert run.usage.total_tokens is None


def test_a_watcher_is_told_of_waits_chunks_and_the_end(server: ScriptedServer) -> None:
    server.reply(error(503, headers={"retry-after-ms": "1"}), speaking("a b"))
    watcher = Watching()
    session.execute(session.prepare(HI), watcher=watcher)
    assert watcher.lines == ["waiting 0 s, overloaded, try 2 of 5"]
    assert watcher.texts[-1] == "a b"
    assert watcher.finished == ["complete"]


def test_a_watcher_is_told_of_the_end_after_an_error_too(server: ScriptedServer) -> None:
    server.default = error(400)
    watcher = Watching()
    with pytest.raises(NbchatError):
        session.execute(session.prepare(HI), watcher=watcher)
    assert watcher.finished == ["error"]


def test_a_run_can_be_cancelled_from_another_thread(server: ScriptedServer) -> None:
    server.default = Reply([sse(chunk("so far"), done=False), HANG])
    execution = session.Execution(session.prepare(HI), watcher=Watching())
    for _ in execution:
        threading.Thread(target=execution.cancel).start()
    assert (execution.run.status, execution.run.text) == ("interrupted", "so far")


def test_a_second_interrupt_in_the_middle_of_the_record_loses_nothing(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.default = speaking("Hello there.")
    forget = session.Thread.forget
    presses = iter([KeyboardInterrupt])

    def pressed(key: object, *, but: session.Thread | None = None) -> None:
        for press in presses:
            raise press
        forget(key, but=but)

    monkeypatch.setattr(session.Thread, "forget", pressed)
    thread = session.Thread("pressed twice")
    thread.clear()
    with pytest.raises(KeyboardInterrupt):
        thread.ask("Hi")
    assert [turn.run.text for turn in thread.turns] == ["Hello there."]
    assert [(run.status, run.tries) for run in session.runs] == [("complete", 1)]


def test_stream_false_asks_for_the_whole_answer(server: ScriptedServer) -> None:
    assert nbchat.chat("Hi", stream=False).text == "Hello from the scripted server."
    assert "stream" not in server.requests[0].body


def test_prepare_sends_nothing_and_shows_the_very_body(server: ScriptedServer) -> None:
    fields = {"temperature": 0.5, "stop": ["\n"]}
    prepared = session.prepare(msgspec.structs.replace(HI, fields=fields))
    assert server.requests == []
    nbchat.chat("Hi", **fields)
    assert server.requests[0].body == prepared.body
    assert prepared.url == f"{server.url}/chat/completions"


def test_prepare_needs_no_key_and_shows_no_stream_where_none_was_asked_for(
    server: ScriptedServer,
) -> None:
    fields = {"stream": False, "model": "m"}
    prepared = session.prepare(msgspec.structs.replace(HI, fields=fields, profile="groq"))
    assert "stream" not in prepared.body
    assert prepared.profile.key is None
    assert server.requests == []


def test_a_missing_key_is_asked_for_where_someone_can_answer(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or "gsk_" + "x" * 20)
    resolving = sys.modules["nbchat.session.settings"]
    said: list[str] = []
    for _ in range(2):
        profile = resolving.resolved("groq", said.append)
        assert profile.key.reveal() == "gsk_" + "x" * 20
    assert len(asked) == 1
    assert "groq" in asked[0]
    assert said == [" ", ""]  # nothing else is said above the question


def test_the_profile_of_the_call_wins_then_configure_then_the_environment(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://environment.example/v1")
    assert session.current_profile("http://call.example/v1").base_url == "http://call.example/v1"
    assert session.current_profile().base_url == server.url
    monkeypatch.setattr(session.settings, "profile", None)
    assert session.current_profile().base_url == "http://environment.example/v1"
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert session.current_profile().name == "local"


def test_configure_refuses_what_cannot_be(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProfileError, match="openai"):
        nbchat.configure(profile="opnai")
    with pytest.raises(CheckError, match="max_retries"):
        nbchat.configure(max_retries=-1)
    with pytest.raises(NbchatError, match="timeout"):
        nbchat.configure(timeout=0)
    with pytest.raises(ProfileError, match="not a int"):
        nbchat.configure(profile=3)  # type: ignore[arg-type]
    assert session.settings.profile == server.url
    monkeypatch.setattr(session.settings, "timeout", None)
    nbchat.configure(timeout=3)
    assert (session.settings.timeout, session.settings.max_retries) == (3, 4)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"timeout": "soon"}, "timeout is 'soon'"),
        ({"max_retries": "2"}, "max_retries is '2'"),
        ({"thread": 5}, "thread is 5"),
        ({"profile": 5}, "profile is a name"),
        ({"max_tokens": 2**70}, "cannot be above 9223372036854775807"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_sent_or_recorded(
    server: ScriptedServer, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(NbchatError, match=words):
        nbchat.chat("Hi", **wrong)
    assert server.requests == []
    assert session.runs == []


def test_a_run_that_goes_on_is_copied_with_what_has_come(server: ScriptedServer) -> None:
    server.default = Reply([sse(chunk("so far"), done=False), HANG])
    stream = nbchat.stream("Hi")
    run = next(stream).run
    copies = [pickle.loads(pickle.dumps(run)), copy.deepcopy(run)]
    stream.close()
    assert [(copied.text, copied.status) for copied in copies] == [("so far", "running")] * 2
    assert run.status == "interrupted"


def test_a_failed_run_can_be_pickled_with_its_error(server: ScriptedServer) -> None:
    server.default = error(404, "No such model.", code="model_not_found")
    with pytest.raises(NbchatError) as caught:
        nbchat.chat("Hi")
    found = pickle.loads(pickle.dumps(caught.value))
    assert (found.status, found.run.status, str(found)) == (404, "error", str(caught.value))


def test_a_provider_without_a_model_says_so_before_sending(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "gsk_0123456789abcdefghij")
    with pytest.raises(CheckError, match="NBCHAT_MODEL"):
        nbchat.chat("Hi", profile="groq")


def test_models_are_asked_for_once_and_never_raise(server: ScriptedServer) -> None:
    server.models = ["a", "b"]
    assert session.models() == ["a", "b"]
    assert session.models() == ["a", "b"]
    assert len(server.model_requests) == 1
    server.close()
    assert session.models("http://127.0.0.1:9/v1") == []


@pytest.mark.parametrize("at", ["the head", "the body"])
def test_models_that_come_late_are_there_the_next_time(server: ScriptedServer, at: str) -> None:
    gate = Gate()
    listed = sse({"data": [{"id": "late"}]}, done=False).removeprefix(b"data: ")
    before, body = ([gate], [listed]) if at == "the head" else ([], [gate, listed])
    server.models_reply = Reply(body, before=before)
    started = time.perf_counter()
    assert session.models(timeout_s=0.2) == []
    assert session.models(timeout_s=0.2) == []
    assert time.perf_counter() - started < 0.9
    gate.open()
    assert session.models(timeout_s=5) == ["late"]
    assert len(server.model_requests) == 1
    gate.close()


def test_a_key_appears_in_nothing_that_a_run_shows(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = "sk-proj-0123456789abcdefghij"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    run = nbchat.chat("Hi", profile="openai")
    assert server.requests[0].headers["Authorization"] == f"Bearer {key}"
    server.default = error(401, f"bad key {key}")
    with pytest.raises(NbchatError) as caught:
        nbchat.chat("Hi", profile="openai")
    failed = caught.value.run  # type: ignore[attr-defined]
    shown: list[Any] = [run, vars(run), caught.value, vars(failed), run._repr_mimebundle_()]
    shown += [nbchat.runs().to_csv(), session.client_of(session.current_profile("openai"))]
    assert not any(key in repr(thing) for thing in shown)


def test_all_runs_are_in_the_frame_failed_ones_too(server: ScriptedServer) -> None:
    server.reply(speaking("fine"), error(400, "no"))
    nbchat.chat("Hi", temperature=0.25)
    with pytest.raises(NbchatError):
        nbchat.chat("Hi")
    frame = nbchat.runs()
    assert list(frame["status"]) == ["complete", "error"]
    assert list(frame["temperature"].isna()) == [False, True]
    assert frame["temperature"].iloc[0] == 0.25


def test_a_key_typed_in_a_call_shows_in_no_traceback() -> None:
    from nbchat.errors import short_traceback

    with pytest.raises(NbchatError) as caught:
        nbchat.chat("x", api_key="very-secret-thing")
    assert "very-secret-thing" not in "".join(short_traceback(caught.value))
    with pytest.raises(ProfileError) as caught_too:
        nbchat.chat("x", profile="sk-proj-0123456789abcdefghij")
    assert "0123456789" not in "".join(short_traceback(caught_too.value))


def test_runs_of_any_end_can_be_pickled(server: ScriptedServer) -> None:
    import pickle

    server.reply(speaking("fine", logprobs=True, top=2), error(400, "no"))
    nbchat.chat("Hi", logprobs=True)
    with pytest.raises(NbchatError):
        nbchat.chat("Hi")
    fine, failed = pickle.loads(pickle.dumps(session.runs))
    assert (fine.text, failed.status) == ("fine", "error")
    assert fine.completion == session.runs[0].completion
