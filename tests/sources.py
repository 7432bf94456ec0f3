"""What the package's own files say: several tests look at all of them, and each is parsed once."""

from __future__ import annotations

import ast
from functools import cache


@cache
def tree_of(source: str) -> ast.Module:
    """Give the syntax tree of a module's text. Nobody changes it."""
    return ast.parse(source)


@cache
def nodes_of(source: str) -> tuple[ast.AST, ...]:
    """Give every node of a module's text."""
    return tuple(ast.walk(tree_of(source)))
