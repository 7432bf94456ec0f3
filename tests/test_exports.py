"""The public names. The snapshot beside this file says in its first line how to make it anew."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import nbchat
from tests.scripted import ScriptedServer

SNAPSHOT = Path(__file__).with_name("exports.txt")
HOW = "# make anew with: python -m tests.test_exports"

FIXED = {
    "ChatParams", "Client", "Profile", "Thread", "alternatives", "api", "chat", "choices", "client",
    "configure", "errors", "local", "measures", "parameters", "plots", "runs", "stream", "tokens",
    "usage",
}  # fmt: skip
HEAVY = {
    "IPython", "anywidget", "dotenv", "ipykernel", "ipywidgets", "jinja2", "matplotlib", "numpy",
    "pandas", "platformdirs", "tqdm", "traitlets", "xllamacpp",
}  # fmt: skip


def public_names() -> list[str]:
    """The names of nbchat, and of its public modules as `client.read_stream`."""
    names = []
    for name in sorted(nbchat.__all__):
        names.append(name)
        value = getattr(nbchat, name)
        if isinstance(value, ModuleType):
            own = getattr(value, "__all__", None)
            if own is None:
                own = [
                    key
                    for key, found in vars(value).items()
                    if not key.startswith("_")
                    and getattr(found, "__module__", "") == value.__name__
                ]
            names += [f"{name}.{inner}" for inner in sorted(own)]
    return names


def loaded_after(code: str) -> set[str]:
    """The top-level modules of a fresh Python that has run the code."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_a_public_name_stands_in_the_three_places_of_the_package() -> None:
    text = Path(nbchat.__file__).read_text(encoding="utf-8")
    typed = set(re.findall(r"\w+", text.partition("if TYPE_CHECKING:")[2]))
    for name in {*nbchat._HOMES, *nbchat.__all__}:
        assert name in nbchat._HOMES, f"{name}: _HOMES of nbchat/__init__.py says where it is"
        assert name in nbchat.__all__, f"{name}: __all__ of nbchat/__init__.py has no such name"
        assert name in typed, f"{name}: nbchat/__init__.py imports it for type checkers, too"


def test_the_public_names_are_those_of_the_snapshot() -> None:
    first, *names = SNAPSHOT.read_text().splitlines()
    assert first == HOW
    assert public_names() == names, f"{SNAPSHOT.name} differs; {HOW.removeprefix('# ')}"


def test_the_names_that_others_call_are_there() -> None:
    assert set(nbchat.__all__) >= FIXED
    assert "read_stream" in nbchat.client.__all__
    assert "check" in nbchat.api.__all__


def test_every_public_name_can_be_had() -> None:
    for name in nbchat.__all__:
        assert getattr(nbchat, name) is not None, name


def test_tab_shows_the_public_names_and_the_version_alone() -> None:
    assert sorted(dir(nbchat)) == sorted([*nbchat.__all__, "__version__"])


def test_all_is_sorted_and_has_no_doubles() -> None:
    assert nbchat.__all__ == sorted(set(nbchat.__all__))


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="chatt"):
        nbchat.chatt  # noqa: B018


def test_a_star_import_gives_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from nbchat import *", names)
    assert set(names) - {"__builtins__"} == set(nbchat.__all__)


def test_importing_nbchat_imports_nothing_heavy() -> None:
    loaded = loaded_after("import nbchat")
    assert loaded & (HEAVY | {"requests", "msgspec"}) == set()


@pytest.mark.long
def test_a_first_request_needs_only_requests_and_msgspec() -> None:
    with ScriptedServer() as server:
        loaded = loaded_after(
            f"import nbchat\nrun = nbchat.chat('hi', profile={server.url!r}, model='m')\n"
            "assert run.text and run.status == 'complete'"
        )
    assert loaded >= {"requests", "msgspec"}
    assert loaded & HEAVY == set()


def test_loading_the_extension_imports_nothing_heavy_but_ipython() -> None:
    loaded = loaded_after(
        "import os\n"
        "os.environ['OPENAI_BASE_URL'] = 'http://127.0.0.1:1/v1'\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell.instance().run_line_magic('load_ext', 'nbchat')"
    )
    allowed = {"IPython", "traitlets", "dotenv"}
    assert loaded & (HEAVY - allowed) == set()


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join([HOW, *public_names()]) + "\n")
