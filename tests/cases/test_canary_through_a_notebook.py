"""A key goes through a whole notebook, and is found in nothing that the notebook leaves behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.cases.canary import CANARY, PART
from tests.scripted import Reply, ScriptedServer, error, speaking

CELLS = [
    "import nbchat, logging; logging.basicConfig(level=logging.DEBUG)",
    "%load_ext nbchat",
    "%xmode Verbose",
    "%%chat -o run\nHi",
    "%%chat --dry-run\nHi",
    "%%chat --stateless\nThis one is refused.",
    "nbchat.chat('This one is refused, too.')",
    "nbchat.chat('And this is redirected.')",
    "%%chat --user KEY\nHi",
    "%%chat --profile http://KEY@127.0.0.1:9/v1\nHi",
    "%%chat --profile http://127.0.0.1:9/v1?api_key=KEY\nHi",
    (
        "profile = nbchat.Profile(name='x', base_url=run.base_url, key=open('key').read(), "
        "headers={'X-Other': open('key').read()[::-1]}); profile"
    ),
    "[profile, profile.key, str(profile), f'{profile!r}', vars(type(profile))]",
    "second = nbchat.chat('Hi', profile=profile); second",
    (
        "nbchat.chat('Hi', profile=nbchat.Profile(name='gone', base_url='http://127.0.0.1:9/v1', "
        "key=open('key').read()), max_retries=0)"
    ),
    "print(*(nbchat.code.as_curl(nbchat.code.draft_of(second), p) for p in (None, profile)))",
    "print(nbchat.code.as_cell(second), nbchat.code.as_json(second), nbchat.code.as_call(second))",
    "nbchat.runs()",
    "nbchat.usage(nbchat.session.runs)",
    "nbchat.save(nbchat.session.runs, 'runs.jsonl')",
    "explorer = nbchat.explore(run); explorer",
    "nbchat.explore('Hi', profile=profile)",
    "nbchat.inspect(run)",
    "import nbchat.session.settings as s; nbchat.client.Client(profile)",
    "nbchat.configure(profile=profile); nbchat.session.settings",
    "%%chat\n{{ profile }}",
    "%%chat\n{{ profile.key }} {{ profile.key.reveal() }}",
]


@pytest.mark.kernel
def test_a_key_is_found_nowhere_after_a_whole_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, data = tmp_path / "work", tmp_path / "data"
    work.mkdir()
    data.mkdir()
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "NBCHAT_"))]:
        monkeypatch.delenv(name)
    for name in ("NBCHAT_DATA_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(data / name.lower()))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    refused = error(401, f"Incorrect API key provided: {CANARY}.", code=CANARY)
    moved = Reply([b""], status=302, headers={"location": f"http://h/?k={CANARY}"})
    with ScriptedServer(speaking("Hello."), refused, refused, moved) as server:
        (work / ".env").write_text(f"OPENAI_BASE_URL={server.url}\nOPENAI_API_KEY={CANARY}\n")
        (work / "key").write_text(CANARY)
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell.replace("KEY", CANARY)) for cell in CELLS]
        )
        client = NotebookClient(
            notebook,
            timeout=90,
            allow_errors=True,
            resources={"metadata": {"path": str(work)}},
            store_widget_state=True,
        )
        client.execute()
        sent = [request.headers["authorization"] for request in server.requests]
    assert sent[:4] == [f"Bearer {CANARY}"] * 4
    errors = {
        number: output.ename
        for number, cell in enumerate(notebook.cells)
        for output in cell.outputs
        if output.output_type == "error"
    }
    assert errors == {
        **dict.fromkeys((5, 6), "AuthenticationError"),
        7: "ApiError",
        **dict.fromkeys((8, 9, 10), "MagicUsageError"),
        14: "ConnectError",
        26: "TemplateError",
    }
    for cell in notebook.cells:
        found = json.dumps(cell.get("outputs", []))
        assert PART not in found, cell.source
        assert PART[::-1] not in found, cell.source
    left = json.dumps(notebook.metadata)
    assert "widgets" in left
    assert PART not in left
    assert PART[::-1] not in left
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name not in (".env", "key"):
            found_ = path.read_bytes()
            is_ipythons = "ipythondir" in str(path)  # it keeps what was typed, keys too
            assert is_ipythons or PART.encode() not in found_, path
            assert is_ipythons or PART[::-1].encode() not in found_, path
