"""`achat` and `astream`: awaited, several at once, and stopped by their task."""

from __future__ import annotations

import asyncio

import pytest

import nbchat
from nbchat.errors import BadRequestError, CheckError
from tests.scripted import HANG, Gate, Reply, ScriptedServer, chunk, error, speaking, sse


def test_a_run_can_be_awaited(server: ScriptedServer) -> None:
    run = asyncio.run(nbchat.achat("Hi", model="m", temperature=0.5))
    assert run.text == "Hello from the scripted server."
    assert (run.status, run.params.temperature) == ("complete", 0.5)
    assert nbchat.session.runs == [run]


def test_several_are_asked_at_once(server: ScriptedServer) -> None:
    gate = Gate()
    held = [Reply([gate, sse(chunk(str(n)), chunk(finish_reason="stop"))]) for n in range(6)]
    server.reply(*held)

    async def main() -> list[nbchat.Run]:
        tasks = [asyncio.create_task(nbchat.achat(str(n), model="m")) for n in range(6)]
        while len(server.requests) < 6:  # all of them, before one is answered
            await asyncio.sleep(0.01)
        gate.open()
        return await asyncio.gather(*tasks)

    runs = asyncio.run(main())
    assert sorted(run.text for run in runs) == list("012345")
    assert [run.messages[0]["content"] for run in runs] == list("012345")


def test_a_thread_takes_each_turn_of_those_that_are_asked_at_once(server: ScriptedServer) -> None:
    thread = nbchat.Thread("t")

    async def main() -> None:
        await asyncio.gather(*(nbchat.achat(str(n), thread=thread) for n in range(4)))

    asyncio.run(main())
    assert sorted(run.turn or 0 for run in thread.runs) == [1, 2, 3, 4]


def test_errors_are_those_of_chat(server: ScriptedServer) -> None:
    server.reply(error(400, "no such thing"))
    with pytest.raises(BadRequestError) as raised:
        asyncio.run(nbchat.achat("Hi", model="m"))
    assert raised.value.run is nbchat.session.runs[-1]
    with pytest.raises(CheckError):
        asyncio.run(nbchat.achat("Hi", temperature=3))


def test_cancelling_the_task_closes_the_connection(server: ScriptedServer) -> None:
    server.reply(Reply([sse(chunk("Half"), done=False), HANG]))

    async def main() -> nbchat.Run:
        task = asyncio.create_task(nbchat.achat("Hi", model="m"))
        while not (nbchat.session.runs and nbchat.session.runs[0].text):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return nbchat.session.runs[0]

    run = asyncio.run(main())
    run.wait(10)
    assert (run.status, run.text) == ("interrupted", "Half")
    assert server.requests[0].wait_over(10).disconnected_at is not None


def test_pieces_can_be_awaited(server: ScriptedServer) -> None:
    async def main() -> tuple[list[str], nbchat.Run]:
        reply = nbchat.astream("Hi", model="m")
        assert server.requests == []
        pieces = [piece async for piece in reply]
        assert all(piece.run is reply.run for piece in pieces)
        return [*pieces], reply.run

    pieces, run = asyncio.run(main())
    assert len(pieces) > 1
    assert "".join(pieces) == run.text
    assert run.status == "complete"


@pytest.mark.parametrize("way", ["with", "break", "cancel"])
def test_a_stream_that_is_left_closes_its_connection(server: ScriptedServer, way: str) -> None:
    server.reply(Reply([sse(chunk("Half"), done=False), HANG]))

    async def read() -> None:
        if way == "with":
            async with nbchat.astream("Hi", model="m") as reply:
                assert await anext(reply) == "Half"
            assert reply.run.status == "interrupted"
            return
        async for piece in nbchat.astream("Hi", model="m"):
            assert piece == "Half"
            if way == "break":
                break

    async def main() -> None:
        task = asyncio.create_task(read())
        if way == "cancel":
            while not (nbchat.session.runs and nbchat.session.runs[0].text):
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.wait([task])

    asyncio.run(main())
    assert nbchat.session.runs[0].wait(10).status == "interrupted"
    assert server.requests[0].wait_over(10).disconnected_at is not None


def test_a_stream_raises_what_ends_it(server: ScriptedServer) -> None:
    server.reply(error(400, "no"))

    async def main() -> None:
        async for _ in nbchat.astream("Hi", model="m"):
            pass

    with pytest.raises(BadRequestError):
        asyncio.run(main())


def test_runs_elsewhere_cannot_be_waited_for_and_whole_ones_need_no_waiting(
    server: ScriptedServer,
) -> None:
    server.reply(speaking("Hello."))
    run = nbchat.chat("Hi", model="m")
    assert run.wait() is run
    run.stop()
    with nbchat.stream("Hi", model="m") as reply:
        next(reply)
        for end in (reply.run.wait, reply.run.stop):
            with pytest.raises(RuntimeError, match="stream that you read"):
                end()
