"""A trial: one test is run once, with its fixtures.

Why the code is the way it is
-----------------------------

pytest has collected the test, but its own way of running one is not used:

1. It calls some twenty hooks for each test and inspects the signature of each
   fixture anew.  That took longer than most tests take.
2. It reads the source around a failure by `ast.parse`.  When a collection of
   garbage comes in the middle of that, and something that the loop has left
   behind formats a traceback, Python 3.11 ends both with `SystemError: AST
   constructor recursion depth mismatch`.
3. When it raises, the test is not torn down, and the next one fails for it.

So the fixtures of the suite are functions or generators without parameters of
their own, and each is made anew for each test.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..testing.applicability import NotApplicableError
from . import pytest_internals

_PACKAGE = Path(__file__).parents[1]

_INTERRUPTIONS = (KeyboardInterrupt, pytest.exit.Exception)


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of one test; both texts are empty if it passed."""

    # why it failed
    message: str = ""
    # why it was not run
    not_run: str = ""
    # the reason for which it does not apply on this platform
    not_applicable: str = ""


_PASSED = Trial()


def try_test(item: pytest.Function, variant: str) -> Trial:
    """Run *item* for *variant*; whatever the loop raises is a failure of the test."""
    fixtures = _Fixtures(item, variant)
    trial = _try("before the test: ", fixtures.set_up)
    if trial is _PASSED:
        trial = _try("", lambda: item.obj(**fixtures.arguments))
    after = _try("after the test: ", fixtures.tear_down)
    return after if trial is _PASSED else trial


class _Fixtures:
    """The values that one run of a test is given."""

    def __init__(self, item: pytest.Function, variant: str) -> None:
        self._definitions = pytest_internals.fixtures_of(item)
        self._names = pytest_internals.arguments_of(item)
        self._values = {**pytest_internals.values_given_to(item), "variant": variant}
        self._open = ExitStack()

    def set_up(self) -> None:
        for name in self._names:
            self._value(name)

    def tear_down(self) -> None:
        self._open.close()

    @property
    def arguments(self) -> dict[str, Any]:
        return {name: self._values[name] for name in self._names}

    def _value(self, name: str) -> Any:
        if name not in self._values:
            definition = self._definitions[name][-1]  # the one nearest to the test
            value = definition.func(**{each: self._value(each) for each in definition.argnames})
            if isinstance(value, Generator):
                self._open.callback(next, value, None)
                value = next(value)
            self._values[name] = value
        return self._values[name]


def _try(phase: str, step: Callable[[], object]) -> Trial:
    try:
        step()
    except pytest_internals.OUTCOMES as error:
        if pytest_internals.is_raised_outside(error.__traceback__, _PACKAGE):
            return Trial(message=_came_out_of_the_loop(error))
        return Trial(not_run=str(error) or type(error).__name__)
    except NotApplicableError as error:
        if pytest_internals.is_raised_outside(error.__traceback__, _PACKAGE):
            return Trial(message=_came_out_of_the_loop(error))
        return Trial(not_applicable=str(error))
    except _INTERRUPTIONS as error:
        return Trial(message=_came_out_of_the_loop(error))
    except BaseException as error:  # a loop may raise anything
        # what pytest adds to a message of our own is full of addresses
        text = pytest.ExceptionInfo.from_exception(error).exconly(tryshort=True)
        words, _, _ = text.removeprefix("AssertionError: ").partition("\nassert ")
        return Trial(message=phase + (words or text))
    return _PASSED


def _came_out_of_the_loop(error: BaseException) -> str:
    name = f"{type(error).__name__} came out of the loop"
    try:
        text = str(error).strip()
    except Exception:  # a `__str__` of the loop's own
        text = ""
    return f"{name}: {text}" if text else name
