"""The luaevent that one of the documents describes, run by Lua 5.1 inside this process.

    looptck certify looptck.adapters.real_luaevent:implementation

Why the code is the way it is
-----------------------------

1. luaevent is a Lua module in C that takes Lua's functions from whoever
   started Lua.  Here that is lupa's extension module, so its symbols have to
   be visible to everything loaded later.
2. Python drops an object when its last reference goes, Lua when its collector
   happens to run.  Lua's collector is stopped and runs exactly when something
   was let go of, so that the two agree on when an object is gone.
3. That includes what a call that failed has left half-built.  Lua would come
   across it sooner or later; here it is sooner.
4. Nothing is checked, converted or mended on the way, save that an object with
   `fileno()` becomes its number and that Lua's argument errors, which have no
   class, become a Python one.
"""

from __future__ import annotations

import ctypes
import os
import re
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

from looptck.errors import AdapterError
from looptck.implementation import Implementation
from looptck.profiles.descriptors import Descriptor
from looptck.profiles.luaevent import CONSTANTS, EventCallback

_NEEDS = (
    "the real luaevent needs luaevent for Lua 5.1 (Debian: apt-get install lua-event) "
    "and lupa (PyPI: pip install lupa)"
)

try:
    from lupa import lua51
except ImportError as missing:
    raise AdapterError(f"{_NEEDS}; missing is lupa: {missing}") from missing

# 1
ctypes.CDLL(lua51.__file__, mode=os.RTLD_GLOBAL)

# Where Debian, and a luaevent built by hand, keep modules for Lua 5.1.
_MULTIARCH = sysconfig.get_config_var("MULTIARCH")
_PATTERNS = (f"/usr/lib/{_MULTIARCH}/lua/5.1/?.so", "/usr/lib/lua/5.1/?.so")
_SCRIPTS = ("/usr/share/lua/5.1", "/usr/local/share/lua/5.1")

_LUA = """
local core = ...
local on = {}

-- luaevent asks for a Lua function, and calls it with what the profile calls "flags".
function on.function_for(callable)
    return function(...) return callable(...) end
end

function on.addevent(base, ...) return base:addevent(...) end
function on.loop(base) return base:loop() end
function on.close(object) return object:close() end
function on.has(object, name) return object[name] end

function on.collect()
    collectgarbage("collect")
end

collectgarbage("stop")
return on
"""


class ArgumentError(TypeError, ValueError):
    """luaevent refused an argument."""


class Luaevent:
    """`luaevent.core` of a Lua state of its own."""

    def __init__(self) -> None:
        self._lua = _Lua()

    def __getattr__(self, name: str) -> int:
        if name not in CONSTANTS:
            raise AttributeError(name)
        value: int = self._lua.core[name]
        return value

    def new(self) -> Base:
        return Base(self._lua, self._lua.call(self._lua.core["new"]))


class Base:
    """A base of luaevent's, dropped when this object is."""

    def __init__(self, lua: _Lua, userdata: Any) -> None:
        self._lua = lua
        self.userdata = userdata

    def __del__(self) -> None:
        del self.userdata
        self._lua.collect()

    def addevent(
        self,
        fd: Descriptor | None,
        event: int,
        event_callback: EventCallback,
        timeout: float | None = None,
    ) -> Event:
        number = fd if fd is None or isinstance(fd, int) else _number(fd)
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
        """`close`, if luaevent has one: 0.4.6 has not."""
        if name != "close" or self._lua.on["has"](self.userdata, name) is None:
            raise AttributeError(f"a base of luaevent has no {name!r}")
        return lambda: self._lua.call(self._lua.on["close"], self.userdata)


class Event:
    """An event of luaevent's, dropped when this object is."""

    def __init__(self, lua: _Lua, userdata: Any) -> None:
        self._lua = lua
        self._userdata = userdata

    def __del__(self) -> None:
        del self._userdata
        self._lua.collect()

    def close(self) -> None:
        self._lua.call(self._lua.on["close"], self._userdata)
        self._lua.collect()


class _Lua:
    """A Lua state with luaevent in it."""

    def __init__(self) -> None:
        self._runtime = lua51.LuaRuntime(unpack_returned_tuples=True)
        package = self._runtime.globals()["package"]
        package["cpath"] = ";".join([*_PATTERNS, package["cpath"]])
        self.core = self._runtime.globals()["require"]("luaevent.core")
        self.on = self._runtime.execute(_LUA, self.core)
        self._is_collecting = False
        self._is_due = False

    def call(self, function: Any, *arguments: object) -> Any:
        if self._is_due:
            self.collect()
        try:
            return function(*arguments)
        except lua51.LuaError as error:
            self.collect()  # 3
            if "bad argument" in str(error):
                raise ArgumentError(str(error).splitlines()[0]) from error
            raise

    def function_for(self, callback: object) -> Any:
        """A Lua function that calls *callback*, or *callback* if it cannot be called."""
        if not callable(callback):
            return callback
        return self.on["function_for"](self._observed(callback))

    def collect(self) -> None:
        """Let Lua collect what is no longer referred to, now."""
        self._is_due = True
        # What Lua collects may let go of Python objects, and those of more.
        if self._is_collecting:
            return
        self._is_collecting = True
        try:
            while self._is_due:
                self._is_due = False
                self.on["collect"]()
        finally:
            self._is_collecting = False

    def _observed(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """*callback*; after a LEAVE, luaevent lets go of it and Lua has to collect it."""

        def call(*arguments: object) -> Any:
            if self._is_due:
                self.collect()
            answer = callback(*arguments)
            self._is_due = True
            return answer

        return call


def _number(fd: object) -> object:
    """The number behind an object with `fileno()`; any other object as it is."""
    fileno = getattr(fd, "fileno", None)
    return fd if fileno is None else fileno()


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
        core = _Lua().core
    except lua51.LuaError as error:
        raise AdapterError(
            f"{_NEEDS}; missing is luaevent: {str(error).splitlines()[0]}"
        ) from error
    return Implementation(
        name="real-luaevent",
        version=_version(core),
        profiles={"luaevent": lambda _clock: Luaevent()},
        engine=_engine,
    )


implementation = _implementation()
