"""levent, newevent: an event that goes on is called as long as its file is ready."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End, drain, fill
from looptck.testing.hop_driver import wait_readable
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import ReadinessToggle, either_evtype

every_way_on = pytest.mark.parametrize("going_on", ["start", "a new event"])


class Again:
    """Events of one file, of which one at a time is active.

    Each call does *act*, and goes on: by `start`, or by a new event in its place.
    """

    def __init__(
        self, driver: LeventDriver, end: End, evtype: str, act: Callable[[], object], going_on: str
    ) -> None:
        self.driver = driver
        self._made = (end, evtype, act, going_on)

    def start(self) -> None:
        end, evtype, act, going_on = self._made

        def on_ready(*_: object) -> None:
            with suppress(BlockingIOError):
                act()
            if going_on == "start":
                event.start()
            else:
                event.stop()
                self.start()

        event = self.driver.event("event", end.fileno(), evtype, on_ready)
        event.start()

    def is_called(self, calls: int, provoke: Callable[[], object]) -> bool:
        """Return whether that many calls come; not if only *provoke* brings another one.

        If *provoke* brings none either, then start in a callback has no effect, which
        levent.event.start judges.
        """
        if self.driver.until_count("event", calls):
            return True
        before = self.driver.count("event")
        provoke()
        is_active = self.driver.until_count("event", before + 1)
        return before > 0 and self._made[-1] == "start" and not is_active


def _near_and_far(channels: Channels, kind: str) -> tuple[End, End]:
    """Return an end to be read, and its peer."""
    if kind == "pipe":
        return channels.pipe()
    return channels.pair() if kind == "socket" else channels.tcp_pair()


@rule("levent.newevent.evtype-r")
@every_way_on
def test_a_listening_socket_brings_a_call_for_each_connection(
    driver: LeventDriver, channels: Channels, going_on: str
) -> None:
    """Three wait at once, and each call accepts one; there is no byte to be read anywhere."""
    listening = channels.listener()
    again = Again(driver, listening, "r", lambda: channels.accept(listening), going_on)
    again.start()
    driver.run_idle(3)
    assert not driver.trace, "a listening socket was reported readable before any client connected"
    for _ in range(3):
        channels.connect(listening)
    wait_readable([listening])
    assert again.is_called(3, lambda: channels.connect(listening)), (
        'three connections wait at a listening socket, and an event for "r", which accepts one '
        f"in each call and goes on by {going_on}, was not called for each"
    )


@rule("levent.newevent.evtype-w")
@pytest.mark.parametrize("kind", ["socket", "pipe", "tcp"])
@every_way_on
def test_a_writer_is_called_while_there_is_room_left(
    driver: LeventDriver, channels: Channels, kind: str, going_on: str
) -> None:
    """Each of ten calls writes one byte, and the peer reads nothing."""
    near, far = reversed(channels.pipe()) if kind == "pipe" else _near_and_far(channels, kind)

    def provoke() -> None:
        fill(near)
        driver.run_idle(3)
        drain(far)

    again = Again(driver, near, "w", lambda: near.send(b"x"), going_on)
    again.start()
    assert again.is_called(10, provoke), (
        f'an event for "w" whose callback writes one byte and goes on by {going_on} was not '
        "called ten times, though there was room for more"
    )


@rule("levent.newevent.evtype-w")
def test_a_writer_is_called_when_the_reader_is_gone(
    driver: LeventDriver, channels: Channels
) -> None:
    """The pipe is full: a write had to wait before, and now fails without waiting."""
    far, near = channels.pipe()
    fill(near)
    event = driver.event("writer", near.fileno(), "w", lambda *_: event.stop())
    event.start()
    driver.run_idle(3)
    assert not driver.trace, 'an event for "w" was called for a full file'
    far.close()
    assert driver.until_count("writer"), (
        'an event for "w" was not called when the reader of its full pipe was closed'
    )


@rule("levent.newevent.evtype-w")
@pytest.mark.parametrize("reader", ["before", "after"])
def test_a_writer_is_called_though_a_reader_of_its_file_waits(
    driver: LeventDriver, channels: Channels, reader: str
) -> None:
    """The reader is started before it or after, and has nothing to read."""
    switch = ReadinessToggle(channels, "w")
    silent = driver.event("reader", switch.number, "r", lambda *_: silent.stop())
    event = driver.event("writer", switch.number, "w", lambda *_: event.stop())
    for each in (silent, event) if reader == "before" else (event, silent):
        each.start()
    driver.run_idle(3)
    switch.on()
    assert driver.until_count("writer"), (
        'an event for "w" was not called for a writable file; one for "r" was started '
        f"{reader} it, on the same file, and waits"
    )
    assert driver.trace == ["writer"], 'an event for "r" was called for a writable file'


@rule("levent.newevent.evtype-rw")
@pytest.mark.parametrize("turns", ["rw", "wr", "rrw", "wwr"])
@either_evtype
def test_an_event_for_both_waits_for_both_after_a_restart(
    driver: LeventDriver, channels: Channels, turns: str, evtype: str
) -> None:
    """Between two calls it is stopped, some passes go by, and it is started; *evtype* ends it."""
    switch = ReadinessToggle(channels, "rw")

    def take(*_: object) -> None:
        switch.off()
        event.stop()

    event = driver.event("either", switch.number, "rw", take)
    for calls, turn in enumerate(turns + evtype, start=1):
        event.start()
        driver.run_idle(3)
        switch.on(turn)
        is_called = driver.until_count("either", calls)
        if not is_called:
            # if it is silent for that too, then start is not heard, which is another rule's
            switch.on("w" if turn == "r" else "r")
            is_called = not driver.until_count("either", calls) and calls > 1
            turns = ""
        assert is_called, (
            f'an event for "rw" was called {calls - 1} times, stopped and started, and not called '
            f"again when its file was {'readable' if turn == 'r' else 'writable'}"
        )
        if not turns:
            return
        driver.run_idle(3)
