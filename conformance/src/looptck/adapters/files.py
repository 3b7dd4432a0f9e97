"""What a file is, in the profile `levent`, for loops that know descriptors alone.

Knows no loop.  The rules about these functions judge whoever wrote them, so an
adapter that uses this declares them unsupported: `NOT_ASKED` names them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from looptck.profiles.levent import File

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
