"""Checks of readers: they are called for data, connections and ends, and for nothing else."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

import pytest

from ..testing.channels import Channels, End, drain, fill, reset
from ..testing.kernel import wait_readable
from ..testing.readiness import ReadinessToggle
from ..testing.situations import Situation, everywhere
from ..testing.urgent_data import urgent_channel
from .needs import also_needs
from .scenes import CHANNELS, act_in, any_channel, early_or_late, reached, total
from .verbs import Calls, Direction, Script, Watching, turns, until


def _send(far: End, near: End, data: bytes) -> None:
    far.send(data)
    wait_readable([near])


def _reading(loop: Watching, near: End, size: int = 65536) -> tuple[Calls, list[bytes]]:
    """A callback that reads up to *size* bytes of *near*, and the list of those it read."""
    read: list[bytes] = []

    def take() -> None:
        try:
            read.append(near.recv(size))
        except BlockingIOError:
            read.append(b"(nothing to read)")
        except ConnectionError:
            read.append(b"")

    return loop.calls("reader", take), read


@everywhere
@any_channel
@early_or_late
def test_a_reader_is_called_once_for_an_arrival(
    loop: Watching, channels: Channels, situation: Situation, kind: str, early: bool
) -> None:
    """A byte that was there before the watch needs no edge to be seen."""
    near, far = CHANNELS[kind](channels)
    calls, read = _reading(loop, near)
    others = [loop.calls("reader watched before it"), loop.calls("reader watched after it")]

    def watch() -> None:
        loop.watch(channels.pair()[0].fileno(), "r", others[0])
        loop.watch(near.fileno(), "r", calls)
        loop.watch(channels.pair()[0].fileno(), "r", others[1])

    def script() -> Script:
        if early:
            _send(far, near, b"x")
        yield from act_in(situation, loop, channels, watch)
        if not early:
            yield turns()
            assert read == [], f"the reader was called before a byte came, and read {read}"
            _send(far, near, b"x")
        yield until("the reader is called for a byte", lambda: read or total(others))
        yield turns()

    loop.play(script())
    assert total(others) == 0, "the reader of a channel without data was called"
    assert read == [b"x"], f"one byte came; the reader read {read}"


def _after_a_byte(channels: Channels) -> tuple[End, End]:
    near, far = channels.pair()
    far.send(b"old")
    drain(near)
    return near, far


def _with_an_urgent_byte(channels: Channels) -> tuple[End, End]:
    """A TCP connection with urgent data, unless this system lets a read return it."""
    return urgent_channel(channels) or channels.tcp_pair()


# {kind: makes an end that a read would have to wait for, and the end that sends to it}
_SILENT: dict[str, Callable[[Channels], tuple[End, End]]] = {
    **CHANNELS,
    "drained": _after_a_byte,
    "urgent": _with_an_urgent_byte,
}


@everywhere
@pytest.mark.parametrize("kind", _SILENT)
def test_a_reader_is_silent_until_a_read_returns(
    loop: Watching, channels: Channels, situation: Situation, kind: str
) -> None:
    """A socket is writable meanwhile, and an urgent byte is announced apart from data."""
    near, far = _SILENT[kind](channels)
    calls, read = _reading(loop, near)

    def script() -> Script:
        yield from act_in(situation, loop, channels, lambda: loop.watch(near.fileno(), "r", calls))
        yield turns()
        assert read == [], f"the reader was called {len(read)} times; a read would have had to wait"
        _send(far, near, b"x")
        yield until("the reader is called for a byte", lambda: read)
        yield turns()

    loop.play(script())
    assert read == [b"x"], f"one byte came; the reader read {read}"


def test_an_urgent_byte_wakes_neither_direction(loop: Watching, channels: Channels) -> None:
    """Both directions are watched; the socket has no room, and nothing that a read returns."""
    near, far = _with_an_urgent_byte(channels)
    fill(near)
    reader, read = _reading(loop, near)
    writer = loop.calls("writer", lambda: fill(near))

    def script() -> Script:
        loop.watch(near.fileno(), "r", reader)
        loop.watch(near.fileno(), "w", writer)
        yield turns()
        assert reader.count == writer.count == 0, (
            f"for an urgent byte the reader was called {reader.count} times, and the writer of a "
            f"socket without room {writer.count} times"
        )
        _send(far, near, b"x")
        yield until("the reader is called for a byte", lambda: read)

    loop.play(script())
    assert read[0] == b"x", f"a byte came; the reader read {read}"


@also_needs("w")
@pytest.mark.parametrize("direction", ["r", "w"])
def test_one_direction_is_silent_while_the_other_is_called(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """Both directions of a socket are watched; one is made ready three times, the other never."""
    toggle = ReadinessToggle(channels, direction)
    calls: dict[Direction, Calls] = {
        "r": loop.calls("reader", toggle.off),
        "w": loop.calls("writer", toggle.off),
    }
    silent = calls["w" if direction == "r" else "r"]

    def script() -> Script:
        for each in calls:
            loop.watch(toggle.number, each, calls[each])
        for times in range(1, 4):
            toggle.on()
            yield until(
                f"the {direction!r} watch is called", partial(reached, calls[direction], times)
            )
            yield turns()

    loop.play(script())
    assert calls[direction].count == 3, (
        f"the socket was made ready 3 times in direction {direction!r}, and "
        f"{calls[direction].count} calls came"
    )
    assert silent.count == 0, "the other direction, which was never ready, was called"


def _close(far: End) -> None:
    far.close()


def _shut_down(far: End) -> None:
    assert isinstance(far, socket.socket)
    far.shutdown(socket.SHUT_WR)


def _reset(far: End) -> None:
    assert isinstance(far, socket.socket)
    reset(far)


@early_or_late
@pytest.mark.parametrize("data", [b"", b"abc"], ids=["silent", "data"])
@pytest.mark.parametrize(
    "kind, end",
    [
        pytest.param("pair", _close, id="pair-closed"),
        pytest.param("pair", _shut_down, id="pair-shut-down"),
        pytest.param("tcp", _close, id="tcp-closed"),
        pytest.param("tcp", _shut_down, id="tcp-shut-down"),
    ],
)
def test_a_reader_is_called_for_the_end_of_a_stream(
    loop: Watching,
    channels: Channels,
    kind: str,
    end: Callable[[End], None],
    data: bytes,
    early: bool,
) -> None:
    """The end is told again and again, after the bytes sent before it, which are read singly."""
    _meets_the_end(loop, CHANNELS[kind](channels), end, data, early=early)


@early_or_late
@pytest.mark.parametrize("data", [b"", b"abc"], ids=["silent", "data"])
def test_a_reader_is_called_for_the_end_of_a_pipe(
    loop: Watching, channels: Channels, data: bytes, early: bool
) -> None:
    """If nothing was written, the kernel may report a hang-up alone."""
    _meets_the_end(loop, channels.pipe(), _close, data, early=early)


@early_or_late
def test_a_reader_is_called_for_a_connection_reset(
    loop: Watching, channels: Channels, early: bool
) -> None:
    """The kernel may report an error alone; a read does not wait for anything."""
    _meets_the_end(loop, channels.tcp_pair(), _reset, b"", early=early, times=1)


@early_or_late
def test_a_connection_reset_is_told_again(loop: Watching, channels: Channels, early: bool) -> None:
    """The first read meets the error, and each read after it the end."""
    _meets_the_end(loop, channels.tcp_pair(), _reset, b"", early=early)


def _meets_the_end(
    loop: Watching,
    channel: tuple[End, End],
    end: Callable[[End], None],
    data: bytes,
    *,
    early: bool,
    times: int = 2,
) -> None:
    near, far = channel
    calls, read = _reading(loop, near, 1)

    def make_ready() -> None:
        if data:
            far.send(data)
        end(far)
        wait_readable([near])

    def script() -> Script:
        if early:
            make_ready()
        watch = loop.watch(near.fileno(), "r", calls)
        if not early:
            yield turns()
            assert read == [], f"the reader was called before the end, and read {read}"
            make_ready()
        yield until(
            f"the reader is called for the end, {times} times", lambda: read.count(b"") >= times
        )
        loop.unwatch(watch)

    loop.play(script())
    expected = [data[at : at + 1] for at in range(len(data))] + [b""] * times
    assert read[: len(expected)] == expected, f"expected to read {expected}, read {read}"


@early_or_late
def test_each_pending_connection_can_be_accepted(
    loop: Watching, channels: Channels, early: bool
) -> None:
    """Three clients come at once, and each call accepts one; a fourth comes afterwards."""
    listening = channels.listener()
    accepted: list[str] = []

    def accept() -> None:
        try:
            served, _ = listening.accept()
        except BlockingIOError:
            accepted.append("nobody")
        else:
            accepted.append("a client")
            channels.keep(served.close)

    calls = loop.calls("server", accept)

    def script() -> Script:
        if not early:
            loop.watch(listening.fileno(), "r", calls)
            yield turns()
            assert calls.count == 0, "the server was called before a client came"
        for _ in range(3):
            channels.connect(listening)
        if early:
            loop.watch(listening.fileno(), "r", calls)
        yield until("the server is called for each of three clients", lambda: calls.count >= 3)
        yield turns()
        channels.connect(listening)
        yield until("the server is called for a fourth client", lambda: calls.count >= 4)
        yield turns()

    loop.play(script())
    assert accepted == ["a client"] * 4, f"four clients came; the server accepted {accepted}"


@pytest.mark.parametrize("taken", [0, 1], ids=["nothing", "a-byte"])
@pytest.mark.parametrize("kind", ["pair", "pipe"])
def test_a_reader_is_called_while_data_is_left(
    loop: Watching, channels: Channels, kind: str, taken: int
) -> None:
    """Each call takes nothing, or one byte of five; nothing new comes."""
    near, far = CHANNELS[kind](channels)
    calls = loop.calls("reader", lambda: taken and near.recv(1))
    far.send(b"12345")

    def script() -> Script:
        watch = loop.watch(near.fileno(), "r", calls)
        yield until("the reader is called five times for five bytes", lambda: calls.count >= 5)
        if not taken:
            loop.unwatch(watch)
        yield turns()

    loop.play(script())
    if taken:
        assert calls.count == 5, f"each call took one byte of 5, and {calls.count} calls came"


def test_data_left_is_told_again_after_a_pause(loop: Watching, channels: Channels) -> None:
    """The watch ends while another one is called, and is begun again; nothing new came."""
    near, far = channels.pair()
    calls, other = loop.calls("reader"), loop.calls("other reader")
    far.send(b"x")

    def script() -> Script:
        watch = loop.watch(near.fileno(), "r", calls)
        yield until("the reader is called", lambda: calls.count)
        loop.unwatch(watch)
        end, sender = channels.pair()
        sender.send(b"x")
        second = loop.watch(end.fileno(), "r", other)
        yield until("another reader is called", lambda: other.count)
        loop.unwatch(second)
        calls.clear()
        loop.watch(near.fileno(), "r", calls)
        yield until("the reader is called again for what it left", lambda: calls.count)

    loop.play(script())
