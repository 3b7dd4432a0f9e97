"""Names the flags that a luaevent callback is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from looptck.protocols.luaevent import Luaevent


def flag_text(luaevent: Luaevent, flags: int) -> str:
    """Return *flags* as "timeout", "read", "write" or "read+write".

    A timeout may come with the directions that the event waits for; they mean
    nothing then and are left out.
    """
    if flags & luaevent.EV_TIMEOUT:
        return "timeout"
    parts = [
        name
        for name, bit in (("read", luaevent.EV_READ), ("write", luaevent.EV_WRITE))
        if flags & bit
    ]
    return "+".join(parts) or "nothing"


def unexpected_directions(luaevent: Luaevent, flags: int, asked: int) -> str:
    """Return the names of the directions in *flags* that are not in *asked*, or ""."""
    extra = flags & ~asked & (luaevent.EV_READ | luaevent.EV_WRITE)
    return flag_text(luaevent, extra & ~luaevent.EV_TIMEOUT) if extra else ""
