"""luaevent, bufferevent: the timeouts of its two directions."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from looptck.clocks import Clock
from looptck.rules.markers import rule
from looptck.testing.buffer_channels import make_room, narrow_channel, receive
from looptck.testing.bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script
from looptck.testing.channels import Channels, fill
from looptck.testing.stopwatch import assert_not_early

# What a loop that goes by a coarse clock may be early, in seconds.
_SLACK = 0.005

# More than one send takes, in bytes.
_MUCH = 30_000

every_direction = pytest.mark.parametrize("direction", ["read", "write"])


class Idler:
    """A bufferevent in which nothing moves, and the times of its reported timeouts."""

    def __init__(self, driver: BufferEventDriver, channels: Channels, clock: Clock) -> None:
        self.driver = driver
        self.near, self.far = narrow_channel(channels)
        self.told: dict[str, list[float]] = {"read": [], "write": []}
        self._clock = clock
        flags = driver.luaevent
        self._directions = {"read": flags.EVBUFFER_READ, "write": flags.EVBUFFER_WRITE}
        # done whenever a timeout was told
        self.then: Callable[[str], object] = lambda _direction: None
        self.held: OwnedBufferEvent = driver.bufferevent(self.near, error=self._on_error)

    def wait(self, *directions: str) -> None:
        """From now on there is nothing to read, or no room to write."""
        if "read" in directions:
            self.held.enable(self.driver.read)
        if "write" in directions:
            fill(self.near)
            self.held.output.add(bytes(_MUCH))

    def set(self, direction: str, timeout: float, other: float = 0) -> None:
        """Set *timeout* for that direction, and *other* for the other one."""
        if direction == "read":
            self.held.set_timeouts(timeout, other)
        else:
            self.held.set_timeouts(other, timeout)

    def move(self, direction: str) -> Script:
        """Let at least one byte be read, or written."""
        if direction == "read":
            before = self.held.input_length
            self.far.send(b"x")
            told = self.told["read"]
            moved = yield from self.driver.until(lambda: self.held.input_length > before or told)
            assert moved, "a byte came and was not read"
        else:
            self.held.output.add(bytes(_MUCH))  # there is no room for it yet
            before = self.held.output_length
            make_room(self.near, lambda: len(receive(self.far, 512)))
            told = self.told["write"]
            moved = yield from self.driver.until(lambda: self.held.output_length < before or told)
            assert moved, "there was room to write and nothing was written"

    def _on_error(self, _held: OwnedBufferEvent) -> None:
        flags, what = self.driver.luaevent, self.driver.errors[-1]
        if what & flags.EVBUFFER_TIMEOUT:
            for direction, flag in self._directions.items():
                if what & flag:
                    self.told[direction].append(self._clock.now())
                    self.then(direction)


@pytest.fixture
def idler(driver: BufferEventDriver, channels: Channels, clock: Clock) -> Idler:
    return Idler(driver, channels, clock)


@rule("luaevent.bufferevent.set_timeouts")
@every_direction
@pytest.mark.parametrize(
    "timeout, other, first",
    [(0.015, 0, "set"), (0.03, 60, "set"), (0.015, 60, "waits"), (0.03, 0, "waits")],
)
def test_a_timeout_comes_and_not_early(
    driver: BufferEventDriver,
    clock: Clock,
    idler: Idler,
    direction: str,
    timeout: float,
    other: int,
    first: str,
) -> None:
    """Both directions wait; only one of them has a timeout that passes."""

    def script() -> Script:
        start = clock.now()
        if first == "set":
            idler.set(direction, timeout, other)
        idler.wait("read", "write")
        if first != "set":
            idler.set(direction, timeout, other)
        came = yield from driver.within_time(lambda: idler.told[direction])
        assert came, f"no {direction} timeout came, which was due after {timeout * 1000:.0f} ms"
        assert_not_early(idler.told[direction][0] - start, timeout, slack=_SLACK)
        wrong = "write" if direction == "read" else "read"
        assert not idler.told[wrong], f"a {direction} timeout was set, and a {wrong} timeout came"

    driver.run_script(script)


@rule("luaevent.bufferevent.set_timeouts")
@pytest.mark.parametrize("read, write", [(0.015, 0.04), (0.04, 0.015), (0.02, 0.02)])
def test_each_direction_has_its_own_timeout(
    driver: BufferEventDriver, clock: Clock, idler: Idler, read: float, write: float
) -> None:
    """Both timeouts pass; a loop that keeps one time for both is early with one or never reports
    it."""

    def script() -> Script:
        start = clock.now()
        idler.held.set_timeouts(read, write)
        idler.wait("read", "write")
        yield from driver.within_time(lambda: all(idler.told.values()))
        for direction, timeout in (("read", read), ("write", write)):
            assert idler.told[direction], f"the {direction} timeout did not come"
            assert_not_early(idler.told[direction][0] - start, timeout, slack=_SLACK)

    driver.run_script(script)


@rule("luaevent.bufferevent.set_timeouts")
@every_direction
@pytest.mark.parametrize("low", [0, 50_000])
def test_each_byte_that_moves_starts_the_timeout_anew(
    driver: BufferEventDriver, channels: Channels, clock: Clock, direction: str, low: int
) -> None:
    """Bytes move below the low watermark and above it. Where the machine stands still for as
    long as the timeout, a timeout is right; then the test tries again, a few times."""
    timeout = 0.045

    def attempt() -> bool:
        """Whether it counts."""
        idler = Idler(driver, channels, clock)
        fair = True

        def moves() -> Script:
            nonlocal fair
            idler.held.set_read_watermarks(low, 0)
            idler.held.set_write_watermarks(low, 0)
            idler.set(direction, timeout)
            idler.wait(direction)
            last = clock.now()
            for _ in range(6):
                yield timeout / 3
                if idler.told[direction]:
                    break
                before = clock.now()
                yield from idler.move(direction)
                fair &= clock.now() - last < timeout - 2 * _SLACK
                last = before
            if idler.told[direction] and not fair:
                return
            assert not idler.told[direction], (
                f"a byte moved every {timeout / 3 * 1000:.0f} ms, and the {direction} timeout of "
                f"{timeout * 1000:.0f} ms came"
            )
            came = yield from driver.within_time(lambda: idler.told[direction])
            assert came, f"bytes moved, and then none; the {direction} timeout did not come"
            assert_not_early(idler.told[direction][0] - last, timeout, slack=_SLACK)

        driver.run_script(moves)
        return fair

    for _ in range(3):
        if attempt():
            return
        driver = BufferEventDriver(driver.luaevent, channels)


@rule("luaevent.bufferevent.set_timeouts")
@every_direction
def test_bytes_of_one_direction_do_not_delay_the_others_timeout(
    driver: BufferEventDriver, idler: Idler, direction: str
) -> None:
    """Bytes move in one direction until the timeout of the other one comes."""
    other = "write" if direction == "read" else "read"

    def script() -> Script:
        idler.set(direction, 0.05)
        idler.wait("read", "write")
        for _ in range(20):
            if idler.told[direction]:
                return
            yield 0.01
            yield from idler.move(other)
        raise AssertionError(
            f"the {direction} timeout of 50 ms did not come in 200 ms, while bytes moved in the "
            "other direction"
        )

    driver.run_script(script)


@rule("luaevent.bufferevent.set_timeouts")
@pytest.mark.parametrize(
    "first, then",
    [
        (None, (0, 0)),
        (None, (60, 60)),
        (None, (0, 60)),
        ((0.015, 0.015), (0, 0)),
        ((0.015, 0), (0, 0)),
        ((0, 0.015), (0, 0)),
        ((0.015, 0.015), (60, 60)),
    ],
    ids=str,
)
@pytest.mark.parametrize("waits", ["before", "after"])
def test_none_and_far_timeouts_do_not_come(
    driver: BufferEventDriver,
    idler: Idler,
    first: tuple[float, float] | None,
    then: tuple[float, float],
    waits: str,
) -> None:
    """Shorter timeouts are set first and taken back before they pass."""

    def script() -> Script:
        if waits == "before":
            idler.wait("read", "write")
        if first is not None:
            idler.held.set_timeouts(*first)
        idler.held.set_timeouts(*then)
        if waits == "after":
            idler.wait("read", "write")
        for _ in range(3):
            yield 0.015
        told = [direction for direction, moments in idler.told.items() if moments]
        assert not told, f"the timeouts are {then}, and after 45 ms that of {told[0]} has come"

    driver.run_script(script)


@rule("luaevent.bufferevent.set_timeouts")
@every_direction
@pytest.mark.parametrize(
    "before, after, changed",
    [(0.02, 0.045, "at once"), (60, 0.02, "at once"), (60, 0.02, "later"), (0, 0.02, "later")],
)
def test_the_last_set_timeout_counts(
    driver: BufferEventDriver,
    clock: Clock,
    idler: Idler,
    direction: str,
    before: float,
    after: float,
    changed: str,
) -> None:
    """A loop may come early with the new one, or keep the old one."""

    def script() -> Script:
        start = clock.now()
        idler.set(direction, before)
        idler.wait(direction)
        if changed == "later":
            yield from driver.run_idle(5)
        fair = clock.now() - start < 0.015 or before > after
        idler.set(direction, after)
        came = yield from driver.within_time(lambda: idler.told[direction])
        assert came, f"the {direction} timeout was changed from {before} to {after}, and none came"
        if fair:
            assert_not_early(idler.told[direction][0] - start, after, slack=_SLACK)

    driver.run_script(script)


@rule("luaevent.bufferevent.set_timeouts")
def test_time_without_anything_to_send_does_not_count(
    driver: BufferEventDriver, clock: Clock, idler: Idler
) -> None:
    """Twice the timeout passes before output is added that cannot leave."""

    def script() -> Script:
        idler.set("write", 0.04)
        yield 0.08
        start = clock.now()
        idler.wait("write")
        came = yield from driver.within_time(lambda: idler.told["write"])
        assert came, "output waits for room, and the write timeout did not come"
        assert_not_early(idler.told["write"][0] - start, 0.04, slack=_SLACK)

    driver.run_script(script)


@rule("luaevent.bufferevent.set_timeouts")
@every_direction
@pytest.mark.parametrize("enabled_in", ["error", "another callback"])
def test_a_direction_that_is_enabled_again_times_out_again(
    driver: BufferEventDriver, clock: Clock, idler: Idler, direction: str, enabled_in: str
) -> None:
    """A timeout may disable its direction, or not; enabling it is right either way."""
    flag = driver.read if direction == "read" else driver.write
    timeout = 0.02

    def again(_direction: str) -> None:
        if enabled_in == "error":
            idler.held.enable(flag)

    def script() -> Script:
        idler.then = again
        idler.set(direction, timeout)
        idler.wait(direction)
        for times in range(1, 4):
            yield from driver.within_time(lambda: len(idler.told[direction]) >= times)  # noqa: B023  looked at before it changes
            count = len(idler.told[direction])
            assert count >= times, (
                f"the {direction} timeout came {count} times, and once more was due after its "
                "direction was enabled again"
            )
            if enabled_in != "error":
                idler.held.enable(flag)
        moments = idler.told[direction]
        for last, this in pairwise(moments):
            assert_not_early(this - last, timeout, slack=_SLACK)

    driver.run_script(script)
