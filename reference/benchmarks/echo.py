"""Echo of small messages through buffered events, beside the protocols of uvloop and asyncio.

    python reference/benchmarks/echo.py [--requests N] [--connections N] [--pairs N]

A child process sends one message on each connection, reads all the answers,
and begins again.  Counted are requests for each second of the server's own
processor time, so that it matters little what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import time
from collections.abc import Callable
from functools import partial

from pairs import report, take_turns

import tideloop
from tideloop import BufferedEvent, levent, luaevent

try:
    import uvloop
except ImportError:  # the others are still worth comparing
    uvloop = None  # type: ignore[assignment]  # not installed

Server = Callable[[list[socket.socket], int], None]


def buffered_event(sockets: list[socket.socket], requests: int) -> None:
    left = requests

    def on_read(event: BufferedEvent) -> None:
        nonlocal left
        event.write(event.take())
        left -= 1
        if left <= 0:
            loop.stop()

    with tideloop.Loop() as loop:
        for sock in sockets:
            BufferedEvent(loop, sock, on_read).enable()
        loop.run()


def levent_evbuf(sockets: list[socket.socket], requests: int) -> None:
    left = requests
    base = levent.newbase()
    evbufs: dict[int, levent.EvBuf] = {}

    def read(fd: int) -> None:
        nonlocal left
        evbuf = evbufs[fd]
        evbuf.write(evbuf.read())
        left -= 1
        if left <= 0:
            for other in evbufs.values():
                other.stop()

    for sock in sockets:
        evbufs[sock.fileno()] = base.newevbuf(sock.fileno(), read).start()
    base.loop()
    for evbuf in evbufs.values():
        evbuf.start()
    base.loop(0)  # the last answers
    base.close()


def luaevent_bufferevent(sockets: list[socket.socket], requests: int) -> None:
    left = requests
    base = luaevent.new()

    def read(event: luaevent.bufferevent.BufferEvent, what: int) -> None:
        nonlocal left
        incoming, outgoing = event.get_read(), event.get_write()
        assert incoming is not None
        assert outgoing is not None
        outgoing.add(incoming)
        left -= 1
        if left <= 0:
            for other in events:
                other.disable(luaevent.EV_READ)

    events = [
        luaevent.bufferevent.new(base, sock, read, None, lambda *args: None) for sock in sockets
    ]
    for event in events:
        event.enable(luaevent.EV_READ)
    base.loop()
    for event in events:
        event.close()
    base.close()


def protocol_of(new_event_loop: Callable[[], asyncio.AbstractEventLoop]) -> Server:
    def serve(sockets: list[socket.socket], requests: int) -> None:
        left = requests
        loop = new_event_loop()

        class Echo(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.write = transport.write  # type: ignore[attr-defined]  # uvloop has its own

            def data_received(self, data: bytes) -> None:
                nonlocal left
                self.write(data)
                left -= 1
                if left <= 0:
                    loop.call_soon(loop.stop)

        async def connect() -> list[asyncio.Transport]:
            return [(await loop.connect_accepted_socket(Echo, sock.dup()))[0] for sock in sockets]

        transports = loop.run_until_complete(connect())
        loop.run_forever()
        for transport in transports:
            transport.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    return serve


def connect(count: int) -> list[tuple[socket.socket, socket.socket]]:
    pairs = []
    with socket.create_server(("127.0.0.1", 0), backlog=count) as listener:
        for _ in range(count):
            client = socket.create_connection(listener.getsockname())
            server, _ = listener.accept()
            server.setblocking(False)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pairs.append((client, server))
    return pairs


def ask(clients: list[socket.socket], requests: int, message: bytes) -> None:
    for _ in range(requests // len(clients)):
        for client in clients:
            client.sendall(message)
        for client in clients:
            missing = len(message)
            while missing:
                answer = client.recv(missing)
                if not answer:
                    return
                missing -= len(answer)


def per_second(serve: Server, options: argparse.Namespace) -> float:
    """Requests for each second of processor time."""
    requests = options.requests // options.connections * options.connections
    pairs = connect(options.connections)
    child = os.fork()
    if child == 0:
        try:
            for _, server in pairs:
                server.close()
            ask([client for client, _ in pairs], requests, b"x" * options.size)
        finally:
            os._exit(0)
    for client, _ in pairs:
        client.close()
    servers = [server for _, server in pairs]
    start = time.process_time()
    serve(servers, requests)
    took = time.process_time() - start
    for server in servers:
        server.close()
    os.waitpid(child, 0)
    return float(requests / took)


def main() -> None:
    parser = argparse.ArgumentParser(description="Echo beside uvloop's and asyncio's protocols.")
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    servers: dict[str, Server] = {
        "tideloop.BufferedEvent": buffered_event,
        "tideloop.levent": levent_evbuf,
        "tideloop.luaevent.bufferevent": luaevent_bufferevent,
        "asyncio": protocol_of(asyncio.new_event_loop),
    }
    if uvloop is not None:
        servers["uvloop"] = protocol_of(uvloop.new_event_loop)
    print(
        f"{options.connections} connections, messages of {options.size} bytes, "
        f"median of {options.pairs} rounds"
    )
    figures = take_turns(
        {name: partial(per_second, serve, options) for name, serve in servers.items()},
        options.pairs,
    )
    report(figures, "requests/CPU s", against="uvloop" if uvloop is not None else "asyncio")


if __name__ == "__main__":
    main()
