"""A Lua 5.1 state with the real luaevent in it, inside this process.

Knows luaevent's module and none of its functions.

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
4. Lua's strings are bytes.  lupa gives text; by Latin-1 each character is one
   byte, and back.
"""

from __future__ import annotations

import ctypes
import os
import sysconfig
from collections.abc import Callable
from typing import Any

from looptck.errors import AdapterError

NEEDS = (
    "the real luaevent needs luaevent for Lua 5.1 (Debian: apt-get install lua-event) "
    "and lupa (PyPI: pip install lupa)"
)

try:
    from lupa import lua51
except ImportError as missing:
    raise AdapterError(f"{NEEDS}; missing is lupa: {missing}") from missing

LuaError = lua51.LuaError

# 1
ctypes.CDLL(lua51.__file__, mode=os.RTLD_GLOBAL)

# Where Debian, and a luaevent built by hand, keep modules for Lua 5.1.
_MULTIARCH = sysconfig.get_config_var("MULTIARCH")
_PATTERNS = (f"/usr/lib/{_MULTIARCH}/lua/5.1/?.so", "/usr/lib/lua/5.1/?.so")

_ENCODING = "latin-1"  # 4

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
function on.ask(object, name, ...) return object[name](object, ...) end
function on.length(object) return #object end
function on.text(object) return tostring(object) end
function on.same(one, other) return rawequal(one, other) end

function on.collect()
    collectgarbage("collect")
end

collectgarbage("stop")
return on
"""


class ArgumentError(TypeError, ValueError):
    """luaevent refused an argument."""


class LuaState:
    """A Lua state with luaevent in it."""

    def __init__(self) -> None:
        self._runtime = lua51.LuaRuntime(encoding=_ENCODING, unpack_returned_tuples=True)
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
        except LuaError as error:
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
        # Objects that Lua collects may release Python objects, and those may release more.
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


class Dropped:
    """A userdata of luaevent's, dropped when this object is."""

    def __init__(self, lua: LuaState, userdata: Any) -> None:
        self._lua = lua
        self.userdata = userdata

    def __del__(self) -> None:
        del self.userdata
        self._lua.collect()

    def _ask(self, name: str, *arguments: object) -> Any:
        return self._lua.call(self._lua.on["ask"], self.userdata, name, *arguments)


def fd_number(fd: object) -> object:
    """The number behind an object with `fileno()`; any other object as it is."""
    fileno = getattr(fd, "fileno", None)
    return fd if fileno is None else fileno()


def as_bytes(text: str) -> bytes:
    """A string of Lua's, which is bytes."""
    return text.encode(_ENCODING)  # 4


def as_no_string(value: object) -> object:
    """*value*; but text of Python's is an object to Lua, and not one of its strings."""
    return lua51.as_attrgetter(value) if isinstance(value, str) else value
