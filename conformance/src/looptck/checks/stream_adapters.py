"""Gives the verbs of streams to the buffered events of each document."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from ..protocols.levent import Levent
from ..protocols.luaevent_extended import LuaeventExtended
from ..testing.bufferevent_driver import BufferEventDriver
from ..testing.channels import Channels
from ..testing.levent_driver import LeventDriver
from .streams import Act, Ends, Stream, Streams, Turns, Wrap


class LeventStreams(Streams):
    """The buffered events of levent: each turn is one `loop(0)`."""

    called_at_low: ClassVar[bool] = True
    stops_at_once: ClassVar[bool] = True
    tells_the_end: ClassVar[bool] = False
    holds_high: ClassVar[bool] = False

    def __init__(self, levent: Levent, channels: Channels) -> None:
        super().__init__(channels)
        self.driver = LeventDriver(levent)

    def close(self) -> None:
        self.driver.stop_all()

    def make(self, ends: Ends, acts: dict[str, Act | None], wrapped: Wrap) -> LeventStream:
        return LeventStream(self, ends, acts, wrapped)

    def loop(self) -> None:
        self.driver.run_once(None)

    def run(self, script: Callable[[], Turns]) -> None:
        for _ in script():
            self.driver.run_once()


class LeventStream(Stream):
    def __init__(
        self, streams: LeventStreams, ends: Ends, acts: dict[str, Act | None], wrapped: Wrap
    ) -> None:
        super().__init__(streams, ends, acts)
        driver = streams.driver
        self._is_started = False
        self.evbuf = driver.keep(
            driver.base.newevbuf(
                self.near.fileno(),
                *(wrapped(driver.callback(name, partial(self.on_call, name))) for name in acts),
            )
        )

    def drop(self) -> None:
        self.stop()

    def start(self) -> None:
        self._is_started = True
        self.evbuf.start()

    def stop(self) -> None:
        if self._is_started:  # a second stop may be refused
            self._is_started = False
            self.evbuf.stop()

    def set_read_marks(self, low: int, high: int) -> None:
        self.evbuf.set_read_watermarks(low, high)

    def set_write_marks(self, low: int, high: int) -> None:
        self.evbuf.set_write_watermarks(low, high)

    def take(self, size: int | None = None) -> bytes:
        data = (self.evbuf.read() if size is None else self.evbuf.read(size)) or b""
        self.taken += data
        return data

    def take_line(self) -> bytes | None:
        line = self.evbuf.readline()
        self.taken += b"" if line is None else line + b"\n"
        return line

    def put(self, data: bytes) -> None:
        self.evbuf.write(data)


class LuaeventStreams(Streams):
    """The bufferevents of luaevent's extended part: a turn passes inside of `loop()`."""

    called_at_low: ClassVar[bool] = False
    stops_at_once: ClassVar[bool] = False
    tells_the_end: ClassVar[bool] = True
    holds_high: ClassVar[bool] = True

    def __init__(self, luaevent: LuaeventExtended, channels: Channels) -> None:
        super().__init__(channels)
        self.driver = BufferEventDriver(luaevent, channels)

    def make(self, ends: Ends, acts: dict[str, Act | None], wrapped: Wrap) -> LuaeventStream:
        return LuaeventStream(self, ends, acts, wrapped)

    def close(self) -> None:
        self.driver.close_all()

    def loop(self) -> None:
        self.driver.base.loop()

    def run(self, script: Callable[[], Turns]) -> None:
        self.driver.run_script(script)


class LuaeventStream(Stream):
    def __init__(
        self, streams: LuaeventStreams, ends: Ends, acts: dict[str, Act | None], wrapped: Wrap
    ) -> None:
        super().__init__(streams, ends, acts)
        driver = streams.driver
        self._both = driver.both
        self.held = driver.keep(
            driver.luaevent.bufferevent.new(
                driver.base,
                self.near.fileno(),
                *(wrapped(driver.callback(partial(self.on_call, name))) for name in acts),
            )
        )

    def drop(self) -> None:
        self.held.disable_and_drop()

    def start(self) -> None:
        self.held.enable(self._both)

    def stop(self) -> None:
        self.held.disable(self._both)

    def set_read_marks(self, low: int, high: int) -> None:
        self.held.set_read_watermarks(low, high)

    def set_write_marks(self, low: int, high: int) -> None:
        self.held.set_write_watermarks(low, high)

    def take(self, size: int | None = None) -> bytes:
        data = self.held.input.get_data()[:size]
        self.taken += data  # first, since a loop may read on at once
        self.held.input.drain(len(data))
        return data

    def take_line(self) -> bytes | None:
        line = self.held.input.readline()
        self.taken += b"" if line is None else line + b"\n"
        return line

    def put(self, data: bytes) -> None:
        self.held.output.add(data)
