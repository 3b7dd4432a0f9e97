"""The profile `poller`: the part of a loop that asks the kernel."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from ..checks import (
    cancellation,
    fairness,
    lifetime,
    readability,
    registration,
    reuse,
    writability,
)
from ..checks.base_verbs import TurnVerbs
from ..checks.verbs import Direction
from ..clocks import Clock
from ..protocols.poller import ENTRY_NAMES, LOOP_NAMES, NOTHING, READ, WRITE, PollerModule
from ..testing.poller_driver import PollerDriver
from .api import Profile

# A wait may return for nothing now and then.
_MOST_WAITS = 100

_BITS: dict[Direction, int] = {"r": READ, "w": WRITE}


def _writable(entry: Any, ran: Callable[[], None]) -> None:
    """a writable socket"""
    near, far = socket.socketpair()
    poller = entry.new()
    poller.change(near.fileno(), NOTHING, WRITE)
    for _ in range(_MOST_WAITS):
        if poller.wait(0.1):
            ran()
    del far


class PollerVerbs(TurnVerbs):
    """A poller and a table of callbacks, in the verbs of the shared checks."""

    directions: tuple[Direction, ...] = ("r", "w")

    def __init__(self, module: PollerModule, clock: Clock) -> None:
        super().__init__(module, clock)
        self._driver = PollerDriver(module.new())
        # {(fd, direction): callback}
        self._callbacks: dict[tuple[int, Direction], Callable[..., Any]] = {}

    def turn(self, seconds: float) -> None:
        for fd, hit in self._driver.told(seconds).items():
            for direction, bit in _BITS.items():
                if hit & bit and (callback := self._callbacks.get((fd, direction))):
                    callback()

    def watch(self, fd: Any, direction: Direction, callback: Callable[..., Any]) -> Any:
        number = fd if isinstance(fd, int) else fd.fileno()
        watched = self._driver.watched.get(number, NOTHING)
        self._driver.watch(number, watched | _BITS[direction])
        self._callbacks[number, direction] = callback
        return number, direction

    def unwatch(self, watch: Any) -> None:
        if self._callbacks.pop(watch, None) is not None:
            number, direction = watch
            self._driver.stop(number, _BITS[direction])

    def drop(self) -> None:
        self._driver.poller.close()
        super().drop()


PROFILE = Profile(
    name="poller",
    model="looptck.models.poller",
    document="the poller contract",
    entry_names=ENTRY_NAMES,
    loop_names=LOOP_NAMES,
    indispensable=LOOP_NAMES,
    parts={"new": "poller"},
    smoke_checks=(_writable,),
    verbs=PollerVerbs,
    checks={
        "poller.wait.ready": (
            readability.test_a_reader_is_called_once_for_an_arrival,
            readability.test_each_pending_connection_can_be_accepted,
            writability.test_a_writer_is_called_if_there_is_room,
            writability.test_a_writer_is_silent_until_there_is_room,
            writability.test_a_writer_is_called_when_its_connection_is_made,
        ),
        "poller.wait.not-ready": (
            fairness.test_only_the_watch_that_is_ready_is_called,
            readability.test_a_reader_is_silent_until_a_read_returns,
            readability.test_an_urgent_byte_wakes_neither_direction,
            readability.test_one_direction_is_silent_while_the_other_is_called,
            writability.test_the_reading_end_of_a_pipe_is_not_writable,
        ),
        "poller.wait.level": (
            readability.test_a_reader_is_called_while_data_is_left,
            readability.test_data_left_is_told_again_after_a_pause,
            writability.test_a_writer_is_called_while_room_is_left,
        ),
        "poller.wait.end": (
            readability.test_a_reader_is_called_for_the_end_of_a_stream,
            readability.test_a_reader_is_called_for_the_end_of_a_pipe,
        ),
        "poller.wait.error-wakes-both": (
            readability.test_a_reader_is_called_for_a_connection_reset,
            readability.test_a_connection_reset_is_told_again,
        ),
        "poller.wait.all-ready": (
            fairness.test_each_of_many_ready_watches_is_called,
            fairness.test_each_of_two_thousand_ready_watches_is_called,
        ),
        "poller.wait.large-number": (fairness.test_a_high_number_is_watched_like_any_other,),
        "poller.change.adds": (cancellation.test_the_end_of_a_watch_leaves_the_other_direction,),
        "poller.change.removal": (
            cancellation.test_a_watch_that_ended_is_not_called,
            cancellation.test_a_watch_that_was_not_served_can_be_ended,
        ),
        "poller.change.reuse": (reuse.test_a_file_may_outlive_the_number_that_was_watched,),
        "poller.change.duplicate": (reuse.test_a_duplicate_is_watched_for_itself,),
        "poller.change.invalid": (
            registration.test_a_bad_descriptor_does_no_harm_to_others,
            registration.test_a_closed_number_that_was_refused_leaves_no_trace,
        ),
        "poller.close.gives-back": (lifetime.test_nothing_is_left_of_loops_that_are_gone,),
        "poller.close.apart": (
            lifetime.test_two_loops_may_watch_one_descriptor,
            lifetime.test_a_loop_that_is_gone_takes_nothing_from_another,
        ),
    },
)
