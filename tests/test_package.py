"""What is shipped: requirements that are declared, a README that an index can show, one size."""

from __future__ import annotations

import ast
import re
import runpy
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pandas as pd
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import nbchat
from nbchat import version
from nbchat.errors import LocalModelError, MissingLibraryError
from nbchat.history import saved_file
from nbchat.local import server, weights
from tests.sources import nodes_of

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
for_index = runpy.run_path(str(ROOT / ".ci" / "index_page.py"))["for_index"]

#: the name that is imported, where the distribution has another
DISTRIBUTED_AS = {
    "dotenv": "python-dotenv",
    "markdown_it": "markdown-it-py",
    "genai_prices": "genai-prices",
    "dask": "distributed",
}
#: what is asked about only where somebody else has imported it, or brings values of its own
NEVER_NEEDED = {
    "PIL",
    "pydantic",
    "attr",
    "attrs",
    "polars",
    "openai",
    "tokenizers",
    "annotated_types",
}


def declared() -> set[str]:
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *(r for e in extras for r in extras[e] if e != "dev")]
    return {re.split(r"[\[<>=;, ]", line)[0].lower() for line in lines}


def imported() -> dict[str, str]:
    """The libraries that the package imports at any time, and a file that does."""
    places: dict[str, str] = {}
    for path in (ROOT / "nbchat").rglob("*.py"):
        for node in nodes_of(path.read_text(encoding="utf-8")):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                places[name.partition(".")[0]] = str(path.relative_to(ROOT))
    return {n: p for n, p in places.items() if n not in sys.stdlib_module_names and n != "nbchat"}


def test_every_library_that_is_imported_is_declared() -> None:
    libraries = {n: p for n, p in imported().items() if n not in NEVER_NEEDED}
    assert {"numpy", "traitlets", "requests"} <= set(libraries)
    missing = {
        name: place
        for name, place in libraries.items()
        if DISTRIBUTED_AS.get(name, name).lower() not in declared()
    }
    assert not missing


def test_what_the_demo_sanitises_with_is_in_its_extra() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (extras,) = re.findall(r"^demo:.*\n\t@\$\(PYTHON\) \.ci/env\.py (\S+)$", makefile, re.MULTILINE)
    brought = [r for e in extras.split(",") for r in PROJECT["optional-dependencies"][e]]
    names = {re.split(r"[\[<>=]", requirement)[0] for requirement in brought}
    demo = ast.parse((ROOT / ".ci" / "demo.py").read_text(encoding="utf-8"))
    needed = {n.names[0].name for n in ast.walk(demo) if isinstance(n, ast.Import)}
    needed |= {
        n.module.partition(".")[0]
        for n in ast.walk(demo)
        if isinstance(n, ast.ImportFrom) and n.module
    }
    assert "bleach" in needed
    assert needed - set(sys.stdlib_module_names) <= names


def test_what_the_tests_read_is_in_the_source_distribution() -> None:
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    names = {path.name for path in ROOT.iterdir()} - {".git", "pyproject.toml", "PKG-INFO"}
    kept = {name for name in names if not any(fnmatch(name, i.strip("/")) for i in ignored)}
    assert {n for n in kept if not any(fnmatch(f"/{n}", pattern) for pattern in included)} == set()


def test_the_classifiers_begin_at_the_oldest_python_that_is_allowed() -> None:
    named = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
    assert named[0] == PROJECT["requires-python"].removeprefix(">=")
    assert named == sorted(named, key=lambda text: int(text.partition(".")[2]))


RELATIVE = "A ![picture](a/b.png) and [`code`](c.md#d), [out](https://x.org), [here](#start).\n"
CODE = "```python\nnames[0](a) ; [x](y)\n```\n"


def test_an_index_shows_no_link_that_leads_nowhere() -> None:
    assert for_index(RELATIVE + CODE, None) == (
        "A  and `code`, [out](https://x.org), [here](#start).\n" + CODE
    )
    shown = for_index(RELATIVE + CODE, "https://git.example/nbchat")
    assert "![picture](https://git.example/nbchat/raw/HEAD/a/b.png)" in shown
    assert "[`code`](https://git.example/nbchat/blob/HEAD/c.md#d)" in shown
    assert shown.endswith(CODE)


def test_the_readme_that_is_shipped_has_no_relative_link() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", for_index(readme, None), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    assert [t for t in targets if not re.match(r"[a-z]+:|#", t)] == []
    assert len(text) > 0.5 * len(readme) or len(readme) > 2 * len(text)


def test_the_weights_have_one_size_wherever_it_is_said() -> None:
    size = f"{weights.SIZE / 1e6:.0f} MB"
    texts = [*ROOT.glob("*.md"), *(ROOT / "nbchat" / "local").glob("*.py"), ROOT / "Makefile"]
    texts += [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / ".ci").glob("*.py")]
    texts += (ROOT / "docs").rglob("*.md")
    about = re.compile(r"(?:weights|embedded model)[^.\n]{0,60}?(\d+ MB)")
    sizes = {path.name: about.findall(path.read_text(encoding="utf-8")) for path in texts}
    assert sizes["README.md"]
    assert {name: s for name, s in sizes.items() if set(s) - {size}} == {}


def test_a_missing_extra_is_named_by_what_it_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ['pyarrow>=15; extra == "parquet"', "ruff; extra == 'dev'", "requests>=2"]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: lines)
    assert version.install_command("parquet") == 'pip install "pyarrow>=15"'
    monkeypatch.setattr("importlib.metadata.requires", lambda name: None)
    assert "clone" in version.install_command("parquet")


def test_parquet_without_pyarrow_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingLibraryError, match=r"need pyarrow \(pip install .*; \.jsonl"):
        nbchat.save([], tmp_path / "runs.parquet")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "runs.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingLibraryError, match="need pyarrow"):
        saved_file.load(tmp_path / "runs.parquet")

    def read_parquet(path: object) -> pd.DataFrame:
        raise ImportError("Unable to find a usable engine;\ntried using: many\nlines")

    monkeypatch.setattr(pd, "read_parquet", read_parquet)
    with pytest.raises(MissingLibraryError) as caught:
        nbchat.frames.read_parquet(tmp_path / "runs.parquet")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("system", "machine", "libc", "macos", "has_wheel"),
    [
        ("Linux", "x86_64", "glibc", "", True),
        ("Linux", "aarch64", "glibc", "", True),
        ("Linux", "x86_64", "", "", False),  # musl
        ("Linux", "riscv64", "glibc", "", False),
        ("Darwin", "arm64", "", "14.2", True),
        ("Darwin", "x86_64", "", "12.7", False),
        ("Windows", "AMD64", "", "", True),
        ("Windows", "ARM64", "", "", False),
    ],
)
def test_a_system_without_a_wheel_of_llama_cpp_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    machine: str,
    libc: str,
    macos: str,
    has_wheel: bool,
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.libc_ver", lambda: (libc, ""))
    monkeypatch.setattr("platform.mac_ver", lambda: (macos, ("", "", ""), ""))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LocalModelError, match="needs one more package: pip install") as caught:
        server.settings_for()
    assert ("no wheel" in str(caught.value)) is not has_wheel


def test_jupyterlite_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "emscripten")
    with pytest.raises(ImportError, match="does not run in JupyterLite") as caught:
        runpy.run_path(str(ROOT / "nbchat" / "__init__.py"))
    assert "\n" not in str(caught.value)


def test_the_lowest_versions_are_asked_of_the_index_that_pip_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lowest = runpy.run_path(str(ROOT / ".ci" / "lowest.py"))
    said = "global.cert='/certs.pem'\nglobal.index-url='https://mirror.example/simple'\n"
    monkeypatch.setattr(
        "subprocess.run", lambda *words, **options: type("Done", (), {"stdout": said})
    )
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://named.example/simple")
    shown = lowest["environment"]()
    assert shown["SSL_CERT_FILE"] == "/certs.pem"
    assert shown["UV_DEFAULT_INDEX"] == "https://named.example/simple"
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    assert lowest["environment"]()["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"


def test_the_lowest_versions_run_what_make_quick_runs() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    quick = runpy.run_path(str(ROOT / ".ci" / "lowest.py"))["QUICK"]
    *options, marks = quick
    assert f'(VENV_PYTHON) {" ".join(options)} "{marks}" $(PYTEST_ARGS)' in makefile


@pytest.mark.long
def test_the_lowest_versions_fit_together() -> None:
    """What `make lowest` would install, asked of the index; nothing needs more than a bound."""
    resolved = runpy.run_path(str(ROOT / ".ci" / "lowest.py"))["resolved"]()
    versions = dict(line.split("==") for line in resolved.splitlines() if "==" in line)
    requirements = [Requirement(line) for line in PROJECT["dependencies"]]
    newer = {
        requirement.name: versions[requirement.name]
        for requirement in requirements
        for specifier in requirement.specifier
        if Version(versions[requirement.name]) not in SpecifierSet(f"=={specifier.version}.*")
    }
    assert newer == {}
