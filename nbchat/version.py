"""The version, stated once: the package's metadata is made from it."""

__version__ = "0.1.0"

#: what an index is to know it by: the name `nbchat` is another's there; the import stays nbchat
DISTRIBUTION = "nbchat-jupyter"


def install_command(extras: str) -> str:
    """Give the command that adds extras; from a clone, as long as nothing is published."""
    return f'pip install -e ".[{extras}]" in a clone of the project'
