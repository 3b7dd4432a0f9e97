"""The profile `levent`: how a levent base is reached, checked and judged."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from ..checks import (
    registration,
    stream_beside,
    stream_both_ways,
    stream_input,
    stream_loops,
    stream_objects,
    stream_output,
    stream_pauses,
)
from ..checks.stream_adapters import LeventStreams
from ..checks.verbs import Direction, Script, Verbs, play_by_turns
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


class LeventVerbs(Verbs):
    """A base in the verbs of the shared checks; the document has no timers."""

    directions: tuple[Direction, ...] = ("r", "w")

    def __init__(self, levent: Levent, clock: Clock) -> None:
        super().__init__(levent, clock)
        self._base = levent.newbase()

    def play(self, script: Script) -> None:
        play_by_turns(script, lambda _seconds: self._base.loop(0))

    def watch(self, fd: Any, direction: Direction, callback: Callable[..., Any]) -> Event:
        event = self._base.newevent(fd, callback, direction)
        event.start()
        return event

    def unwatch(self, watch: Event) -> None:
        watch.stop()


PROFILE = Profile(
    name="levent",
    document="levent",
    entry_names=ENTRY_NAMES,
    loop_names=LOOP_NAMES,
    indispensable=("loop",),
    constructor="newbase",
    parts={"newbase": "loop", "loop.newevent": "event", "loop.newevbuf": "evbuf"},
    smoke_checks=(_descriptor, _buffer),
    verbs=LeventVerbs,
    streams=LeventStreams,
    checks={
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
        ),
        "levent.event.stop": (registration.test_a_watch_that_ended_is_not_called,),
        "levent.newevbuf.watermarks-exist": (
            stream_input.test_read_follows_a_low_watermark_that_changes,
            stream_output.test_write_follows_a_low_watermark_that_changes,
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
