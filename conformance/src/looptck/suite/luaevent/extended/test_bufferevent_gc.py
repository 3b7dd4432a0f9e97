"""luaevent, bufferevent: it lives as long as its object."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from looptck.protocols.luaevent_extended import Buffer
from looptck.rules.markers import rule
from looptck.testing.bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.resources import collect

OCCASIONS = (
    "data waits",
    "data comes later",
    "more data comes",
    "room comes",
    "a read timeout",
    "a write timeout",
    "the end",
    "the peer goes while output waits",
)


# Long enough for some turns before it, in seconds.
_TIMEOUT = 0.03


def _prepare(
    driver: BufferEventDriver,
    held: OwnedBufferEvent,
    near: socket.socket,
    far: socket.socket,
    case: str,
) -> None:
    """Bring about the events of the *case* that come before the reference is dropped."""
    if case in ("room comes", "a write timeout", "the peer goes while output waits"):
        fill(near)
        held.output.add(b"out")
    if case == "a read timeout":
        held.set_timeouts(_TIMEOUT, 0)
    if case == "a write timeout":
        held.set_timeouts(0, _TIMEOUT)
    held.enable(driver.read)
    if case == "data waits":
        far.send(b"in")


def _happen(near: socket.socket, far: socket.socket, case: str) -> None:
    """Bring about the events of the *case* that come after it was dropped."""
    if case in ("data comes later", "more data comes"):
        with suppress(OSError):  # its end may be gone, which is asked elsewhere
            far.send(b"more")
    elif case == "room comes":
        drain(far)
    elif case in ("the end", "the peer goes while output waits"):
        far.close()


@rule("luaevent.bufferevent.gc")
@pytest.mark.parametrize("case", OCCASIONS)
@pytest.mark.parametrize("buffers", ["not asked for", "kept"])
def test_a_collected_bufferevent_is_never_called(
    driver: BufferEventDriver, channels: Channels, case: str, buffers: str
) -> None:
    """Its reasons for a call come after it was collected, or wait for the loop."""
    near, far = channels.pair()

    def script() -> Script:
        held = driver.bufferevent(near)
        _prepare(driver, held, near, far, case)
        kept = [held.input, held.output] if buffers == "kept" else []
        if case == "more data comes":
            far.send(b"some")
            yield from driver.until(lambda: driver.count("read"))
        if case.endswith("timeout"):
            yield from driver.run_idle(2)  # in which it may begin to count
        elif case != "data waits":
            yield from driver.run_idle()
        before = len(driver.trace)
        held.drop()
        collect()
        _happen(near, far, case)
        yield from driver.run_idle()
        yield 2 * _TIMEOUT
        yield from driver.run_idle()
        late = driver.trace[before:]
        assert not late, f"{case}: a collected bufferevent called {', '.join(late)}"
        kept.clear()

    driver.run_script(script)


@rule("luaevent.bufferevent.gc")
@pytest.mark.parametrize("callback", ["read", "write", "error"])
def test_a_bufferevent_lost_in_its_callback_is_not_called_again(
    driver: BufferEventDriver, channels: Channels, callback: str
) -> None:
    """The loop may hold it until the callback returns, and not a few turns later."""
    near, far = channels.pair()
    armed = False

    def drop(held: OwnedBufferEvent) -> None:
        if armed:
            held.drop()
            collect()

    def script() -> Script:
        nonlocal armed
        held = driver.bufferevent(
            near,
            read=drop if callback == "read" else None,
            write=drop if callback == "write" else None,
            error=drop if callback == "error" else None,
        )
        held.enable(driver.read)  # may call write before it returns
        armed = True
        if callback == "read":
            far.send(b"in")
        elif callback == "write":
            held.output.add(b"out")
        else:
            far.shutdown(socket.SHUT_WR)
        yield from driver.until(lambda: held.made is None)
        collect()
        yield from driver.run_idle()
        collect()
        before = len(driver.trace)
        assert before, f"{callback} was not called"
        with suppress(OSError):  # its end may be gone, which is asked elsewhere
            far.send(b"more")
        far.close()
        yield from driver.run_idle()
        late = driver.trace[before:]
        assert not late, (
            f"a bufferevent that was lost in its {callback} callback called {', '.join(late)}"
        )

    driver.run_script(script)


def _uses(near: socket.socket) -> dict[str, Callable[[Buffer], object]]:
    return {
        "length": lambda buffer: buffer.length(),
        "len": len,
        "get_data": lambda buffer: buffer.get_data(),
        "get_data of 1": lambda buffer: buffer.get_data(1),
        "bytes": bytes,
        "readline": lambda buffer: buffer.readline(),
        "drain": lambda buffer: buffer.drain(1),
        "add": lambda buffer: buffer.add(b"x"),
        "read": lambda buffer: buffer.read(near.fileno(), 1),
        "write": lambda buffer: buffer.write(near.fileno()),
    }


@rule("luaevent.bufferevent.gc")
@pytest.mark.parametrize("which", ["input", "output"])
@pytest.mark.parametrize("filled", [True, False], ids=["filled", "empty"])
def test_the_buffers_of_a_collected_bufferevent_are_closed(
    driver: BufferEventDriver, channels: Channels, which: str, *, filled: bool
) -> None:
    """The test tries all functions, since each has a check of its own."""
    near, far = channels.pair()
    spare, _ = channels.pair()
    kept: list[Buffer] = []

    def script() -> Script:
        held = driver.bufferevent(near)
        if filled:
            fill(near)
            held.output.add(b"out")
            far.send(b"in\n")
        held.enable(driver.read)
        yield from driver.run_idle()
        kept.append(held.input if which == "input" else held.output)
        held.drop()
        collect()
        yield from driver.run_idle(3)

    driver.run_script(script)
    open_still = [name for name, use in _uses(spare).items() if not _refused(use, kept[0])]
    assert not open_still, (
        f"its bufferevent was collected, and the {which} buffer still answers to "
        f"{', '.join(open_still)}"
    )


def _refused(use: Callable[[Buffer], object], buffer: Buffer) -> bool:
    try:
        use(buffer)
    except Exception:
        return True
    return False


@rule("luaevent.bufferevent.gc")
@pytest.mark.parametrize("order", ["together", "bufferevent first", "buffers first"])
@pytest.mark.parametrize("when", ["before it was served", "after it was served"])
def test_the_descriptor_outlives_its_bufferevent(
    driver: BufferEventDriver, channels: Channels, order: str, when: str
) -> None:
    """Bytes go both ways afterwards: a descriptor that is open but dead shows as well."""
    near, far = channels.pair()

    def script() -> Script:
        held = driver.bufferevent(near)
        held.enable(driver.read)
        kept: list[Buffer] = [held.input, held.output]
        if when == "after it was served":
            far.send(b"in")
            held.output.add(b"out")
            yield from driver.run_idle()
            drain(far)
        if order == "buffers first":
            kept.clear()
            collect()
            yield from driver.run_idle(3)
        held.drop()
        if order == "together":
            kept.clear()
        collect()
        yield from driver.run_idle(3)
        kept.clear()
        collect()
        _assert_open(near, far)

    driver.run_script(script)


def _assert_open(near: socket.socket, far: socket.socket) -> None:
    try:
        near.send(b"out")
        far.send(b"in")
        went = (far.recv(10), near.recv(10))
    except OSError as error:
        raise AssertionError(
            f"a collected bufferevent took its descriptor with it: {error}"
        ) from error
    assert went == (b"out", b"in"), (
        f"a collected bufferevent left its descriptor in disorder: {went}"
    )
