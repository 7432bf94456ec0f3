"""The sandbox of prompts: a template reads, formats and counts; it changes and starts nothing.

It calls what `allowed_calls` lists and Jinja's own, reads attributes without an underscore that
are values, takes nothing from iterators that are not its own, and builds nothing without end.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any

from jinja2 import StrictUndefined, Undefined, nodes, runtime
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import Cycler, Joiner

from nbchat.code.allowed_calls import is_plain, refusal
from nbchat.code.template_bounds import (
    MOST_CHARACTERS,
    MOST_TURNS,
    MOST_WIDTH,
    check_filter,
    check_method,
    check_product,
    check_size,
    check_widths,
)
from nbchat.code.template_marks import COUNTED, JOINED, SHOWN, marked

# a brace and a hash are text in prompts, Markdown and code: comments begin with what nobody types
_COMMENT = ("\x00nbchat{#", "#}nbchat\x00")

_HIDDEN = (
    types.ModuleType,
    type,
    types.FunctionType,
    types.CodeType,
    types.FrameType,
    types.TracebackType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
)
_OWN_CALLS = (runtime.Macro, runtime.LoopContext, runtime.BlockReference, Cycler, Joiner)
_OWN_METHODS: Mapping[type, frozenset[str]] = {
    runtime.LoopContext: frozenset({"cycle", "changed"}),
    Cycler: frozenset({"next", "reset"}),
}
#: filters that give an iterator of their own; from others it comes out of the notebook
_LAZY = frozenset(
    {"batch", "map", "reject", "rejectattr", "reverse", "select", "selectattr", "slice", "unique"}
)
_UNWANTED = ("lipsum",)


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment for one template. `shown` gives the text of a value that stands in braces."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, shown: Callable[[Any, str], Any]):
        start, end = _COMMENT
        super().__init__(
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            autoescape=False,
            comment_start_string=start,
            comment_end_string=end,
            cache_size=0,
        )
        self._shown = shown
        self._turns = 0
        self._made: list[Any] = []
        self.context_class = _Context
        for name in _UNWANTED:
            del self.globals[name]
        self.filters = {
            name: self._watched(name, filter_) for name, filter_ in self.filters.items()
        }
        self.filters |= {
            "attr": self.getattr,
            "string": lambda value: str(self._text_of(value, "a value")),
            COUNTED: self._counted,
            SHOWN: self._text_of,
            JOINED: self._joined,
        }

    def written(self, text: str, variables: Mapping[str, Any]) -> str:
        """Give the filled text. Raise SecurityError for what a template may not do."""
        pieces, size = [], 0
        for piece in self.from_string(text).generate(variables):
            size += len(piece)
            if size > MOST_CHARACTERS:
                raise SecurityError(f"it makes more than {MOST_CHARACTERS:,} characters")
            pieces.append(piece)
        return "".join(pieces)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return marked(super()._parse(source, name, filename))

    # what is read

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """Refuse at once: a value that fails later may be kept, compared and counted before."""
        raise SecurityError(f"{attribute} of a {type(obj).__name__} is nothing for templates")

    def taken(self, value: Any, name: str) -> Any:
        """Give a value that a template may have; iterators would be used up, modules run."""
        if isinstance(value, types.ModuleType):
            raise SecurityError(f"{name} is a module, and templates read values alone")
        if isinstance(value, Iterator) and not any(value is made for made in self._made):
            raise SecurityError(
                f"{name} is a {type(value).__name__}, which reading would use up: list(…) it first"
            )
        return value

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Read an attribute, else an entry."""
        if attribute.startswith("_"):
            return self.unsafe_undefined(obj, attribute)
        if not isinstance(obj, _HIDDEN):
            try:
                value = getattr(obj, attribute)
            except AttributeError:
                pass
            else:
                return self._attribute(obj, attribute, value)
        elif hasattr(obj, attribute):
            return self.unsafe_undefined(obj, attribute)
        return self._entry(obj, attribute, lambda: self.undefined(obj=obj, name=attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Read an entry, else an attribute."""
        if not is_plain(argument):
            raise SecurityError("a template looks up by plain values alone")
        return self._entry(obj, argument, lambda: self._fallback(obj, argument))

    def _fallback(self, obj: Any, argument: Any) -> Any:
        if not isinstance(argument, str) or isinstance(obj, dict):
            return self.undefined(obj=obj, name=argument)
        if argument.startswith("_") or isinstance(obj, _HIDDEN):
            return self.unsafe_undefined(obj, argument)
        try:
            value = getattr(obj, argument)
        except AttributeError:
            return self.undefined(obj=obj, name=argument)
        return self._attribute(obj, argument, value)

    def _entry(self, obj: Any, argument: Any, otherwise: Callable[[], Any]) -> Any:
        if isinstance(obj, type | types.ModuleType):
            return self.unsafe_undefined(obj, str(argument))
        try:
            entry = obj[argument]
        except (TypeError, LookupError, AttributeError):
            return otherwise()
        return self.taken(entry, str(argument))

    def _attribute(self, obj: Any, name: str, value: Any) -> Any:
        if isinstance(value, Undefined):
            return value
        wrapped = self.wrap_str_format(value)
        if wrapped is not None:
            return wrapped
        if not self.is_safe_attribute(obj, name, value) or isinstance(value, _HIDDEN):
            return self.unsafe_undefined(obj, name)
        return self.taken(value, name)

    # what is called

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063 - as Jinja has it
        """Call what is allowed; of methods of texts, what they make has an end."""
        if isinstance(__obj, runtime.Undefined):
            return __obj()  # says what is undefined
        if not __self._is_own(__obj):
            reason = refusal(__obj, args, kwargs)
            if reason is not None:
                raise SecurityError(f"{reason}. Compute it in a cell first, and name its value")
            check_method(__obj, args)
        result = __context.call(__obj, *args, **kwargs)
        if isinstance(getattr(__obj, "__self__", None), Mapping):
            result = __self.taken(result, __obj.__name__)  # what it gives was there before
        return __self._kept(result)

    def _is_own(self, function: Any) -> bool:
        if isinstance(function, _OWN_CALLS) or getattr(function, "is_sandboxed", False) is True:
            return isinstance(function, (*_OWN_CALLS, types.FunctionType))
        if any(function is each for each in self.globals.values()):
            return True
        owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
        return any(isinstance(owner, cls) and name in ns for cls, ns in _OWN_METHODS.items())

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Give `str.format` with this sandbox's rules in the place of Python's."""
        is_method = isinstance(value, types.BuiltinMethodType)
        if not is_method or value.__name__ not in ("format", "format_map"):
            return None
        text = value.__self__
        if not isinstance(text, str):
            return None

        def formatted(*args: Any, **kwargs: Any) -> str:
            if value.__name__ == "format_map":
                args, kwargs = (), dict(*args)
            return self._kept(_Formatter(self).vformat(str(text), args, kwargs))  # type: ignore[no-any-return]

        formatted.is_sandboxed = True  # type: ignore[attr-defined]
        return formatted

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Do the sums that could have no end."""
        if operator == "*":
            check_product(left, right)
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            if left.bit_length() * abs(right) > 100_000:
                raise SecurityError("the power is too large")
        elif operator == "%" and isinstance(left, str | bytes):
            check_widths(str(left), right)
        elif operator == "+" and isinstance(left, str | list | tuple):
            check_size(left, right)
        return super().call_binop(context, operator, left, right)

    # filters

    def _watched(self, name: str, filter_: Callable[..., Any]) -> Callable[..., Any]:
        """Give a filter that takes no iterator of the notebook's, and whose own has an end."""

        @wraps(filter_)
        def watched(*args: Any, **kwargs: Any) -> Any:
            inputs = [*args, *kwargs.values()]
            # before the value there may be the context, which Jinja adds
            value = args[1] if args and hasattr(filter_, "jinja_pass_arg") else args[0]
            if hasattr(filter_, "jinja_pass_arg"):
                inputs = inputs[1:]
            for each in inputs:
                self.taken(each, "what is filtered")
            if name == "join" and not isinstance(value, str | Mapping | Undefined):
                value = list(self._counting(value))
                args = tuple(value if each is inputs[0] else each for each in args)
            check_filter(name, value, inputs[1:])
            result = filter_(*args, **kwargs)
            return self._kept(result) if name in _LAZY else self._kept(self.taken(result, name))

        return watched

    def _kept(self, value: Any) -> Any:
        if isinstance(value, Iterator):
            value = self._counting(value)
            self._made.append(value)
        elif isinstance(value, str | bytes | list | tuple):
            check_size(value)
        return value

    def _counted(self, values: Iterable[Any]) -> Iterator[Any]:
        if isinstance(values, Undefined):
            iter(values)  # says what is undefined
        return self._counting(self.taken(values, "what is looped over"))

    def _counting(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            self._turns += 1
            if self._turns > MOST_TURNS:
                raise SecurityError(f"the loops take more than {MOST_TURNS:,} turns")
            yield self.taken(value, "what is in it")

    def _text_of(self, value: Any, name: str) -> Any:
        return self._shown(self.taken(value, name), name)

    def _joined(self, values: list[Any], names: list[str]) -> str:
        texts = [str(self._text_of(v, n)) for v, n in zip(values, names, strict=True)]
        check_size(*texts)
        return "".join(texts)


class _Context(Context):
    def resolve_or_missing(self, key: str) -> Any:
        value = super().resolve_or_missing(key)
        is_made_here = key in self.environment.globals or key in self.vars
        taken: Callable[[Any, str], Any] = self.environment.taken  # type: ignore[attr-defined]
        return value if is_made_here else taken(value, key)


class _Formatter(SandboxedFormatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        if any(int(number) > MOST_WIDTH for number in re.findall(r"\d+", format_spec)):
            raise SecurityError("the format is too wide")
        return str(super().format_field(value, format_spec))
