"""The tree of branches: where a text was made to go another way, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nbchat.plots.axes import in_lines, new_axes, points, setting, width_of
from nbchat.plots.glyphs import drawable, shortened
from nbchat.plots.subject import table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from matplotlib.axes import Axes

_COLUMNS = ("branch_id", "parent_id", "position", "display", "prob", "method", "text")
# the ways to branch are never drawn as the same thing: the first, the most exact, is solid
_DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
_METHODS = {"exact": "exact, by token ids", "prefill": "by token ids, not exact"}
_INDENT = 26.0  # points, from a branch to those that leave it
_ORIGIN = "the reply that they leave"


class _Node(NamedTuple):
    row: int
    depth: int
    parent: int | None
    branch: Any


def branches(branches: Any, ax: Axes | None = None) -> Axes:
    """Draw branches as a tree, one line of text for each, in the order in which they leave.

    `branches` is what `nbchat.branch` gives, a list of such, what `nbchat.tree` gives, or a
    branches frame (`inspector.branches`). Each line has the position where the branch leaves,
    its token with the probability that it had there, and how the text goes on from there. How a
    branch was made is told by the line that leads to it and in the legend: branches by token ids,
    by text and by sampling again are not the same thing. Of a tree the title says what it covers.
    Raise ValueError where there is no branch, TypeError for another frame.
    """
    frame = _frame_of(branches)
    nodes = list(_walk(frame))
    if not nodes:
        raise ValueError("there is no branch to draw")
    methods = [str(m) for m in frame.loc[~frame["method"].isna(), "method"].unique()]
    looks = {m: (f"C{i}", _DASHES[i % len(_DASHES)]) for i, m in enumerate(methods)}
    ax = ax if ax is not None else new_axes(9.0, max(1.8, 1.1 + 0.32 * len(nodes)))
    ax.set_xlim(-0.4, width_of(ax) / _INDENT)
    ax.set_ylim(len(nodes) - 0.3, -0.7 - 0.9 * bool(methods))
    for node in nodes:
        if node.parent is not None:
            colour, dashes = looks.get(str(node.branch.method), (setting("text.color"), "-"))
            x = node.depth - 1.0
            ax.plot(
                [x, x, x + 0.85],
                [node.parent + 0.25, node.row, node.row],
                color=colour,
                linestyle=dashes,
                linewidth=1.6,
                solid_joinstyle="round",
            )
        ax.plot(node.depth, node.row, marker="o", markersize=5, color=setting("text.color"))
    _write(ax, nodes)
    for method, (colour, dashes) in looks.items():
        label = _METHODS.get(method, method)
        ax.plot([], [], color=colour, linestyle=dashes, linewidth=1.6, label=label)
    if methods:
        ax.legend(loc="upper right", fontsize="small", ncols=len(methods), handlelength=3.5)
    ax.set_axis_off()
    n_branches = sum(node.parent is not None for node in nodes)
    title = f"Tree of {n_branches:,} branch{'' if n_branches == 1 else 'es'}"
    if _is_tree(branches):
        title += f"\n{branches.label}"
    ax.set_title(in_lines(ax, title))
    return ax


def _frame_of(source: Any) -> pd.DataFrame:
    import pandas as pd

    if _is_tree(source):
        source = source.branches
    some = list(source) if isinstance(source, (list, tuple)) else [source]
    if all(hasattr(one, "alternative") for one in some):
        # a reply can be the parent of several branches, and one itself: then it is that
        rows = {one.parent.id: _row_of_reply(one.parent) for one in some}
        rows |= {row["branch_id"]: row for one in some for row in _rows_of(one)}
        source = pd.DataFrame(rows.values(), columns=list(_COLUMNS), dtype="object")
    frame = table_of(source, _COLUMNS, "branches, as nbchat.branch gives them")
    return frame.astype({"display": "object", "text": "object"})


def _is_tree(source: Any) -> bool:
    return hasattr(source, "branches") and hasattr(source, "coverage")


def _row_of_reply(run: Any) -> dict[str, Any]:
    return dict.fromkeys(_COLUMNS) | {"branch_id": run.id, "text": run.text}


def _rows_of(branch: Any) -> Iterator[dict[str, Any]]:
    """Give each run of a branch as a row of a branches frame."""
    from nbchat.frames.token_texts import visible

    for run in branch.runs:
        yield {
            "branch_id": run.id,
            "parent_id": branch.parent.id,
            "position": branch.position,
            "display": visible(branch.alternative),
            "prob": _probability(branch),
            "method": branch.method,
            "text": run.text,
        }


def _probability(branch: Any) -> float | None:
    """Give the probability that the alternative had, if it was listed."""
    from nbchat import frames

    rows = frames.alternatives(branch.parent)
    here = (rows["choice"] == branch.choice) & (rows["position"] == branch.position)
    of_branch = rows[here & (rows["channel"] == "content") & (rows["token"] == branch.alternative)]
    return float(of_branch["prob"].iloc[0]) if len(of_branch) else None


def _walk(frame: pd.DataFrame) -> Iterator[_Node]:
    """Give the branches in the order of their lines, each after what it leaves."""
    import pandas as pd

    rows: dict[Any, Any] = {row.branch_id: row for row in frame.itertuples(index=False)}
    children: dict[Any, list[Any]] = {}
    for row in rows.values():
        parent = row.parent_id if not pd.isna(row.parent_id) and row.parent_id in rows else None
        children.setdefault(parent, []).append(row)
    roots = children.pop(None, [])
    # a reply was not made by branching; where it is no row itself, there is a line for it
    lines: list[tuple[Any, int, int | None]] = [(row, 0, None) for row in roots if _is_reply(row)]
    leaving = [row for row in roots if not _is_reply(row)]
    if leaving:
        children[_ORIGIN] = leaving
        lines.insert(0, (_Origin(), 0, None))
    count = 0
    while lines:
        row, depth, parent = lines.pop(0)
        yield _Node(count, depth, parent, row)
        below = children.pop(row.branch_id, [])
        lines[:0] = [(child, depth + 1, count) for child in below]
        count += 1


class _Origin:
    branch_id = _ORIGIN
    position = display = prob = method = None
    text = ""


def _is_reply(row: Any) -> bool:
    import pandas as pd

    return bool(pd.isna(row.method)) or bool(pd.isna(row.position))


def _write(ax: Axes, nodes: list[_Node]) -> None:
    size = points(setting("font.size")) * 0.95
    texts = {node.row: str(node.branch.text or "") for node in nodes}
    for node in nodes:
        x = node.depth + 0.45
        most = int((width_of(ax) - (x + 0.4) * _INDENT) / (0.58 * size))
        line = _line(node, texts)
        (shown,), properties = drawable([shortened(line, max(most, 12))])
        ax.text(x, node.row, shown, va="center", fontsize=size, **properties)


def _line(node: _Node, texts: dict[int, str]) -> str:
    from nbchat.frames.token_texts import visible

    text = texts[node.row]
    if node.parent is None:
        return _flat(visible(text)) or _ORIGIN
    branch = node.branch
    rest = _after(text, texts[node.parent], str(branch.display).replace("␣", " "))
    known = branch.prob is not None and branch.prob == branch.prob
    prob = f"{branch.prob:.3g}" if known else "not known"
    return f"{int(branch.position)}: {branch.display}  p {prob}  …{_flat(visible(rest))}"


def _after(text: str, parent: str, token: str) -> str:
    """Give a branch's text from its own token on, if it is found, else from where it is new."""
    pairs = enumerate(zip(text, parent, strict=False))
    shared = next((i for i, (a, b) in pairs if a != b), min(len(text), len(parent)))
    # the texts can agree in the first letters of the token
    start = text.rfind(token, 0, shared + len(token)) if token else -1
    return text[shared:] if start < 0 else text[start + len(token) :]


def _flat(shown: str) -> str:
    return shown.replace("␣", " ").strip()
