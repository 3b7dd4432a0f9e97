"""The real luaevent's `luaevent.core.buffer` and `luaevent.core.bufferevent`.

Lua's strings and Python's bytes are the same thing here, both ways.  Python
keeps what it was given and nothing more: the objects that two calls of
`get_read` gave are one as long as the program has it.
"""

from __future__ import annotations

import weakref
from typing import Any

from looptck.protocols.descriptors import Descriptor
from looptck.protocols.luaevent_extended import BufferEventCallback

from .lua_state import Dropped, LuaState, as_bytes, as_no_string, fd_number


class Buffers:
    """`luaevent.core.buffer`."""

    def __init__(self, lua: LuaState) -> None:
        self._lua = lua

    def new(self) -> Buffer:
        return Buffer(self._lua, self._lua.call(self._lua.core["buffer"]["new"]))


class Buffer(Dropped):
    """A buffer of luaevent's."""

    def add(self, *parts: Any) -> int:
        added: int = self._ask("add", *map(_for_lua, parts))
        return added

    def length(self) -> int:
        length: int = self._ask("length")
        return length

    def __len__(self) -> int:
        length: int = self._lua.call(self._lua.on["length"], self.userdata)
        return length

    def get_data(self, *begin_and_length: int) -> bytes:
        return as_bytes(self._ask("get_data", *begin_and_length))

    def __bytes__(self) -> bytes:
        return as_bytes(self._lua.call(self._lua.on["text"], self.userdata))

    def readline(self) -> bytes | None:
        line = self._ask("readline")
        return None if line is None else as_bytes(line)

    def drain(self, amt: int) -> object:
        return self._ask("drain", amt)

    def read(self, fd: Descriptor, length: int) -> int:
        count: int = self._ask("read", fd_number(fd), length)
        return count

    def write(self, fd: Descriptor) -> int:
        count: int = self._ask("write", fd_number(fd))
        return count

    def close(self) -> object:
        return self._ask("close")


class BufferEvents:
    """`luaevent.core.bufferevent`."""

    def __init__(self, lua: LuaState) -> None:
        self._lua = lua

    def new(
        self,
        base: Any,
        fd: Descriptor,
        read: BufferEventCallback | None,
        write: BufferEventCallback | None,
        error: BufferEventCallback,
    ) -> BufferEvent:
        made: list[weakref.ref[BufferEvent]] = []
        callbacks = [self._callback(callback, made) for callback in (read, write, error)]
        new = self._lua.core["bufferevent"]["new"]
        userdata = self._lua.call(new, _for_lua(base), fd_number(fd), *callbacks)
        bufferevent = BufferEvent(self._lua, userdata)
        made.append(weakref.ref(bufferevent))
        return bufferevent

    def _callback(
        self, callback: BufferEventCallback | None, made: list[weakref.ref[BufferEvent]]
    ) -> object:
        """A function for Lua that calls *callback* with the object that `new` returned."""

        def call(userdata: Any, *what: int) -> object:
            bufferevent = made[0]() if made else None
            subject = userdata if bufferevent is None else bufferevent
            return callback(subject, *what)  # type: ignore[misc]  # asked below

        return self._lua.function_for(call if callable(callback) else callback)


class BufferEvent(Dropped):
    """A bufferevent of luaevent's."""

    def __init__(self, lua: LuaState, userdata: Any) -> None:
        super().__init__(lua, userdata)
        # {the method that gives a buffer: what it gave last}
        self._given: weakref.WeakValueDictionary[str, Buffer] = weakref.WeakValueDictionary()

    def get_read(self) -> Buffer | None:
        return self._buffer("get_read")

    def get_write(self) -> Buffer | None:
        return self._buffer("get_write")

    def set_read_watermarks(self, low: int, high: int) -> object:
        return self._ask("set_read_watermarks", low, high)

    def set_write_watermarks(self, low: int, high: int) -> object:
        return self._ask("set_write_watermarks", low, high)

    def set_timeouts(self, read: float, write: float) -> object:
        return self._ask("set_timeouts", read, write)

    def enable(self, event: int) -> object:
        return self._ask("enable", event)

    def disable(self, event: int) -> object:
        return self._ask("disable", event)

    def _buffer(self, method: str) -> Buffer | None:
        userdata = self._ask(method)
        if userdata is None:
            return None
        given = self._given.get(method)
        if given is None or not self._lua.call(self._lua.on["same"], given.userdata, userdata):
            given = self._given[method] = Buffer(self._lua, userdata)
        return given


def _for_lua(value: Any) -> object:
    """The object that Lua gets for *value*: for one of luaevent's objects that object itself."""
    userdata = getattr(value, "userdata", None)
    return as_no_string(value) if userdata is None else userdata
