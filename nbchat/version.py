"""The version, stated once: the package's metadata is made from it."""

__version__ = "0.1.0"

#: what an index is to know it by: the name `nbchat` is another's there; the import stays nbchat
DISTRIBUTION = "nbchat-jupyter"


def install_command(extra: str) -> str:
    """Give the command that adds what an extra brings, wherever nbchat itself came from."""
    from importlib import metadata

    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # the bare folder of the sources, on the path
        requirements = []
    marks = (f"extra == '{extra}'", f'extra == "{extra}"')
    brings = [line.partition(";")[0].strip() for line in requirements if line.endswith(marks)]
    if not brings:
        return f'pip install -e ".[{extra}]" in a clone of the project'
    return "pip install " + " ".join(f'"{requirement}"' for requirement in brings)
