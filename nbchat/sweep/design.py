"""What a sweep asks, row by row: items, points of the grid, samples. Nothing is sent here."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from operator import attrgetter, is_
from typing import Any

import msgspec

from nbchat.api.explain import did_you_mean, nearest
from nbchat.api.fields import FIELDS
from nbchat.api.json_values import is_whole_number, shown
from nbchat.client.presets import LOCAL
from nbchat.client.profiles import Profile
from nbchat.code.filled import filled
from nbchat.errors import CheckError, UnknownFieldError
from nbchat.options import OPTIONS, Options
from nbchat.request.arguments import draft_of_arguments
from nbchat.request.describe import has_attachments
from nbchat.request.draft import Draft
from nbchat.request.prepare import Prepared, with_messages
from nbchat.session.replay import server_of
from nbchat.session.servers import prepare
from nbchat.session.settings import resolved
from nbchat.sweep.data import Item, Items, read_items
from nbchat.sweep.grid import Grid, Point, label_of, read_grid
from nbchat.sweep.prompts import AXIS, Prompts, messages_of, read_prompts
from nbchat.sweep.row_ids import request_digest, row_id

Say = Callable[[str], None] | None
#: rows, and characters of their messages, of which the requests are kept from the check to the
#: sending; what comes behind them is made again, since memory is to be flat
_MOST_KEPT, _MOST_CHARACTERS = 16_384, 20_000_000
_NO_AXIS = {"thread", "fork", "replay"}
_FILLED_OPTIONS = ("system", "images", "files", "audio_in")


class Row(msgspec.Struct, frozen=True, gc=False):
    """One request of a sweep: its id, its item, its point of the grid, its sample, from 0."""

    id: str
    item: int
    point: int
    sample: int


class Cell(msgspec.Struct, frozen=True):
    """An item at a point of the grid: its rows, and what each of them sends."""

    rows: tuple[Row, ...]
    prepared: tuple[Prepared, ...]


class Design:
    """Items, points and repeats, and the request of each. `prompts` × `grid` are the points."""

    def __init__(
        self, prompt: Any, *, data: Any, grid: Any, repeats: int, fields: Mapping[str, Any]
    ):
        if not is_whole_number(repeats) or repeats < 1:
            rule = "must be a whole number, 1 or more"
            raise CheckError(
                f"repeats is {shown(repeats)}, but it {rule}.",
                field="repeats",
                value=repeats,
                rule=rule,
            )
        self.repeats = int(repeats)
        prompts, self.items = _prompts_and_items(prompt, data)
        self.prompts = prompts
        self.grid = _with_prompts(read_grid(grid), prompts)
        self.base = _base(fields)
        self._kinds = {axis: self._kind(axis) for axis in self.grid.axes}
        self._rows: list[Row] = []
        self._is_known = self._is_ready = False
        self._kept: list[Cell] = []
        self._profiles: dict[Any, Any] = {}

    @property
    def n_rows(self) -> int:
        return len(self.items) * len(self.grid.points) * self.repeats

    @property
    def axes(self) -> tuple[str, ...]:
        return self.grid.axes

    def labels(self, point: int) -> dict[str, Any]:
        """Give a point as frames name it: a value or a name for each axis."""
        settings = self.grid.points[point]
        return {axis: label_of(settings.get(axis)) for axis in self.grid.axes}

    def rows(self) -> list[Row]:
        """Give all rows of the plan, in their order. Nothing is sent or started."""
        if not self._is_known:
            for _ in self.cells():
                pass
        return self._rows

    def cells(
        self, *, say: Say = None, is_wanted: Callable[[str], bool] = lambda _: True
    ) -> Iterator[Cell]:
        """Give the cells that have a row that is wanted, by its id, in the order of the plan.

        With `say` servers are started and keys asked for where need be. Raise CheckError.
        """
        known = self._rows if self._is_known else None
        kept, self._kept = self._kept, []
        keeps = known is None and self._is_ready
        n_characters = 0
        rows: list[Row] = []
        twins: dict[bytes, int] = {}
        alike: dict[tuple[int, int], Prepared] = {}
        profiles: dict[Any, Any] = {}
        for number in range(len(self.items)):
            item: Item | None = None
            for at, point in enumerate(self.grid.points):
                place = number * len(self.grid.points) + at
                if known is not None:
                    here = known[place * self.repeats : (place + 1) * self.repeats]
                    if not any(is_wanted(row.id) for row in here):
                        continue
                if known is not None and place < len(kept):
                    yield kept[place]
                    continue
                item = self.items[number] if item is None else item
                drafts = self._drafts(item, point, profiles)
                cell = self._cell(number, at, drafts, twins, alike, say, known)
                rows.extend(cell.rows)
                n_characters += _n_characters(cell)
                if keeps and len(rows) <= _MOST_KEPT and n_characters <= _MOST_CHARACTERS:
                    kept.append(cell)
                if any(is_wanted(row.id) for row in cell.rows):
                    yield cell
        if known is None:
            self._rows, self._is_known = rows, True
            self._kept = kept

    def cell_of(self, row: Row) -> Prepared:
        """Give the request of a row again."""
        drafts = self._drafts(self.items[row.item], self.grid.points[row.point], {})
        return self._prepared(drafts[row.sample if len(drafts) > 1 else 0], None)

    def variables(self, row: Row) -> dict[str, Any]:
        """Give what the templates of a row could name: its item, and its point's values."""
        return {**self.items[row.item], **self.grid.points[row.point]}

    def _cell(
        self,
        number: int,
        at: int,
        drafts: list[Draft],
        twins: dict[bytes, int],
        alike: dict[tuple[int, int], Prepared],
        say: Say,
        known: list[Row] | None,
    ) -> Cell:
        try:
            prepared = tuple(
                self._prepared_like(alike, (at, place), draft, say)
                for place, draft in enumerate(drafts)
            )
        except CheckError as error:
            if self.n_rows > 1:
                error.add_note(f"It is row {number} of the data, point {at} of the grid.")
            raise
        whole = prepared if len(prepared) > 1 else prepared * self.repeats
        if known is not None:
            start = (number * len(self.grid.points) + at) * self.repeats
            return Cell(tuple(known[start : start + self.repeats]), whole)
        digests = [request_digest(one.body, server_of(one.profile)) for one in prepared]
        twin = twins.get(digests[0][:16], 0)
        twins[digests[0][:16]] = twin + 1
        ids = [
            row_id(digests[sample if len(digests) > 1 else 0], sample, twin)
            for sample in range(self.repeats)
        ]
        rows = tuple(Row(row, number, at, sample) for sample, row in enumerate(ids))
        return Cell(rows, whole)

    def _prepared_like(
        self, alike: dict[tuple[int, int], Prepared], place: Any, draft: Draft, say: Say
    ) -> Prepared:
        """Prepare a draft; where it differs in its texts alone from the last one here, only them.

        `alike` has the last request of each place: a point of the grid, and a sample.
        """
        last = alike.get(place)
        if last is not None and _differ_in_messages_alone(last.options, draft):
            return with_messages(last, draft.messages)
        prepared = alike[place] = self._prepared(draft, say)
        return prepared

    def _prepared(self, draft: Draft, say: Say) -> Prepared:
        prepared = prepare(draft, say=say)
        if (prepared.params.given().get("n") or 1) > 1:
            raise CheckError("sweep() asks for single replies: set repeats, not n.", field="n")
        return prepared

    def _drafts(self, item: Item, point: Point, profiles: dict[Any, Any]) -> list[Draft]:
        """Give the draft of a cell; one for each sample where each has a seed of its own.

        `profiles` keeps what was looked up, for cells that are made one after the other.
        """
        variables = {**item, **point}
        prompt = self.prompts.named(point.get(AXIS))
        changes: dict[str, Any] = {}
        for axis, kind in self._kinds.items():
            if axis not in point:
                continue
            if kind == "field":
                changes["fields"] = {**changes.get("fields", self.base.fields), axis: point[axis]}
            elif kind == "extra":
                changes["extra"] = {**changes.get("extra", self.base.extra), axis: point[axis]}
            elif kind == "option":
                changes[axis] = point[axis]
        for name in _FILLED_OPTIONS:
            value = changes.get(name, getattr(self.base, name))
            if value is not None:
                changes[name] = _filled_option(value, variables)
        changes["profile"] = self._profile(changes.get("profile", self.base.profile), profiles)
        messages = messages_of(prompt, variables)
        draft = msgspec.structs.replace(self.base, messages=messages, **changes)
        seed = draft.fields.get("seed")
        if self.repeats == 1 or not is_whole_number(seed) or "seed" in self._kinds:
            return [draft]
        first = int(seed)  # type: ignore[arg-type]
        # one seed for all samples would draw the same sample again and again
        return [
            msgspec.structs.replace(draft, fields={**draft.fields, "seed": first + sample})
            for sample in range(self.repeats)
        ]

    def _profile(self, named: Any, lately: dict[Any, Any]) -> Any:
        """Give a profile that is looked up once; the embedded model's address can change."""
        if isinstance(named, Profile):
            return named
        try:
            if named in self._profiles:
                return self._profiles[named]
            if named not in lately:
                target = resolved(named, None)
                lately[named] = target if target.name != LOCAL else named
            return lately[named]
        except TypeError:  # what is no name, and is refused
            return resolved(named, None)

    def make_ready(self, say: Callable[[str], None]) -> None:
        """Start servers and ask for keys, here and now, where a question can be answered."""
        self._is_ready, self._kept = True, []
        for profile in self._named_profiles():
            target = resolved(profile, say)
            if target.name != LOCAL and not isinstance(profile, Profile):
                self._profiles[profile] = target

    def profiles(self) -> list[Profile]:
        """Give the servers that rows are asked at. Starts nothing, asks for nothing."""
        return [resolved(self._profile(named, {}), None) for named in self._named_profiles()]

    def _named_profiles(self) -> list[Any]:
        profiles = [self.base.profile]
        if "profile" in self._kinds:
            profiles = [point.get("profile") for point in self.grid.points]
        named: list[Any] = []
        for profile in profiles:
            if profile not in named:
                named.append(profile)
        return named

    def _kind(self, axis: str) -> str:
        if axis == AXIS and self.prompts.names is not None:
            return "prompt"
        if axis in self.items.columns:
            raise CheckError(
                f"{axis} is both a column of the data and an axis of the grid: name one of them "
                "otherwise.",
                field=f"grid.{axis}",
            )
        if axis in FIELDS() and axis != "messages":
            return "field"
        if axis in OPTIONS() and axis not in _NO_AXIS:
            return "option"
        if axis in self.base.extra:
            return "extra"
        texts = [*self.prompts.texts, *(t for t in (self.base.system,) if isinstance(t, str))]
        named = re.compile(rf"\{{[\{{%][^}}]*\b{re.escape(axis)}\b")
        if self.prompts.has_function or any(named.search(text) for text in texts):
            return "variable"
        known = [*FIELDS(), *OPTIONS()]
        near = nearest(axis, known)
        raise UnknownFieldError(
            f"grid: {axis} is no field of a request, and no prompt has {{{{ {axis} }}}}."
            f"{did_you_mean(near)}",
            field=f"grid.{axis}",
            value=axis,
            nearest=near,
        )


#: what a draft has beside its messages, its fields and what goes through extra
_options = attrgetter(*Options.__struct_fields__)


def _differ_in_messages_alone(one: Options, other: Draft) -> bool:
    """Tell whether two drafts without attachments are alike but for their messages."""
    return (
        isinstance(one, Draft)
        and not has_attachments(one)
        and _are_same(_options(one), _options(other))
        and _have_same(one.fields, other.fields)
        and _have_same(one.extra, other.extra)
    )


def _have_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one is other or (list(one) == list(other) and _are_same(one.values(), other.values()))


def _are_same(ones: Collection[Any], others: Collection[Any]) -> bool:
    return all(map(is_, ones, others)) or all(map(_is_same, ones, others))


def _is_same(one: Any, other: Any) -> bool:
    # what may change in place, or has a comparison of its own, is the same only where it is one
    return one is other or (type(one) is type(other) and type(one) in _SIMPLE and one == other)


_SIMPLE = {str, int, float, bool}


def _n_characters(cell: Cell) -> int:
    """Count the characters of a cell's messages; where there is more than text, very many."""
    n = 0
    for prepared in {id(one): one for one in cell.prepared}.values():
        for message in prepared.messages:
            content = message.get("content")
            n += len(content) if isinstance(content, str) else _MOST_CHARACTERS
    return n


def _prompts_and_items(prompt: Any, data: Any) -> tuple[Prompts, Items]:
    """Give the prompts and the items. Without data several prompts are the items themselves."""
    if prompt is None:
        raise CheckError("sweep() needs a prompt.", field="prompt")
    prompts = read_prompts(prompt)
    if data is not None or prompts.names is None or any(map(callable, prompts.prompts)):
        return prompts, read_items(data)
    rows = [{AXIS: name} for name in prompts.names]
    by_name = dict(zip(prompts.names, prompts.prompts, strict=True))
    return Prompts((lambda row: _literal(by_name[row[AXIS]]),)), Items(rows)


def _literal(prompt: Any) -> Any:
    return messages_of(prompt, {})


def _with_prompts(grid: Grid, prompts: Prompts) -> Grid:
    if prompts.names is None:
        return grid
    if AXIS in grid.axes:
        raise CheckError("Several prompts are the axis prompt: it cannot be in grid, too.",
                         field="grid.prompt")  # fmt: skip
    points = tuple({AXIS: name, **point} for name in prompts.names for point in grid.points)
    return Grid((AXIS, *grid.axes), points)


def _base(fields: Mapping[str, Any]) -> Draft:
    """Give the draft of what all rows share."""
    draft = draft_of_arguments([], None, fields, by="sweep")
    if draft.thread is not None:
        raise CheckError("sweep() takes no thread: give message lists as prompts.", field="thread")
    # whole answers cost a server and a client less than streamed ones; who wants a stream says so
    return msgspec.structs.replace(draft, fields={"stream": False, **draft.fields}, max_retries=0)


def _filled_option(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return filled(value, variables)
    if isinstance(value, (list, tuple)):
        return [_filled_option(entry, variables) for entry in value]
    return value
