"""The profile `luaevent-extended`: luaevent with the buffers of the complete library."""

from __future__ import annotations

from ..checks import (
    stream_beside,
    stream_both_ways,
    stream_input,
    stream_lines,
    stream_loops,
    stream_many,
    stream_objects,
    stream_output,
    stream_pauses,
)
from ..checks.stream_adapters import LuaeventStreams
from ..protocols.luaevent_extended import ENTRY_NAMES, LOOP_NAMES
from . import luaevent
from .api import Profile

PROFILE = Profile(
    name="luaevent-extended",
    model="looptck.models.luaevent_extended",
    document="luaevent, with what the complete library adds",
    entry_names=ENTRY_NAMES,
    loop_names=LOOP_NAMES,
    indispensable=luaevent.PROFILE.indispensable,
    parts={
        **luaevent.PROFILE.parts,
        "buffer.new": "buffer",
        "bufferevent.new": "bufferevent",
    },
    modules=("buffer", "bufferevent"),
    smoke_checks=luaevent.PROFILE.smoke_checks,
    timer_check=luaevent.PROFILE.timer_check,
    streams=LuaeventStreams,
    checks={
        "luaevent.bufferevent.read-low": (
            stream_input.test_read_is_called_from_the_low_watermark_on,
            stream_input.test_read_follows_a_low_watermark_that_changes,
            stream_input.test_the_low_watermark_holds_beside_other_things,
            stream_objects.test_a_number_of_bytes_may_be_of_a_class_of_ints,
            stream_beside.test_each_buffer_has_watermarks_of_its_own,
        ),
        "luaevent.bufferevent.new": (
            stream_input.test_each_input_that_is_ready_at_once_is_told,
            stream_objects.test_a_stream_with_the_number_of_another_begins_anew,
            stream_objects.test_a_duplicate_of_the_file_serves_as_well,
            stream_objects.test_any_callable_is_a_callback,
            stream_loops.test_hundreds_of_streams_are_ready_in_one_turn,
            stream_loops.test_hundreds_of_streams_follow_one_another,
        ),
        "luaevent.bufferevent.write-low": (
            stream_output.test_write_is_called_below_the_low_watermark,
            stream_output.test_write_follows_a_low_watermark_that_changes,
            stream_output.test_the_low_watermark_of_the_output_holds_beside_others,
            stream_output.test_output_that_write_adds_leaves_and_brings_a_call,
        ),
        "luaevent.bufferevent.get_read": (
            stream_input.test_every_byte_arrives_once_and_in_order,
            stream_beside.test_the_end_of_one_stream_leaves_others_alone,
            stream_loops.test_an_urgent_byte_is_no_input,
            stream_loops.test_a_megabyte_passes_through_small_watermarks,
            stream_many.test_a_high_watermark_below_the_level_loses_nothing,
        ),
        "luaevent.constants.evbuffer-eof": (
            stream_input.test_every_byte_arrives_before_the_end,
            stream_input.test_the_last_bytes_arrive_with_the_end,
        ),
        "luaevent.bufferevent.enable": (
            stream_pauses.test_nothing_is_read_before_the_start,
            stream_pauses.test_nothing_moves_while_stopped_and_all_goes_on,
            stream_pauses.test_output_that_left_in_part_goes_on_after_a_stop,
            stream_pauses.test_many_stops_and_starts_lose_nothing,
            stream_pauses.test_data_that_waited_for_a_start_is_told,
            stream_beside.test_input_arrives_though_output_fails,
            stream_beside.test_the_input_goes_on_to_its_end_while_output_waits,
            stream_loops.test_a_signal_does_not_end_a_wait_for_bytes,
            stream_many.test_a_stop_counts_after_hundreds_of_stops,
        ),
        "luaevent.bufferevent.get_write": (
            stream_output.test_written_bytes_leave_once_and_in_order,
            stream_output.test_a_slow_peer_gets_every_byte,
            stream_output.test_bytes_move_however_long_the_stream_was_idle,
            stream_both_ways.test_output_that_read_writes_leaves,
            stream_both_ways.test_output_leaves_while_input_arrives,
            stream_both_ways.test_output_leaves_though_the_input_is_full,
            stream_both_ways.test_each_peer_gets_the_output_that_is_its_own,
            stream_many.test_a_thousand_writes_that_wait_all_leave,
            stream_many.test_a_stop_in_write_keeps_what_write_adds,
        ),
        "luaevent.bufferevent.write-high": (
            stream_output.test_a_write_returns_though_nothing_can_leave,
        ),
        "luaevent.bufferevent.read-high": (
            stream_beside.test_a_full_input_is_no_end,
            stream_beside.test_room_in_a_full_input_is_filled,
            stream_lines.test_lines_make_room_in_a_full_input,
        ),
        "luaevent.constants.evbuffer-read": (
            stream_input.test_read_is_called_from_the_low_watermark_on,
            stream_input.test_the_low_watermark_holds_beside_other_things,
        ),
        "luaevent.constants.evbuffer-write": (
            stream_output.test_write_is_called_below_the_low_watermark,
        ),
        "luaevent.bufferevent.sleeps": (stream_loops.test_the_loop_sleeps_while_no_byte_can_move,),
    },
)
