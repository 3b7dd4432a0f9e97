"""Checks of what programs hand in: callbacks and descriptors of unusual types."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Any

import pytest

from ..testing.channels import Channels, as_descriptor_zero
from ..testing.readiness import ReadinessToggle
from .callables import CALLABLES
from .scenes import Watched, either_direction
from .verbs import Direction, Script, Watching, turns, until


@either_direction
@pytest.mark.parametrize("kind", CALLABLES)
def test_a_callable_of_any_type_serves_as_a_callback(
    loop: Watching, channels: Channels, direction: Direction, kind: str
) -> None:
    """Two descriptors have one each; a loop may refuse an object that is no function.

    The second watch is called and ends; then the first one is called, and only that.
    """
    toggles = [ReadinessToggle(channels, direction) for _ in range(2)]
    called: list[str] = []

    def note(name: str, *_arguments: object) -> Any:
        called.append(name)
        for toggle in toggles:
            toggle.off()
        return loop.stays(direction)

    def script() -> Script:
        watches: list[Any] = []
        for name, toggle in zip(("first", "second"), toggles, strict=True):
            try:
                callback = CALLABLES[kind](partial(note, name))
                watches.append(loop.watch(toggle.number, direction, callback))
            except TypeError:
                return
        toggles[1].on()
        yield until(f"a callback that is {kind} is called", lambda: called)
        loop.unwatch(watches[1])
        for toggle in toggles:
            toggle.on()
        yield until("another callback of its type is called", lambda: "first" in called)
        toggles[1].on()
        yield turns()
        assert called == ["second", "first"], (
            f"the second was called and ended, then both were ready; called were {called}"
        )

    loop.play(script())


@either_direction
def test_watches_may_share_a_callback(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """Three descriptors have one function; the second watch ends, the others are called."""
    toggles = [ReadinessToggle(channels, direction) for _ in range(3)]
    called: list[bool] = []

    def note(*_arguments: object) -> Any:
        called.append(True)
        for toggle in toggles:
            toggle.off()
        return loop.stays(direction)

    def script() -> Script:
        watches = [loop.watch(toggle.number, direction, note) for toggle in toggles]
        loop.unwatch(watches[1])
        toggles[0].on()
        yield until("the first watch is called", lambda: called)
        toggles[2].on()
        yield until("the third watch is called", lambda: len(called) > 1)
        toggles[1].on()
        yield turns()
        assert len(called) == 2, f"two watches were ready once each, and {len(called)} calls came"

    loop.play(script())


class _Number(int):
    """A number that a program has given a type of its own."""


def _member(number: int) -> int:
    class Descriptor(IntEnum):
        CHANNEL = number

    return Descriptor.CHANNEL


_NUMBERS: dict[str, Callable[[int], int]] = {"subclass": _Number, "enum-member": _member}


@either_direction
@pytest.mark.parametrize("kind", _NUMBERS)
def test_an_integer_of_any_type_is_a_descriptor(
    loop: Watching, channels: Channels, direction: Direction, kind: str
) -> None:
    """The watch is called, ends, and is silent; the descriptor is watched again by its int."""
    toggle = ReadinessToggle(channels, direction, on=True)
    calls, again = loop.calls("watch"), loop.calls("watch by the int")

    def script() -> Script:
        watch = loop.watch(_NUMBERS[kind](toggle.number), direction, calls)
        yield until("the watch is called", lambda: calls.count)
        loop.unwatch(watch)
        calls.clear()
        yield turns()
        loop.watch(toggle.number, direction, again)
        yield until("the descriptor is called when it is watched by its int", lambda: again.count)
        assert calls.count == 0, f"a watch that had ended was called {calls.count} times"

    loop.play(script())


@either_direction
def test_descriptor_zero_is_watched_like_any_other(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """Another descriptor is watched beside it.  The watch of 0 is called, ends, and is silent."""
    beside = Watched(loop, channels, direction)
    toggle = ReadinessToggle(channels, direction)
    calls = loop.calls("watch of 0", toggle.off)

    def script() -> Script:
        watch = loop.watch(as_descriptor_zero(channels, toggle.near), direction, calls)
        toggle.on()
        yield until("the watch of descriptor 0 is called", lambda: calls.count)
        yield from beside.serve()
        assert calls.count == 1, f"0 was ready once, and {calls.count} calls came"
        loop.unwatch(watch)
        toggle.on()
        yield turns()
        assert calls.count == 1, "the watch of 0 had ended and was called"

    loop.play(script())
