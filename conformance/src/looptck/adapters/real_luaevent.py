"""The luaevent that one of the documents describes, run by Lua 5.1 inside this process.

    looptck certify looptck.adapters.real_luaevent:implementation

Nothing is checked, converted or mended on the way, save that an object with
`fileno()` becomes its number and that Lua's argument errors, which have no
class, become a Python one.  How Lua is run is in `lua_state`.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

from looptck.errors import AdapterError
from looptck.protocols.descriptors import Descriptor
from looptck.protocols.luaevent import CONSTANTS, EventCallback
from looptck.subjects.implementation import Implementation

from .lua_state import NEEDS, Dropped, LuaError, LuaState, fd_number
from .real_luaevent_buffers import BufferEvents, Buffers

# Where luaevent's Lua part is.
_SCRIPTS = ("/usr/share/lua/5.1", "/usr/local/share/lua/5.1")

# Names that the documents or some versions have, and other versions lack.
_MAY_HAVE = ("close", "loopexit", "method")


class Luaevent:
    """`luaevent.core` of a Lua state of its own."""

    def __init__(self) -> None:
        self._lua = LuaState()

    def __getattr__(self, name: str) -> int:
        if name not in CONSTANTS:
            raise AttributeError(name)
        value: int = self._lua.core[name]
        return value

    def new(self) -> Base:
        return Base(self._lua, self._lua.call(self._lua.core["new"]))


class LuaeventExtended(Luaevent):
    """The same, with `luaevent.core.buffer` and `luaevent.core.bufferevent`."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = Buffers(self._lua)
        self.bufferevent = BufferEvents(self._lua)


class Base(Dropped):
    """A base of luaevent's."""

    def addevent(
        self,
        fd: Descriptor | None,
        event: int,
        event_callback: EventCallback,
        timeout: float | None = None,
    ) -> Event:
        number = fd if fd is None else fd_number(fd)
        callback = self._lua.function_for(event_callback)
        add = self._lua.on["addevent"]
        made = self._lua.call(add, self.userdata, number, event, callback, timeout)
        return Event(self._lua, made)

    def loop(self) -> object:
        try:
            return self._lua.call(self._lua.on["loop"], self.userdata)
        finally:
            self._lua.collect()

    def __getattr__(self, name: str) -> Any:
        """A method that luaevent may have or not: 0.4.6 has no `close`."""
        if name not in _MAY_HAVE or self._lua.on["has"](self.userdata, name) is None:
            raise AttributeError(f"a base of luaevent has no {name!r}")
        return functools.partial(self._ask, name)


class Event(Dropped):
    """An event of luaevent's."""

    def close(self) -> None:
        self._lua.call(self._lua.on["close"], self.userdata)
        self._lua.collect()


def _version(core: Any) -> str:
    """luaevent's own version is in its Lua part, which is read and not run."""
    for folder in _SCRIPTS:
        script = Path(folder, "luaevent.lua")
        if script.is_file():
            found = re.search(r'_VERSION = "([^"]+)"', script.read_text(errors="replace"))
            if found:
                return f"{found[1]} (libevent {core['libevent_version']()})"
    return f"unknown (libevent {core['libevent_version']()})"


def _engine(made: object) -> object:
    assert isinstance(made, Base)
    return made.userdata


def _implementation() -> Implementation:
    try:
        core = LuaState().core
    except LuaError as error:
        raise AdapterError(f"{NEEDS}; missing is luaevent: {str(error).splitlines()[0]}") from error
    return Implementation(
        name="real-luaevent",
        version=_version(core),
        profiles={
            "luaevent": lambda _clock: Luaevent(),
            "luaevent-extended": lambda _clock: LuaeventExtended(),
        },
        engine=_engine,
    )


implementation = _implementation()
