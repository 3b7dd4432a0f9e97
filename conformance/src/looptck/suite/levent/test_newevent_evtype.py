"""levent, newevent: events for "r", "w" and "rw" wait for their own directions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End, drain, fill
from looptck.testing.hop_driver import error_of
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import ReadinessToggle

# When a file becomes ready, seen from its event.
at_any_time = pytest.mark.parametrize(
    "when", ["before start", "before loop", "while the loop runs"]
)


def _started(
    event: Event, driver: LeventDriver, when: str, make_ready: Callable[[], object]
) -> None:
    """Start *event*, and make its file ready at the time *when*."""
    if when == "before start":
        make_ready()
    event.start()
    if when == "while the loop runs":
        driver.run_idle(3)
        assert not driver.trace, "an event was called although its file was not ready"
    if when != "before start":
        make_ready()


def _reading_end(channels: Channels, kind: str) -> tuple[End, End]:
    """Return an end that is not writable, and its peer."""
    if kind == "pipe":
        return channels.pipe()
    near, far = channels.pair()
    fill(near)
    return near, far


@rule("levent.newevent.evtype-r")
@pytest.mark.parametrize("kind", ["socket", "pipe"])
@pytest.mark.parametrize("what", ["one byte", "much", "the end", "data and the end"])
@at_any_time
def test_a_reader_is_called_for_data_and_for_the_end(
    driver: LeventDriver, channels: Channels, kind: str, what: str, when: str
) -> None:
    """The file is never writable, so that only readability can bring the call."""
    near, far = _reading_end(channels, kind)

    def make_ready() -> None:
        if "end" not in what or "data" in what:
            far.send(b"x" * (5000 if what == "much" else 1))
        if "end" in what:
            far.close()

    event = driver.event("reader", near.fileno(), "r", lambda *_: event.stop())
    _started(event, driver, when, make_ready)
    assert driver.until_count("reader"), (
        f'an event for "r" was not called although {what} could be read, since {when}'
    )


@rule("levent.newevent.evtype-r")
def test_a_reader_is_silent_while_a_writer_of_its_file_is_called(
    driver: LeventDriver, channels: Channels
) -> None:
    """The kernel reports the file as a whole; each event waits for its own direction."""
    near, _ = channels.pair()
    reader = driver.event("reader", near.fileno(), "r", lambda *_: reader.stop())
    writer = driver.event("writer", near.fileno(), "w")
    reader.start()
    writer.start()
    driver.run_idle(5)
    assert not driver.count("reader"), (
        'an event for "r" was called because another event\'s file, the same, was writable'
    )


@rule("levent.newevent.evtype-w")
def test_a_writer_that_has_filled_its_file_is_silent(
    driver: LeventDriver, channels: Channels
) -> None:
    """A byte waits to be read all the time. The event may be active for one call only."""
    near, far = channels.pair()
    far.send(b"x")
    event = driver.event("writer", near.fileno(), "w", lambda *_: fill(near))
    event.start()
    assert driver.until_count("writer"), 'an event for "w" was not called for a writable file'
    driver.run_idle()
    assert driver.trace == ["writer"], (
        'an event for "w" was called although its callback had filled the file'
    )


# The second may be refused.
both_spellings = pytest.mark.parametrize("evtype", ["rw", "wr"])


def _taken(
    driver: LeventDriver, number: int, evtype: str, act: Callable[[Event], object]
) -> list[Event]:
    """Return the event of that evtype, or nothing if the loop refuses the spelling."""
    made: list[Event] = []

    def make() -> None:
        made.append(driver.event("either", number, evtype, lambda *_: act(made[0])))

    if evtype == "rw":
        make()
    else:
        error_of(make)
    return made


@rule("levent.newevent.evtype-rw")
@pytest.mark.parametrize("turns", ["rwrw", "wrrw", "rrww", "wwrr"])
@both_spellings
def test_an_event_for_both_waits_for_both_each_time(
    driver: LeventDriver, channels: Channels, evtype: str, turns: str
) -> None:
    """Between two calls its callback uses up the data and the room."""
    switch = ReadinessToggle(channels, "rw")

    def take(event: Event) -> None:
        switch.off()
        event.start()

    for event in _taken(driver, switch.number, evtype, take):
        event.start()
        for turn in turns:
            before = driver.count("either")
            if turn == "r":
                switch.far.send(b"x")
            else:
                drain(switch.far)
            assert driver.until_count("either", before + 1), (
                f'an event for "{evtype}" was called {before} times, and not again when its file '
                f"was {'readable' if turn == 'r' else 'writable'}"
            )
            driver.run_idle(5)
