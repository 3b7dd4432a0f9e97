"""The profile `levent`: how a levent base is reached, checked and judged."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ..checks import (
    arguments,
    cancellation,
    coexistence,
    fairness,
    lifetime,
    multitude,
    processor_time,
    readability,
    registration,
    reuse,
    signals,
    stream_beside,
    stream_both_ways,
    stream_input,
    stream_lines,
    stream_loops,
    stream_many,
    stream_objects,
    stream_output,
    stream_pauses,
    writability,
)
from ..checks.base_verbs import TurnVerbs
from ..checks.stream_adapters import LeventStreams
from ..checks.verbs import Calls, Direction, as_function
from ..clocks import Clock
from ..protocols.levent import ENTRY_NAMES, LOOP_NAMES, Event, Levent
from .api import Profile

# A pass may move nothing now and then.
_MOST_PASSES = 100


def _descriptor(entry: Any, ran: Callable[[], None]) -> None:
    """a readable socket"""
    near, far = _with_a_byte()
    base = entry.newbase()
    event = base.newevent(near.fileno(), lambda *_: ran(), "r")
    event.start()
    base.loop(1)
    del far


def _buffer(entry: Any, ran: Callable[[], None]) -> None:
    """a byte for a buffered event"""
    near, far = _with_a_byte()
    base = entry.newbase()
    evbuf = base.newevbuf(near.fileno(), lambda *_: ran(), lambda *_: None, lambda *_: None)
    evbuf.start()
    for _ in range(_MOST_PASSES):
        base.loop(0)
    del far


def _with_a_byte() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets; the first has a byte to read."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.send(b"x")
    return near, far


class LeventVerbs(TurnVerbs):
    """A base in the verbs of the shared checks; the document has no timers."""

    directions: tuple[Direction, ...] = ("r", "w")

    def __init__(self, levent: Levent, clock: Clock) -> None:
        super().__init__(levent, clock)
        self._base = levent.newbase()
        # {id of an event: the event} of those that are active
        self._active: dict[int, Event] = {}

    def turn(self, seconds: float) -> None:
        self._base.loop(0)

    def run(self, what: str, done: Callable[[], object], *, within: float | None = 0.5) -> None:
        self._base.loop()
        assert done(), f"{what}: loop() returned before"

    def watch(self, fd: Any, direction: Direction, callback: Callable[..., Any]) -> Event:
        given = as_function(callback) if isinstance(callback, Calls) else callback
        event = self._base.newevent(fd, given, direction)
        if isinstance(callback, Calls):
            callback.answer = partial(self._go_on, event)
        event.start()
        self._active[id(event)] = event
        return event

    def _go_on(self, event: Event) -> None:
        """Start *event* again after its call: whether it is still active is open."""
        if id(event) in self._active:
            event.start()

    def unwatch(self, watch: Event) -> None:
        self._active.pop(id(watch), None)
        watch.stop()


class _DeletingVerbs(LeventVerbs):
    """A base whose events are deleted, and not stopped."""

    def unwatch(self, watch: Event) -> None:
        self._active.pop(id(watch), None)
        watch.delete()

    def unwatch_again(self, watch: Event) -> None:
        with suppress(Exception):  # whether a second delete raises is open
            watch.delete()


# `stop` and `delete` end an event alike.
_ENDINGS = (
    multitude.test_a_callback_may_end_hundreds_of_watches,
    cancellation.test_a_watch_that_was_not_served_can_be_ended,
    cancellation.test_a_watch_that_ended_is_not_called,
    reuse.test_a_file_may_outlive_the_number_that_was_watched,
    reuse.test_a_duplicate_is_watched_for_itself,
    cancellation.test_a_watch_ended_by_another_in_its_turn_is_not_called,
    cancellation.test_a_watch_that_ends_the_others_goes_on,
    cancellation.test_one_direction_may_end_the_other_in_its_turn,
    cancellation.test_a_callback_may_end_its_own_watch,
    cancellation.test_ending_a_watch_twice_is_harmless,
    cancellation.test_the_end_of_a_watch_leaves_the_other_direction,
    cancellation.test_the_end_of_a_watch_leaves_others_of_its_direction,
)

PROFILE = Profile(
    name="levent",
    model="looptck.models.levent",
    document="levent",
    entry_names=ENTRY_NAMES,
    loop_names=LOOP_NAMES,
    indispensable=("loop",),
    constructor="newbase",
    parts={"newbase": "loop", "loop.newevent": "event", "loop.newevbuf": "evbuf"},
    smoke_checks=(_descriptor, _buffer),
    verbs=LeventVerbs,
    verbs_for={"levent.event.delete": _DeletingVerbs},
    streams=LeventStreams,
    checks={
        "levent.bufevent.readline": (
            stream_lines.test_thousands_of_lines_are_taken,
            stream_lines.test_lines_make_room_in_a_full_input,
        ),
        "levent.newbase": (
            lifetime.test_two_loops_may_watch_one_descriptor,
            lifetime.test_a_loop_that_is_gone_takes_nothing_from_another,
            multitude.test_hundreds_of_loops_live_side_by_side,
        ),
        "levent.newbase-nothing-left": (lifetime.test_nothing_is_left_of_loops_that_are_gone,),
        "levent.newevent.creates": (
            arguments.test_watches_may_share_a_callback,
            registration.test_each_watch_of_a_descriptor_is_called,
            multitude.test_hundreds_of_watches_of_a_descriptor_are_called,
        ),
        "levent.newevent.file-int": (
            arguments.test_descriptor_zero_is_watched_like_any_other,
            fairness.test_only_the_watch_that_is_ready_is_called,
            arguments.test_an_integer_of_any_type_is_a_descriptor,
            reuse.test_a_number_may_be_of_another_kind_of_file_next,
        ),
        "levent.newevent.file-object": (registration.test_a_bad_descriptor_does_no_harm_to_others,),
        "levent.newevent.callback-any": (
            arguments.test_a_callable_of_any_type_serves_as_a_callback,
        ),
        "levent.newevent.evtype-r": (
            readability.test_a_reader_is_called_once_for_an_arrival,
            readability.test_a_reader_is_silent_until_a_read_returns,
            readability.test_an_urgent_byte_wakes_neither_direction,
            readability.test_a_reader_is_called_for_the_end_of_a_stream,
            readability.test_a_reader_is_called_for_the_end_of_a_pipe,
            readability.test_a_reader_is_called_for_a_connection_reset,
            readability.test_a_reader_is_called_while_data_is_left,
            readability.test_data_left_is_told_again_after_a_pause,
            readability.test_each_pending_connection_can_be_accepted,
            readability.test_one_direction_is_silent_while_the_other_is_called,
        ),
        "levent.newevent.evtype-w": (
            readability.test_one_direction_is_silent_while_the_other_is_called,
            writability.test_a_writer_is_called_while_room_is_left,
            writability.test_a_writer_is_called_if_there_is_room,
            writability.test_a_writer_is_silent_until_there_is_room,
            writability.test_a_writer_is_called_when_its_reader_is_gone,
            writability.test_the_reading_end_of_a_pipe_is_not_writable,
            writability.test_a_writer_is_called_when_its_connection_is_made,
            writability.test_a_writer_is_called_when_its_connection_fails,
        ),
        "levent.event.start": (
            fairness.test_a_watch_is_called_a_thousand_times,
            registration.test_a_watch_goes_on_after_its_call,
            registration.test_one_number_may_be_watched_many_times_in_a_turn,
            lifetime.test_a_callback_lives_as_long_as_its_watch,
        ),
        "levent.event.stop": _ENDINGS,
        "levent.event.delete": (
            *_ENDINGS,
            reuse.test_a_number_reused_in_a_turn_inherits_no_readiness,
            reuse.test_a_callback_may_reuse_its_own_number,
            lifetime.test_the_callback_of_an_ended_watch_is_let_go,
            fairness.test_watches_may_follow_one_another_without_end,
            lifetime.test_the_descriptor_of_an_ended_watch_is_its_owners,
        ),
        "levent.event.file-untouched": (lifetime.test_the_flags_of_a_descriptor_stay_as_they_are,),
        "levent.loop.howmany-zero": (
            fairness.test_each_of_many_ready_watches_is_called,
            fairness.test_a_busy_watch_does_not_starve_the_others,
            multitude.test_hundreds_that_are_ready_once_are_called_once,
        ),
        "levent.loop.add-in-callback": (
            registration.test_a_watch_begun_in_a_callback_is_served,
            registration.test_each_callback_of_a_turn_may_begin_watches,
            registration.test_callbacks_may_begin_watches_in_a_chain,
            registration.test_a_watch_may_be_ended_and_begun_again_by_another,
        ),
        "levent.loop.idle": (
            processor_time.test_a_loop_with_nothing_to_do_sleeps,
            processor_time.test_a_loop_sleeps_after_signals,
        ),
        "levent.loop.nil": (
            coexistence.test_a_loop_goes_on_for_thousands_of_turns,
            signals.test_a_signal_does_not_end_a_wait,
            multitude.test_a_loop_may_be_run_hundreds_of_times,
        ),
        "levent.loop.signal-raises": (signals.test_an_exception_of_a_signal_handler_is_recorded,),
        "levent.buffer.read-lowwater": (
            stream_input.test_read_is_called_from_the_low_watermark_on,
            stream_input.test_read_follows_a_low_watermark_that_changes,
            stream_input.test_the_low_watermark_holds_beside_other_things,
            stream_input.test_each_input_that_is_ready_at_once_is_told,
        ),
        "levent.buffer.write-lowwater": (
            stream_output.test_write_is_called_below_the_low_watermark,
            stream_output.test_write_follows_a_low_watermark_that_changes,
            stream_output.test_the_low_watermark_of_the_output_holds_beside_others,
        ),
        "levent.buffer.write-more-in-cb": (
            stream_output.test_output_that_write_adds_leaves_and_brings_a_call,
            stream_output.test_write_may_add_hundreds_of_times,
        ),
        "levent.newevbuf.data-before-eof": (
            stream_input.test_every_byte_arrives_once_and_in_order,
            stream_input.test_every_byte_arrives_before_the_end,
            stream_input.test_the_last_bytes_arrive_with_the_end,
            stream_beside.test_input_arrives_though_output_fails,
            stream_beside.test_the_input_goes_on_to_its_end_while_output_waits,
            stream_beside.test_a_full_input_is_no_end,
            stream_beside.test_the_end_of_one_stream_leaves_others_alone,
            stream_loops.test_an_urgent_byte_is_no_input,
            stream_loops.test_a_megabyte_passes_through_small_watermarks,
            stream_many.test_hundreds_of_small_arrivals_lose_nothing,
            stream_many.test_a_high_watermark_below_the_level_loses_nothing,
        ),
        "levent.bufevent.start": (
            stream_pauses.test_many_stops_and_starts_lose_nothing,
            stream_output.test_bytes_move_however_long_the_stream_was_idle,
            stream_pauses.test_nothing_is_read_before_the_start,
            stream_loops.test_a_signal_does_not_end_a_wait_for_bytes,
        ),
        "levent.bufevent.stop": (
            stream_pauses.test_nothing_moves_while_stopped_and_all_goes_on,
            stream_pauses.test_output_that_left_in_part_goes_on_after_a_stop,
            stream_pauses.test_many_stops_and_starts_lose_nothing,
            stream_pauses.test_data_that_waited_for_a_start_is_told,
            stream_many.test_a_stop_counts_after_hundreds_of_stops,
        ),
        "levent.bufevent.write": (
            stream_output.test_written_bytes_leave_once_and_in_order,
            stream_output.test_a_slow_peer_gets_every_byte,
            stream_output.test_a_write_returns_though_nothing_can_leave,
            stream_output.test_bytes_move_however_long_the_stream_was_idle,
            stream_both_ways.test_output_that_read_writes_leaves,
            stream_both_ways.test_output_leaves_while_input_arrives,
            stream_both_ways.test_output_leaves_though_the_input_is_full,
            stream_both_ways.test_each_peer_gets_the_output_that_is_its_own,
            stream_many.test_a_thousand_writes_that_wait_all_leave,
            stream_many.test_a_stop_in_write_keeps_what_write_adds,
        ),
        "levent.newevbuf.watermarks-exist": (
            stream_input.test_read_follows_a_low_watermark_that_changes,
            stream_beside.test_each_buffer_has_watermarks_of_its_own,
            stream_objects.test_a_number_of_bytes_may_be_of_a_class_of_ints,
        ),
        "levent.newevbuf.creates": (
            stream_objects.test_a_stream_with_the_number_of_another_begins_anew,
            stream_objects.test_a_duplicate_of_the_file_serves_as_well,
            stream_objects.test_any_callable_is_a_callback,
            stream_loops.test_hundreds_of_streams_are_ready_in_one_turn,
            stream_loops.test_hundreds_of_streams_follow_one_another,
        ),
        "levent.newevbuf.sleeps": (stream_loops.test_the_loop_sleeps_while_no_byte_can_move,),
    },
)
