"""luaevent's complete library, buffer: read from descriptors and write to them."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from looptck.protocols.luaevent_extended import Buffer, LuaeventExtended
from looptck.rules.markers import rule
from looptck.testing import guards
from looptck.testing.channels import Channels, End, drain, fill, reset
from looptck.testing.hop_driver import error_of
from looptck.testing.kernel import wait_readable
from looptck.testing.payload import assert_same, payload

# {kind: makes the end that a buffer reads from, and the end that sends to it}
_SOURCES: dict[str, Callable[[Channels], tuple[End, End]]] = {
    "socket pair": lambda channels: channels.pair(),
    "pipe": lambda channels: channels.pipe(),
    "TCP": lambda channels: channels.tcp_pair(),
}

# {kind: makes the end that a buffer writes to, and the end where it arrives}
_SINKS: dict[str, Callable[[Channels], tuple[End, End]]] = {
    "socket pair": lambda channels: channels.pair(),
    "pipe": lambda channels: channels.pipe()[::-1],
    "TCP": lambda channels: channels.tcp_pair(),
}

every_source = pytest.mark.parametrize("kind", _SOURCES)
every_sink = pytest.mark.parametrize("kind", _SINKS)
# over TCP the kernel finds more room after a while, so that full is not for long
every_sink_that_stays_full = pytest.mark.parametrize("kind", ["socket pair", "pipe"])

# How long the kernel may take to bring bytes over TCP, in seconds.
_ON_THEIR_WAY = 1.0


def _expect_readable(near: End, buffer: Buffer, size: int) -> None:
    """Assert that the descriptor is readable, since *size* bytes are to come and are not yet in
    the buffer.

    It is readable at the end of the stream, too: then the bytes are missed afterwards.
    """
    assert select.select([near.fileno()], [], [], guards.guard(_ON_THEIR_WAY))[0], (
        f"all was read, and the buffer has {len(_contents(buffer))} bytes of {size}"
    )


def _filled(luaevent: LuaeventExtended, *pieces: bytes) -> Buffer:
    buffer = luaevent.buffer.new()
    for piece in pieces:
        if piece:
            buffer.add(piece)
    return buffer


def _contents(buffer: Buffer) -> bytes:
    return buffer.get_data() or b""


@rule("luaevent.buffer.read")
@every_source
@pytest.mark.parametrize("n", [1, 7, 4095, 4096, 4097, 1_000_000])
def test_repeated_reads_append_all_bytes_in_order(
    luaevent: LuaeventExtended, channels: Channels, kind: str, n: int
) -> None:
    """The test makes as many calls as needed, if each brings something."""
    near, far = _SOURCES[kind](channels)
    size = far.send(payload(200 if n < 10 else 30_000))
    buffer = luaevent.buffer.new()
    calls = 0
    while (before := len(_contents(buffer))) < size:
        _expect_readable(near, buffer, size)
        buffer.read(near.fileno(), n)
        calls += 1
        came = len(_contents(buffer)) - before
        assert 1 <= came <= n, f"call {calls} of read(fd, {n}) put {came} bytes into the buffer"
    assert_same(payload(size), _contents(buffer), f"after {calls} calls of read(fd, {n})")


@rule("luaevent.buffer.read-output")
@every_source
@pytest.mark.parametrize("old", [b"", b"older"], ids=["empty", "with contents"])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 100])
def test_read_returns_the_number_of_appended_bytes(
    luaevent: LuaeventExtended, channels: Channels, kind: str, old: bytes, n: int
) -> None:
    """The number asked for, the three waiting bytes and the contents differ in size."""
    near, far = _SOURCES[kind](channels)
    far.send(b"abc")
    wait_readable([near])
    buffer = _filled(luaevent, old)
    returned = buffer.read(near.fileno(), n)
    came = len(_contents(buffer)) - len(old)
    assert returned == came, f"read(fd, {n}) appended {came} bytes and returned {returned!r}"


@rule("luaevent.buffer.read-output")
@every_source
@pytest.mark.parametrize("old", [b"", b"older"], ids=["empty", "with contents"])
@pytest.mark.parametrize("data", [b"", b"the last"], ids=["no data", "data"])
def test_read_returns_0_at_the_end_and_not_before(
    luaevent: LuaeventExtended, channels: Channels, kind: str, old: bytes, data: bytes
) -> None:
    """The end is there together with the data, and every further read meets it."""
    near, far = _SOURCES[kind](channels)
    if data:
        far.send(data)
    far.close()
    buffer = _filled(luaevent, old)
    while len(_contents(buffer)) < len(old + data):
        _expect_readable(near, buffer, len(old + data))
        returned = buffer.read(near.fileno(), 100)
        assert returned, f"read returned {returned!r} while there was data before the end"
    for _ in range(2):
        wait_readable([near])
        returned = buffer.read(near.fileno(), 100)
        assert returned == 0, f"read returned {returned!r} at the end of the file"
        assert_same(old + data, _contents(buffer), "the buffer after read at the end of the file")


@rule("luaevent.buffer.read-output")
@pytest.mark.parametrize("why", ["a writing end", "a reset connection", "a closed number", "-1"])
@pytest.mark.parametrize("old", [b"", b"older"], ids=["empty", "with contents"])
def test_a_read_the_system_refuses_does_not_return_0(
    luaevent: LuaeventExtended, channels: Channels, why: str, old: bytes
) -> None:
    """An error and a negative number are both fine; 0 would mean the end."""
    buffer = _filled(luaevent, old)
    returned: list[int] = []
    fd = _refusing(channels, why)
    if error_of(lambda: returned.append(buffer.read(fd, 10))) is None:
        assert returned[0] < 0, f"read returned {returned[0]!r} for {why}"
    assert_same(old, _contents(buffer), f"the buffer after read of {why}")


def _refusing(channels: Channels, why: str) -> int:
    """Return the number of a descriptor that cannot be read from, or one that is not open."""
    if why == "a writing end":
        return channels.pipe()[1].fileno()
    if why == "a reset connection":
        near, far = channels.tcp_pair()
        reset(far)
        wait_readable([near])
        return near.fileno()
    if why == "a closed number":
        near, _ = channels.pair()
        closed = channels.numbered(near, 900)
        number = closed.fileno()
        closed.close()
        return number
    return -1


@rule("luaevent.buffer.read-output")
@pytest.mark.parametrize("old", [b"", b"older"], ids=["empty", "with contents"])
def test_read_without_a_length_is_refused(
    luaevent: LuaeventExtended, channels: Channels, old: bytes
) -> None:
    """read has no default."""
    near, far = channels.pair()
    far.send(b"data")
    buffer = _filled(luaevent, old)
    read: Callable[..., object] = buffer.read
    assert error_of(read, near.fileno()) is not None, "read(fd) without a length raised no error"
    assert_same(old, _contents(buffer), "the buffer after read(fd) without a length")


@rule("luaevent.buffer.write")
@every_sink
@pytest.mark.parametrize(
    "pieces",
    [(b"x",), (b"abc", b"def"), (b"\0a\0", b"\r\n"), (payload(900), payload(100, 900))],
    ids=["one byte", "two pieces", "zero bytes", "a thousand bytes"],
)
def test_write_sends_all_contents_where_there_is_room(
    luaevent: LuaeventExtended, channels: Channels, kind: str, pieces: tuple[bytes, ...]
) -> None:
    """One call is made, and the bytes are so few that every descriptor takes them."""
    near, far = _SINKS[kind](channels)
    buffer = _filled(luaevent, *pieces)
    buffer.write(near.fileno())
    data = b"".join(pieces)
    assert_same(data, _arrived(far, len(data)), "what arrived after one write")


@rule("luaevent.buffer.write")
@every_sink
def test_write_does_not_send_drained_bytes(
    luaevent: LuaeventExtended, channels: Channels, kind: str
) -> None:
    """The test judges only if the buffer itself shows that drain removed the bytes."""
    near, far = _SINKS[kind](channels)
    buffer = _filled(luaevent, b"gone", b"abc", b"def")
    buffer.drain(5)
    if _contents(buffer) == b"bcdef":
        buffer.write(near.fileno())
        assert_same(b"bcdef", _arrived(far, 5), "what arrived after one write")


@rule("luaevent.buffer.write")
@every_sink
def test_write_of_an_empty_buffer_sends_nothing(
    luaevent: LuaeventExtended, channels: Channels, kind: str
) -> None:
    """Another buffer sends afterwards: its bytes must come alone."""
    near, far = _SINKS[kind](channels)
    empty, other = luaevent.buffer.new(), _filled(luaevent, b"other")
    empty.write(near.fileno())
    other.write(near.fileno())
    assert_same(b"other", _arrived(far, 5), "what arrived after an empty buffer wrote, and another")


@rule("luaevent.buffer.write")
@every_sink_that_stays_full
@pytest.mark.parametrize("size", [1, 100_000, 3_000_000])
def test_write_sends_the_first_bytes_once_there_is_room(
    luaevent: LuaeventExtended, channels: Channels, kind: str, size: int
) -> None:
    """The descriptor is full to the last byte; the peer reads some of it before each write."""
    near, far = _SINKS[kind](channels)
    filled = fill(near)
    data = payload(size)
    buffer = _filled(luaevent, data)
    with suppress(OSError):  # what a write to a full descriptor tells is another rule's business
        buffer.write(near.fileno())
    assert_same(data, _contents(buffer), "the buffer, after a write to a full descriptor")
    read = _make_room(near, far)
    buffer.write(near.fileno())
    rest = _arrived(far, 1)
    arrived = (b"x" * read + rest)[filled:]
    assert rest[: filled - read].count(b"x") == filled - read, "bytes of others were lost"
    assert arrived, "there was room, and a write sent nothing"
    assert_same(data[: len(arrived)], arrived, "what arrived after a write with little room")


def _make_room(near: End, far: End) -> int:
    """Read at *far* until *near* takes more; return the number of bytes read."""
    read = 0
    while not select.select([], [near.fileno()], [], 0)[1]:
        wait_readable([far])
        read += len(far.recv(4096))
    return read


def _arrived(far: End, count: int) -> bytes:
    """Return all bytes that can be read at *far*; over TCP, wait for *count* of them."""
    arrived = drain(far)
    while len(arrived) < count and _is_tcp(far):
        if not select.select([far.fileno()], [], [], guards.guard(_ON_THEIR_WAY))[0]:
            break
        arrived += drain(far)
    return arrived


def _is_tcp(end: End) -> bool:
    return isinstance(end, socket.socket) and end.family == socket.AF_INET


@rule("luaevent.buffer.write-drains")
@every_sink
@pytest.mark.parametrize("pieces", [1, 3])
def test_partial_writes_neither_lose_nor_double_bytes(
    luaevent: LuaeventExtended, channels: Channels, kind: str, pieces: int
) -> None:
    """The contents are more than any descriptor takes; the peer reads only after each write."""
    near, far = _SINKS[kind](channels)
    size = 3_000_000
    data, step = payload(size), size // pieces
    buffer = _filled(luaevent, *[data[at : at + step] for at in range(0, size, step)])
    received: list[bytes] = []
    sent = 0
    while sent < size:
        _make_room(near, far)
        returned = buffer.write(near.fileno())
        came = _arrived(far, returned)
        assert came, "there was room, and a write sent nothing"
        received.append(came)
        sent += len(came)
        assert returned == len(came), f"a write that sent {len(came)} bytes returned {returned!r}"
        assert_same(data[sent:], _contents(buffer), f"the buffer after {sent} bytes were sent")
    assert_same(data, b"".join(received), "all that arrived")
    assert_same(b"", _contents(buffer), "the buffer after all of it was sent")


@rule("luaevent.buffer.write-drains")
@pytest.mark.parametrize("why", ["full", "peer gone", "a reading end", "a closed number", "-1"])
@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_bytes_that_write_could_not_send_stay(
    luaevent: LuaeventExtended, channels: Channels, why: str, size: int
) -> None:
    """With a full descriptor there must be no error; otherwise the system's own error is fine."""
    buffer = _filled(luaevent, payload(size))
    near, far = channels.pair()
    fd = near.fileno()
    if why == "full":
        fill(near)
    elif why == "peer gone":
        far.close()
    elif why == "a reading end":
        fd = channels.one_way_pipe()[0].fileno()
    elif why == "a closed number":
        twin = channels.numbered(near, 900)
        fd = twin.fileno()
        twin.close()
    else:
        fd = -1
    returned: list[int] = []
    refused = error_of(lambda: returned.append(buffer.write(fd)))
    if refused is None:
        assert returned[0] <= 0, f"a write to {why} that sent nothing returned {returned[0]!r}"
    else:
        assert why != "full", f"a write to a full descriptor raised {refused!r}"
    assert_same(payload(size), _contents(buffer), f"the buffer after a write to {why}")
