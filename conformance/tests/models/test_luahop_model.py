"""The model of LuaHop allows and refuses the right calls; no loop takes part."""

from __future__ import annotations

import pytest

from looptck.models.engine.channel_state import ChannelState, Directions, Kind
from looptck.models.engine.timing import Timing
from looptck.models.engine.violation import ViolationError
from looptck.models.luahop.entries import Listener, Timer
from looptck.models.luahop.model import EMPTY_POLLS, LuahopModel

VIRTUAL = Timing(unit=1.0, is_virtual=True, patience=0.2, apart=0.01)


@pytest.fixture
def model() -> LuahopModel:
    return LuahopModel(VIRTUAL)


def timeout(model: LuahopModel, name: str, length: float, now: float = 0) -> Timer:
    return model.set_timer(name, length, now, now, is_interval=False)


def interval(model: LuahopModel, length: float) -> Timer:
    return model.set_timer("I", length, 0, 0, is_interval=True)


def call(
    model: LuahopModel, whose: Listener | Timer, now: float, ends: float | None = None
) -> None:
    model.called(whose, now)
    model.finished(whose, now if ends is None else ends)


def refuses(rule: str) -> pytest.RaisesExc[ViolationError]:
    return pytest.RaisesExc(ViolationError, check=lambda error: error.rule == rule)


def test_a_ready_listener_is_called_by_poll_alone(model: LuahopModel) -> None:
    listener = model.set_listener("A", ChannelState(Kind.PAIR, waiting=1), Directions.READ)
    with refuses("luahop.listener.create"):
        model.called(listener, 0)
    model.enter(0, None)
    assert model.may_happen() == ["A called"]
    call(model, listener, 0)
    model.returned(0)


def test_a_listener_that_is_not_ready_may_not_be_called(model: LuahopModel) -> None:
    listener = model.set_listener("A", ChannelState(Kind.PAIR), Directions.READ)
    model.enter(0, None)
    with refuses("luahop.listener.not-ready"):
        model.called(listener, 0)


def test_a_poll_does_not_serve_one_descriptor_for_ever(model: LuahopModel) -> None:
    listener = model.set_listener("A", ChannelState(Kind.PAIR, waiting=9), Directions.READ)
    model.enter(0, None)
    with refuses("luahop.poll.returns"):
        for _ in range(5):
            call(model, listener, 0)


def test_one_byte_is_one_call(model: LuahopModel) -> None:
    channel = ChannelState(Kind.PAIR, waiting=1)
    listener = model.set_listener("A", channel, Directions.READ)
    model.enter(0, None)
    model.called(listener, 0)
    channel.read(0)
    model.finished(listener, 0)
    with refuses("luahop.listener.read"):
        model.called(listener, 0)


def test_a_reused_number_inherits_nothing(model: LuahopModel) -> None:
    first, second = ChannelState(Kind.PAIR, waiting=1), ChannelState(Kind.PAIR, waiting=1)
    running = model.set_listener("A", first, Directions.READ)
    model.set_listener("B", second, Directions.READ)
    model.enter(0, None)
    model.called(running, 0)
    model.remove_listener(second, Directions.READ)
    second.renew()
    anew = model.set_listener("B", second, Directions.READ)
    model.finished(running, 0)
    with refuses("luahop.listener.fd-reuse-same-poll"):
        model.called(anew, 0)


def test_a_listener_removed_in_this_poll_is_not_called(model: LuahopModel) -> None:
    channel = ChannelState(Kind.PAIR, waiting=1)
    running = model.set_listener("A", ChannelState(Kind.PAIR, waiting=1), Directions.READ)
    other = model.set_listener("B", channel, Directions.READ)
    model.enter(0, None)
    model.called(running, 0)
    model.remove_listener(channel, Directions.READ)
    model.finished(running, 0)
    with refuses("luahop.listener.remove-other-ready"):
        model.called(other, 0)


def test_a_successor_is_not_called_for_served_readiness(model: LuahopModel) -> None:
    channel = ChannelState(Kind.PAIR, waiting=1)
    old = model.set_listener("A", channel, Directions.READ)
    model.enter(0, None)
    model.called(old, 0)
    channel.read(0)
    new = model.set_listener("B", channel, Directions.READ)
    model.finished(old, 0)
    with refuses("luahop.listener.replace-inside"):
        model.called(new, 0)
    channel.write(1)
    model.returned(0)
    model.enter(0, None)
    call(model, new, 0)


def test_a_successor_may_be_called_for_unserved_readiness(
    model: LuahopModel,
) -> None:
    """A loop that looks up whom to call when it calls meets the new one, though the callback
    that set it has taken what was there."""
    first, second = ChannelState(Kind.PAIR, waiting=1), ChannelState(Kind.PAIR, waiting=1)
    running = model.set_listener("A", first, Directions.READ)
    model.set_listener("B", second, Directions.READ)
    model.enter(0, None)
    model.called(running, 0)
    second.read(0)
    new = model.set_listener("C", second, Directions.READ)
    model.finished(running, 0)
    call(model, new, 0)


def test_who_is_set_again_in_its_own_call_is_not_called_for_that(model: LuahopModel) -> None:
    channel = ChannelState(Kind.PAIR, waiting=1)
    old = model.set_listener("A", channel, Directions.READ)
    model.enter(0, None)
    model.called(old, 0)
    channel.read(0)
    model.remove_listener(channel, Directions.READ)
    new = model.set_listener("A", channel, Directions.READ)
    model.finished(old, 0)
    with refuses("luahop.listener.not-ready"):
        model.called(new, 0)


def test_timers_run_by_deadline_and_equals_in_any_order(model: LuahopModel) -> None:
    late, first, second = (
        timeout(model, "L", 3),
        timeout(model, "F", 1),
        timeout(model, "S", 1),
    )
    model.enter(5, None)
    with refuses("luahop.timer.order-deadline"):
        model.called(late, 5)
    for timer in (second, first, late):
        call(model, timer, 5)


def test_a_timer_set_in_a_poll_may_run_in_it(model: LuahopModel) -> None:
    first = timeout(model, "F", 1)
    model.enter(0, None)
    model.called(first, 1)
    new = timeout(model, "N", 1, now=1)
    model.finished(first, 3)
    call(model, new, 3)
    model.returned(3)


def test_a_poll_does_not_run_what_it_sets_for_ever(model: LuahopModel) -> None:
    timer = timeout(model, "T", 1)
    model.enter(1, None)
    with refuses("luahop.timer.set-inside-callback"):
        for now in range(1, 100):
            model.called(timer, now)
            following = timeout(model, "T", 1, now=now)
            model.finished(timer, now + 1)
            timer = following


def test_a_poll_wakes_for_the_nearest_timer(model: LuahopModel) -> None:
    timer = timeout(model, "T", 1)
    model.enter(0, None)
    with refuses("luahop.timer.timeout-latency"):
        model.called(timer, 1.5)


def test_an_interval_is_not_early(model: LuahopModel) -> None:
    timer = interval(model, 2)
    for tick in (2, 4, 6):
        model.enter(tick - 2, None)
        call(model, timer, tick, tick + 0.5)
        model.returned(tick + 0.5)
    model.enter(6.5, None)
    with refuses("luahop.timer.interval-repeat"):
        model.called(timer, 7)


@pytest.mark.parametrize("tick", [4, 4.5], ids=["on the grid", "a period after the callback"])
def test_an_interval_goes_on_by_its_grid_or_from_its_callback(
    model: LuahopModel, tick: float
) -> None:
    timer = interval(model, 2)
    model.enter(0, None)
    call(model, timer, 2, 2.5)
    model.returned(2.5)
    model.enter(2.5, None)
    call(model, timer, tick)


def test_an_interval_does_not_pass_over_a_period(model: LuahopModel) -> None:
    timer = interval(model, 2)
    model.enter(0, None)
    call(model, timer, 2, 2.5)
    model.returned(2.5)
    model.enter(2.5, None)
    with refuses("luahop.timer.interval-repeat"):
        model.called(timer, 6)


def test_after_a_stall_two_calls_are_tolerated_and_not_three(model: LuahopModel) -> None:
    timer = interval(model, 1)
    model.enter(5.5, None)
    call(model, timer, 5.5)
    model.returned(5.5)
    model.enter(5.5, None)
    call(model, timer, 5.5)
    model.returned(5.5)
    model.enter(5.5, None)
    with refuses("luahop.timer.interval-missed"):
        model.called(timer, 5.5)
    call(model, timer, 6)


def test_a_few_polls_may_return_for_nothing(model: LuahopModel) -> None:
    model.set_listener("A", ChannelState(Kind.PAIR, waiting=1), Directions.READ)
    for _ in range(EMPTY_POLLS):
        model.enter(0, None)
        model.returned(0)
    model.enter(0, None)
    with refuses("luahop.poll.blocks"):
        model.returned(0)


def test_a_poll_with_a_timeout_does_not_wait_for_a_timer(model: LuahopModel) -> None:
    timer = timeout(model, "T", 3)
    model.enter(0, 1)
    with refuses("luahop.poll.timeout-vs-timer"):
        model.called(timer, 3)


def test_a_cleared_timer_may_not_run(model: LuahopModel) -> None:
    timer = timeout(model, "T", 1)
    model.clear_timer(timer)
    timeout(model, "U", 1)
    model.enter(0, None)
    with refuses("luahop.timer.clear-timeout"):
        model.called(timer, 1)


def test_a_loop_that_nothing_can_wake_is_stuck(model: LuahopModel) -> None:
    channel = ChannelState(Kind.PAIR)
    model.set_listener("A", channel, Directions.READ)
    assert model.is_stuck
    channel.write(1)
    assert not model.is_stuck
