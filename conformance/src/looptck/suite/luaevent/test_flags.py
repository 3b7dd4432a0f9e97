"""luaevent, Constants: the flags that a callback is given, and those it never gets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain, fill, reset
from looptck.testing.flag_names import flag_text
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.observation import Observation
from looptck.testing.situations import Situation, everywhere
from looptck.testing.stopwatch import Stopwatch

_SHORT = 0.01
_LONG = 30.0


def _assert_only(luaevent: Luaevent, flags: int, asked: int) -> None:
    for name in ("EV_READ", "EV_WRITE"):
        bit = getattr(luaevent, name)
        assert asked & bit or not flags & bit, f"a call had {name}, which was not registered"


@rule("luaevent.flags.read-timeout-together")
@everywhere
@pytest.mark.parametrize("kind", ["read", "write", "read and write", "timer"])
def test_a_timeout_adds_at_most_the_flags_waited_for(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    stopwatch: Stopwatch,
    channels: Channels,
    situation: Situation,
    kind: str,
) -> None:
    """Three timeouts pass, one after the other; four calls in that time are too many."""
    near, _far = channels.pair()
    fill(near)
    asked = {
        "read": luaevent.EV_READ,
        "write": luaevent.EV_WRITE,
        "read and write": luaevent.EV_READ | luaevent.EV_WRITE,
        "timer": 0,
    }[kind]
    fd = None if kind == "timer" else near.fileno()

    def called(flags: int) -> int:
        assert flags & luaevent.EV_TIMEOUT, (
            f"nothing happened until the timeout, and the call had {flag_text(luaevent, flags)} "
            "without EV_TIMEOUT"
        )
        _assert_only(luaevent, flags, asked)
        # From the first on: after a late one, a loop that keeps a grid is soon back.
        passed = stopwatch.elapsed() / _SHORT
        assert passed > len(driver.trace) - 0.5, "called twice for one timeout"
        return luaevent.LEAVE if len(driver.trace) == 3 else asked or luaevent.EV_TIMEOUT

    def register() -> None:
        stopwatch.restart()
        driver.add("event", fd, asked or luaevent.EV_TIMEOUT, called, timeout=_SHORT)

    driver.run(register, situation)
    assert driver.trace, f"a timeout passed, and no call came{driver.timeout_note}"


@rule("luaevent.flags.ready-and-timeout-same-turn")
@pytest.mark.parametrize("timeout", [0.005, 0.0], ids=["a short timeout", "a timeout of 0"])
def test_data_arriving_with_the_deadline_is_recorded(
    luaevent: Luaevent, clock: Clock, channels: Channels, observe: Observation, timeout: float
) -> None:
    """A busy callback lets the deadline pass and the data arrive. The reader leaves when it has
    read, so that at most a few calls come."""
    driver = LuaeventDriver(luaevent, most=20)
    near, far = channels.pair()

    def busy() -> None:
        clock.advance(3 * timeout)
        far.send(b"x")

    def called(_flags: int) -> int:
        return luaevent.LEAVE if drain(near) or len(driver.trace) > 5 else luaevent.EV_READ

    def register() -> None:
        driver.after("busy", 0.0001, register_reader)

    def register_reader() -> None:
        driver.add("reader", near.fileno(), luaevent.EV_READ, called, timeout=timeout)
        busy()

    register()
    situation = "a short timeout" if timeout else "a timeout of 0"
    try:
        driver.run()
    except Exception as error:
        observe.raised(error, of=situation)
        return
    calls = [call.removeprefix("reader ") for call in driver.trace if call.startswith("reader")]
    observe(", then ".join(calls) + driver.timeout_note or "no call", of=situation)


# {situation of the other direction: makes the descriptor, ready or not in the one that is asked
# for, and always in the one that is not}
_Make = Callable[[Channels], int]


def _readable_and_writable(channels: Channels) -> int:
    near, far = channels.pair()
    far.send(b"unread")
    return near.fileno()


def _at_its_end(channels: Channels) -> int:
    near, far = channels.pair()
    far.close()
    return near.fileno()


def _reset_by_peer(channels: Channels) -> int:
    near, far = channels.tcp_pair()
    reset(far)
    return near.fileno()


def _refused(channels: Channels) -> int:
    return channels.connecting(channels.refused_address()).fileno()


_BOTH_READY = {
    "readable and writable": _readable_and_writable,
    "at its end": _at_its_end,
    "reset by the peer": _reset_by_peer,
    "refused": _refused,
}


@rule("luaevent.flags.only-asked")
@everywhere
@pytest.mark.parametrize("asked", ["EV_READ", "EV_WRITE"])
@pytest.mark.parametrize("make", _BOTH_READY.values(), ids=_BOTH_READY)
def test_the_other_direction_is_never_received(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    situation: Situation,
    make: _Make,
    asked: str,
) -> None:
    """The descriptor is ready in both directions; errors wake both, in most pollers."""
    flags = getattr(luaevent, asked)

    def called(received: int) -> int:
        _assert_only(luaevent, received, flags)
        return luaevent.LEAVE if len(driver.trace) == 2 else int(flags)

    fd = make(channels)
    driver.run(lambda: driver.add("event", fd, flags, called), situation)


@rule("luaevent.flags.only-asked")
@pytest.mark.parametrize("asked", ["EV_READ", "EV_WRITE"])
def test_a_broken_pipe_does_not_bring_the_other_direction(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, asked: str
) -> None:
    """The end that is left is hung up or broken, and nothing else."""
    reading, writing = channels.pipe()
    fill(writing)
    near, far = (reading, writing) if asked == "EV_READ" else (writing, reading)
    flags = getattr(luaevent, asked)

    def called(received: int) -> int:
        _assert_only(luaevent, received, flags)
        return luaevent.LEAVE if len(driver.trace) == 2 else int(flags)

    far.close()
    driver.add("event", near.fileno(), flags, called)
    driver.run()


@rule("luaevent.flags.only-asked")
def test_events_of_one_descriptor_get_their_own_direction(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """The descriptor is watched for both directions, and no event for more than one."""
    fd = _readable_and_writable(channels)
    for name, flags in (("reader", luaevent.EV_READ), ("writer", luaevent.EV_WRITE)):
        driver.add(name, fd, flags, flags, flags, luaevent.LEAVE)
    driver.run()
    assert sorted(driver.trace) == ["reader read"] * 3 + ["writer write"] * 3, (
        f"expected 3 calls for the reader with read, 3 for the writer with write; there came "
        f"{', '.join(driver.trace) or 'none'}{driver.timeout_note}"
    )


@rule("luaevent.flags.only-asked")
@pytest.mark.parametrize("direction", ["read", "write"])
def test_after_a_change_the_old_direction_is_not_received(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, direction: str
) -> None:
    """The descriptor is ready in both directions throughout."""
    read, write = luaevent.EV_READ, luaevent.EV_WRITE
    old, new = (read, write) if direction == "read" else (write, read)
    other = "write" if direction == "read" else "read"
    fd = _readable_and_writable(channels)
    # Without a timeout it is the affair of luaevent.callback.change-no-spurious-timeout.
    driver.add("event", fd, old, new, new, luaevent.LEAVE, timeout=_LONG)
    driver.run()
    driver.assert_calls(f"event {direction}", f"event {other}", f"event {other}")


@rule("luaevent.flags.only-asked")
@pytest.mark.parametrize("asked", ["EV_READ", "EV_WRITE"])
def test_a_timeout_does_not_bring_the_other_direction(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, asked: str
) -> None:
    """The other direction is ready while this one never is."""
    near, far = channels.pair()
    if asked == "EV_WRITE":
        fill(near)
        far.send(b"unread")
    flags = getattr(luaevent, asked)

    def called(received: int) -> int:
        _assert_only(luaevent, received, flags)
        return luaevent.LEAVE

    driver.add("event", near.fileno(), flags, called, timeout=_SHORT)
    driver.run()
