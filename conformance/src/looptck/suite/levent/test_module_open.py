"""levent, module functions: cases that the document leaves open are observed."""

from __future__ import annotations

import builtins
import io
import os
import tempfile
from collections.abc import Callable
from typing import Any

import pytest

from looptck.protocols.levent import ENTRY_NAMES, Levent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.observation import Observation


@rule("levent.module.require")
def test_the_names_of_the_module_are_recorded(levent: Levent, observe: Observation) -> None:
    """A missing name breaks other rules; further global names break none."""
    missing = [name for name in ENTRY_NAMES if not callable(getattr(levent, name, None))]
    observe(f"lacks {', '.join(missing)}" if missing else "all are there", of="functions")
    observe("yes" if hasattr(builtins, "levent") else "no", of="known everywhere")


@rule("levent.module.require")
def test_calls_of_functions_without_the_module_are_recorded(
    levent: Levent, channels: Channels, observe: Observation
) -> None:
    """Each function is taken from the module once, and called without it."""
    make, number, tell, ask = (getattr(levent, name) for name in ENTRY_NAMES)
    near, _ = channels.pair()
    try:
        make().loop(0)
        tell(_Unknown, lambda _: near.fileno())
        works = ask(_Unknown()) == near.fileno()
        with tempfile.TemporaryFile() as file:
            works = works and number(file) == file.fileno()
    except Exception as error:
        observe.raised(error, of="called by another name")
    else:
        observe("works" if works else "does something else", of="called by another name")


class _Unknown:
    """An object of a type that has no accessor at first."""


class _Derived(_Unknown):
    """An object of a type whose base class may have an accessor."""


class _WithFileno:
    """An object that resembles a file, as a socket does."""

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number


def _closed_file() -> object:
    file = tempfile.TemporaryFile()  # noqa: SIM115  # a closed file is what is wanted
    file.close()
    return file


def _record(observe: Observation, of: str, ask: Callable[[], object], own: int | None) -> None:
    """Record the outcome of *ask*; *own* is the number that is right, if there is one."""
    try:
        told = ask()
    except Exception as error:
        observe.raised(error, of=of)
        return
    if isinstance(told, bool) or not isinstance(told, int):
        observe(f"gives no number but {type(told).__name__}", of=of)
    elif told == own:
        observe("gives its number", of=of)
    else:
        observe("gives 0" if told == 0 else f"gives {'a' if told > 0 else 'no'} number", of=of)


# {what it is: how to make one, for a descriptor}
_NO_FILES: dict[str, Callable[[int], object]] = {
    "None": lambda _: None,
    "a number": lambda number: number,
    "a text": lambda _: "/dev/null",
    "an object": lambda _: object(),
    "a file in memory": lambda _: io.BytesIO(),
    "an object with fileno": _WithFileno,
    "a closed file": lambda _: _closed_file(),
}


@rule("levent.fdfromfile-bad")
@pytest.mark.parametrize("what", _NO_FILES)
def test_fdfromfile_of_other_values_is_recorded(
    levent: Levent, channels: Channels, observe: Observation, what: str
) -> None:
    """Only the number itself and the object with `fileno` have a number that could be right."""
    number = channels.pair()[0].fileno()
    value = _NO_FILES[what](number)
    own = number if what in ("a number", "an object with fileno") else None
    _record(observe, what, lambda: levent.fdfromfile(value), own)


@rule("levent.fdfromvalue-int")
@pytest.mark.parametrize("what", ["a descriptor", "0", "a fraction", "a text", "True"])
def test_fdfromvalue_of_a_number_is_recorded(
    levent: Levent, channels: Channels, observe: Observation, what: str
) -> None:
    """The fraction is a little more than an open descriptor, the text its digits."""
    number = channels.pair()[0].fileno()
    values: dict[str, tuple[Any, int | None]] = {
        "a descriptor": (number, number),
        "0": (0, 0),
        "a fraction": (number + 0.5, number),
        "a text": (str(number), number),
        "True": (True, 1),
    }
    value, own = values[what]
    _record(observe, what, lambda: levent.fdfromvalue(value), own)


@rule("levent.fdfromvalue-unknown")
@pytest.mark.parametrize("accessors", ["none", "of another type", "of its base class"])
@pytest.mark.parametrize("what", ["None", "an object", "a list", "a file", "a class"])
def test_fdfromvalue_without_an_accessor_is_recorded(
    levent: Levent, channels: Channels, observe: Observation, accessors: str, what: str
) -> None:
    """The test asks before any accessor is set, and when one is set that a loop might take for
    the value's own."""
    near, _ = channels.pair()
    if accessors != "none":
        levent.setfdaccessor(_Unknown, lambda _: near.fileno())
    file = open(os.devnull, "rb")  # noqa: SIM115  # closed with the wires
    channels.keep(file.close)
    kind = _Derived if accessors == "of its base class" else _WithFileno
    made: object = _Derived() if kind is _Derived else _WithFileno(near.fileno())
    values: dict[str, object] = {
        "None": None,
        "an object": made,
        "a list": [near.fileno()],
        "a file": file,
        "a class": kind,
    }
    own = {"an object": near.fileno(), "a file": file.fileno()}.get(what)
    _record(
        observe, f"{what}, accessors: {accessors}", lambda: levent.fdfromvalue(values[what]), own
    )
