"""The needs of a check: fixtures, verbs and directions, read from its code.

The suite can say before a run which bound check a profile has no verb for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import CodeType, FunctionType
from typing import Any, Literal, TypeVar, get_type_hints

from .verbs import Timing

_F = TypeVar("_F", bound=Callable[..., Any])

# the fixtures that are loops in the verbs of a profile
LOOPS = ("loop", "real_loop")

# the direction of a watch, as a need
_WRITING = "w"

# Lists and callbacks of checks have a method of this name too.
_AMBIGUOUS = "clear"


def spares(*needs: Literal["set_interval", "w"]) -> Callable[[_F], _F]:
    """The check leaves out what is about *needs* where the verbs of a profile lack them."""

    def mark(check: _F) -> _F:
        check.spares = needs  # type: ignore[attr-defined]  # functions take any attribute
        return check

    return mark


def also_needs(*needs: Literal["w"]) -> Callable[[_F], _F]:
    """The check needs what its code does not show: it watches for writing too."""

    def mark(check: _F) -> _F:
        check.also_needs = needs  # type: ignore[attr-defined]  # functions take any attribute
        return check

    return mark


@dataclass(frozen=True, slots=True)
class Needs:
    """The needs of one check, each in the order of the alphabet."""

    fixtures: tuple[str, ...]
    # verbs, values of verbs, and "w" if it watches for writing
    verbs: tuple[str, ...]


def needs_of(check: Callable[..., Any]) -> Needs:
    """The fixtures that *check* asks for, and the verbs that it or its helpers call."""
    given = {name for mark in _parametrizations(check) for name in _names_of(mark.args[0])}
    fixtures = [name for name in inspect.signature(check).parameters if name not in given]
    if not set(LOOPS) & set(fixtures):
        return Needs(tuple(sorted(fixtures)), ())
    codes = _reached(check)
    verbs = {name for code in codes for name in code.co_names} & _members(check, fixtures)
    verbs |= set(getattr(check, "also_needs", ()))
    if "watch" in verbs:
        verbs.add("directions")  # a test is tried for those that the document has
    if any("watch" in code.co_names and _WRITING in _words(code) for code in codes):
        verbs.add(_WRITING)
    spared = set(getattr(check, "spares", ()))
    if "set_interval" in spared or "set_interval" not in verbs:
        spared |= {"set_interval", "intervals"}
    return Needs(tuple(sorted(fixtures)), tuple(sorted(verbs - spared)))


def _members(check: Callable[..., Any], fixtures: list[str]) -> set[str]:
    """The verbs that the class has which the check says its loop to be."""
    try:
        hints = get_type_hints(check)
    except Exception:  # a check of a profile of the user's may have any annotation
        hints = {}
    classes = [
        hints[name] for name in LOOPS if name in fixtures and isinstance(hints.get(name), type)
    ]
    members: set[str] = set()
    for kind in classes or [Timing]:
        for base in kind.__mro__:
            if base.__module__ == Timing.__module__:
                members |= {*vars(base), *getattr(base, "__annotations__", {})}
    return {name for name in members if name[0] != "_"} - (set() if classes else {_AMBIGUOUS})


def _reached(check: Callable[..., Any]) -> list[CodeType]:
    """The code of *check*, and of all functions of its package that it may call."""
    todo: list[object] = [check, *(mark.args[1] for mark in _parametrizations(check))]
    seen: set[int] = set()
    found: list[CodeType] = []
    names: set[str] = set()
    classes: list[type] = []
    while todo:
        each = todo.pop()
        if isinstance(each, (list, tuple, set, frozenset)):
            todo.extend(each)
        elif isinstance(each, dict):
            todo.extend(each.values())
        elif isinstance(each, partial):
            todo += [each.func, *each.args]
        elif isinstance(each, type):
            classes.append(each)
        elif isinstance(each, FunctionType) and id(each) not in seen and _is_near(each, check):
            seen.add(id(each))
            for code in _nested(each.__code__):
                found.append(code)
                names.update(code.co_names)
                todo += [each.__globals__.get(name) for name in code.co_names]
        todo += [
            method
            for kind in classes
            if _is_near(kind, check)
            for name, method in vars(kind).items()
            if (name in names or name == "__init__")
            and id(method) not in seen
            and isinstance(method, FunctionType)
        ]
    return found


def _is_near(part: Any, check: Callable[..., Any]) -> bool:
    """Whether *part* is a helper of checks, and no verb itself."""
    module = str(getattr(part, "__module__", ""))
    package = __name__.rpartition(".")[0]
    return module != Timing.__module__ and (
        module == check.__module__ or module.startswith(f"{package}.")
    )


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _words(code: CodeType) -> set[object]:
    """The constants of *code*, and the members of those that are tuples."""
    tuples = [each for each in code.co_consts if isinstance(each, tuple)]
    return {*code.co_consts, *(member for each in tuples for member in each)}


def _parametrizations(check: Callable[..., Any]) -> list[Any]:
    marks = getattr(check, "pytestmark", ())
    return [mark for mark in marks if mark.name == "parametrize"]


def _names_of(argnames: str | list[str] | tuple[str, ...]) -> list[str]:
    """The arguments that a parametrization gives, as pytest reads them."""
    if isinstance(argnames, str):
        return [name.strip() for name in argnames.split(",")]
    return list(argnames)
