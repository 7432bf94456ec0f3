"""What a page has been told of a run, and what is to be told next: deltas alone.

A reply is a list of blocks of HTML. Finished Markdown blocks go out once; of the open one only
what follows the part that has not changed, so that the bytes grow with the reply and not with
its square, one long code block included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.display.blocks import MarkdownBlocks
from nbchat.display.inline_reasoning import without_inline_reasoning
from nbchat.display.reasoning_and_sources import sources_html
from nbchat.display.reply import fenced, reply_markdown
from nbchat.display.sanitise import as_html, open_html
from nbchat.display.tool_calls import rounds_html
from nbchat.widgets.explorer.entries import blank_word

if TYPE_CHECKING:
    from nbchat.api.response import Choice, ResponseMessage
    from nbchat.widgets.explorer.entries import Entry

Record = dict[str, Any]


class LaneFeed:
    """The deltas of one entry. Not for several threads at once."""

    def __init__(self, entry: Entry, *, has_source: bool = False):
        self.entry = entry
        self._has_source = has_source
        self._choices: dict[int, _ChoiceFeed] = {}
        self._told: Record = {}
        self._is_whole = False

    def delta(self) -> Record | None:
        """Give what is new since the last time, None where nothing is."""
        entry = self.entry
        is_over = entry.is_over  # read before the text: what is over has all of it
        facts = self._facts()
        news = {name: value for name, value in facts.items() if self._told.get(name) != value}
        self._told = facts
        choices = [] if self._is_whole else [*self._new_choices(is_whole=is_over)]
        self._is_whole = is_over
        if not news and not choices:
            return None
        return {"id": entry.id, **news, **({"choices": choices} if choices else {})}

    def whole(self) -> Record:
        """Give all that was told so far, for a page that was not there."""
        choices = [choice.whole() for choice in self._choices.values()]
        return {"id": self.entry.id, **self._facts(), "choices": choices}

    def _facts(self) -> Record:
        entry = self.entry
        return {
            "label": entry.label,
            "number": entry.number,
            "state": entry.state,
            "line": entry.line,
            "error": entry.sentence if entry.is_over else "",
            "facts": entry.facts,
            "pinned": entry.is_pinned,
            "blank": entry.blank,
            "mark": entry.mark,
            "note": entry.note,
            "rounds": "" if entry.run is None else rounds_html(entry.run.rounds),
        }

    def _new_choices(self, *, is_whole: bool) -> list[Record]:
        run = self.entry.run
        completion = run.completion if run is not None else None
        if completion is None:
            return []
        records = []
        choices = without_inline_reasoning(completion.choices, is_growing=not is_whole)
        for choice in choices:
            feed = self._choices.get(choice.index)
            if feed is None:
                feed = self._choices[choice.index] = _ChoiceFeed(
                    choice.index, has_source=self._has_source
                )
            news = feed.take(
                choice,
                is_whole=is_whole,
                is_in_round=run is not None and run.ends_in_calls,
                is_one_of_several=len(choices) > 1,
            )
            if news:
                records.append({"index": choice.index, **news})
        return records


class _ChoiceFeed:
    def __init__(self, index: int, *, has_source: bool = False):
        self._index = index
        self._has_source = has_source
        self._source = ""
        self._markdown = ""
        self._blocks = MarkdownBlocks()
        self._n_finished = 0
        self._html: list[str] = []
        self._thought = ""
        self._ending = ""

    def take(
        self,
        choice: Choice,
        *,
        is_whole: bool,
        is_in_round: bool = False,
        is_one_of_several: bool = False,
    ) -> Record:
        news: Record = {}
        # the calls of a round stand above the reply, with what came of them
        markdown = (choice.message.content or "") if is_in_round else text_of(choice.message)
        if markdown != self._markdown or (is_whole and markdown):
            at, blocks = self._new_blocks(markdown, is_whole=is_whole)
            news = self._replaced(at, blocks)
        if is_whole and is_one_of_several and not markdown and not choice.message.audio:
            word = blank_word(choice.finish_reason)
            news |= {"at": 0, "keep": 0, "html": [f'<p class="nbx-none">{word}</p>']}
            self._html = news["html"]
        if is_whole and (sources := sources_html([choice])):
            block = f'<div class="nbx-sources">{sources}</div>'
            news.setdefault("at", len(self._html))
            news.setdefault("keep", 0)
            news["html"] = [*news.get("html", ()), block]
            self._html.append(block)
        if self._has_source and markdown != self._source:
            news["source"] = _change(self._source, markdown)
            self._source = markdown
        thought = choice.message.reasoning or ""
        if thought != self._thought:
            news["thought"] = _change(self._thought, thought)
            self._thought = thought
        ending = choice.finish_reason or ""
        if ending != self._ending:
            self._ending = news["ending"] = ending
        return news

    def whole(self) -> Record:
        thought = {"thought": {"keep": 0, "tail": self._thought}} if self._thought else {}
        ending = {"ending": self._ending} if self._ending else {}
        source = {"source": {"keep": 0, "tail": self._source}} if self._has_source else {}
        parts = {**thought, **ending, **source}
        return {"index": self._index, "at": 0, "keep": 0, "html": self._html, **parts}

    def _new_blocks(self, markdown: str, *, is_whole: bool) -> tuple[int, list[str]]:
        """Give where the blocks change, and those that stand there now."""
        if not markdown.startswith(self._markdown):
            self._blocks, self._markdown, self._n_finished = MarkdownBlocks(), "", 0
        finished = self._blocks.feed(markdown[len(self._markdown) :])
        self._markdown = markdown
        at = self._n_finished
        self._n_finished += len(finished)
        blocks = [*map(as_html, finished)]
        if self._blocks.open.strip():
            blocks.append((as_html if is_whole else open_html)(self._blocks.open))
        if is_whole:
            # lists and reference links can break across blocks: then the reply is one block
            whole = as_html(markdown)
            if _inner(whole) != "".join(map(_inner, [*self._html[:at], *blocks])):
                self._n_finished = 0
                return 0, [whole]
        return at, blocks

    def _replaced(self, at: int, blocks: list[str]) -> Record:
        before, self._html = self._html, [*self._html[:at], *blocks]
        if before == self._html:
            return {}
        if not blocks:  # what was open was only blank
            return {"at": at, "keep": 0, "html": []}
        keep = _n_same(before[at], blocks[0]) if at < len(before) else 0
        return {
            "at": at,
            "keep": _utf16(blocks[0][:keep]),
            "html": [blocks[0][keep:], *blocks[1:]],
        }


def text_of(message: ResponseMessage) -> str:
    """Give all that a message says as Markdown: text or refusal, then the calls it asks for."""
    if not (message.content or message.refusal):
        return reply_markdown(message)
    calls = [
        fenced(f"{body.get('name', '')}({body.get('arguments', body.get('input', ''))})")
        for call in message.tool_calls
        if (body := call.get("function") or call.get("custom") or {})
    ]
    return "\n\n".join([reply_markdown(message), *calls])


def _change(before: str, now: str) -> Record:
    """Give how many UTF-16 units of a text stay, and what follows them."""
    keep = _n_same(before, now)
    return {"keep": _utf16(now[:keep]), "tail": now[keep:]}


def _inner(html: str) -> str:
    return html.removeprefix("<div>").removesuffix("</div>")


def _n_same(before: str, now: str) -> int:
    """Count the characters with which both begin."""
    if now.startswith(before):
        return len(before)
    low, high = 0, min(len(before), len(now))
    while low < high:  # by halves: comparing slices is much faster than characters
        middle = (low + high + 1) // 2
        if before[:middle] == now[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _utf16(text: str) -> int:
    """Count a text as JavaScript does."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
