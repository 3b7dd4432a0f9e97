"""Checks of processor time: a loop that waits sleeps, far from a deadline and near one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from ..testing.alarms import another_process, signals_before
from ..testing.channels import Channels, End, drain, fill
from ..testing.cpu_share import cpu_share
from ..testing.retry import retry
from .needs import spares
from .verbs import Direction, Timing, Watching

# How long a loop has nothing to do, in seconds, and the share of it in which it may compute.
_WAIT = 0.080
_AWAKE = 0.5

# So many timers of a millisecond follow one another.
_SHORT = 50


def _nothing_else(_loop: Watching, _channels: Channels) -> list[object]:
    """Watch nothing beside the descriptor that ends the wait."""
    return []


def _a_silent_writer(loop: Watching, channels: Channels) -> list[object]:
    """Its descriptor has data to read, which nobody asked for."""
    if "w" not in loop.directions:
        return []
    near, far = channels.pair()
    fill(near)
    far.send(b"x")
    return [loop.watch(near.fileno(), "w", loop.calls("silent writer"))]


def _many_silent_readers(loop: Watching, channels: Channels) -> list[object]:
    """All descriptors have room to write, which nobody asked for."""
    silent = partial(loop.calls, "silent reader")
    return [loop.watch(channels.pair()[0].fileno(), "r", silent()) for _ in range(30)]


def _ended_ones(loop: Watching, channels: Channels) -> list[object]:
    """Readers and writers that were ended before the loop, whose descriptors are ready."""
    near, far = channels.pair()
    far.send(b"x")
    ends: tuple[tuple[End, Direction], ...] = ((near, "r"), (near, "w"), (far, "w"))
    for end, direction in ends:
        if direction in loop.directions:
            loop.unwatch(loop.watch(end.fileno(), direction, loop.calls("ended")))
    return []


def _one_that_ends_itself(loop: Watching, channels: Channels) -> list[object]:
    """A watch ends when it is called, and its descriptor stays ready."""
    near, far = channels.pair()
    if "w" not in loop.directions:
        far.send(b"x")
    end = loop.calls("one that ends", lambda: loop.unwatch(watch))
    watch = loop.watch(near.fileno(), loop.directions[-1], end)
    return []


def _a_reader_that_was_a_writer_too(loop: Watching, channels: Channels) -> list[object]:
    """The descriptor has room to write, which is asked for no more."""
    near, _far = channels.pair()
    reader = loop.watch(near.fileno(), "r", loop.calls("silent reader"))
    if "w" in loop.directions:
        loop.unwatch(loop.watch(near.fileno(), "w", loop.calls("ended writer")))
    return [reader]


def _a_reused_number(loop: Watching, channels: Channels) -> list[object]:
    """A watch has ended and its number belongs to a file of which only data is asked for."""
    near, _far = channels.pair()
    number = near.fileno()
    loop.unwatch(loop.watch(number, loop.directions[-1], loop.calls("ended")))
    near.close()
    other, _peer = channels.pair_at(number)
    return [loop.watch(other.fileno(), "r", loop.calls("silent reader"))]


_SCENES = [
    _nothing_else,
    _a_silent_writer,
    _many_silent_readers,
    _ended_ones,
    _one_that_ends_itself,
    _a_reader_that_was_a_writer_too,
    _a_reused_number,
]


@spares("w")
@pytest.mark.parametrize("beside", _SCENES, ids=lambda beside: beside.__name__.strip("_"))
def test_a_loop_with_nothing_to_do_sleeps(
    loop: Watching, channels: Channels, beside: Callable[[Watching, Channels], list[object]]
) -> None:
    """Another process ends the wait: a loop in C may let no other thread run meanwhile."""
    _assert_sleeps(loop, channels, beside)


def test_a_loop_sleeps_after_signals(loop: Watching, channels: Channels) -> None:
    """Signals arrive in a first wait; the next one has nothing to do with them."""
    near, far = channels.pair()
    read = loop.calls("first reader", lambda: loop.unwatch(watch))
    watch = loop.watch(near.fileno(), "r", read)
    with signals_before(partial(far.send, b"x")):
        loop.run("a byte is read", lambda: read.count, within=None)
    _assert_sleeps(loop, channels, _nothing_else, again=True)


def _assert_sleeps(
    loop: Watching,
    channels: Channels,
    beside: Callable[[Watching, Channels], list[object]],
    *,
    again: bool = False,
) -> None:
    """*again*: with this loop, and not with another one."""

    def attempt() -> None:
        made: Watching = loop if again else loop.another()
        near, far = channels.pair()
        watches = beside(made, channels)

        def end() -> None:
            drain(near)
            for watch in watches:
                made.unwatch(watch)

        read = made.calls("reader", end)
        watches.append(made.watch(near.fileno(), "r", read))
        with another_process(partial(far.send, b"x"), after=_WAIT):
            share = cpu_share(
                lambda: made.run("a byte is read", lambda: read.count, within=None), _WAIT
            )
        _assert_asleep(share, f"{_WAIT * 1000:.0f} ms in which nothing was ready")

    retry(attempt)


def _alone(_loop: Timing, _channels: Channels) -> None:
    """Set nothing beside the timer."""


def _beside_a_silent_descriptor(loop: Timing, channels: Channels) -> None:
    loop.watch(channels.pair()[0].fileno(), "r", loop.calls("silent reader"))


def _beside_far_timers(loop: Timing, _channels: Channels) -> None:
    for seconds in (30, 31, 3600):
        loop.set_timer(seconds, lambda: None)
    loop.clear(loop.set_timer(0.001, lambda: None))


def _beside_an_interval(loop: Timing, _channels: Channels) -> None:
    """It ticks early in the wait, and in each tick clears a timer."""
    if loop.intervals:
        loop.set_interval(_WAIT / 5, lambda: loop.clear(loop.set_timer(0.01, lambda: None)))


@spares("set_interval")
@pytest.mark.parametrize(
    "beside",
    [_alone, _beside_a_silent_descriptor, _beside_far_timers, _beside_an_interval],
    ids=lambda beside: beside.__name__.strip("_"),
)
def test_a_loop_sleeps_until_its_timer(
    real_loop: Timing, channels: Channels, beside: Callable[[Timing, Channels], None]
) -> None:
    """The share is of the time in which the process could have slept.

    So a busy machine neither hides a loop that spins nor accuses one that does not.
    """

    def attempt() -> None:
        made: Timing = real_loop.another()
        beside(made, channels)
        ran: list[bool] = []
        made.set_timer(_WAIT, lambda: ran.append(True))
        share = cpu_share(lambda: made.run("a timer of 80 ms runs", lambda: ran), _WAIT)
        _assert_asleep(share, f"{_WAIT * 1000:.0f} ms before a timer was due")

    retry(attempt)


def test_a_wait_of_a_millisecond_is_slept(real_loop: Timing) -> None:
    """A loop that rounds its waits down asks without waiting until a timer is due."""

    def attempt() -> None:
        made: Timing = real_loop.another()
        left = _SHORT

        def tick() -> None:
            nonlocal left
            left -= 1
            if left:
                made.set_timer(0.001, tick)

        made.set_timer(0.001, tick)
        # a kernel that sleeps in ticks of 10 ms, as NetBSD's does, takes 30 ms for each
        done = partial(made.run, "50 timers of 1 ms run", lambda: not left, within=5)
        share = cpu_share(done, 0)
        _assert_asleep(share, "a row of 50 waits of a millisecond")

    retry(attempt)


def _assert_asleep(share: float, wait: str) -> None:
    assert share <= _AWAKE, (
        f"the loop computed for {share:.0%} of {wait}; one that sleeps needs less than {_AWAKE:.0%}"
    )
