"""The profile `luaevent`: how a luaevent base is reached, checked and judged."""

from __future__ import annotations

import os
import socket
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..checks import (
    arguments,
    cancellation,
    fairness,
    lifetime,
    readability,
    registration,
    reuse,
    timers,
    writability,
)
from ..checks.verbs import Calls, Direction, Script, Verbs, play_inside
from ..clocks import Clock
from ..protocols.luaevent import ENTRY_NAMES, LOOP_NAMES, Event, Luaevent
from .api import Profile


def a_timer(entry: Any, ran: Callable[[], None]) -> None:
    """a timer"""
    timer_of(entry, 0.001, ran)


def a_descriptor(entry: Any, ran: Callable[[], None]) -> None:
    """a writable socket"""
    near, far = socket.socketpair()
    base = entry.new()
    kept = base.addevent(near.fileno(), entry.EV_WRITE, _leaving(entry, ran))
    base.loop()
    del kept, far


def timer_of(entry: Any, seconds: float, ran: Callable[[], None]) -> None:
    """Run a base until a timer of *seconds* has called *ran*."""
    base = entry.new()
    kept = base.addevent(None, entry.EV_TIMEOUT, _leaving(entry, ran), seconds)
    base.loop()
    del kept


def _leaving(entry: Any, ran: Callable[[], None]) -> Callable[[int], int]:
    def callback(_flags: int) -> int:
        ran()
        leave: int = entry.LEAVE
        return leave

    return callback


def _answering_nothing(callback: Callable[[], object]) -> Callable[[int], None]:
    def answer(_flags: int) -> None:
        callback()

    return answer


class LuaeventVerbs(Verbs):
    """A base in the verbs of the shared checks; its events are kept until the script ends."""

    directions: tuple[Direction, ...] = ("r", "w")

    def __init__(self, luaevent: Luaevent, clock: Clock) -> None:
        super().__init__(luaevent, clock)
        self._base = luaevent.new()
        self._flags: dict[Direction, int] = {"r": luaevent.EV_READ, "w": luaevent.EV_WRITE}
        self._kept: list[Event] = []
        # the descriptors that an event was added for
        self._watched: set[int] = set()

    def play(self, script: Script) -> None:
        play_inside(script, after=self.set_timer, run=self._base.loop, stop=self._stop)

    def _stop(self) -> None:
        for event in self._kept:
            with suppress(Exception):
                event.close()
        self._kept.clear()

    def watch(self, fd: Any, direction: Direction, callback: Callable[..., Any]) -> Event:
        flags = self._flags[direction]
        if isinstance(callback, Calls):
            callback.answer = lambda: flags
        return self._keep(self._addevent(fd, flags, callback))

    def _addevent(self, fd: Any, flags: int, callback: Callable[..., Any]) -> Event:
        """`addevent`; a loop that refuses a second event on a descriptor gets a duplicate of it.

        Whether it refuses is open, and most checks have two events on a
        descriptor only because one file is ready for both.
        """
        try:
            event = self._base.addevent(fd, flags, callback)
        except Exception:
            if fd not in self._watched:
                raise
            twin = os.dup(fd)
            weakref.finalize(self, os.close, twin)
            return self._base.addevent(twin, flags, callback)
        if isinstance(fd, int):
            self._watched.add(fd)
        return event

    def stays(self, direction: Direction) -> int:
        return self._flags[direction]

    def unwatch(self, watch: Event) -> None:
        watch.close()

    def drop(self) -> None:
        self._base.close()
        super().drop()

    def set_timer(self, seconds: float, callback: Callable[[], Any]) -> Event:
        leaving = _leaving(self.entry, callback)
        return self._keep(self._base.addevent(None, self.entry.EV_TIMEOUT, leaving, seconds))

    def set_interval(self, seconds: float, callback: Callable[[], Any]) -> Event:
        return self._keep(
            self._base.addevent(None, self.entry.EV_TIMEOUT, _answering_nothing(callback), seconds)
        )

    def clear(self, timer: Event) -> None:
        timer.close()

    def _keep(self, event: Event) -> Event:
        self._kept.append(event)
        return event


PROFILE = Profile(
    name="luaevent",
    model="looptck.models.luaevent",
    document="luaevent",
    entry_names=ENTRY_NAMES,
    loop_names=LOOP_NAMES,
    indispensable=("addevent", "loop"),
    parts={"new": "loop", "loop.addevent": "event"},
    smoke_checks=(a_timer, a_descriptor),
    timer_check=timer_of,
    verbs=LuaeventVerbs,
    checks={
        "luaevent.addevent.persistent": (
            fairness.test_a_watch_is_called_a_thousand_times,
            registration.test_a_watch_goes_on_after_its_call,
        ),
        "luaevent.constants.ev-read": (
            readability.test_a_reader_is_called_once_for_an_arrival,
            readability.test_a_reader_is_silent_until_a_read_returns,
            readability.test_an_urgent_byte_wakes_neither_direction,
        ),
        "luaevent.constants.ev-read-accept": (
            readability.test_each_pending_connection_can_be_accepted,
        ),
        "luaevent.constants.ev-read-disconnect": (
            readability.test_a_reader_is_called_for_the_end_of_a_stream,
            readability.test_a_reader_is_called_for_the_end_of_a_pipe,
            readability.test_a_reader_is_called_for_a_connection_reset,
            readability.test_a_connection_reset_is_told_again,
        ),
        "luaevent.constants.ev-write": (
            writability.test_a_writer_is_called_if_there_is_room,
            writability.test_a_writer_is_silent_until_there_is_room,
            writability.test_a_writer_is_called_when_its_reader_is_gone,
            writability.test_the_reading_end_of_a_pipe_is_not_writable,
        ),
        "luaevent.constants.ev-write-connect": (
            writability.test_a_writer_is_called_when_its_connection_is_made,
        ),
        "luaevent.constants.ev-write-connect-failed": (
            writability.test_a_writer_is_called_when_its_connection_fails,
        ),
        "luaevent.flags.only-asked": (
            readability.test_one_direction_is_silent_while_the_other_is_called,
        ),
        "luaevent.new.independent": (
            lifetime.test_two_loops_may_watch_one_descriptor,
            lifetime.test_a_loop_that_is_gone_takes_nothing_from_another,
        ),
        "luaevent.callback.leave-releases": (
            lifetime.test_the_callback_of_an_ended_watch_is_let_go,
            fairness.test_watches_may_follow_one_another_without_end,
        ),
        "luaevent.addevent.adds": (
            registration.test_each_callback_of_a_turn_may_begin_watches,
            registration.test_one_number_may_be_watched_many_times_in_a_turn,
        ),
        "luaevent.addevent.fd-integer": (
            arguments.test_descriptor_zero_is_watched_like_any_other,
            fairness.test_only_the_watch_that_is_ready_is_called,
            fairness.test_a_high_number_is_watched_like_any_other,
            arguments.test_an_integer_of_any_type_is_a_descriptor,
        ),
        "luaevent.addevent.fd-untouched": (
            lifetime.test_the_flags_of_a_descriptor_stay_as_they_are,
        ),
        "luaevent.addevent.callback-required": (
            registration.test_a_callback_that_cannot_be_called_is_refused,
        ),
        "luaevent.addevent.callback-any": (
            arguments.test_watches_may_share_a_callback,
            arguments.test_a_callable_of_any_type_serves_as_a_callback,
        ),
        "luaevent.addevent.timeout-not-early": (timers.test_no_timer_is_called_early,),
        "luaevent.addevent.close-erases": (
            cancellation.test_a_watch_that_was_not_served_can_be_ended,
            cancellation.test_a_watch_that_ended_is_not_called,
            reuse.test_a_file_may_outlive_the_number_that_was_watched,
            reuse.test_a_duplicate_is_watched_for_itself,
        ),
        "luaevent.addevent.close-idempotent": (cancellation.test_ending_a_watch_twice_is_harmless,),
        "luaevent.addevent.close-own-callback": (
            cancellation.test_a_callback_may_end_its_own_watch,
        ),
        "luaevent.addevent.close-other-same-turn": (
            cancellation.test_a_watch_ended_by_another_in_its_turn_is_not_called,
            cancellation.test_a_watch_that_ends_the_others_goes_on,
            cancellation.test_one_direction_may_end_the_other_in_its_turn,
            reuse.test_a_number_reused_in_a_turn_inherits_no_readiness,
            reuse.test_a_callback_may_reuse_its_own_number,
            reuse.test_a_number_reused_in_a_timer_inherits_no_readiness,
            cancellation.test_a_timer_may_end_a_ready_watch,
        ),
        "luaevent.addevent.close-not-fd": (
            lifetime.test_the_descriptor_of_an_ended_watch_is_its_owners,
        ),
        "luaevent.addevent.gc-erases": (
            cancellation.test_a_watch_that_ended_is_not_called,
            cancellation.test_a_watch_ended_by_another_in_its_turn_is_not_called,
        ),
        "luaevent.addevent.gc-preserve": (lifetime.test_a_callback_lives_as_long_as_its_watch,),
        "luaevent.addevent.from-callback": (
            registration.test_a_watch_begun_in_a_callback_is_served,
            registration.test_a_watch_begun_in_a_callback_shortens_the_wait,
            registration.test_each_callback_of_a_turn_may_begin_watches,
            registration.test_callbacks_may_begin_watches_in_a_chain,
        ),
        "luaevent.addevent.same-fd": (
            readability.test_one_direction_is_silent_while_the_other_is_called,
            cancellation.test_the_end_of_a_watch_leaves_the_other_direction,
            cancellation.test_the_end_of_a_watch_leaves_others_of_its_direction,
            registration.test_each_watch_of_a_descriptor_is_called,
        ),
        "luaevent.addevent.failed-no-trace": (
            registration.test_a_bad_descriptor_does_no_harm_to_others,
            registration.test_a_closed_number_that_was_refused_leaves_no_trace,
        ),
        "luaevent.loop.level": (
            readability.test_a_reader_is_called_for_the_end_of_a_pipe,
            writability.test_a_writer_is_called_while_room_is_left,
            readability.test_a_reader_is_called_while_data_is_left,
            readability.test_data_left_is_told_again_after_a_pause,
        ),
        "luaevent.loop.many-ready": (
            fairness.test_each_of_two_thousand_ready_watches_is_called,
            fairness.test_each_of_many_ready_watches_is_called,
            fairness.test_a_busy_watch_does_not_starve_the_others,
        ),
        "luaevent.close.nothing-left": (lifetime.test_nothing_is_left_of_loops_that_are_gone,),
    },
)
