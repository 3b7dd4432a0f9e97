"""A plain loop of levent, right in itself, and loops that are wrong in one way each."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from contextlib import suppress

from looptck import Clock

_Callback = Callable[..., object]


class PlainEvBuf:
    """A buffered event that does everything in the shortest way."""

    def __init__(self, fd: int, *callbacks: _Callback) -> None:
        self.fd = fd
        self.readcb, self.writecb, self.errorcb = callbacks
        self.input = bytearray()
        self.output = bytearray()
        self.low = self.high = self.low_out = 0
        self.is_started = self.has_ended = False

    def start(self) -> None:
        self.is_started = True

    def stop(self) -> None:
        self.is_started = False

    def read(self, size: int | None = None) -> bytes:
        data = bytes(self.input[:size])
        del self.input[: len(data)]
        return data

    def readline(self) -> bytes | None:
        line, found, rest = self.input.partition(b"\n")
        if not found:
            return None
        self.input[:] = rest
        return bytes(line)

    def write(self, data: bytes) -> None:
        self.output += data

    def set_read_watermarks(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def set_write_watermarks(self, low: int, high: int) -> None:
        self.low_out = low

    @property
    def is_full(self) -> bool:
        return bool(self.high) and len(self.input) >= self.high

    def wants_read(self) -> bool:
        return self.is_started and not self.has_ended and not self.is_full

    def wants_write(self) -> bool:
        return self.is_started and bool(self.output)

    def take_in(self) -> bytes:
        return os.read(self.fd, self.high - len(self.input) if self.high else 65536)

    def is_enough(self) -> bool:
        return len(self.input) >= self.low

    def readable(self) -> None:
        try:
            data = self.take_in()
        except OSError:
            data = b""
        if not data:
            self.has_ended = True
            self.errorcb()
            return
        self.input += data
        if self.is_enough():
            self.readcb()

    def give_out(self) -> None:
        sent = os.write(self.fd, self.output)
        del self.output[:sent]

    def writable(self) -> None:
        try:
            self.give_out()
        except BlockingIOError:
            return
        except OSError:
            self.output.clear()
            self.errorcb()
            return
        if not self.output or len(self.output) < self.low_out:
            self.writecb()


class PlainEvent:
    """An event that stays active until it is stopped."""

    def __init__(self, fd: int, callback: _Callback, evtype: str) -> None:
        self.fd = fd
        self.callback = callback
        self.evtype = evtype
        self.is_started = self.is_deleted = False

    def start(self) -> None:
        self.check()
        self.is_started = True

    def stop(self) -> None:
        self.check()
        self.is_started = False

    def delete(self) -> None:
        self.is_started, self.is_deleted = False, True

    def check(self) -> None:
        if self.is_deleted:
            raise ValueError("it is deleted")

    def wants_read(self) -> bool:
        return self.is_started and "r" in self.evtype

    def wants_write(self) -> bool:
        return self.is_started and "w" in self.evtype


class PlainLevent:
    """The entry object, and the only base it makes."""

    buffered = PlainEvBuf
    event = PlainEvent

    def __init__(self, _clock: Clock) -> None:
        self.all: list[PlainEvBuf | PlainEvent] = []
        self.was_served = False

    def newbase(self) -> PlainLevent:
        return type(self)(None)  # type: ignore[arg-type]  # it reads no clock

    def newevbuf(self, fd: int, *callbacks: _Callback) -> PlainEvBuf:
        made = self.buffered(fd, *callbacks)
        self.all.append(made)
        return made

    def newevent(self, fd: int, callback: _Callback, evtype: str) -> PlainEvent:
        made = self.event(fd, callback, evtype)
        self.all.append(made)
        return made

    def loop(self, howmany: int | None = None) -> None:
        while any(each.is_started for each in self.all):
            self.was_served = False
            self.turn()
            if howmany == 0 or (howmany and self.was_served):
                return

    def turn(self) -> None:
        readers = {each.fd for each in self.all if each.wants_read()}
        writers = {each.fd for each in self.all if each.wants_write()}
        read, write, _ = select.select(readers, writers, [], 0)
        for each in self.all:
            self.serve(each, each.fd in read, each.fd in write)

    def serve(self, each: PlainEvBuf | PlainEvent, readable: bool, writable: bool) -> None:
        readable, writable = readable and each.wants_read(), writable and each.wants_write()
        self.was_served |= readable or writable
        if isinstance(each, PlainEvBuf):
            if readable:
                each.readable()
            if writable and each.wants_write():
                each.writable()
        elif readable or writable:
            each.callback(each.fd)


# ---- wrong in one way each


class NeedsOneMore(PlainEvBuf):
    """Off by one at the low watermark: needs a byte more."""

    def is_enough(self) -> bool:
        return len(self.input) > self.low


class NeedsOneLess(PlainEvBuf):
    """Off by one at the low watermark: calls a byte too early."""

    def is_enough(self) -> bool:
        return len(self.input) >= self.low - 1


class StaysFull(PlainEvBuf):
    """Once at its high watermark, reads no more."""

    was_full = False

    def wants_read(self) -> bool:
        self.was_full |= self.is_full
        return super().wants_read() and not self.was_full


class LosesWhatIsTooMuch(PlainEvBuf):
    """Reads all, and keeps no more than the high watermark allows."""

    def take_in(self) -> bytes:
        data = os.read(self.fd, 65536)
        return data[: self.high - len(self.input)] if self.high else data


class EndsBeforeTheData(PlainEvBuf):
    """Looks for the end of the file before it reads what is there."""

    def take_in(self) -> bytes:
        hung_up = select.poll()
        hung_up.register(self.fd, select.POLLRDHUP)
        if hung_up.poll(0) and not self.has_ended:
            self.has_ended = True
            self.errorcb()
        return super().take_in() if self.is_started else b"x"


class TakesThePartOfALine(PlainEvBuf):
    """Removes what it searched, although there was no line break."""

    def readline(self) -> bytes | None:
        line = super().readline()
        if line is None:
            self.input.clear()
        return line


class LeavesTheBreak(PlainEvBuf):
    """Returns the line, and leaves its break where it was."""

    def readline(self) -> bytes | None:
        line = super().readline()
        if line is not None:
            self.input[:0] = b"\n"
        return line


class DoublesAByte(PlainEvBuf):
    """When the file took a part, begins the next one a byte too early."""

    def give_out(self) -> None:
        sent = os.write(self.fd, self.output)
        del self.output[: sent if sent == len(self.output) else sent - 1]


class PutsInFront(PlainEvBuf):
    """Bytes written while something waits go out before it."""

    def write(self, data: bytes) -> None:
        self.output[:0] = data


class StopForgets(PlainEvBuf):
    """A stop clears the input."""

    def stop(self) -> None:
        super().stop()
        self.input.clear()


class ForgetsTheDrain(PlainEvBuf):
    """Calls when some was sent, but not when all was."""

    def writable(self) -> None:
        with suppress(OSError):
            self.give_out()
        if 0 < len(self.output) < self.low_out:
            self.writecb()


class CountsTheArrival(PlainEvBuf):
    """Compares the low watermark with what came last, not with what is there."""

    last = 0

    def take_in(self) -> bytes:
        data = super().take_in()
        self.last = len(data)
        return data

    def is_enough(self) -> bool:
        return self.last >= self.low


class CallsAfterStop(PlainLevent):
    """An event stopped in the middle of a turn is served all the same."""

    def serve(self, each: PlainEvBuf | PlainEvent, readable: bool, writable: bool) -> None:
        if isinstance(each, PlainEvent):
            super().serve(each, readable, writable)
            return
        self.was_served |= readable or writable
        if readable:
            each.readable()
        if writable:
            each.writable()


class EventsAfterStop(PlainLevent):
    """The same for events that are not buffered."""

    def serve(self, each: PlainEvBuf | PlainEvent, readable: bool, writable: bool) -> None:
        if isinstance(each, PlainEvent):
            is_ready = (readable and "r" in each.evtype) or (writable and "w" in each.evtype)
            if is_ready:
                self.was_served = True
                each.callback(each.fd)
        else:
            super().serve(each, readable, writable)


class ServesOne(PlainLevent):
    """Of several that are ready loop(0) serves the first."""

    def serve(self, each: PlainEvBuf | PlainEvent, readable: bool, writable: bool) -> None:
        if not self.was_served:
            super().serve(each, readable, writable)


class ReadsOnly(PlainEvent):
    """Waits for data, whatever else it was made for."""

    def wants_write(self) -> bool:
        return super().wants_write() and self.evtype == "w"


class IsNeverInvalid(PlainEvent):
    """Can be started when it is deleted."""

    def check(self) -> None:
        """Whatever it is, it is right."""


class EventsAreBornStarted(PlainEvent):
    """Active as soon as it is made."""

    def __init__(self, fd: int, callback: _Callback, evtype: str) -> None:
        super().__init__(fd, callback, evtype)
        self.is_started = True


class StopsForGood(PlainEvent):
    """An event that was stopped once is not served again."""

    was_stopped = False

    def stop(self) -> None:
        super().stop()
        self.was_stopped = True

    def wants_read(self) -> bool:
        return super().wants_read() and not self.was_stopped

    def wants_write(self) -> bool:
        return super().wants_write() and not self.was_stopped


def of(wrong: type[PlainEvBuf | PlainEvent]) -> type[PlainLevent]:
    """The loop whose events of one kind are those."""
    kind = "buffered" if issubclass(wrong, PlainEvBuf) else "event"
    return type(wrong.__name__, (PlainLevent,), {kind: wrong})
