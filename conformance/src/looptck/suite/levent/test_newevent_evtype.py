"""levent, newevent: events for "r", "w" and "rw" wait for their own directions."""

from __future__ import annotations

import socket
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
@at_any_time
def test_a_reader_is_called_when_its_peer_has_finished_sending(
    driver: LeventDriver, channels: Channels, when: str
) -> None:
    """The connection is only half closed, which is no hang-up."""
    near, far = _reading_end(channels, "socket")
    assert isinstance(far, socket.socket)
    event = driver.event("reader", near.fileno(), "r", lambda *_: event.stop())
    _started(event, driver, when, lambda: far.shutdown(socket.SHUT_WR))
    assert driver.until_count("reader"), 'an event for "r" was not called at the end of its file'


@rule("levent.newevent.evtype-r")
@pytest.mark.parametrize("kind", ["writable", "not writable"])
def test_a_reader_is_silent_without_data(
    driver: LeventDriver, channels: Channels, kind: str
) -> None:
    """A loop that takes writability for readability calls it in the first pass."""
    near, _ = channels.pair()
    if kind == "not writable":
        fill(near)
    event = driver.event("reader", near.fileno(), "r", lambda *_: event.stop())
    event.start()
    driver.run_idle()
    assert not driver.trace, f'an event for "r" was called although its file was only {kind}'


@rule("levent.newevent.evtype-r")
@pytest.mark.parametrize("arrivals", [1, 2, 5000])
def test_a_reader_that_has_read_everything_is_silent(
    driver: LeventDriver, channels: Channels, arrivals: int
) -> None:
    """The socket is writable all the time. The event may be active for one call only."""
    near, far = channels.pair()
    event = driver.event("reader", near.fileno(), "r", lambda *_: drain(near))
    event.start()
    far.send(b"x" * arrivals)
    assert driver.until_count("reader"), 'an event for "r" was not called for data'
    driver.run_idle()
    assert driver.trace == ["reader"], (
        'an event for "r" was called although its callback had read everything'
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
@pytest.mark.parametrize("kind", ["socket", "pipe", "tcp"])
def test_a_writer_is_called_when_there_is_room(
    driver: LeventDriver, channels: Channels, kind: str
) -> None:
    """The file is never readable, so that only writability can bring the call."""
    near: End
    if kind == "pipe":
        _, near = channels.pipe()
    else:
        near, _ = channels.pair() if kind == "socket" else channels.tcp_pair()
    event = driver.event("writer", near.fileno(), "w", lambda *_: event.stop())
    event.start()
    assert driver.until_count("writer"), 'an event for "w" was not called for a writable file'


@rule("levent.newevent.evtype-w")
@pytest.mark.parametrize("kind", ["socket", "pipe"])
@at_any_time
def test_a_writer_is_called_when_its_peer_has_read(
    driver: LeventDriver, channels: Channels, kind: str, when: str
) -> None:
    """At first the file takes not one byte more."""
    near, far = channels.pair() if kind == "socket" else reversed(channels.pipe())
    fill(near)
    event = driver.event("writer", near.fileno(), "w", lambda *_: event.stop())
    _started(event, driver, when, lambda: drain(far))
    assert driver.until_count("writer"), (
        'an event for "w" was not called although its peer had read everything'
    )


@rule("levent.newevent.evtype-w")
@pytest.mark.parametrize("kind", ["readable", "not readable"])
def test_a_writer_is_silent_while_there_is_no_room(
    driver: LeventDriver, channels: Channels, kind: str
) -> None:
    """A loop that takes every event for a reader calls it for the byte that waits."""
    near, far = channels.pair()
    fill(near)
    if kind == "readable":
        far.send(b"x")
    event = driver.event("writer", near.fileno(), "w", lambda *_: event.stop())
    event.start()
    driver.run_idle()
    assert not driver.trace, f'an event for "w" was called for a full file that was {kind}'


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


@rule("levent.newevent.evtype-w")
def test_a_writer_is_silent_while_a_reader_of_its_file_is_called(
    driver: LeventDriver, channels: Channels
) -> None:
    """The kernel reports the file as a whole; each event waits for its own direction."""
    near, far = channels.pair()
    far.send(b"x")
    fill(near)
    writer = driver.event("writer", near.fileno(), "w", lambda *_: writer.stop())
    reader = driver.event("reader", near.fileno(), "r")
    writer.start()
    reader.start()
    driver.run_idle(5)
    assert not driver.count("writer"), (
        'an event for "w" was called because another event\'s file, the same, was readable'
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
@pytest.mark.parametrize("ready", ["readable", "at its end", "writable", "readable and writable"])
@both_spellings
@at_any_time
def test_an_event_for_both_is_called_for_either(
    driver: LeventDriver, channels: Channels, ready: str, evtype: str, when: str
) -> None:
    """Only one direction is ready: the file has no room, or no data."""
    near, far = channels.pair()
    fill(near)

    def make_ready() -> None:
        if "writable" in ready:
            drain(far)
        if "readable" in ready:
            far.send(b"x")
        if ready == "at its end":
            far.shutdown(socket.SHUT_WR)

    for event in _taken(driver, near.fileno(), evtype, lambda event: event.stop()):
        _started(event, driver, when, make_ready)
        assert driver.until_count("either"), (
            f'an event for "{evtype}" was not called although its file was {ready}, since {when}'
        )


@rule("levent.newevent.evtype-rw")
@both_spellings
def test_an_event_for_both_is_silent_without_data_and_room(
    driver: LeventDriver, channels: Channels, evtype: str
) -> None:
    """Nothing is ready in any pass."""
    switch = ReadinessToggle(channels, "rw")
    for event in _taken(driver, switch.number, evtype, lambda event: event.stop()):
        event.start()
        driver.run_idle()
        assert not driver.trace, f'"{evtype}" was called though its file was not ready at all'


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
