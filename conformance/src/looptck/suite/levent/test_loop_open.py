"""levent, base:loop: cases that the document leaves open are observed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from looptck.protocols.levent import Base, Levent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.child_process import run_program
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation

# How long a loop may take before it counts as one that waits for ever, in seconds.
_FOR_EVER = 0.4


def _in_a_process(act: Callable[[], str]) -> str:
    """Return what *act* says in a process of its own, or that it waits.

    The kernel ends the process after a while, so every loop comes to an end.
    """

    def main() -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, _FOR_EVER)
        try:
            said = act()
        except Exception as error:
            said = f"raises {type(error).__name__}"
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.write(1, f"<{said}>".encode())

    ended = run_program(main)
    if ended.status in (-signal.SIGALRM, None):
        return "waits for ever"
    _, _, said = ended.output.partition("<")
    return said.partition(">")[0] if said else "ends the process"


def _reader(driver: LeventDriver, channels: Channels, name: str, *, calls: int = 1) -> None:
    """A started event that is always ready, and stops at its last call."""
    near, far = channels.pair()
    far.send(b"x")

    def on_read(*_: object) -> None:
        if driver.count(name) < calls:
            event.start()
        else:
            event.stop()

    event = driver.event(name, near.fileno(), "r", on_read)
    event.start()


def _loop(base: Base, howmany: Any) -> object:
    return base.loop(howmany)


@rule("levent.loop.howmany-positive-one")
def test_the_number_of_events_that_loop_1_serves_is_recorded(
    levent: Levent, channels: Channels, observe: Observation
) -> None:
    """No further call is made when all three were served, as that call might wait."""

    def act() -> str:
        driver = LeventDriver(levent)
        for each in range(3):
            _reader(driver, channels, f"event {each}")
        served: list[str] = []
        while len(set(driver.trace)) < 3 and len(served) < 9:
            before = len(driver.trace)
            driver.run_once(1)
            served.append(str(len(driver.trace) - before))
        return ", then ".join(served)

    observe(_in_a_process(act), of="three ready")


@rule("levent.loop.howmany-positive-none")
@pytest.mark.parametrize("howmany", [1, 5])
@pytest.mark.parametrize("past", ["no event", "a stopped event"])
def test_loop_1_without_an_active_event_is_recorded(
    levent: Levent, channels: Channels, observe: Observation, howmany: int, past: str
) -> None:
    """The stopped event has data: a loop that serves it anyway shows."""

    def act() -> str:
        driver = LeventDriver(levent)
        if past != "no event":
            near, far = channels.pair()
            far.send(b"x")
            event = driver.event("event", near.fileno(), "r")
            event.start()
            event.stop()
        driver.run_once(howmany)
        return "returns" if not driver.trace else "calls the event"

    observe(_in_a_process(act), of=f"loop({howmany}), {past}")


def _told(levent: Levent, channels: Channels, howmany: Any) -> str:
    """Describe `loop(howmany)` with one event that is ready three times and one that is silent."""
    driver = LeventDriver(levent)
    _reader(driver, channels, "event", calls=3)
    try:
        _loop(driver.base, howmany)
    except Exception as error:
        return f"raises {type(error).__name__}, {len(driver.trace)} calls"
    return f"{len(driver.trace)} calls"


@rule("levent.loop.howmany-negative")
@pytest.mark.parametrize("howmany", [-1, -3])
def test_loop_with_a_negative_number_is_recorded(
    levent: Levent, channels: Channels, observe: Observation, howmany: int
) -> None:
    """An event is ready three times: one pass calls it once, a loop to the end three times."""
    observe(_in_a_process(lambda: _told(levent, channels, howmany)), of=f"loop({howmany})")


_NO_NUMBERS: dict[str, object] = {
    "True": True,
    "False": False,
    "a dict": {},
    "'1'": "1",
    "1.7": 1.7,
    "0.5": 0.5,
    "an object": object(),
}


@rule("levent.loop.howmany-type")
@pytest.mark.parametrize("howmany", _NO_NUMBERS)
def test_loop_without_a_whole_number_is_recorded(
    levent: Levent, channels: Channels, observe: Observation, howmany: str
) -> None:
    """An event is ready three times: one pass calls it once, a loop to the end three times."""
    told = _in_a_process(lambda: _told(levent, channels, _NO_NUMBERS[howmany]))
    observe(told, of=f"loop({howmany})")


@rule("levent.loop.return-value")
@pytest.mark.parametrize("howmany", [None, 0, 1])
@pytest.mark.parametrize("events", ["an event", "nothing"])
def test_the_value_that_loop_returns_is_recorded(
    levent: Levent, channels: Channels, observe: Observation, howmany: int | None, events: str
) -> None:
    """Numbers, truth values, texts and None are recorded as they are; any other object by its
    type."""

    def act() -> str:
        driver = LeventDriver(levent)
        if events != "nothing":
            _reader(driver, channels, "event")
        returned = _loop(driver.base, howmany)
        plain = returned is None or isinstance(returned, bool | int | str)
        return repr(returned) if plain else f"an object: {type(returned).__name__}"

    observe(_in_a_process(act), of=f"loop({howmany}) with {events}")


@rule("levent.loop.nested")
@pytest.mark.parametrize("inner", [None, 0, 1])
def test_loop_in_a_callback_of_its_own_base_is_recorded(
    levent: Levent, channels: Channels, observe: Observation, inner: int | None
) -> None:
    """The outer event has stopped; another one is ready, and a third gets ready afterwards."""

    def act() -> str:
        driver = LeventDriver(levent)
        near, far = channels.pair()
        late, sender = channels.pair()
        far.send(b"x")
        told: list[str] = []

        def on_read(*_: object) -> None:
            drain(near)
            outer.stop()
            _reader(driver, channels, "inner")
            try:
                _loop(driver.base, inner)
            except Exception as error:
                told.append(f"the inner call raises {type(error).__name__}")
            else:
                served = "serves" if driver.count("inner") else "does not serve"
                told.append(f"the inner call {served} what is ready")
            sender.send(b"x")
            last.start()

        outer = driver.event("outer", near.fileno(), "r", on_read)
        last = driver.event("last", late.fileno(), "r", lambda *_: last.stop())
        outer.start()
        try:
            driver.run_once(None)
        except Exception as error:
            told.append(f"the outer loop raises {type(error).__name__}")
        going_on = "goes on" if driver.count("last") else "does not go on"
        return f"{', '.join(told)}, the outer loop {going_on}"

    observe(_in_a_process(act), of=f"loop({inner})")
