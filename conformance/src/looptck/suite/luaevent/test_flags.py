"""luaevent, Constants: the flags that a callback is given, and those it never gets."""

from __future__ import annotations

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain, fill, reset
from looptck.testing.flag_names import flag_text
from looptck.testing.kernel import wait_writable
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.observation import Observation
from looptck.testing.situations import Situation, everywhere
from looptck.testing.stopwatch import Stopwatch

_SHORT = 0.01


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


@rule("luaevent.flags.timeout-keeps-data")
@everywhere
@pytest.mark.parametrize("kind", ["EV_READ", "EV_READ | EV_WRITE"])
def test_data_that_meets_its_deadline_is_reported(
    luaevent: Luaevent, clock: Clock, channels: Channels, situation: Situation, kind: str
) -> None:
    """A busy callback lets the deadline pass and the data arrive, three times."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    fill(near)
    flags = luaevent.EV_READ | (luaevent.EV_WRITE if "WRITE" in kind else 0)
    received: list[bytes] = []

    def busy() -> None:
        clock.advance(0.02)
        far.send(b"x")

    def called(given: int) -> int:
        if given & luaevent.EV_READ and (data := drain(near)):
            received.append(data)
            if len(received) == 3:
                return luaevent.LEAVE
            driver.after("busy", 0.0001, busy)
        return flags

    def act() -> None:
        driver.add("reader", near.fileno(), flags, called, timeout=0.008)
        driver.after("busy", 0.0001, busy)

    driver.run(act, situation)
    assert len(received) == 3, (
        f"data came three times when a deadline had passed, and was reported {len(received)} "
        f"times; the calls were {', '.join(driver.trace)}{driver.timeout_note}"
    )


@rule("luaevent.flags.timeout-keeps-data")
@pytest.mark.parametrize("names", [("EV_READ",), ("EV_READ", "EV_WRITE")], ids="|".join)
def test_data_that_came_with_the_deadline_is_reported(
    luaevent: Luaevent, clock: Clock, channels: Channels, names: tuple[str, ...]
) -> None:
    """A busy callback lets the deadline pass and the data arrive; timeouts may come as well."""
    driver = LuaeventDriver(luaevent, most=20)
    near, far = channels.pair()
    fill(near)
    flags = 0
    for name in names:
        flags |= getattr(luaevent, name)

    def busy() -> None:
        clock.advance(3 * _SHORT)
        far.send(b"x")

    def called(received: int) -> int:
        # the test ends the event when the data was not reported in several timeouts
        ended = received & luaevent.EV_READ or driver.trace.count("reader timeout") > 5
        return luaevent.LEAVE if ended else flags

    driver.add("reader", near.fileno(), flags, called, timeout=_SHORT)
    driver.after("busy", _SHORT / 2, busy)
    driver.run()
    assert any("read" in call.split()[1:] for call in driver.trace), (
        "data came with the deadline of its event and was never reported; called were "
        f"{', '.join(driver.trace)}{driver.timeout_note}"
    )


_BOTH_READY = (
    "readable and writable",
    "at its end",
    "reset by the peer",
    "refused",
    "a pipe without its other end",
)


def _ready(channels: Channels, how: str, asked: str) -> int:
    """Return a descriptor that is ready in the direction that is *asked* for.

    It is ready in the other one too, but the end of a pipe is hung up or
    broken, and nothing else.
    """
    if how == "refused":
        client = channels.refused()
        wait_writable(client)
        return client.fileno()
    if how == "a pipe without its other end":
        reading, writing = channels.pipe()
        fill(writing)
        kept, closed = (reading, writing) if asked == "EV_READ" else (writing, reading)
        closed.close()
        return kept.fileno()
    if how == "reset by the peer":
        near, far = channels.tcp_pair()
        reset(far)
        return near.fileno()
    near, far = channels.pair()
    if how == "at its end":
        far.close()
    else:
        far.send(b"unread")
    return near.fileno()


@rule("luaevent.flags.only-asked")
@everywhere
@pytest.mark.parametrize("asked", ["EV_READ", "EV_WRITE"])
@pytest.mark.parametrize("how", _BOTH_READY)
def test_the_other_direction_is_never_received(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    situation: Situation,
    how: str,
    asked: str,
) -> None:
    """Errors wake both directions, in most pollers."""
    flags = getattr(luaevent, asked)

    def called(received: int) -> int:
        _assert_only(luaevent, received, flags)
        return luaevent.LEAVE if len(driver.trace) == 2 else int(flags)

    fd = _ready(channels, how, asked)
    driver.run(lambda: driver.add("event", fd, flags, called), situation)


@rule("luaevent.flags.only-asked")
def test_events_of_one_descriptor_get_their_own_direction(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """The descriptor is watched for both directions, and no event for more than one."""
    near, far = channels.pair()
    far.send(b"unread")
    for name, flags in (("reader", luaevent.EV_READ), ("writer", luaevent.EV_WRITE)):
        driver.add(name, near.fileno(), flags, flags, flags, luaevent.LEAVE)
    driver.run()
    assert sorted(driver.trace) == ["reader read"] * 3 + ["writer write"] * 3, (
        f"expected 3 calls for the reader with read, 3 for the writer with write; there came "
        f"{', '.join(driver.trace) or 'none'}{driver.timeout_note}"
    )


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
