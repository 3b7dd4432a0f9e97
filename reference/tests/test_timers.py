"""Deadlines, against a model that a child could check."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tideloop.timers import Timed, Timers

# more collections than any of these tests has
MOST = 50


class Named(Timed):
    def __init__(self, name: int) -> None:
        super().__init__()
        self.name = name


def pop_due(timers: Timers, now: float) -> Timed | None:
    timed = timers.first_due(now)
    if timed is not None:
        timers.cancel(timed)
    return timed


def fire(timers: Timers, now: float) -> list[int]:
    timers.begin_turn()
    fired = []
    while (timed := pop_due(timers, now)) is not None:
        assert isinstance(timed, Named)
        fired.append(timed.name)
    return fired


@contextmanager
def finalizing(chosen: int, act: Callable[[], None], odd: int) -> Iterator[list[int]]:
    """*act* is a finalizer: it runs in the collection of garbage number *chosen*.

    Every second list or object collects; *odd* says whether the first does.  Yields
    the numbers of the collections in `Timers`.  CPython 3.12 collects after a
    call instead, which the tests of signal safety cover.
    """
    passed: list[int] = []

    def collection(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and sys._getframe(1).f_globals["__name__"] == Timers.__module__:
            passed.append(len(passed))
            if passed[-1] == chosen:
                act()

    before = gc.get_threshold()
    gc.collect()
    gc.callbacks.append(collection)
    gc.set_threshold(1)
    made: list[object] = [[] for _ in range(100 + odd)]  # no list is left to use again
    try:
        yield passed
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(collection)
        made.clear()


@pytest.mark.parametrize("odd", [0, 1])
@pytest.mark.parametrize("again", [False, True], ids=["cancelled", "set again"])
def test_a_finalizer_may_change_a_timer_in_each_moment(odd: int, again: bool) -> None:
    for chosen in range(MOST):
        timers = Timers()
        moved, fresh, other = Named(1), Named(2), Named(3)
        timers.set(moved, 2.0)
        timers.set(other, 1.0)
        timers.begin_turn()
        timers.set(moved, 3.0)
        timers.set(fresh, 3.0)

        def act(timers: Timers = timers, changed: tuple[Named, ...] = (moved, fresh)) -> None:
            for timed in changed:
                timers.cancel(timed)
                if again:
                    timers.set(timed, 4.0)

        fired: list[int] = []
        with finalizing(chosen, act, odd) as passed:
            for now in (2.0, 4.0, 6.0, 8.0):
                fired += fire(timers, now)
        undisturbed = len(passed) <= chosen
        assert sorted(fired) == ([1, 2, 3] if again or undisturbed else [3])
        assert timers.live == 0
        if undisturbed:
            break


def test_a_turn_gives_back_the_room_of_what_was_set() -> None:
    """A dict that was emptied one by one keeps its room."""
    timers = Timers()
    many = [Named(number) for number in range(1000)]
    for timed in many:
        timers.set(timed, 1.0)
    full = sys.getsizeof(timers._fresh)
    timers.begin_turn()
    assert sys.getsizeof(timers._fresh) < full / 10


def test_clear_takes_away_every_deadline() -> None:
    timers = Timers()
    in_the_heap, fresh = Named(1), Named(2)
    timers.set(in_the_heap, 1.0)
    timers.begin_turn()
    timers.set(fresh, 2.0)
    assert timers.clear() == [in_the_heap, fresh]
    for timed in (in_the_heap, fresh):
        assert timed.deadline is None
        timers.cancel(timed)
    assert timers.live == 0
    assert timers.begin_turn() is None


def test_the_soonest_is_first_and_ties_go_by_order_of_setting() -> None:
    timers = Timers()
    for name, deadline in enumerate([6.0, 2.0, 4.0, 2.0]):
        timers.set(Named(name), deadline)
    assert timers.begin_turn() == 2.0
    assert fire(timers, 5.0) == [1, 3, 2]
    assert timers.begin_turn() == 6.0


def test_nothing_is_due_before_its_deadline() -> None:
    timers = Timers()
    timers.set(Named(0), 1.0)
    assert fire(timers, 0.9999999) == []
    assert fire(timers, 1.0) == [0]


def test_what_is_set_while_others_fire_waits() -> None:
    timers = Timers()
    first, second = Named(0), Named(1)
    timers.set(first, 1.0)
    timers.begin_turn()
    assert pop_due(timers, 1.0) is first
    timers.set(first, 1.0)
    timers.set(second, 0.0)
    assert pop_due(timers, 1.0) is None
    assert fire(timers, 1.0) == [1, 0]


def test_a_deadline_moved_while_others_fire_waits_a_turn() -> None:
    timers = Timers()
    first, second = Named(0), Named(1)
    timers.set(first, 1.0)
    timers.set(second, 2.0)
    timers.begin_turn()
    assert pop_due(timers, 9.0) is first
    timers.set(second, 3.0)
    assert pop_due(timers, 9.0) is None
    assert fire(timers, 9.0) == [1]


def test_cancelled_deadlines_do_not_pile_up() -> None:
    """A connection's timeout is mostly cancelled long before it passes."""
    timers = Timers()
    for name in range(10_000):
        timed = Named(name)
        timers.set(timed, 1e6)
        timers.begin_turn()
        timers.cancel(timed)
    assert len(timers._heap) < 200
    assert timers.begin_turn() is None


def test_moved_deadlines_do_not_pile_up() -> None:
    timers = Timers()
    timed = Named(0)
    for step in range(10_000):
        timers.set(timed, 1000.0 + step)
        timers.begin_turn()
    assert len(timers._heap) == 1
    for step in range(10_000):
        timers.set(timed, 500.0 - step / 100)
        timers.begin_turn()
        timers.cancel(Named(1))
    timers.cancel(timed)
    assert timers.begin_turn() is None
    assert not timers._heap


# One step of a history: (what, which timer, when or by how much)
STEP = st.one_of(
    st.tuples(st.just("set"), st.integers(0, 5), st.integers(0, 20)),
    st.tuples(st.just("cancel"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("turn"), st.integers(0, 5), st.integers(0, 10)),
)


@settings(max_examples=500, deadline=None)
@given(
    history=st.lists(STEP, max_size=60),
    during=st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 20)), max_size=30),
)
def test_any_history_fires_what_the_model_fires(
    history: list[tuple[str, int, int]], during: list[tuple[bool, int, int]]
) -> None:
    """The model is a dict that is sorted at every turn.

    *during* is what callbacks do: set or cancel, one act for each call.
    """
    timers = Timers()
    known = [Named(name) for name in range(6)]
    # {name: (deadline, order)}
    model: dict[int, tuple[float, int]] = {}
    order = 0
    now = 0.0
    acts = iter(during)

    def set_(name: int, deadline: float) -> None:
        nonlocal order
        order += 1
        model[name] = (deadline, order)
        timers.set(known[name], deadline)

    def cancel(name: int) -> None:
        model.pop(name, None)
        timers.cancel(known[name])

    for what, name, amount in history:
        if what == "set":
            set_(name, now + amount)
        elif what == "cancel":
            cancel(name)
        else:
            bound = timers.begin_turn()
            assert (bound is None) == (not model)
            assert all(bound is not None and deadline >= bound for deadline, _ in model.values())
            now += amount
            before = order
            fired = []
            while (timed := pop_due(timers, now)) is not None:
                assert isinstance(timed, Named)
                due = sorted(
                    (deadline, when, name)
                    for name, (deadline, when) in model.items()
                    if deadline <= now and when <= before
                )
                assert due
                assert timed.name == due[0][2]
                del model[timed.name]
                fired.append(timed.name)
                setting, other, delay = next(acts, (False, 0, 0))
                if setting:
                    set_(other, now + delay)
                else:
                    cancel(other)
            assert not [
                name
                for name, (deadline, when) in model.items()
                if deadline <= now and when <= before
            ]
        assert timers.live == len(model)
    while model:
        now += 30
        for name in fire(timers, now):
            del model[name]
    assert timers.begin_turn() is None
    assert not timers._heap
    assert not timers._fresh
