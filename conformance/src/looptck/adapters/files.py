"""Files in the profile `levent`, for loops that know descriptors alone.

Knows no loop.  Some rules judge nobody but whoever wrote these functions and
the adapters that use them; such an adapter declares them unsupported, with the
reasons in `NOT_ASKED`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from looptck.protocols.levent import File

FdAccessor = Callable[[Any], int]


class Files:
    """The module functions of levent that are about files."""

    def __init__(self) -> None:
        # {type: its accessor}
        self._accessors: dict[type, FdAccessor] = {}

    def fdfromfile(self, file: object) -> int:
        """The descriptor of an open file object; TypeError or ValueError if it is none."""
        fileno = getattr(file, "fileno", None)
        if fileno is None:
            raise TypeError(f"{file!r} is no file object")
        number: int = fileno()
        return number

    def setfdaccessor(self, metatable: type, fdaccessor: FdAccessor) -> None:
        """Objects of this type are files from now on."""
        if not isinstance(metatable, type) or not callable(fdaccessor):
            raise TypeError(f"no accessor: {metatable!r}, {fdaccessor!r}; give a type, a function")
        self._accessors[metatable] = fdaccessor

    def fdfromvalue(self, value: File) -> int:
        """The descriptor of *value*; TypeError without one."""
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        for kind in type(value).__mro__:
            if accessor := self._accessors.get(kind):
                number = accessor(value)
                if not isinstance(number, int):
                    raise TypeError(f"the accessor of {value!r} returned {number!r}, no descriptor")
                return number
        raise TypeError(f"{value!r} is no file; setfdaccessor() was not told of {type(value)!r}")


# {why a loop that knows descriptors alone cannot be asked: the rules}
NOT_ASKED: Mapping[str, tuple[str, ...]] = {
    "the loop is given a number; what is a file, and what a callback gets, the adapter knows": (
        "levent.fdfromfile",
        "levent.fdfromfile-bad",
        "levent.fdfromvalue",
        "levent.fdfromvalue-int",
        "levent.fdfromvalue-unknown",
        "levent.newevbuf.callback-args",
        "levent.newevbuf.creates",
        "levent.newevent.callback-arg",
        "levent.newevent.file-object",
        "levent.setfdaccessor",
        "levent.setfdaccessor-contract",
        "levent.setfdaccessor-example",
    ),
    "the loop has no letters for directions; the adapter reads them": (
        "levent.newevent.evtype-missing",
        "levent.newevent.evtype-other",
    ),
    "the adapter turns the number into what it asks of the loop, and its answer is not levent's": (
        "levent.loop.howmany-negative",
        "levent.loop.howmany-type",
        "levent.loop.return-value",
    ),
    "the adapter calls the callback, and alone sees what it is and what it raises": (
        "levent.bufevent.error-in-callback",
        "levent.event.error",
        "levent.newevent.callback-type",
    ),
    "the adapter ends what is dropped, and refuses what was deleted": (
        "levent.event.delete-invalid",
        "levent.event.gc",
    ),
}
