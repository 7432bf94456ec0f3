"""What a notebook shows of a sweep, in a real kernel."""

from __future__ import annotations

import json

import pytest

from tests.kernel import Kernel
from tests.scripted import Gate, Reply, ScriptedServer, completion, speaking

pytestmark = pytest.mark.kernel


@pytest.fixture
def answering() -> object:
    return speaking("word")


BEGIN = """import nbchat
sweep = nbchat.sweep("{{ word }}", data=[{"word": n} for n in range(4)], model="m", at_once=2)
sweep.start()"""


def test_a_sweep_that_is_started_has_one_output_which_goes_on_to_its_end(
    server: ScriptedServer,
) -> None:
    gate = Gate()
    held = json.dumps(completion("held")).encode()
    server.reply(Reply(held, before=[gate], content_type="application/json"))
    with Kernel(env={"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none"}) as kernel:
        begun = kernel.execute(BEGIN)
        assert begun.status == "ok"
        gate.open()
        begun.wait_for(lambda cell: "4 of 4" in cell.text)
        assert (
            len([out for out in begun.final_outputs() if "text/html" in out.get("data", {})]) == 1
        )
        later = kernel.execute("sweep")  # in another cell it is shown
        assert "4 of 4 rows" in later.text
        assert kernel.execute("sweep.run(); None").status == "ok"
