"""What an idle buffered connection weighs, beside a transport of asyncio and of uvloop.

    python reference/benchmarks/idle.py [--connections N] [--pairs N]

Each contender has a process of its own.  The sockets are there before the
first measure is taken, so that what is counted is what a loop adds to them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import socket
import sys
from collections.abc import Callable
from functools import partial

from pairs import report, take_turns

import tideloop
from tideloop import BufferedEvent, levent, luaevent

try:
    import uvloop
except ImportError:  # the others are still worth comparing
    uvloop = None  # type: ignore[assignment]  # not installed

# Makes the connections and returns what keeps them.
Make = Callable[[list[socket.socket]], object]


def buffered_event(sockets: list[socket.socket]) -> object:
    loop = tideloop.Loop()

    def on_read(event: BufferedEvent) -> None:
        event.write(event.take())

    def on_error(event: BufferedEvent, what: int) -> None:
        event.close()

    events = [BufferedEvent(loop, sock, on_read, None, on_error) for sock in sockets]
    for event in events:
        event.enable()
    loop.turn(0)
    return loop, events


def levent_evbuf(sockets: list[socket.socket]) -> object:
    base = levent.newbase()
    evbufs = {sock.fileno(): base.newevbuf(sock.fileno(), print) for sock in sockets}
    for evbuf in evbufs.values():
        evbuf.start()
    base.loop(0)
    return base, evbufs


def luaevent_bufferevent(sockets: list[socket.socket]) -> object:
    base = luaevent.new()
    events = [luaevent.bufferevent.new(base, sock, print, None, print) for sock in sockets]
    for event in events:
        event.enable(luaevent.EV_READ)
    return base, events


def transports_of(new_event_loop: Callable[[], asyncio.AbstractEventLoop]) -> Make:
    def make(sockets: list[socket.socket]) -> object:
        loop = new_event_loop()

        class Echo(asyncio.Protocol):
            __slots__ = ("transport",)

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = transport

        async def connect() -> list[object]:
            return [await loop.connect_accepted_socket(Echo, sock) for sock in sockets]

        made = loop.run_until_complete(connect())
        loop.run_until_complete(asyncio.sleep(0))
        return loop, made

    return make


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def connect(count: int) -> list[socket.socket]:
    """Connected sockets, whose other ends are held by children that wait for us to end.

    In batches, so that not both ends of all of them are open here at once.
    """
    sockets: list[socket.socket] = []
    alive, held = os.pipe()
    while len(sockets) < count:
        pairs = [socket.socketpair() for _ in range(min(2000, count - len(sockets)))]
        if os.fork() == 0:
            os.close(held)
            for sock in sockets:
                sock.close()
            os.read(alive, 1)
            os._exit(0)
        for near, far in pairs:
            far.close()
            near.setblocking(False)
            sockets.append(near)
    return sockets


def weigh(make: Make, connections: int) -> float:
    """Bytes for each connection, measured in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            sockets = connect(connections)
            first = make(sockets[:10])  # what is paid once
            before = resident()
            rest = make(sockets[10:])
            os.write(writing, b"%d" % (resident() - before))
            del first, rest
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        grown = int(pipe.read())
    os.waitpid(child, 0)
    return grown / (connections - 10)


def main() -> None:
    parser = argparse.ArgumentParser(description="The weight of idle connections.")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = options.connections + 5000
    if most != resource.RLIM_INFINITY and most < needed:
        sys.exit(f"{needed} open files are needed, {most} allowed: raise `ulimit -n`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))
    makers: dict[str, Make] = {
        "tideloop.BufferedEvent": buffered_event,
        "tideloop.levent": levent_evbuf,
        "tideloop.luaevent.bufferevent": luaevent_bufferevent,
        "asyncio": transports_of(asyncio.new_event_loop),
    }
    if uvloop is not None:
        makers["uvloop"] = transports_of(uvloop.new_event_loop)
    contenders = {name: partial(weigh, make, options.connections) for name, make in makers.items()}
    print(f"{options.connections} idle connections, median of {options.pairs} rounds")
    figures = take_turns(contenders, options.pairs)
    for against in ("asyncio", "uvloop"):
        if against in figures:
            report(figures, "bytes each", against=against)


if __name__ == "__main__":
    main()
