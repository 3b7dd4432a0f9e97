"""The model of luaevent allows and refuses the right calls; no loop takes part."""

from __future__ import annotations

import pytest

from looptck.models.engine.channel_state import ChannelState, Directions, Kind
from looptck.models.engine.timing import Timing
from looptck.models.engine.violation import ViolationError
from looptck.models.luaevent.entries import Answer, Event, Flags
from looptck.models.luaevent.model import LuaeventModel

VIRTUAL = Timing(unit=1.0, is_virtual=True, patience=0.2, apart=0.01)
REAL = Timing(unit=1.0, is_virtual=False, patience=float("inf"), apart=0.01)

READ = Flags(Directions.READ)
WRITE = Flags(Directions.WRITE)
TIMEOUT = Flags(timeout=True)
SAME, LEAVE = Answer("same"), Answer("leave")


@pytest.fixture
def model() -> LuaeventModel:
    return LuaeventModel(VIRTUAL)


def reader(model: LuaeventModel, channel: ChannelState, timeout: float | None = None) -> Event:
    return model.add("A", channel, Directions.READ, timeout, 0, 0)


def timer(model: LuaeventModel, name: str, timeout: float) -> Event:
    return model.add(name, None, Directions.NEITHER, timeout, 0, 0)


def call(model: LuaeventModel, event: Event, flags: Flags, answer: Answer, now: float) -> None:
    model.called(event, flags, now)
    model.answered(event, flags, answer, now, now)


def refuses(rule: str) -> pytest.RaisesExc[ViolationError]:
    return pytest.RaisesExc(ViolationError, check=lambda error: error.rule == rule)


def test_a_ready_event_may_be_called_until_it_leaves(model: LuaeventModel) -> None:
    channel = ChannelState(Kind.PAIR, waiting=1)
    event = reader(model, channel)
    model.enter(0)
    for answer in (SAME, SAME, LEAVE):
        call(model, event, READ, answer, 0)
    with refuses("luaevent.constants.leave"):
        model.called(event, READ, 0)
    model.returned(0)


def test_what_may_happen_lists_calls_and_the_return(model: LuaeventModel) -> None:
    event = reader(model, ChannelState(Kind.PAIR, waiting=1), timeout=2)
    model.enter(0)
    assert model.may_happen() == ["A called with read", "A called with TIMEOUT, 2 units later"]
    call(model, event, READ, LEAVE, 0)
    assert model.may_happen() == ["loop() returns"]


def test_an_event_that_is_not_ready_may_not_be_called(model: LuaeventModel) -> None:
    event = reader(model, ChannelState(Kind.PAIR))
    model.enter(0)
    with refuses("luaevent.constants.ev-read"):
        model.called(event, READ, 0)


def test_flags_that_were_not_asked_for_are_refused(model: LuaeventModel) -> None:
    event = reader(model, ChannelState(Kind.PAIR, waiting=1))
    model.enter(0)
    with refuses("luaevent.flags.only-asked"):
        model.called(event, Flags(Directions.BOTH), 0)


def test_readiness_that_another_callback_ended_may_still_be_told(model: LuaeventModel) -> None:
    """Both were ready when the turn began; the second is told of what is gone."""
    channel = ChannelState(Kind.PAIR, waiting=1)
    first = reader(model, channel)
    second = model.add("B", channel, Directions.READ, None, 0, 0)
    model.enter(0)
    model.called(first, READ, 0)
    channel.read(0)
    model.answered(first, READ, SAME, 0, 0)
    call(model, second, READ, SAME, 0)
    with refuses("luaevent.constants.ev-read"):
        model.called(second, READ, 0)


def test_a_new_event_does_not_inherit_readiness(model: LuaeventModel) -> None:
    """The wire was ready when the turn began, but nobody was there to be told of it."""
    channel = ChannelState(Kind.PAIR, waiting=1)
    old = reader(model, channel)
    model.enter(0)
    call(model, old, READ, SAME, 0)
    model.close(old)
    channel.renew()
    new = model.add("B", channel, Directions.READ, None, 0, 0)
    with refuses("luaevent.addevent.close-other-same-turn"):
        model.called(new, READ, 0)


def test_both_directions_may_be_told_apart(model: LuaeventModel) -> None:
    event = model.add("A", ChannelState(Kind.PAIR, waiting=1), Directions.BOTH, None, 0, 0)
    model.enter(0)
    for flags in (READ, WRITE) * 20:
        call(model, event, flags, SAME, 0)


@pytest.mark.parametrize("directions", [Directions.NEITHER, Directions.READ])
def test_a_timeout_comes_with_or_without_the_direction(
    model: LuaeventModel, directions: Directions
) -> None:
    event = reader(model, ChannelState(Kind.PAIR), timeout=2)
    model.enter(0)
    model.called(event, Flags(directions, timeout=True), 2)


def test_a_timeout_is_not_early(model: LuaeventModel) -> None:
    event = timer(model, "T", 2)
    model.enter(0)
    with refuses("luaevent.addevent.timeout-not-early"):
        model.called(event, TIMEOUT, 1.9)


def test_a_delivery_starts_the_timeout_anew(model: LuaeventModel) -> None:
    channel = ChannelState(Kind.PAIR, waiting=1)
    event = reader(model, channel, timeout=2)
    model.enter(0)
    model.called(event, READ, 0)
    channel.read(0)
    model.answered(event, READ, SAME, 0, 1)  # it took a unit; from then or from 0 is open
    with refuses("luaevent.addevent.timeout-reset"):
        model.called(event, TIMEOUT, 1.9)
    model.called(event, TIMEOUT, 2)


def test_a_new_timeout_runs_from_the_end_of_the_call(model: LuaeventModel) -> None:
    event = timer(model, "T", 2)
    model.enter(0)
    model.called(event, TIMEOUT, 2)
    model.answered(event, TIMEOUT, Answer("same", 1), 2, 3)
    with refuses("luaevent.callback.newtimeout-from"):
        model.called(event, TIMEOUT, 3.5)


def test_timers_come_in_the_order_of_their_deadlines(model: LuaeventModel) -> None:
    late, soon = timer(model, "L", 3), timer(model, "S", 1)
    model.enter(5)
    with refuses("luaevent.loop.timer-order"):
        model.called(late, TIMEOUT, 5)
    call(model, soon, TIMEOUT, LEAVE, 5)
    call(model, late, TIMEOUT, LEAVE, 5)


def test_equal_deadlines_come_in_any_order(model: LuaeventModel) -> None:
    _, second = timer(model, "A", 1), timer(model, "B", 1)
    model.enter(0)
    call(model, second, TIMEOUT, LEAVE, 1)


def test_a_timer_set_in_a_turn_may_come_after_later_ones(
    model: LuaeventModel,
) -> None:
    """The loop had settled which timers are due before the callback set the new one."""
    first, last = timer(model, "A", 1), timer(model, "B", 4)
    model.enter(5)
    model.called(first, TIMEOUT, 5)
    new = model.add("N", None, Directions.NEITHER, 1, 5, 5)
    model.answered(first, TIMEOUT, LEAVE, 5, 7)
    call(model, last, TIMEOUT, LEAVE, 7)
    call(model, new, TIMEOUT, LEAVE, 7)


def test_it_may_not_sleep_while_something_is_ready(model: LuaeventModel) -> None:
    reader(model, ChannelState(Kind.PAIR, waiting=1))
    other = timer(model, "T", 3)
    model.enter(0)
    with refuses("luaevent.constants.ev-read"):
        model.called(other, TIMEOUT, 3)


def test_in_real_time_any_call_may_come_late() -> None:
    model = LuaeventModel(REAL)
    reader(model, ChannelState(Kind.PAIR, waiting=1))
    other = timer(model, "T", 3)
    model.enter(0)
    call(model, other, TIMEOUT, SAME, 50)


def test_it_may_not_sleep_far_past_a_timeout(model: LuaeventModel) -> None:
    event = timer(model, "T", 1)
    model.enter(0)
    with refuses("luaevent.addevent.timeout-seconds"):
        model.called(event, TIMEOUT, 5)


def test_nothing_ready_is_passed_over_for_ever(model: LuaeventModel) -> None:
    busy = model.add("B", ChannelState(Kind.PAIR), Directions.WRITE, None, 0, 0)
    reader(model, ChannelState(Kind.PAIR, waiting=1))
    model.enter(0)
    with refuses("luaevent.constants.ev-read"):
        for _ in range(50):
            call(model, busy, WRITE, SAME, 0)


def test_the_loop_returns_when_nothing_is_left_and_not_before(model: LuaeventModel) -> None:
    event = timer(model, "T", 1)
    model.enter(0)
    with refuses("luaevent.loop.not-before"):
        model.returned(0)
    call(model, event, TIMEOUT, LEAVE, 1)
    with refuses("luaevent.callback.leave-cancels-timeout"):
        model.returned(9)


def test_a_dropped_event_may_be_called_in_this_turn_only(model: LuaeventModel) -> None:
    channel = ChannelState(Kind.PAIR, waiting=1)
    other = reader(model, channel)
    dropped = model.add("B", channel, Directions.READ, None, 0, 0)
    model.enter(0)
    model.called(other, READ, 0)
    model.drop(dropped)
    model.answered(other, READ, SAME, 0, 0)
    for _ in range(3):
        call(model, other, READ, SAME, 0)
    with refuses("luaevent.addevent.gc-erases"):
        model.called(dropped, READ, 0)


def test_a_callback_is_called_by_the_loop_alone(model: LuaeventModel) -> None:
    event = reader(model, ChannelState(Kind.PAIR, waiting=1))
    with refuses("luaevent.addevent.adds"):
        model.called(event, READ, 0)
    model.enter(0)
    model.called(event, READ, 0)
    with refuses("luaevent.addevent.adds"):
        model.called(event, READ, 0)
