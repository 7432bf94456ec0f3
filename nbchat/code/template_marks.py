"""Where a template loops and where it becomes text, marked in its tree before it is compiled."""

from __future__ import annotations

from typing import Any

from jinja2 import nodes

#: names of filters that no template can spell
COUNTED, SHOWN, JOINED = "nbchat counted", "nbchat shown", "nbchat joined"


def marked(tree: nodes.Template) -> nodes.Template:
    """Put the sandbox's own filters where loops turn and where values become text."""
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = _filter(loop.iter, COUNTED)
    for joined in list(tree.find_all(nodes.Concat)):
        names = [nodes.Const(_spelled(node)) for node in joined.nodes]
        lineno = joined.lineno
        listed = nodes.List(list(joined.nodes), lineno=lineno)
        joined.nodes = [_filter(listed, JOINED, nodes.List(names, lineno=lineno))]
    for output in list(tree.find_all(nodes.Output)):
        output.nodes = [
            node
            if isinstance(node, nodes.TemplateData)
            else _filter(node, SHOWN, nodes.Const(_spelled(node)))
            for node in output.nodes
        ]
    return tree


def _filter(node: Any, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)


def _spelled(node: nodes.Node) -> str:
    """Give an expression as it may have been typed, shortened."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{_spelled(node.node)}.{node.attr}"
    if isinstance(node, nodes.Getitem):
        key = repr(node.arg.value) if isinstance(node.arg, nodes.Const) else "…"
        return f"{_spelled(node.node)}[{key}]"
    if isinstance(node, nodes.Call):
        return f"{_spelled(node.node)}({'…' * bool(node.args or node.kwargs)})"
    if isinstance(node, nodes.Filter) and node.node is not None:
        return f"{_spelled(node.node)} | {node.name}"
    return "a value"
