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
    clearing,
    coexistence,
    fairness,
    intervals,
    lifetime,
    many_timers,
    multitude,
    processor_time,
    readability,
    registration,
    reuse,
    signals,
    timer_arguments,
    timer_clock,
    timers,
    writability,
)
from ..checks.base_verbs import InsideVerbs
from ..checks.verbs import Calls, Direction
from ..clocks import Clock
from ..protocols.luaevent import ENTRY_NAMES, LOOP_NAMES, Event, Luaevent
from ..testing.channels import Channels, fill
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


class LuaeventVerbs(InsideVerbs):
    """A base in the verbs of the shared checks; its events are kept until the script ends.

    Each of its timers is an event with a timeout: one without a descriptor, or
    one of a descriptor on which nothing happens.
    """

    directions: tuple[Direction, ...] = ("r", "w")
    timers: tuple[str, ...] = ("timer", "reader", "writer", "both")
    intervals = timers
    unit = 1.0

    over: int

    def __init__(self, luaevent: Luaevent, clock: Clock) -> None:
        super().__init__(luaevent, clock)
        self.over = luaevent.LEAVE
        self._base = luaevent.new()
        read, write = luaevent.EV_READ, luaevent.EV_WRITE
        self._flags: dict[str, int] = {"r": read, "w": write}
        self._kinds = {"reader": read, "writer": write, "both": read | write}
        self._kept: list[Event] = []
        # the descriptors that an event was added for
        self._watched: set[int] = set()
        self._channels = Channels()
        weakref.finalize(self, self._channels.close)

    def spin(self) -> None:
        self._base.loop()

    def stop(self) -> None:
        kept, self._kept = self._kept, []
        for event in kept:
            with suppress(Exception):
                event.close()

    def watch(self, fd: Any, direction: Direction, callback: Callable[..., Any]) -> Event:
        flags = self._flags[direction]
        if isinstance(callback, Calls):
            callback.answer = lambda: flags
            callback = self.asking(callback)
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
        close = getattr(self._base, "close", None)
        if close is not None:
            close()
        super().drop()

    def set_timer(self, seconds: float, callback: Callable[[], Any], kind: str = "") -> Event:
        return self._set(seconds, callback, kind, self.over)

    def set_interval(self, seconds: float, callback: Callable[[], Any], kind: str = "") -> Event:
        return self._set(seconds, callback, kind, None)

    def set_number(self, number: Any, callback: Callable[..., Any]) -> Event:
        return self._keep(self._base.addevent(None, self.entry.EV_TIMEOUT, callback, number))

    def clear(self, timer: Event) -> None:
        timer.close()

    def _set(
        self, seconds: float, callback: Callable[[], Any], kind: str, answer: int | None
    ) -> Event:
        fd, flags = self._idle(kind or self.timers[0])

        def on_timeout(_flags: int) -> int | None:
            callback()
            if self.ends_run():
                return self.over
            return flags if answer is None else answer

        return self._keep(self._base.addevent(fd, flags, on_timeout, seconds))

    def _idle(self, kind: str) -> tuple[int | None, int]:
        """Return a descriptor on which nothing happens, or None, and what to wait for."""
        if kind == "timer":
            return None, self.entry.EV_TIMEOUT
        near, _far = self._channels.pair()
        fill(near)
        return near.fileno(), self._kinds[kind]

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
            multitude.test_hundreds_of_loops_live_side_by_side,
        ),
        "luaevent.callback.leave-releases": (
            lifetime.test_the_callback_of_an_ended_watch_is_let_go,
            fairness.test_watches_may_follow_one_another_without_end,
            many_timers.test_a_timer_that_is_over_lets_go_of_its_callback,
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
            reuse.test_a_number_may_be_of_another_kind_of_file_next,
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
            timer_arguments.test_a_timer_calls_a_callable_of_any_type,
        ),
        "luaevent.addevent.timeout-not-early": (
            timers.test_no_timer_is_called_early,
            timers.test_a_timer_alone_is_not_early,
            timers.test_time_before_a_timer_was_set_does_not_count,
            timer_clock.test_a_far_timer_is_not_called_at_once,
            intervals.test_no_tick_is_early,
        ),
        "luaevent.addevent.close-erases": (
            cancellation.test_a_watch_that_was_not_served_can_be_ended,
            cancellation.test_a_watch_that_ended_is_not_called,
            reuse.test_a_file_may_outlive_the_number_that_was_watched,
            reuse.test_a_duplicate_is_watched_for_itself,
            clearing.test_a_cleared_timer_never_runs,
            clearing.test_a_cleared_interval_does_not_tick_again,
            many_timers.test_thousands_of_timers_run_in_order,
            coexistence.test_a_number_reused_in_a_timers_callback_inherits_nothing,
            multitude.test_a_callback_may_set_and_clear_a_thousand_timers,
        ),
        "luaevent.addevent.close-idempotent": (
            cancellation.test_ending_a_watch_twice_is_harmless,
            clearing.test_clearing_a_cleared_timer_disturbs_no_other,
        ),
        "luaevent.addevent.close-own-callback": (
            cancellation.test_a_callback_may_end_its_own_watch,
            clearing.test_a_timer_may_clear_itself_while_it_runs,
            intervals.test_an_interval_that_clears_itself_ticks_no_more,
        ),
        "luaevent.addevent.close-other-same-turn": (
            cancellation.test_a_watch_ended_by_another_in_its_turn_is_not_called,
            cancellation.test_a_watch_that_ends_the_others_goes_on,
            cancellation.test_one_direction_may_end_the_other_in_its_turn,
            reuse.test_a_number_reused_in_a_turn_inherits_no_readiness,
            reuse.test_a_callback_may_reuse_its_own_number,
            reuse.test_a_number_reused_in_a_timer_inherits_no_readiness,
            cancellation.test_a_timer_may_end_a_ready_watch,
            clearing.test_one_of_two_due_timers_clearing_each_other_runs,
            clearing.test_a_timer_may_clear_all_that_are_due_after_it,
            clearing.test_a_descriptors_callback_may_clear_a_timer_that_is_due,
            multitude.test_a_callback_may_end_hundreds_of_watches,
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
            clearing.test_the_successor_of_a_timer_that_cleared_itself_runs,
            intervals.test_an_interval_may_be_followed_by_its_successor,
            timers.test_a_timer_that_is_overdue_when_its_setter_ends_runs_next,
            registration.test_a_watch_may_be_ended_and_begun_again_by_another,
            multitude.test_a_callback_may_set_timers_that_all_run,
        ),
        "luaevent.addevent.same-fd": (
            readability.test_one_direction_is_silent_while_the_other_is_called,
            cancellation.test_the_end_of_a_watch_leaves_the_other_direction,
            cancellation.test_the_end_of_a_watch_leaves_others_of_its_direction,
            registration.test_each_watch_of_a_descriptor_is_called,
            multitude.test_hundreds_of_watches_of_a_descriptor_are_called,
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
            multitude.test_hundreds_that_are_ready_once_are_called_once,
        ),
        "luaevent.close.nothing-left": (lifetime.test_nothing_is_left_of_loops_that_are_gone,),
        "luaevent.addevent.timeout-decimal": (
            timers.test_timers_are_as_long_as_they_are_said_to_be,
            timers.test_a_waiting_loop_wakes_for_its_nearest_timer,
            timers.test_clearing_some_makes_no_other_late,
        ),
        "luaevent.addevent.timeout-from-addevent": (
            timers.test_time_before_the_loop_counts,
            timers.test_an_overdue_timer_runs_without_another_wait,
        ),
        "luaevent.addevent.timeout-monotonic": (
            timer_clock.test_a_step_of_the_wall_clock_changes_nothing,
        ),
        "luaevent.addevent.timeout-repeats": (
            intervals.test_an_interval_ticks_over_and_over,
            intervals.test_intervals_go_on_while_timers_come_and_go,
            intervals.test_an_interval_goes_on_after_a_stall,
            intervals.test_the_next_tick_comes_within_one_period_of_the_last,
            intervals.test_the_first_tick_comes_after_one_period,
            multitude.test_hundreds_of_intervals_tick_side_by_side,
        ),
        "luaevent.addevent.timeout-seconds": (
            timers.test_timers_are_as_long_as_they_are_said_to_be,
            timer_arguments.test_a_number_of_any_type_is_a_length,
        ),
        "luaevent.callback.leave-cancels-timeout": (timers.test_a_timer_runs_once,),
        "luaevent.callback.leave-then-close": (
            clearing.test_clearing_a_timer_that_has_run_does_nothing,
            many_timers.test_old_handles_clear_no_later_timer,
            many_timers.test_old_handles_do_not_end_a_chain_of_timers,
        ),
        "luaevent.loop.again": (multitude.test_a_loop_may_be_run_hundreds_of_times,),
        "luaevent.loop.begins": (many_timers.test_old_handles_do_not_end_a_chain_of_timers,),
        "luaevent.loop.busy-fd-timer": (
            coexistence.test_a_ready_descriptor_does_not_wait_for_a_timer,
            coexistence.test_timers_run_beside_descriptors_that_are_always_ready,
            coexistence.test_descriptors_are_served_beside_a_timer_always_due,
            coexistence.test_due_timers_and_a_ready_descriptor_are_all_served,
        ),
        "luaevent.loop.idle": (
            processor_time.test_a_loop_with_nothing_to_do_sleeps,
            processor_time.test_a_loop_sleeps_until_its_timer,
            processor_time.test_a_wait_of_a_millisecond_is_slept,
            processor_time.test_a_loop_sleeps_after_signals,
        ),
        "luaevent.loop.not-before": (
            coexistence.test_a_loop_goes_on_for_thousands_of_turns,
            signals.test_a_signal_does_not_end_a_wait,
        ),
        "luaevent.loop.signal": (
            signals.test_a_signal_does_not_end_a_wait,
            signals.test_signals_do_not_move_a_timer,
        ),
        "luaevent.loop.signal-raises": (signals.test_an_exception_of_a_signal_handler_is_recorded,),
        "luaevent.loop.timer-order": (
            timers.test_timers_run_in_the_order_of_their_deadlines,
            timers.test_a_timer_set_later_for_an_earlier_time_comes_first,
            many_timers.test_thousands_of_timers_run_in_order,
        ),
    },
)
