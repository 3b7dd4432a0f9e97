"""The profile `luaevent`: how a luaevent base is reached, checked and judged."""

from __future__ import annotations

import socket
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..checks import (
    clearing,
    coexistence,
    intervals,
    many_timers,
    processor_time,
    registration,
    signals,
    timer_arguments,
    timer_clock,
    timers,
)
from ..checks.verbs import Calls, Direction, Script, Verbs, play_inside
from ..clocks import Clock
from ..protocols.luaevent import ENTRY_NAMES, LOOP_NAMES, Event, Luaevent
from ..testing import guards
from ..testing.channels import Channels, fill
from .api import Profile

# The guard of a run is split into this many timers, one after the other: a machine that
# stands still for a while makes one of them late.
_ROUNDS = 3


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


class LuaeventVerbs(Verbs):
    """A base in the verbs of the shared checks; its events are kept until the script ends.

    Each of its timers is an event with a timeout: one without a descriptor, or
    one of a descriptor on which nothing happens.
    """

    directions: tuple[Direction, ...] = ("r", "w")
    timers: tuple[str, ...] = ("timer", "reader", "writer", "both")
    intervals = timers
    unit = 1.0

    def __init__(self, luaevent: Luaevent, clock: Clock) -> None:
        super().__init__(luaevent, clock)
        self.over = luaevent.LEAVE
        self._base = luaevent.new()
        read, write = luaevent.EV_READ, luaevent.EV_WRITE
        self._flags: dict[str, int] = {"r": read, "w": write}
        self._kinds = {"reader": read, "writer": write, "both": read | write}
        self._kept: list[Event] = []
        self._done: Callable[[], object] = lambda: False
        self._late = False
        self._channels = Channels()
        weakref.finalize(self, self._channels.close)

    def play(self, script: Script) -> None:
        play_inside(script, after=self.set_timer, run=self._base.loop, stop=self._stop)

    def run(self, what: str, done: Callable[[], object], *, within: float | None = 0.5) -> None:
        if done():
            return
        self._done, self._late = done, False
        if within is not None:
            self._set_guard(guards.guard(within) / _ROUNDS, _ROUNDS)
        self._base.loop()
        self._stop()
        why = f"not within {within} s" if self._late else "loop() returned before"
        assert done(), f"{what}: {why}"

    def _set_guard(self, seconds: float, rounds: int) -> None:
        def on_guard(_flags: int) -> int:
            if rounds > 1:
                self._set_guard(seconds, rounds - 1)
            else:
                self._late = True
                self._stop()
            return self.over

        self._keep(self._base.addevent(None, self.entry.EV_TIMEOUT, on_guard, seconds))

    def _stop(self) -> None:
        self._done = lambda: False
        kept, self._kept = self._kept, []
        for event in kept:
            with suppress(Exception):
                event.close()

    def watch(self, fd: Any, direction: Direction, callback: Callable[..., Any]) -> Event:
        flags = self._flags[direction]
        if isinstance(callback, Calls):
            callback.answer = lambda: flags
        return self._keep(self._base.addevent(fd, flags, callback))

    def unwatch(self, watch: Event) -> None:
        watch.close()

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
            if self._done():
                self._stop()
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
    document="luaevent",
    entry_names=ENTRY_NAMES,
    loop_names=LOOP_NAMES,
    indispensable=("addevent", "loop"),
    parts={"new": "loop", "loop.addevent": "event"},
    smoke_checks=(a_timer, a_descriptor),
    timer_check=timer_of,
    verbs=LuaeventVerbs,
    checks={
        "luaevent.addevent.close-erases": (
            registration.test_a_watch_that_ended_is_not_called,
            clearing.test_a_cleared_timer_never_runs,
            clearing.test_a_cleared_interval_does_not_tick_again,
            many_timers.test_thousands_of_timers_run_in_order,
            coexistence.test_a_number_reused_in_a_timers_callback_inherits_nothing,
        ),
        "luaevent.addevent.close-idempotent": (
            clearing.test_clearing_a_cleared_timer_disturbs_no_other,
        ),
        "luaevent.addevent.close-other-same-turn": (
            clearing.test_one_of_two_due_timers_clearing_each_other_runs,
            clearing.test_a_timer_may_clear_all_that_are_due_after_it,
            clearing.test_a_descriptors_callback_may_clear_a_timer_that_is_due,
        ),
        "luaevent.addevent.close-own-callback": (
            clearing.test_a_timer_may_clear_itself_while_it_runs,
            intervals.test_an_interval_that_clears_itself_ticks_no_more,
        ),
        "luaevent.addevent.from-callback": (
            clearing.test_the_successor_of_a_timer_that_cleared_itself_runs,
            intervals.test_an_interval_may_be_followed_by_its_successor,
            timers.test_a_timer_that_is_overdue_when_its_setter_ends_runs_next,
        ),
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
        "luaevent.addevent.timeout-not-early": (
            timers.test_no_timer_is_called_early,
            timers.test_a_timer_alone_is_not_early,
            timers.test_time_before_a_timer_was_set_does_not_count,
            timer_clock.test_a_far_timer_is_not_called_at_once,
            intervals.test_no_tick_is_early,
        ),
        "luaevent.addevent.timeout-repeats": (
            intervals.test_an_interval_ticks_over_and_over,
            intervals.test_intervals_go_on_while_timers_come_and_go,
            intervals.test_an_interval_goes_on_after_a_stall,
            intervals.test_the_next_tick_comes_within_one_period_of_the_last,
            intervals.test_the_first_tick_comes_after_one_period,
        ),
        "luaevent.addevent.timeout-seconds": (
            timers.test_timers_are_as_long_as_they_are_said_to_be,
            timer_arguments.test_a_number_of_any_type_is_a_length,
        ),
        "luaevent.callback.leave-cancels-timeout": (timers.test_a_timer_runs_once,),
        "luaevent.callback.leave-releases": (
            many_timers.test_a_timer_that_is_over_lets_go_of_its_callback,
        ),
        "luaevent.callback.leave-then-close": (
            clearing.test_clearing_a_timer_that_has_run_does_nothing,
            many_timers.test_old_handles_clear_no_later_timer,
            many_timers.test_old_handles_do_not_end_a_chain_of_timers,
        ),
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
