"""Callables that a program may hand in: methods, classes, objects that are false or equal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any


class _Slotted:
    """A callable without a dictionary and without weak references."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def method(self, *arguments: Any) -> Any:
        return self._call(*arguments)


class _False(_Slotted):
    """A callable that is false."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


class _Empty(_Slotted):
    """A callable that is an empty container."""

    __slots__ = ()

    def __len__(self) -> int:
        return 0


class _Equal(_Slotted):
    """A callable that is equal to everything."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


class _Unhashable(_Slotted):
    """A callable that is equal to everything and has no hash."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # so that a set or a mapping refuses it

    def __eq__(self, other: object) -> bool:
        return True


class _Unspeakable(_Slotted):
    """A callable that can neither be compared nor shown."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # so that a set or a mapping refuses it

    def __eq__(self, other: object) -> bool:
        raise ValueError("a callback was compared with something")

    def __repr__(self) -> str:
        raise ValueError("a callback was asked for its text")


def _class(call: Callable[..., Any]) -> type[Any]:
    """Return a class; calling it calls *call*, and makes no object of the class."""
    return type("Callback", (), {"__new__": lambda _cls, *arguments: call(*arguments)})


# {kind: makes a callable of that kind, which calls the function that it is given}.  Each access
# to a method makes a new object, which only the loop holds.
CALLABLES: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "bound-method": lambda call: _Slotted(call).method,
    "partial": partial,
    "slotted": _Slotted,
    "false": _False,
    "empty": _Empty,
    "equal": _Equal,
    "unhashable": _Unhashable,
    "unspeakable": _Unspeakable,
    "class": _class,
    "method-wrapper": lambda call: partial(call).__call__,
}
