"""The words frame: one row for each word of a reply."""

from __future__ import annotations

from math import log, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from nbchat.frames.alternatives_lists import lists_of
from nbchat.frames.assembly import assemble_rows
from nbchat.frames.decoded_text import texts_of
from nbchat.frames.source import runs_of, warn_of_missing_logprobs
from nbchat.frames.token_arrays import positions_of
from nbchat.frames.token_texts import Words
from nbchat.frames.word_breaks import words_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from nbchat.frames.alternatives_lists import Lists
    from nbchat.frames.decoded_text import Texts
    from nbchat.frames.source import Source
    from nbchat.frames.token_arrays import Positions
    from nbchat.frames.word_breaks import WordRule


def words(source: Source, by: WordRule = "space") -> pd.DataFrame:
    """Give one row for each word of each choice, with the surprisal of its tokens.

    `source` is a run, an iterable of runs or anything with `.runs`; of each choice the content
    is taken, or the refusal where there is no content. `nbchat.frames.columns` declares the
    columns. Words are cut at white space (`by="space"`, as in reading-time studies) or by
    Unicode's rules (`by="unicode"`, marks of punctuation on their own); the blanks before a
    word are its own, and blanks at the end of a text are of no word.

    A token is of the word in which its first character that is no blank stands, or, where it
    has none, of the word that comes. `logprob` is the sum over the word's tokens. Where one of
    them reaches into another word `spans_border` is true of both: the figure is that of more or
    less than the word. `is_bound`: a token has no log probability (censored, or a character of
    several tokens in one row), and the surprisal is a lower bound.

    A tokenizer that writes the blank into the next token does not say that a word has ended:
    `surprisal_bits` is that of a word or any longer one. `surprisal_bits_corrected` is the word's
    own: -log2 of p(tokens) · P(blank or end | text and word) / P(blank or end | text), with a 1
    below where no text stands before. It needs the whole rows (`top_logprobs="all"`) at the word
    and after it, words cut at white space, and no token over a border; else it is NA. Sources:
    Pimentel and Meister, arXiv 2406.14561; Oh and Schuler, arXiv 2406.10851.

    Raise TypeError where `source` has no runs to give, ValueError for another `by`.
    """
    runs = runs_of(source)
    warn_of_missing_logprobs(runs)
    words_in("", by)
    positions = positions_of(runs)
    vocabulary = Words(positions.codes, positions.alternative_codes)
    texts = texts_of(positions, vocabulary)
    begins = _beginnings(positions, vocabulary) if by == "space" else np.full(len(positions), nan)
    rows: list[dict[str, Any]] = []
    seen: set[tuple[int, int]] = set()
    for table, owner in enumerate(positions.owners):
        key = (owner.run, owner.choice.index)
        if key in seen or not positions.lengths[table]:
            continue
        seen.add(key)
        stretch = slice(int(positions.borders[table]), int(positions.borders[table + 1]))
        keys = {"run_id": runs[owner.run].id, "choice": owner.choice.index}
        data = _bytes(positions, vocabulary, texts, stretch)
        in_choice = _Words(data, positions.logprobs[stretch], texts, stretch, begins[stretch])
        rows += [keys | row for row in in_choice.rows(by)]
    return assemble_rows("words", rows)


def _bytes(positions: Positions, vocabulary: Words, texts: Texts, stretch: slice) -> list[bytes]:
    places = vocabulary.places(positions.codes[stretch]).tolist()
    return [
        b"" if special else vocabulary.data[place]
        for place, special in zip(places, texts.is_special[stretch], strict=True)
    ]


def _beginnings(positions: Positions, vocabulary: Words) -> NDArray[np.float64]:
    """Give ln of the mass of tokens that begin with a blank or end the text; NaN of part rows."""
    lists: Lists = lists_of(positions, vocabulary)
    sizes = [positions.runs[owner.run].vocab_size for owner in positions.owners]
    size = np.repeat([np.inf if n is None else n for n in sizes], positions.lengths)
    logprobs = np.full(len(positions), nan)
    whole = np.flatnonzero(np.diff(lists.offsets) >= size)
    if not len(whole):
        return logprobs
    starts = np.array(
        [data.decode("utf-8", "ignore")[:1].isspace() for data in vocabulary.data], dtype=bool
    )
    starts |= vocabulary.look_special | np.array([not data for data in vocabulary.data], dtype=bool)
    for i in whole.tolist():
        rows = slice(lists.offsets[i], lists.offsets[i + 1])
        probs = np.exp(lists.logprobs[rows])
        with np.errstate(divide="ignore"):
            # the row's own mass: what it is off by is no part of a ratio
            logprobs[i] = np.log(np.nansum(probs[starts[lists.places[rows]]]) / np.nansum(probs))
    return logprobs


class _Words:
    """The words of one text, and the tokens that write them."""

    def __init__(
        self,
        data: list[bytes],
        logprobs: NDArray[np.float64],
        texts: Texts,
        stretch: slice,
        begins: NDArray[np.float64],
    ):
        self._text = b"".join(data)
        self._logprobs = logprobs
        self._begins = begins
        self._ends = texts.byte_end[stretch]
        self._starts = self._ends - texts.n_bytes[stretch]
        self._data = data

    def rows(self, by: WordRule) -> Iterator[dict[str, Any]]:
        text = self._text.decode("utf-8", "surrogateescape")
        borders = np.cumsum([0, *(len(c.encode("utf-8", "surrogateescape")) for c in text)])
        spans = [(int(borders[a]), int(borders[b])) for a, b in words_in(text, by)]
        owners = self._owners([end for _, end in spans])
        for number, (start, end) in enumerate(spans):
            at = np.flatnonzero(owners == number)
            written = (self._starts < end) & (self._ends > start)
            spans_border = bool(
                ((self._starts[written] < start) | (self._ends[written] > end)).any()
            )
            logprobs = self._logprobs[at]
            known = logprobs[~np.isnan(logprobs)]
            logprob = float(known.sum()) if len(known) else nan
            is_bound = len(known) < len(logprobs)
            shown = self._text[start:end].decode("utf-8", "surrogateescape").lstrip()
            n_bytes = len(shown.encode("utf-8", "surrogateescape"))
            yield {
                "word": number,
                "text": self._text[end - n_bytes : end].decode("utf-8", "replace"),
                "byte_start": end - n_bytes,
                "byte_end": end,
                "n_tokens": len(at),
                "logprob": logprob,
                "surprisal_bits": (0.0 - logprob) / log(2),
                "surprisal_bits_corrected": nan
                if is_bound or spans_border or not len(at)
                else self._corrected(at, logprob),
                "spans_border": spans_border,
                "is_bound": is_bound,
            }

    def _owners(self, ends: list[int]) -> NDArray[np.int64]:
        """Give the word of each token; one more than there are for those of none."""
        first = np.array(
            [
                start + len(data) - len(data.lstrip()) if data.strip() else end
                for start, end, data in zip(self._starts, self._ends, self._data, strict=True)
            ],
            dtype=np.int64,
        )
        owners = np.searchsorted(np.array(ends), first, side="right")
        owners[self._ends == self._starts] = len(ends)
        return owners

    def _corrected(self, at: NDArray[np.int64], logprob: float) -> float:
        first, after = int(at[0]), int(at[-1]) + 1
        if after == len(self._begins):
            return nan  # the end has no row
        is_first = not self._text[: self._starts[first]].strip()
        before = 0.0 if is_first else float(self._begins[first])
        return (0.0 - logprob - float(self._begins[after]) + before) / log(2)
