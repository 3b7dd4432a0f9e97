"""luaevent, bufferevent: the arguments of new, and those of the callbacks."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from looptck.protocols.luaevent_extended import LuaeventExtended
from looptck.rules.markers import rule
from looptck.testing.buffer_channels import receive, unread
from looptck.testing.bufferevent_driver import (
    BufferEventDriver,
    OwnedBufferEvent,
    Script,
    flags_argument,
)
from looptck.testing.channels import Channels, fill, reset
from looptck.testing.hop_driver import error_of
from looptck.testing.payload import assert_same, payload
from looptck.testing.resources import collect


def refused(make: Callable[[], object], what: str) -> None:
    """Raise AssertionError unless *make* raises any exception, as it must for *what*."""
    assert error_of(make), f"new() took {what}, and did not raise"


def _play(driver: BufferEventDriver, script: Callable[[], Script], given: str) -> None:
    """Run the script; raise AssertionError for any exception of the script or the loop."""
    try:
        driver.run_script(script)
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(
            f"with {given} there came a {type(error).__name__}: {error}"
        ) from error


@rule("luaevent.bufferevent.new")
@pytest.mark.parametrize("waits", [True, False], ids=["data waits", "data comes later"])
@pytest.mark.parametrize("last", [True, False], ids=["its base is the last", "another is"])
def test_a_bufferevent_is_served_by_its_base(
    luaevent: LuaeventExtended,
    driver: BufferEventDriver,
    channels: Channels,
    *,
    waits: bool,
    last: bool,
) -> None:
    """One byte is enough for a call; other rules judge the byte."""
    near, far = channels.pair()
    other = None if last else luaevent.new()

    def script() -> Script:
        if waits:
            far.send(b"x")
        held = driver.bufferevent(near)
        held.enable(driver.read)
        if not waits:
            yield from driver.run_idle()
            assert not driver.count("read"), "read was called before anything arrived"
            far.send(b"x")
        called = yield from driver.until(lambda: driver.count("read"))
        assert called, "data arrived at an enabled bufferevent, and read was not called"

    driver.run_script(script)
    del other


@rule("luaevent.bufferevent.new")
@pytest.mark.parametrize("made", ["before", "after"])
def test_a_bufferevent_is_not_served_by_another_base(
    luaevent: LuaeventExtended, driver: BufferEventDriver, channels: Channels, made: str
) -> None:
    """The other base runs many turns, and then its own base reads the data."""
    near, far = channels.pair()
    earlier = luaevent.new()
    own = BufferEventDriver(luaevent, channels)
    later = luaevent.new()
    base = {"before": earlier, "after": later}[made]
    held = own.bufferevent(near)
    running = BufferEventDriver(luaevent, channels)
    running.base = base

    def elsewhere() -> Script:
        held.enable(own.read)
        inside = len(own.trace)  # enable may call write before it returns
        far.send(b"x")
        yield from running.run_idle()
        served = ", ".join(own.trace[inside:])
        read = unread(near) != 1
        if served or read:
            held.disable_and_drop()
        assert not served, f"a base made {made} the one it was given served a bufferevent: {served}"
        assert not read, "a base that a bufferevent was not made with read its descriptor"

    def at_home() -> Script:
        called = yield from own.until(lambda: own.count("read"))
        assert called, "its own base ran, and read was not called"

    running.run_script(elsewhere)
    own.run_script(at_home)


@rule("luaevent.bufferevent.new")
@pytest.mark.parametrize("made", ["before the loop", "while it runs", "in a callback of another"])
def test_every_bufferevent_of_a_base_is_served(
    driver: BufferEventDriver, channels: Channels, made: str
) -> None:
    """Data comes for all of them at once, the first and the last one made included."""
    pairs = [channels.pair() for _ in range(4)]

    def make(_held: OwnedBufferEvent | None = None) -> None:
        for at, (near, _) in enumerate(pairs):
            driver.bufferevent(near, name=f"{at}").enable(driver.read)

    def script() -> Script:
        if made == "before the loop":
            make()
        elif made == "while it runs":
            yield from driver.run_idle()
            make()
        else:
            near, far = channels.pair()
            driver.bufferevent(near, name="maker", read=make).enable(driver.read)
            yield from driver.run_idle()
            far.send(b"x")
            called = yield from driver.until(lambda: driver.count("maker read"))
            assert called, "data arrived at an enabled bufferevent, and read was not called"
        for _, far in pairs:
            far.send(b"x")
        wanted = [f"{at} read" for at in range(len(pairs))]
        yield from driver.until(lambda: all(map(driver.count, wanted)))
        served = [name for name in wanted if driver.count(name)]
        assert served == wanted, (
            f"data arrived at four bufferevents of a base, made {made}; read was called of these: "
            f"{', '.join(name.split()[0] for name in served) or 'none'} (0 was made first)"
        )

    driver.run_script(script)


@rule("luaevent.bufferevent.new")
@pytest.mark.parametrize("enabled", [True, False], ids=["it was enabled", "it was disabled"])
def test_a_descriptor_may_have_had_a_bufferevent_before(
    driver: BufferEventDriver, channels: Channels, *, enabled: bool
) -> None:
    """The earlier one was collected: a base that remembers its descriptor refuses the next one."""
    near, far = channels.pair()

    def script() -> Script:
        for time in ("first", "second", "third"):
            held = driver.bufferevent(near, name=time)
            held.enable(driver.read)
            far.send(b"x")
            called = yield from driver.until(partial(driver.count, f"{time} read"))
            assert called, (
                f"data arrived at an enabled bufferevent, the {time} one of its descriptor, and "
                "read was not called"
            )
            if not enabled:
                held.disable(driver.both)
            held.drop()
            collect()
            yield from driver.run_idle(3)

    driver.run_script(script)


@rule("luaevent.bufferevent.new")
@pytest.mark.parametrize("wrong", ["missing", None, 0, "base", object()], ids=str)
def test_a_bufferevent_needs_a_base(
    driver: BufferEventDriver, channels: Channels, wrong: Any
) -> None:
    """A loop may take the descriptor or a callback for the base."""
    near, _ = channels.pair()
    new: Any = driver.luaevent.bufferevent.new
    arguments = (near.fileno(), print, print, print)
    refused(
        lambda: new(*arguments) if wrong == "missing" else new(wrong, *arguments),
        f"{wrong!r} in place of a base" if wrong != "missing" else "a missing base",
    )


@rule("luaevent.bufferevent.new-nil")
@pytest.mark.parametrize("given", ["neither", "read", "write"])
@pytest.mark.parametrize("size", [1, 5000])
def test_bytes_move_without_callbacks(
    driver: BufferEventDriver, channels: Channels, given: str, size: int
) -> None:
    """Bytes go both ways: a loop that watches a direction only for its callback shows."""
    near, far = channels.pair()
    calls: list[int] = []

    def noting(name: str) -> Any:
        if given != name:
            return None
        return driver.callback(lambda *arguments: calls.append(flags_argument(arguments)))

    def script() -> Script:
        held = driver.keep(
            driver.luaevent.bufferevent.new(
                driver.base,
                near.fileno(),
                noting("read"),
                noting("write"),
                driver.callback(lambda *_: None),
            )
        )
        held.enable(driver.both)
        far.send(payload(size))
        held.output.add(payload(size, start=8))
        sent = bytearray()

        def arrived() -> bool:
            if chunk := receive(far, size):
                driver.note_progress()
            sent.extend(chunk)
            return len(sent) >= size

        yield from driver.until(lambda: not unread(near))
        yield from driver.until(arrived)
        yield from driver.run_idle()
        assert_same(payload(size), held.input.get_data(), "what is in the input without a callback")
        assert_same(payload(size, start=8), sent, "what came to the peer")
        assert given == "neither" or calls, f"{given}, the only callback, was not called"
        assert given != "write" or driver.luaevent.EVBUFFER_READ not in calls, (
            "write, the only callback, was called with EVBUFFER_READ"
        )

    _play(driver, script, f"{given} as the only callback")


@rule("luaevent.bufferevent.new-nil")
@pytest.mark.parametrize("missing", ["read", "write", "both"])
def test_the_end_is_reported_without_the_other_callbacks(
    driver: BufferEventDriver, channels: Channels, missing: str
) -> None:
    """The reasons for a read call, and for a write call, come before the end."""
    near, far = channels.pair()
    errors: list[object] = []

    def noted(name: str) -> Any:
        return driver.callback(lambda *_: None) if missing not in (name, "both") else None

    def script() -> Script:
        held = driver.keep(
            driver.luaevent.bufferevent.new(
                driver.base,
                near.fileno(),
                noted("read"),
                noted("write"),
                driver.callback(lambda *arguments: errors.append(arguments)),
            )
        )
        held.enable(driver.read)
        held.output.add(b"out")
        far.send(b"in")
        yield from driver.run_idle()
        far.close()
        yield from driver.until(lambda: errors)
        assert errors, f"without {missing} the end of the stream is not reported"

    _play(driver, script, f"None for {missing}")


@rule("luaevent.bufferevent.new-nil")
@pytest.mark.parametrize("wrong", ["missing", None, 5, "error"], ids=str)
@pytest.mark.parametrize("others", [True, False], ids=["with the others", "without"])
def test_the_error_callback_must_be_callable(
    driver: BufferEventDriver, channels: Channels, wrong: Any, *, others: bool
) -> None:
    """It is the fifth argument; the two before it are right."""
    near, _ = channels.pair()
    new: Any = driver.luaevent.bufferevent.new
    callbacks = (print, print) if others else (None, None)
    arguments = (driver.base, near.fileno(), *callbacks)
    refused(
        lambda: new(*arguments) if wrong == "missing" else new(*arguments, wrong),
        f"{wrong!r} as error callback" if wrong != "missing" else "a missing error callback",
    )


_ERRORS = ("error at the end", "error of a reset", "error of a timeout", "error of both timeouts")


@rule("luaevent.bufferevent.callback-input")
@pytest.mark.parametrize("wanted", ["read", "write", *_ERRORS])
@pytest.mark.parametrize("others", [0, 2], ids=["alone", "beside others"])
def test_a_callback_gets_its_bufferevent_and_the_flags(
    driver: BufferEventDriver, channels: Channels, wanted: str, others: int
) -> None:
    """The base has older and younger bufferevents than the one that is called."""
    near, far = channels.tcp_pair()
    given: list[tuple[Any, ...]] = []
    flags = driver.luaevent
    callback = wanted.split()[0]

    def noting(name: str) -> Any:
        return driver.callback(
            lambda *arguments: given.append(arguments) if name == callback else 0
        )

    def another() -> None:
        for _ in range(others // 2):
            driver.bufferevent(channels.pair()[0])

    def script() -> Script:
        another()
        held = driver.keep(
            flags.bufferevent.new(
                driver.base, near.fileno(), noting("read"), noting("write"), noting("error")
            )
        )
        another()
        held.enable(driver.both)
        far.send(b"in")
        held.output.add(b"out")
        yield from driver.run_idle()
        wait = driver.until
        if wanted == "error at the end":
            far.shutdown(socket.SHUT_WR)
        elif wanted == "error of a reset":
            reset(far)
        elif callback == "error":
            if "both" in wanted:
                fill(near)
                held.output.add(b"more")
            held.set_timeouts(0.02, 0.02)
            wait = driver.within_time
        yield from wait(lambda: given)
        if wanted in ("read", "write", "error at the end"):  # whether others come, others judge
            assert given, f"{callback} was not called ({wanted})"
        yield from driver.run_idle()
        for arguments in given:
            assert len(arguments) == 2, (
                f"{callback} is to get the bufferevent and the flags; it got "
                f"{len(arguments)} arguments ({wanted})"
            )
            assert held.is_(arguments[0]), (
                f"{callback} is to get the bufferevent that new returned; it got another object, "
                f"a {type(arguments[0]).__name__} ({wanted})"
            )
            assert isinstance(arguments[1], int), (
                f"{callback} is to get flags; it got a {type(arguments[1]).__name__}"
            )
        given.clear()

    driver.run_script(script)
