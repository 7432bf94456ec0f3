"""The way in: make, environment.yml and pyproject.toml say the same things."""

from __future__ import annotations

import os
import re
import runpy
import select
import shutil
import signal
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import nbformat
import pytest

from nbchat.version import DISTRIBUTION

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def conda_lines() -> list[str]:
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    return [line.strip() for line in text.split("dependencies:")[1].splitlines() if line.strip()]


def make(*words: str, folder: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user does, also where the tests are run by one, which tells it of itself."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFL"))
    }
    return subprocess.run(
        [shutil.which("make") or "make", *words],
        cwd=folder,
        env=env | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files that setting up reads, in a folder where nothing is installed yet."""
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_conda_gets_python_and_pip_and_the_project_itself() -> None:
    python = PROJECT["requires-python"]
    assert conda_lines() == [f"- python{python}", "- pip", "- pip:", "- -e .[lab,local]"]


def test_the_extras_that_are_installed_exist() -> None:
    for extra in ("lab", "local", "dev"):
        assert extra in PROJECT["optional-dependencies"]
    dev = PROJECT["optional-dependencies"]["dev"]
    (extras,) = (re.findall(r"\[(.*)\]", line)[0] for line in dev if line.startswith(DISTRIBUTION))
    assert {"lab", "local", "parquet", "prices", "demo"} <= set(extras.split(","))


def test_make_and_the_project_ask_for_the_same_python() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (wanted,) = set(re.findall(r"version_info < \((\d+), (\d+)\)", makefile))
    assert PROJECT["requires-python"] == ">=" + ".".join(wanted)


def test_help_names_every_command() -> None:
    phony = re.search(r"\.PHONY: (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert phony
    shown = make("help").stdout
    for target in set(phony[1].split()) - {"help", "check-python"}:
        assert f"make {target} " in shown


def test_ci_runs_make_test_without_stdin() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert re.search(r"make .*\btest </dev/null", script)


def test_pytest_comes_last_so_that_its_lines_close_the_output() -> None:
    recipe = make("--dry-run", "--no-print-directory", "test").stdout.strip().splitlines()
    assert "-m pytest" in recipe[-1]
    checks = ("ruff check", "ruff format", "mypy", ".ci/javascript.py")
    assert [word for line in recipe for word in checks if word in line] == [*checks]


def test_the_quick_way_leaves_out_only_what_is_slow_to_start() -> None:
    whole, quick = (make("-n", "--no-print-directory", t).stdout for t in ("test", "quick"))
    *checks, tests = quick.strip().splitlines()
    assert tests.strip().endswith('.ci/quick.py -m "not (browser or kernel or local or long)"')
    fetched = [line for line in whole.splitlines() if "chromium" in line or "download" in line]
    assert len(fetched) == 2
    assert [line for line in whole.splitlines() if line not in fetched][:-1] == checks


def test_a_python_that_is_too_old_is_refused_in_a_sentence(tree: Path) -> None:
    old = tree / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    said = make("lab", f"PYTHON={old}", folder=tree)
    assert said.returncode
    assert f"nbchat needs Python 3.11 or newer; {old} is not." in said.stderr
    assert not (tree / ".venv").exists()


def test_a_machine_without_python_is_told_so(tree: Path) -> None:
    (tree / "bin").mkdir()
    (tree / "bin" / "sh").symlink_to("/bin/sh")
    said = make("lab", folder=tree, PATH=str(tree / "bin"), PYTHON="")
    assert said.returncode
    assert "there is none on the PATH" in said.stderr


@pytest.mark.long
def test_an_environment_is_installed_once_and_again_when_its_declaration_changes(
    tree: Path,
) -> None:
    log = fake_venv(tree)

    def installs(extras: str) -> int:
        env = subprocess.run(
            [sys.executable, tree / ".ci" / "env.py", extras], capture_output=True, check=False
        )
        assert env.returncode == 0, env.stderr
        return log.read_text().count("install --disable")

    assert installs("lab,local,demo") == 1
    assert installs("lab,local") == 1  # a part of what is there
    assert installs("dev") == 2
    assert installs("lab,local") == 2
    declaration = tree / "pyproject.toml"
    text = declaration.read_text()
    declaration.write_text(text.replace("line-length = 100", "line-length = 101"))
    assert installs("dev") == 2
    declaration.write_text(text.replace('"requests>=', '"requests>=3, >='))
    assert installs("dev") == 3


def test_an_installation_that_failed_is_tried_again(tree: Path) -> None:
    log = fake_venv(tree, install_code=1)
    words = [sys.executable, str(tree / ".ci" / "env.py"), "dev"]
    for count in (1, 2):
        said = subprocess.run(words, capture_output=True, text=True, check=False)
        assert said.returncode == 1
        assert "The installation failed" in said.stderr
        assert log.read_text().count("install --disable") == count


def test_the_distribution_has_one_name_and_no_text_installs_anothers() -> None:
    assert PROJECT["name"] == DISTRIBUTION != "nbchat"
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "Makefile"]
    texts += [*(ROOT / "nbchat").rglob("*.py"), *(ROOT / "notebooks").glob("*.ipynb")]
    install = re.compile(r"install[^\n]{0,40}?[\s'\"`]nbchat(?=[\[\s'\"`]|$)")
    found = {path.name: install.findall(path.read_text(encoding="utf-8")) for path in texts}
    assert {name: lines for name, lines in found.items() if lines} == {}


SLOW = """#!/bin/sh
echo "$@" >> {log}
case "$*" in
  *"-m venv"*) mkdir -p {venv}/bin; cp {slow} {venv}/bin/python; touch {began}; exec sleep 60;;
  *"pip install"*) touch {began}; exec sleep 60;;
  *"pip --version"*) exit {pip_code};;
esac
"""


@pytest.mark.parametrize("is_installing", [False, True])
def test_an_interrupt_leaves_nothing_half_made(tree: Path, is_installing: bool) -> None:
    began, log, slow = tree / "began", tree / "log", tree / "slow"
    venv = tree / ".venv"
    pip_code = int(not is_installing)
    slow.write_text(SLOW.format(log=log, venv=venv, slow=slow, began=began, pip_code=pip_code))
    slow.chmod(0o755)
    code = f"import sys, runpy; sys.executable = {str(slow)!r}; sys.argv = ['env.py', 'dev']; "
    code += f"runpy.run_path({str(tree / '.ci' / 'env.py')!r}, run_name='__main__')"
    if is_installing:
        (venv / "bin").mkdir(parents=True)
        shutil.copy(slow, venv / "bin" / "python")
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PATH": "/bin:/usr/bin"},
        ) as making:
            while not began.exists():
                assert making.poll() is None, making.communicate()
                select.select([], [], [], 0.01)
            os.killpg(making.pid, signal.SIGINT)
            _, said = making.communicate(timeout=30)
        began.unlink()
        assert (said, making.returncode) == (
            "Interrupted; the same command goes on from here.\n",
            130,
        )
        assert venv.exists() is is_installing
        assert not (venv / "nbchat.json").exists()


def test_half_an_environment_counts_as_none(tree: Path) -> None:
    """What a killed `venv` left: a Python without pip, on a machine without uv."""
    python = tree / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\ncase "$*" in *pip*) exit 1;; esac\n')
    python.chmod(0o755)
    made = tree / "made"
    maker = tree / "maker"
    maker.write_text(f"#!/bin/sh\ntouch {made}\nexit 1\n")
    maker.chmod(0o755)
    code = f"import sys, runpy; sys.executable = {str(maker)!r}; sys.argv = ['env.py', 'dev']; "
    code += "import os; os.geteuid = lambda: 1; "
    code += f"runpy.run_path({str(tree / '.ci' / 'env.py')!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": "/bin:/usr/bin"},
    )
    assert made.exists()
    assert "Traceback" not in done.stderr
    assert "cannot make an environment" in done.stderr


def test_an_environment_that_is_anothers_is_left_alone(tree: Path) -> None:
    """A .venv that leads to that of another checkout is not emptied through the link."""
    fake_venv(tree)
    others = tree / "others"
    (tree / ".venv").rename(others)
    (others / "nbchat.json").write_text('{"root": "/another/checkout", "extras": "dev"}')
    (tree / ".venv").symlink_to(others)
    code = "import sys, runpy; sys.executable = '/bin/false'; sys.argv = ['env.py', 'dev']; "
    code += "import os; os.geteuid = lambda: 1; "
    code += f"runpy.run_path({str(tree / '.ci' / 'env.py')!r}, run_name='__main__')"
    subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        env={**os.environ, "PATH": "/bin:/usr/bin"},
    )
    assert (others / "bin" / "python").is_file()
    assert (others / "nbchat.json").is_file()
    assert not (tree / ".venv").is_symlink()


def fake_venv(tree: Path, install_code: int = 0) -> Path:
    """A .venv whose python notes what it is asked and installs nothing."""
    log = tree / "log"
    python = tree / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        f'#!/bin/sh\necho "$@" >> {log}\ncase "$*" in *"pip install"*) exit {install_code};; esac\n'
    )
    python.chmod(0o755)
    return log


def test_the_page_of_the_demo_keeps_the_form_and_runs_nothing() -> None:
    clean = runpy.run_path(str(ROOT / ".ci" / "demo.py"))["clean"]
    kept = (
        '<h2>Head</h2><p>text</p><table><tbody><tr><td style="text-align: right;">1</td></tr>'
        '</tbody></table><span aria-label="1" style="color: #222;" title="1"><bdi>t</bdi></span>'
        '<wbr><a href="https://a.org">link</a><img alt="dot" src="data:image/png;base64,AA==">'
        '<audio controls src="data:audio/wav;base64,AA==">none</audio>'
    )
    assert clean(kept) == kept
    for bad in (
        "<script>run()</script>",
        '<p onclick="run()">text</p>',
        '<a href="javascript:run()">link</a>',
        '<a href="data:text/html,run()">link</a>',
        '<img src="x" onerror="run()">',
        '<img src="https://example.org/run()">',
        '<audio controls src="https://example.org/run()"></audio>',
        '<audio controls onplay="run()" src="data:audio/wav;base64,AA=="></audio>',
        "<style>p { background: url(run()) }</style>",
        '<p style="background-image: url(run())">text</p>',
    ):
        assert "run()" not in clean(bad)
    assert "<iframe" not in clean("<iframe srcdoc='<p>'></iframe>")


def test_the_top_level_holds_only_what_people_look_for() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    names = {path.name for path in ROOT.iterdir()} - {".git", "PKG-INFO"}  # of an sdist
    kept = {name for name in names if not any(fnmatch(name, i.rstrip("/")) for i in ignored)}
    assert kept <= {
        *("nbchat", "docs", "notebooks", "tests", "pyproject.toml", "environment.yml", "README.md"),
        *(
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "RELIABILITY.md",
            "LICENSE",
            "Makefile",
            ".ci",
            ".github",
            ".gitignore",
        ),
    }


def test_what_a_home_that_cannot_be_written_would_keep_goes_to_build(tmp_path: Path) -> None:
    for home in ("", str(tmp_path / "gone")):
        recipe = make("-n", "demo", HOME=home).stdout
        fetch, run = recipe.strip().splitlines()[-2:]
        assert f'HOME="{ROOT}/build/home" .venv/bin/python -m nbchat.local download' in fetch
        assert f'HOME="{ROOT}/build/home" .venv/bin/python .ci/demo.py' in run
    assert "build/home" not in make("-n", "demo", HOME=str(tmp_path)).stdout


def test_a_demo_that_is_stopped_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    end = runpy.run_path(str(ROOT / ".ci" / "demo.py"), run_name="demo")["end"]
    end(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == "Interrupted; the same command goes on from here.\n"


def test_the_page_of_the_demo_has_no_asides_to_who_runs_it() -> None:
    demo = runpy.run_path(str(ROOT / ".ci" / "demo.py"), run_name="demo")
    cell = nbformat.v4.new_code_cell("1")
    cell.outputs = [
        nbformat.v4.new_output("stream", name=name, text="said") for name in ("stdout", "stderr")
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("x"), cell])
    demo["leave_out_asides"](notebook)
    assert [output.name for output in cell.outputs] == ["stdout"]
