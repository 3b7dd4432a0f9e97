"""The way of an exception that a callback raises.  Knows no event and no loop.

Without a handler it comes out of the call that runs the loop.  With one the
callback is wrapped when it is registered, so that a loop without a handler
pays nothing, and so that all else in its turn goes on as if it had returned
None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

# gets the exception, and the callback as the program gave it
Handler: TypeAlias = Callable[[Exception, Callable[..., object]], object]


class Guarded:
    """Calls *callback*; what it raises goes to *handler*, together with *told*."""

    __slots__ = ("_callback", "_handler", "_told")

    def __init__(
        self, handler: Handler, callback: Callable[..., Any], told: Callable[..., object]
    ) -> None:
        self._handler = handler
        self._callback = callback
        self._told = told

    def __call__(self, *args: Any) -> Any:
        # Exception, not BaseException: Ctrl-C and sys.exit() always come out
        try:
            return self._callback(*args)
        except Exception as error:
            self.report(error)
            return None

    def report(self, error: Exception) -> None:
        """Give *error* to the handler; what the handler raises comes out."""
        self._handler(error, self._told)

    def __repr__(self) -> str:
        return repr(self._told)


class Guard:
    """Wraps callbacks for one loop, if that has a handler."""

    __slots__ = ("handler",)

    def __init__(self, handler: Handler | None) -> None:
        self.handler = handler

    def __call__(
        self, callback: Callable[..., Any], told: Callable[..., object] | None = None
    ) -> Callable[..., Any]:
        """*callback*, whose exceptions go to the handler with *told* (itself, if not given)."""
        if self.handler is None or isinstance(callback, Guarded):
            return callback
        return Guarded(self.handler, callback, told or callback)
