"""What a template may call: methods that give something back and change nothing.

A name is allowed for a type, and for the type's own method alone: what a subclass, or an object
that only has the name, does is not known.
"""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import inspect
import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any

_TEXT = """capitalize casefold center count encode endswith expandtabs find format format_map index
isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace
istitle isupper join ljust lower lstrip partition removeprefix removesuffix replace rfind rindex
rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title translate upper
zfill"""
_NUMBER = "as_integer_ratio bit_count bit_length conjugate hex is_integer"
_SEQUENCE = "count index"
_SET = "difference intersection isdisjoint issubset issuperset symmetric_difference union"
_TIME = """astimezone ctime date isocalendar isoformat isoweekday replace strftime time timestamp
timetuple toordinal total_seconds tzname utcoffset weekday"""

_BUILTINS: Mapping[type, frozenset[str]] = {
    str: frozenset(_TEXT.split()),
    bytes: frozenset([*_TEXT.split(), "decode", "hex"]) - {"encode", "format", "format_map"},
    **dict.fromkeys((int, float, complex), frozenset(_NUMBER.split())),
    **dict.fromkeys((list, tuple, range), frozenset(_SEQUENCE.split())),
    **dict.fromkeys((set, frozenset), frozenset(_SET.split())),
    dict: frozenset(["get", "items", "keys", "values"]),
    types.MappingProxyType: frozenset(["get", "items", "keys", "values"]),
    decimal.Decimal: frozenset(["quantize", "normalize", "is_nan", "to_integral_value"]),
    fractions.Fraction: frozenset(["limit_denominator"]),
    **dict.fromkeys(
        (dt.date, dt.datetime, dt.time, dt.timedelta),
        frozenset(_TIME.split()),
    ),
}

_FACTS = """abs all any clip corr count cov cummax cummin cumsum describe diff equals head idxmax
idxmin isin isna isnull kurt max mean median min mode notna notnull nunique pct_change prod
quantile rank round sample sem shift skew std sum tail to_dict to_list tolist unique value_counts
var"""
_SHAPES = """add_prefix add_suffix astype between cumprod drop drop_duplicates dropna duplicated
explode ffill bfill fillna filter first_valid_index get groupby items itertuples join keys
last_valid_index melt merge nlargest nsmallest pivot pivot_table reindex rename_axis
reset_index select_dtypes set_index sort_index sort_values squeeze stack take to_frame transpose
truncate unstack where mask xs"""
_AS_TEXT = "to_csv to_html to_json to_latex to_string"
_GROUPS = """count cumcount cumsum describe first head last max mean median min ngroup nth nunique
prod quantile rank size std sum tail value_counts var"""
_STRINGS = """capitalize casefold cat center contains count endswith extract find findall fullmatch
get join len ljust lower lstrip match pad removeprefix removesuffix replace rfind rjust rstrip
slice split startswith strip swapcase title upper zfill"""
_TIMES = (
    "ceil day_name floor isocalendar month_name normalize round strftime total_seconds tz_convert"
)
_ARRAY = """all any argmax argmin argsort astype clip conj cumprod cumsum diagonal dot flatten item
max mean min nonzero prod ravel repeat reshape round std squeeze sum swapaxes take tolist trace
transpose var"""

# of classes of libraries that may not be there: module, class -> names
_OF_LIBRARIES: Mapping[tuple[str, str], frozenset[str]] = {
    ("pandas", "DataFrame"): frozenset(f"{_FACTS} {_SHAPES} {_AS_TEXT}".split()),
    ("pandas", "Series"): frozenset(f"{_FACTS} {_SHAPES} {_AS_TEXT}".split()) - {"to_html"},
    ("pandas", "Index"): frozenset(f"{_FACTS} sort_values".split()),
    ("pandas", "Timestamp"): frozenset([*_TIME.split(), "day_name", "month_name", "normalize"]),
    ("pandas", "Timedelta"): frozenset(["isoformat", "total_seconds"]),
    ("pandas", "Period"): frozenset(["strftime", "to_timestamp"]),
    ("pandas.core.groupby.generic", "DataFrameGroupBy"): frozenset(_GROUPS.split()),
    ("pandas.core.groupby.generic", "SeriesGroupBy"): frozenset(_GROUPS.split()),
    ("pandas.core.strings.accessor", "StringMethods"): frozenset(_STRINGS.split()),
    ("pandas.core.indexes.accessors", "Properties"): frozenset(_TIMES.split()),
    ("numpy", "ndarray"): frozenset(_ARRAY.split()),
    ("numpy", "generic"): frozenset(f"{_ARRAY} {_NUMBER}".split()),
}
#: what a library's method may be given by position: none of these writes to a place then
_WRITERS = frozenset(_AS_TEXT.split())
_WRITER_OPTIONS = """columns date_format decimal double_precision escape float_format header index
indent index_names justify lines max_rows min_rows na_rep orient quoting sep"""
_OF_WRITERS = frozenset(_WRITER_OPTIONS.split())
#: arguments through which a method would change or call something
_CHANGING = frozenset({"inplace", "out", "into", "key", "aggfunc", "formatters", "func", "buf"})


def refusal(function: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> str | None:
    """Say why a template must not make this call; None where it may."""
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if not isinstance(function, types.BuiltinMethodType | types.MethodType) or not name:
        return f"{_described(function)} is a function or class, and templates call methods alone"
    types_ = [(cls, names) for cls, names in _BUILTINS.items() if isinstance(owner, cls)]
    if any(name in names and _is_own(function, owner, cls, name) for cls, names in types_):
        return None
    for cls, names in _library_types():
        if isinstance(owner, cls) and name in names and _is_own(function, owner, cls, name):
            return _refused_arguments(name, arguments, named)
    return f"{name} of a {type(owner).__name__} is none of the methods that templates call"


def _library_types() -> Iterable[tuple[type, frozenset[str]]]:
    for (module, name), names in _OF_LIBRARIES.items():
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type):
            yield kind, names


def _is_own(function: Any, owner: Any, cls: type, name: str) -> bool:
    """Tell whether a method is that of the type itself, and of no subclass."""
    if isinstance(function, types.MethodType):
        for each in type(owner).__mro__:
            if name in vars(each):
                is_library = each.__module__.partition(".")[0] in ("pandas", "numpy")
                return is_library and function.__func__ is inspect.getattr_static(each, name)
        return False
    # of C: a subclass has the very same, unless it is another one of C
    return any(name in vars(each) for each in cls.__mro__) and not isinstance(owner, type)


def _refused_arguments(
    name: str, arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> str | None:
    if name in _WRITERS and (arguments or named.keys() - _OF_WRITERS):
        return f"{name} would write to a file: {{{{ … | all_rows }}}} gives a table as text"
    changing = sorted(named.keys() & _CHANGING)
    if any(named[each] is not False for each in changing):
        return f"{changing[0]}=… of {name} changes or calls something"
    values = [*arguments, *named.values()]
    odd = next((value for value in values if not is_plain(value)), None)
    return (
        None if odd is None else f"{name} is given {_described(odd)}, and takes plain values alone"
    )


def is_plain(value: Any, depth: int = 0) -> bool:
    """Tell whether a value holds nothing that could be called."""
    if value is None or isinstance(value, str | bytes | int | float | complex | slice):
        return True
    if depth < 5 and isinstance(value, list | tuple | set | frozenset | range):
        return all(is_plain(each, depth + 1) for each in value)
    if depth < 5 and isinstance(value, dict):
        return all(is_plain(k, depth + 1) and is_plain(v, depth + 1) for k, v in value.items())
    return not callable(value)


def _described(value: Any) -> str:
    return str(getattr(value, "__name__", f"a {type(value).__name__}"))
