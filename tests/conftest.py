from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from nbchat import local
from nbchat.client import retry
from nbchat.display.pace import PAINTER, Schedule
from nbchat.history import store, writer
from nbchat.local.process import Process
from nbchat.session.state import STATE
from tests.fuzzing import times
from tests.scripted import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# a busy machine is no finding: an example may take as long as it takes
settings.register_profile(
    "nbchat", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("times", settings.get_profile("nbchat"), max_examples=times(100))
settings.load_profile("times")


# no test writes into the tester's own history; what tests start inherits this
os.environ["NBCHAT_HISTORY"] = "off"


# what is imported and collected stays to the end: there is nothing to look for meanwhile
gc.disable()


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: one of them always waits for a browser or a kernel."""
    return min(4, (os.cpu_count() or 1) + 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share the tests out as tests/sharing.py says."""
    from tests.sharing import ByFile

    gc.enable()  # this process collects nothing itself
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a process of pytest-xdist, begin with what takes longest."""
    if hasattr(config, "workerinput"):
        from tests.sharing import slowest_first

        slowest_first(items)


@pytest.fixture(scope="session")
def weights() -> Path:
    """The embedded model's file in the user's own folder, fetched if need be."""
    return local.download(progress=False)


@pytest.fixture(scope="session")
def local_server(weights: Path) -> Iterator[local.Server]:
    """The embedded server of this test process. Tests that stop or change it use a Host."""
    yield local.ensure()
    local.stop()


@pytest.fixture(autouse=True)
def fresh_session() -> Iterator[None]:
    """Each test begins as a process does, and leaves nothing behind."""
    STATE.reset()
    # no test waits for what the ones before it have painted
    PAINTER._schedule = Schedule()
    yield
    STATE.reset()


@pytest.fixture(autouse=True)
def no_model_unless_marked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that is not marked ``local`` must not be answered by the embedded model."""
    marks = {mark.name for mark in request.node.iter_markers()}
    if marks & {"local", "kernel", "browser"} or "local" in request.path.parts:
        return

    def refuse(*_: Any) -> None:
        pytest.fail("a test without the mark `local` asks the embedded model: give it a server")

    monkeypatch.setattr(Process, "__init__", refuse)


@pytest.fixture
def answering() -> Any:
    """What the server answers where a test says nothing else: a module may have its own."""
    return None


@pytest.fixture
def where() -> str:
    """How requests find the server: by "settings" (`configure`) or by the "environment"."""
    return "settings"


@pytest.fixture
def server(answering: Any, where: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """The scripted server, to which requests go that name no other."""
    with ScriptedServer(**({} if answering is None else {"default": answering})) as scripted:
        if where == "environment":
            monkeypatch.setenv("OPENAI_BASE_URL", scripted.url)
            monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-the-environment")
        else:
            STATE.settings.profile = scripted.url
        yield scripted


@pytest.fixture(autouse=True)
def no_profile_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tester's own shell has set must not choose where a test's requests go."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "AZURE_OPENAI_")) or name == "NBCHAT_PROFILE":
            monkeypatch.delenv(name)


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A history of the test's own, that is in force."""
    path = tmp_path / "data" / "history.sqlite"
    monkeypatch.setenv("NBCHAT_HISTORY", str(path))
    store.news()  # of another test's file
    yield path
    store.flush(30)
    found = writer._writers.pop(path, None)
    if found is not None:
        found.close()


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits a hundredth of its time before it tries again."""
    usual = retry.backoff_s
    monkeypatch.setattr(retry, "backoff_s", lambda retries: usual(retries) / 100)


@pytest.fixture
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell's messages are not spread over time: hundreds of cells run in a moment here."""
    monkeypatch.setattr("nbchat.display.pace.ALL_S_PER_MESSAGE", 0.0)
