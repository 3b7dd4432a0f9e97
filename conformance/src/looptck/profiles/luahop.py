"""The profile `luahop`: how a LuaHop loop is reached, checked and judged."""

from __future__ import annotations

import math
import socket
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
from ..checks.base_verbs import TurnVerbs
from ..checks.verbs import Calls, Direction, as_function
from ..clocks import Clock
from ..protocols.luahop import ENTRY_NAMES, LOOP_NAMES, Luahop, Timer
from ..testing.hop_driver import poll_until, polls
from .api import Profile

# A poll may return for nothing now and then.
_MOST_POLLS = 100


def _timer(entry: Any, ran: Callable[[], None]) -> None:
    """a timer"""
    hop = entry.new()
    hop.set_timeout({"ms": 1}, ran)
    for _ in range(_MOST_POLLS):
        hop.poll()


def _descriptor(entry: Any, ran: Callable[[], None]) -> None:
    """a writable socket"""
    near, far = socket.socketpair()
    hop = entry.new()
    hop.set_listener(near.fileno(), "w", ran)
    for _ in range(_MOST_POLLS):
        hop.poll()
    del far


def _timer_of(entry: Any, seconds: float, ran: Callable[[], None]) -> None:
    hop = entry.new()
    hop.set_timeout({"ms": round(seconds * 1000)}, ran)
    while True:  # bounded by the patience of whoever waits for this process
        hop.poll()


def _milliseconds(seconds: float) -> float:
    """Return an int where there is no fraction, which a loop need not take."""
    milliseconds = round(seconds * 1000, 6)
    whole = round(milliseconds) if math.isfinite(milliseconds) else milliseconds
    return whole if whole == milliseconds else milliseconds


class HopVerbs(TurnVerbs):
    """A loop in the verbs of the shared checks."""

    directions: tuple[Direction, ...] = ("r", "w")
    timers: tuple[str, ...] = ("timeout", "interval")
    intervals: tuple[str, ...] = ("interval",)
    unit = 0.001
    over = None

    def __init__(self, luahop: Luahop, clock: Clock) -> None:
        super().__init__(luahop, clock)
        self._hop = luahop.new()

    def turn(self, seconds: float) -> None:
        awake = self._hop.set_timeout({"ms": _milliseconds(seconds)}, lambda: None)
        self._hop.poll()
        self.entry.clear_timer(awake)

    def run(self, what: str, done: Callable[[], object], *, within: float | None = 0.5) -> None:
        if within is not None:
            poll_until(self._hop, what, done, within=within * 1000)
            return
        for _ in polls(self._hop):
            if done():
                return
        raise AssertionError(f"{what}: not while poll returned again and again")

    def watch(self, fd: Any, direction: Direction, callback: Callable[..., Any]) -> Any:
        given = as_function(callback) if isinstance(callback, Calls) else callback
        self._hop.set_listener(fd, direction, given)
        return fd, direction

    def unwatch(self, watch: Any) -> None:
        self._hop.remove_listener(*watch)

    def unwatch_again(self, watch: Any) -> None:
        with suppress(Exception):  # whether a second removal raises is open
            self.unwatch(watch)

    def drop(self) -> None:
        close = getattr(self._hop, "close", None)
        if callable(close):
            close()
        super().drop()

    def set_timer(self, seconds: float, callback: Callable[[], Any], kind: str = "") -> Timer:
        if kind != "interval":
            return self.set_number(_milliseconds(seconds), as_function(callback))

        def once() -> None:
            callback()
            with suppress(Exception):  # the callback may have cleared it
                self.clear(interval)

        interval = self.set_interval(seconds, once)
        return interval

    def set_interval(self, seconds: float, callback: Callable[[], Any], kind: str = "") -> Timer:
        return self._hop.set_interval({"ms": _milliseconds(seconds)}, as_function(callback))

    def set_number(self, number: Any, callback: Callable[..., Any]) -> Timer:
        return self._hop.set_timeout({"ms": number}, callback)

    def clear(self, timer: Timer) -> None:
        self.entry.clear_timer(timer)


PROFILE = Profile(
    name="luahop",
    model="looptck.models.luahop",
    document="LuaHop",
    entry_names=ENTRY_NAMES,
    loop_names=LOOP_NAMES,
    indispensable=("poll",),
    parts={"new": "loop"},
    smoke_checks=(_timer, _descriptor),
    timer_check=_timer_of,
    verbs=HopVerbs,
    checks={
        "luahop.module.new": (
            lifetime.test_two_loops_may_watch_one_descriptor,
            lifetime.test_a_loop_that_is_gone_takes_nothing_from_another,
            multitude.test_hundreds_of_loops_live_side_by_side,
            timers.test_a_loop_runs_no_timer_of_another,
        ),
        "luahop.platform.epoll": (
            fairness.test_each_of_two_thousand_ready_watches_is_called,
            fairness.test_a_high_number_is_watched_like_any_other,
        ),
        "luahop.platform.kqueue": (
            fairness.test_each_of_two_thousand_ready_watches_is_called,
            fairness.test_a_high_number_is_watched_like_any_other,
        ),
        "luahop.scope.no-sockets": (
            lifetime.test_the_flags_of_a_descriptor_stay_as_they_are,
            lifetime.test_no_second_descriptor_appears,
            lifetime.test_the_descriptor_of_an_ended_watch_is_its_owners,
            lifetime.test_a_loop_that_is_gone_leaves_its_descriptors_open,
        ),
        "luahop.scope.nothing-left": (lifetime.test_nothing_is_left_of_loops_that_are_gone,),
        "luahop.listener.create": (
            fairness.test_a_watch_is_called_a_thousand_times,
            registration.test_a_watch_goes_on_after_its_call,
            registration.test_one_number_may_be_watched_many_times_in_a_turn,
            registration.test_a_watch_may_be_ended_and_begun_again_by_another,
            reuse.test_a_number_may_be_of_another_kind_of_file_next,
        ),
        "luahop.listener.read": (readability.test_a_reader_is_called_once_for_an_arrival,),
        "luahop.listener.write": (
            writability.test_a_writer_is_called_if_there_is_room,
            writability.test_a_writer_is_silent_until_there_is_room,
            writability.test_a_writer_is_called_when_its_connection_is_made,
        ),
        "luahop.listener.fd-integer": (
            arguments.test_descriptor_zero_is_watched_like_any_other,
            arguments.test_an_integer_of_any_type_is_a_descriptor,
        ),
        "luahop.listener.accept": (readability.test_each_pending_connection_can_be_accepted,),
        "luahop.listener.level-triggered": (
            writability.test_a_writer_is_called_while_room_is_left,
            readability.test_a_reader_is_called_while_data_is_left,
            readability.test_data_left_is_told_again_after_a_pause,
            coexistence.test_a_loop_goes_on_for_thousands_of_turns,
        ),
        "luahop.listener.not-ready": (
            fairness.test_only_the_watch_that_is_ready_is_called,
            readability.test_a_reader_is_silent_until_a_read_returns,
            readability.test_an_urgent_byte_wakes_neither_direction,
            readability.test_one_direction_is_silent_while_the_other_is_called,
            writability.test_the_reading_end_of_a_pipe_is_not_writable,
        ),
        "luahop.listener.set-inside-callback": (
            registration.test_a_watch_begun_in_a_callback_is_served,
            registration.test_a_watch_begun_in_a_callback_shortens_the_wait,
            registration.test_each_callback_of_a_turn_may_begin_watches,
            registration.test_callbacks_may_begin_watches_in_a_chain,
        ),
        "luahop.listener.remove": (
            cancellation.test_a_watch_that_was_not_served_can_be_ended,
            cancellation.test_a_watch_that_ended_is_not_called,
            cancellation.test_ending_a_watch_twice_is_harmless,
            reuse.test_a_file_may_outlive_the_number_that_was_watched,
            reuse.test_a_duplicate_is_watched_for_itself,
        ),
        "luahop.listener.remove-mask": (
            cancellation.test_the_end_of_a_watch_leaves_the_other_direction,
        ),
        "luahop.listener.remove-lets-go": (
            lifetime.test_the_callback_of_an_ended_watch_is_let_go,
            fairness.test_watches_may_follow_one_another_without_end,
        ),
        "luahop.listener.remove-inside-self": (cancellation.test_a_callback_may_end_its_own_watch,),
        "luahop.listener.remove-other-ready": (
            cancellation.test_a_timer_may_end_a_ready_watch,
            cancellation.test_a_watch_ended_by_another_in_its_turn_is_not_called,
            cancellation.test_a_watch_that_ends_the_others_goes_on,
            multitude.test_a_callback_may_end_hundreds_of_watches,
        ),
        "luahop.listener.remove-write-from-read": (
            cancellation.test_one_direction_may_end_the_other_in_its_turn,
        ),
        "luahop.listener.fd-reuse-same-poll": (
            reuse.test_a_number_reused_in_a_turn_inherits_no_readiness,
            reuse.test_a_callback_may_reuse_its_own_number,
            reuse.test_a_number_reused_in_a_timer_inherits_no_readiness,
            coexistence.test_a_number_reused_in_a_timers_callback_inherits_nothing,
        ),
        "luahop.listener.eof": (
            readability.test_a_reader_is_called_for_the_end_of_a_stream,
            readability.test_a_reader_is_called_for_a_connection_reset,
        ),
        "luahop.listener.eof-pipe": (readability.test_a_reader_is_called_for_the_end_of_a_pipe,),
        "luahop.listener.many-ready": (
            fairness.test_each_of_many_ready_watches_is_called,
            fairness.test_a_busy_watch_does_not_starve_the_others,
            multitude.test_hundreds_that_are_ready_once_are_called_once,
        ),
        "luahop.listener.bad-fd": (
            registration.test_a_bad_descriptor_that_stays_does_no_harm,
            registration.test_a_bad_descriptor_does_no_harm_to_others,
            registration.test_a_closed_number_that_was_refused_leaves_no_trace,
        ),
        "luahop.listener.callable": (
            registration.test_a_callback_that_cannot_be_called_is_refused,
        ),
        "luahop.listener.callback-any": (
            arguments.test_watches_may_share_a_callback,
            arguments.test_a_callable_of_any_type_serves_as_a_callback,
        ),
        "luahop.listener.strong-ref": (lifetime.test_a_callback_lives_as_long_as_its_watch,),
        "luahop.timer.timeout-not-early": (
            timers.test_no_timer_is_called_early,
            timers.test_a_timer_alone_is_not_early,
            timers.test_time_before_a_timer_was_set_does_not_count,
            timer_clock.test_a_far_timer_is_not_called_at_once,
        ),
        "luahop.poll.blocks": (
            coexistence.test_a_ready_descriptor_does_not_wait_for_a_timer,
            processor_time.test_a_loop_with_nothing_to_do_sleeps,
            processor_time.test_a_loop_sleeps_until_its_timer,
            processor_time.test_a_wait_of_a_millisecond_is_slept,
            processor_time.test_a_loop_sleeps_after_signals,
        ),
        "luahop.poll.eintr": (
            signals.test_a_signal_does_not_end_a_wait,
            signals.test_signals_do_not_move_a_timer,
        ),
        "luahop.poll.signal-raises": (signals.test_an_exception_of_a_signal_handler_is_recorded,),
        "luahop.timer.callback-any": (timer_arguments.test_a_timer_calls_a_callable_of_any_type,),
        "luahop.timer.clear-inside-own-interval": (
            intervals.test_an_interval_that_clears_itself_ticks_no_more,
            intervals.test_an_interval_may_be_followed_by_its_successor,
        ),
        "luahop.timer.clear-inside-own-timeout": (
            clearing.test_a_timer_may_clear_itself_while_it_runs,
        ),
        "luahop.timer.clear-interval": (clearing.test_a_cleared_interval_does_not_tick_again,),
        "luahop.timer.clear-other-ready": (
            clearing.test_one_of_two_due_timers_clearing_each_other_runs,
            clearing.test_a_timer_may_clear_all_that_are_due_after_it,
            clearing.test_a_descriptors_callback_may_clear_a_timer_that_is_due,
        ),
        "luahop.timer.clear-self-then-set": (
            clearing.test_the_successor_of_a_timer_that_cleared_itself_runs,
        ),
        "luahop.timer.clear-timeout": (
            clearing.test_a_cleared_timer_never_runs,
            clearing.test_a_callback_may_be_set_again_after_it_was_cleared,
            many_timers.test_thousands_of_timers_run_in_order,
            multitude.test_a_callback_may_set_and_clear_a_thousand_timers,
        ),
        "luahop.timer.clear-twice": (
            clearing.test_clearing_a_cleared_timer_disturbs_no_other,
            clearing.test_clearing_a_timer_that_has_run_does_nothing,
        ),
        "luahop.timer.handle": (many_timers.test_thousands_of_timers_run_in_order,),
        "luahop.timer.interval-first": (intervals.test_the_first_tick_comes_after_one_period,),
        "luahop.timer.interval-missed": (intervals.test_missed_ticks_are_not_replayed,),
        "luahop.timer.interval-repeat": (
            intervals.test_an_interval_ticks_over_and_over,
            intervals.test_intervals_go_on_while_timers_come_and_go,
            intervals.test_an_interval_goes_on_after_a_stall,
            intervals.test_the_next_tick_comes_within_one_period_of_the_last,
            intervals.test_a_slow_interval_does_not_starve_another,
            multitude.test_hundreds_of_intervals_tick_side_by_side,
        ),
        "luahop.timer.io-coexist": (
            coexistence.test_timers_run_beside_descriptors_that_are_always_ready,
            coexistence.test_descriptors_are_served_beside_a_timer_always_due,
            coexistence.test_due_timers_and_a_ready_descriptor_are_all_served,
        ),
        "luahop.timer.lets-go": (many_timers.test_a_timer_that_is_over_lets_go_of_its_callback,),
        "luahop.timer.monotonic": (timer_clock.test_a_step_of_the_wall_clock_changes_nothing,),
        "luahop.timer.order-deadline": (
            timers.test_timers_run_in_the_order_of_their_deadlines,
            timers.test_a_timer_set_later_for_an_earlier_time_comes_first,
            many_timers.test_thousands_of_timers_run_in_order,
        ),
        "luahop.timer.set-inside-callback": (
            timers.test_a_timer_that_is_overdue_when_its_setter_ends_runs_next,
            multitude.test_a_callback_may_set_timers_that_all_run,
        ),
        "luahop.timer.stale-handle": (
            many_timers.test_old_handles_clear_no_later_timer,
            many_timers.test_old_handles_do_not_end_a_chain_of_timers,
        ),
        "luahop.timer.timeout-counts-from-call": (
            timers.test_time_before_the_loop_counts,
            timers.test_an_overdue_timer_runs_without_another_wait,
        ),
        "luahop.timer.timeout-latency": (
            timers.test_a_waiting_loop_wakes_for_its_nearest_timer,
            timers.test_clearing_some_makes_no_other_late,
        ),
        "luahop.timer.timeout-once": (
            timers.test_a_timer_runs_once,
            many_timers.test_a_timer_that_ran_keeps_no_descriptor_open,
        ),
        "luahop.timer.units-ms": (
            timers.test_timers_are_as_long_as_they_are_said_to_be,
            timer_arguments.test_a_number_of_any_type_is_a_length,
        ),
    },
)
