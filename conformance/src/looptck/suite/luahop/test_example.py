"""LuaHop, the programs of the README work as they stand.

The server is the document's, line by line. A list takes the place of `print`, and functions that
answer like the document's socket library take the place of its calls.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

import pytest

from looptck.protocols.luahop import Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.hop_driver import poll_for, poll_until
from looptck.testing.kernel import wait_readable
from looptck.testing.stopwatch import COARSE, Stopwatch, assert_not_early
from looptck.testing.trace import Trace

_WOULD_BLOCK = "would block"


def read(client: socket.socket, most: int) -> tuple[int, bytes | str]:
    """Return (number of bytes, bytes), or (-1, message) when nothing can be read."""
    try:
        data = client.recv(most)
    except BlockingIOError:
        return -1, _WOULD_BLOCK
    except OSError as error:
        return -1, f"error {error.errno}"
    return len(data), data


class Server:
    """The README's first program; `said` lists the values that it prints."""

    def __init__(self, hop: Hop, listening: socket.socket) -> None:
        self.said = Trace()
        self.clients: list[socket.socket] = []
        self._hop = hop
        self._listener_for = listening
        hop.set_listener(listening.fileno(), "r", self._accept)

    def _accept(self) -> None:
        try:
            client, (ip, port) = self._listener_for.accept()
        except BlockingIOError:
            self.said("New client: nil:nil")
        else:
            self.handle(client, ip, port)

    def handle(self, client: socket.socket, ip: str, port: int) -> None:
        self.said(f"New client: {ip}:{port}")
        client.setblocking(False)
        self.clients.append(client)
        number = client.fileno()
        self._hop.set_listener(number, "r", lambda: self._read(client, number))

    def _read(self, client: socket.socket, number: int) -> None:
        while True:
            n, message = read(client, 4096)
            self.said(f"Read {n} bytes")
            if n > 0:
                self.said(str(message))
            elif n < 0:
                break
            else:
                self._hop.remove_listener(number, "r")
                client.close()


class Town:
    """The server on a loop, and the clients that are connected to it."""

    def __init__(self, luahop: Luahop, channels: Channels) -> None:
        self.hop = luahop.new()
        self._channels = channels
        self._listener_for = channels.listener()
        self.server = Server(self.hop, self._listener_for)
        self.said = self.server.said
        channels.keep(self._close)

    def connect(self) -> socket.socket:
        """Connect a client and poll until the server has accepted it."""
        before = len(self.server.clients)
        client = self._channels.connect(self._listener_for)
        wait_readable([self._listener_for])
        self.until("a client is accepted", lambda: len(self.server.clients) > before)
        return client

    def let_read(self, client: int, lines: list[str]) -> None:
        """Poll until the server has said *lines* and no more, reading from that client."""
        wait_readable([self.server.clients[client]])
        self.said.clear()
        self.until(
            f"the server says {lines}, and goes on to wait", lambda: len(self.said) >= len(lines)
        )
        poll_for(self.hop, 2)
        assert self.said == lines, f"expected the server to say {lines}, it said {self.said}"

    def until(self, what: str, done: Callable[[], object]) -> None:
        poll_until(self.hop, what, done)

    def _close(self) -> None:
        for client in self.server.clients:
            client.close()


def told(data: bytes) -> list[str]:
    """The lines that the server prints for data: the length, the data, and that there is no
    more."""
    return [f"Read {len(data)} bytes", repr(data), "Read -1 bytes"]


# The read that meets the end is followed by one on the closed socket.
END = ["Read 0 bytes", "Read -1 bytes"]


@rule("luahop.example.echo")
@pytest.mark.parametrize("leaves", [0, 1, 2])
def test_the_others_are_served_after_one_has_left(
    luahop: Luahop, channels: Channels, leaves: int
) -> None:
    """One of three clients leaves; then a new one connects and may get its number."""
    town = Town(luahop, channels)
    clients = [town.connect() for _ in range(3)]
    for number, client in enumerate(clients):
        client.send(b"hello")
        town.let_read(number, told(b"hello"))
    clients[leaves].close()
    town.let_read(leaves, END)
    stay = [number for number in range(3) if number != leaves]
    for number in reversed(stay):
        clients[number].send(b"still here")
        town.let_read(number, told(b"still here"))
    newcomer = town.connect()
    newcomer.send(b"new")
    town.let_read(3, told(b"new"))
    for number in stay:
        clients[number].close()
        town.let_read(number, END)
    newcomer.close()
    town.let_read(3, END)


@rule("luahop.example.new-client")
@pytest.mark.parametrize("count", [1, 3])
def test_each_client_is_greeted_once_with_its_address(
    luahop: Luahop, channels: Channels, count: int
) -> None:
    """All connect before the server polls, so that the callback runs again for each."""
    hop = luahop.new()
    listening = channels.listener()
    server = Server(hop, listening)
    clients = [channels.connect(listening) for _ in range(count)]
    for number in range(1, count + 1):
        if len(server.said) < number:
            wait_readable([listening])
            poll_until(hop, f"client {number} is greeted", partial(reached, server.said, number))
    poll_for(hop, 3)
    expected = [f"New client: 127.0.0.1:{client.getsockname()[1]}" for client in clients]
    assert sorted(server.said) == sorted(expected)
    server.said.clear()
    for number, served in enumerate(server.clients):
        channels.keep(served.close)
        peer = next(c for c in clients if c.getsockname() == served.getpeername())
        peer.send(b"x")
        wait_readable([served])
        poll_until(
            hop,
            f"greeted client {number}, registered inside the callback, is read from",
            partial(reached, server.said, 3 * (number + 1)),
        )
    assert server.said == told(b"x") * count, (
        f"the server printed {server.said}, not {told(b'x') * count}"
    )


def reached(trace: Trace, length: int) -> bool:
    return len(trace) >= length


@rule("luahop.example.drain")
def test_one_call_reads_a_burst_to_its_end(luahop: Luahop, channels: Channels) -> None:
    """A socket pair carries all ten thousand bytes before the first poll."""
    hop = luahop.new()
    server = Server(hop, channels.listener())
    near, far = channels.pair()
    server.handle(near, "nowhere", 0)
    server.said.clear()
    for data in (b"x" * 10_000, b"later", b"y" * 4096):
        sizes = [len(data[at : at + 4096]) for at in range(0, len(data), 4096)]
        far.send(data)
        expected = [f"Read {size} bytes" for size in (*sizes, -1)]
        poll_until(hop, f"{len(data)} bytes are read", lambda: "Read -1 bytes" in server.said)
        poll_for(hop, 3)
        read_lines = [line for line in server.said if line.startswith("Read")]
        assert read_lines == expected, "the callback was not called once for the whole burst"
        server.said.clear()


@rule("luahop.example.timers")
def test_the_timer_program_prints_in_the_documents_durations(
    luahop: Luahop, stopwatch: Stopwatch, trace: Trace
) -> None:
    """The test ends once the timeout has printed: the interval is not due for a long time."""
    hop = luahop.new()
    stopwatch.restart()
    timeout = hop.set_timeout({"ms": 100}, lambda: trace("Timeout, called once, after 100 ms."))
    interval = hop.set_interval({"s": 1}, lambda: trace("Interval, called every 1 second."))
    poll_until(hop, "the timeout prints", lambda: trace)
    assert trace == ["Timeout, called once, after 100 ms."], f"expected the timeout, got {trace}"
    assert_not_early(stopwatch.elapsed(), 0.1, slack=COARSE)
    luahop.clear_timer(timeout)
    luahop.clear_timer(interval)
    poll_for(hop, 3)
    assert trace == ["Timeout, called once, after 100 ms."], (
        f"the calls noted were {trace}, not ['Timeout, called once, after 100 ms.']"
    )
