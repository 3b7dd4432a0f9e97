"""Sockets that keep messages apart: read whole, sent as one; an empty one is no end."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator

import pytest

from tideloop import READ, WRITE, BufferedEvent, Loop, VirtualClock, levent, luaevent
from tideloop.luaevent.flags import EVBUFFER_EOF, EVBUFFER_ERROR, EVBUFFER_READ, EVBUFFER_WRITE

Pair = tuple[socket.socket, socket.socket]


def unix(kind: int) -> Pair:
    return socket.socketpair(socket.AF_UNIX, kind)


def udp(family: int, host: str) -> Pair:
    near, far = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
    for each in near, far:
        each.bind((host, 0))
    near.connect(far.getsockname())
    far.connect(near.getsockname())
    return near, far


DATAGRAMS: dict[str, Callable[[], Pair]] = {
    "unix": lambda: unix(socket.SOCK_DGRAM),
    "udp": lambda: udp(socket.AF_INET, "127.0.0.1"),
}
if socket.has_ipv6:
    DATAGRAMS["udp6"] = lambda: udp(socket.AF_INET6, "::1")
PACKETS: dict[str, Callable[[], Pair]] = {
    **DATAGRAMS,
    "seqpacket": lambda: unix(socket.SOCK_SEQPACKET),
}


@pytest.fixture(params=PACKETS)
def ends(request: pytest.FixtureRequest) -> Iterator[Pair]:
    ends = PACKETS[request.param]()
    yield from opened(ends)


@pytest.fixture(params=DATAGRAMS)
def datagram_ends(request: pytest.FixtureRequest) -> Iterator[Pair]:
    yield from opened(DATAGRAMS[request.param]())


def opened(ends: Pair) -> Iterator[Pair]:
    for each in ends:
        each.setblocking(False)
    yield ends
    for each in ends:
        each.close()


@pytest.fixture
def poller() -> str:
    """One is enough: a buffered event asks the loop alone."""
    return "poll"


class Listener:
    """A buffered event that writes down what it took in each call, and each error."""

    def __init__(self, loop: Loop, near: socket.socket | int, low: int = 0, high: int = 0) -> None:
        self.got: list[object] = []
        self.event = BufferedEvent(loop, near, self.on_read, None, self.on_error)
        self.event.set_read_watermarks(low, high)
        self.event.enable(announce=False)

    def on_read(self, event: BufferedEvent) -> None:
        self.got.append(event.take())

    def on_error(self, event: BufferedEvent, what: int) -> None:
        self.got.append(what)


def turns(loop: Loop, count: int = 8) -> None:
    for _ in range(count):
        loop.turn(0)


@pytest.mark.parametrize("high", [0, 1, 10, 16, 1000])
def test_a_message_is_read_whole_whatever_the_room(loop: Loop, ends: Pair, high: int) -> None:
    near, far = ends
    listener = Listener(loop, near, 1, high)
    far.send(b"sixteen bytes...")
    far.send(b"three")
    turns(loop)
    assert listener.got == [b"sixteen bytes...", b"three"]


def test_the_input_exceeds_high_by_a_part_of_one_message(loop: Loop, ends: Pair) -> None:
    """The others wait in the kernel until something is taken."""
    near, far = ends
    event = BufferedEvent(loop, near)
    event.set_read_watermarks(0, 10)
    event.enable(READ)
    for data in (b"123456", b"abcdef", b"ABCDEF"):
        far.send(data)
    turns(loop)
    assert event.input.peek() == b"123456abcdef"
    assert not loop.turn(0)
    assert event.take() == b"123456abcdef"
    turns(loop)
    assert event.take() == b"ABCDEF"


def test_a_message_of_the_largest_size_is_read_whole(loop: Loop, ends: Pair) -> None:
    near, far = ends
    size = 65_000 if near.family != socket.AF_UNIX else 150_000
    listener = Listener(loop, near, 1, 100)
    data = bytes(range(250)) * (size // 250)
    far.send(data)
    turns(loop)
    assert listener.got == [data]


@pytest.mark.parametrize("high", [0, 3])
def test_an_empty_datagram_is_not_the_end(loop: Loop, datagram_ends: Pair, high: int) -> None:
    near, far = datagram_ends
    listener = Listener(loop, near, 0, high)
    for data in (b"", b"before", b"", b"", b"after", b""):
        far.send(data)
    turns(loop, 12)
    assert listener.got == [b"before", b"after"]
    assert not loop.turn(0)
    assert listener.event.want == READ


@pytest.mark.skipif(sys.platform != "linux", reason="needs POLLRDHUP to tell one from the other")
def test_an_empty_packet_is_not_the_end_of_a_connection(loop: Loop) -> None:
    near, far = unix(socket.SOCK_SEQPACKET)
    with near, far:
        listener = Listener(loop, near)
        for data in (b"", b"before", b"", b"after"):
            far.send(data)
        turns(loop)
        assert listener.got == [b"before", b"after"]
        far.send(b"")
        far.send(b"last")
        far.close()
        turns(loop)
        assert listener.got[2:] == [b"last", EVBUFFER_EOF | EVBUFFER_READ]
        listener.event.disable()
        assert not loop.busy


@pytest.mark.skipif(sys.platform != "linux", reason="needs POLLRDHUP to tell one from the other")
def test_what_the_program_itself_shut_down_is_at_its_end(loop: Loop, datagram_ends: Pair) -> None:
    """Such a socket is readable for ever, and gives nothing: it must not spin."""
    near, far = datagram_ends
    listener = Listener(loop, near)
    far.send(b"before")
    turns(loop)
    near.shutdown(socket.SHUT_RD)
    turns(loop)
    assert listener.got == [b"before", EVBUFFER_EOF | EVBUFFER_READ]
    assert not loop.turn(0)


def test_an_empty_datagram_does_not_put_off_the_timeout(
    loop: Loop, clock: VirtualClock, datagram_ends: Pair
) -> None:
    near, far = datagram_ends
    listener = Listener(loop, near)
    listener.event.set_timeouts(10, None)
    clock.advance(6)
    far.send(b"")
    loop.turn(0)
    clock.advance(4)
    turns(loop)
    assert len(listener.got) == 1


def received(far: socket.socket) -> list[bytes]:
    got = []
    while True:
        try:
            got.append(far.recv(100_000))
        except BlockingIOError:
            return got


def test_each_write_is_one_message(loop: Loop, ends: Pair) -> None:
    near, far = ends
    event = BufferedEvent(loop, near)
    messages: list[bytes | bytearray | memoryview] = [
        b"one",
        b"two",
        b"x" * 5000,
        bytearray(b"three"),
        memoryview(b"four"),
    ]
    for message in messages:
        event.write(message)
    event.write(b"")  # nothing to send, and no message
    assert len(event.output) == sum(map(len, messages))
    event.enable(WRITE)
    turns(loop)
    assert received(far) == [bytes(message) for message in messages]
    assert not event.output.head
    assert len(event.output) == 0
    event.write(b"again")
    turns(loop)
    assert received(far) == [b"again"]


def test_messages_that_must_wait_stay_apart(loop: Loop) -> None:
    near, far = unix(socket.SOCK_DGRAM)
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        event = BufferedEvent(loop, near)
        event.enable(WRITE)
        messages = [b"%d" % number for number in range(1000)]
        for message in messages:
            event.write(message)
        turns(loop, 3)
        assert len(event.output) > 0
        got = []
        for _ in range(2000):
            got += received(far)
            loop.turn(0)
        assert got == messages


def test_a_message_that_is_refused_is_told_and_stays(loop: Loop) -> None:
    """Larger than any datagram; the program may drop it, or close."""
    near, far = udp(socket.AF_INET, "127.0.0.1")
    with near, far:
        listener = Listener(loop, near)
        listener.event.write(bytes(100_000))
        listener.event.write(b"next")
        turns(loop)
        assert listener.got == [EVBUFFER_ERROR | EVBUFFER_WRITE]
        assert isinstance(listener.event.error, OSError)
        assert len(listener.event.output) == 100_004
        listener.event.output.drain(100_000)
        listener.event.enable(WRITE)
        turns(loop)
        assert far.recv(100) == b"next"


def test_the_documents_keep_messages_too(poller: str, ends: Pair) -> None:
    near, far = ends
    base = levent.newbase(poller)
    got: list[bytes] = []
    evbuf = base.newevbuf(near.fileno(), lambda file: got.append(evbuf.read()))
    evbuf.set_read_watermarks(1, 10)
    evbuf.start()
    far.send(b"sixteen bytes...")
    for data in (b"one", b"two"):
        evbuf.write(data)
    for _ in range(8):
        base.loop(0)
    assert got == [b"sixteen bytes..."]
    assert received(far) == [b"one", b"two"]
    base.close()

    other = luaevent.new(poller)
    held = luaevent.bufferevent.new(other, near, None, None, print)
    output = held.get_write()
    assert output is not None
    parts = luaevent.buffer.new()
    parts.add(b"a", b"b" * 3000, b"c")
    output.add(b"one", parts, b"two")
    other.loop()
    assert received(far) == [b"one", b"a" + b"b" * 3000 + b"c", b"two"]
    other.close()
