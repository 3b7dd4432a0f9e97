"""What the flags given to a luaevent callback say, bit by bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from looptck.profiles.luaevent import Luaevent


def flag_text(luaevent: Luaevent, flags: int) -> str:
    """The occasion of a call in a word: "timeout", "read", "write" or "read+write".

    A timeout may bring the directions that were waited for; they say nothing
    then, and are left out.
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
    """The directions in *flags* that *asked* does not contain, in words; "" if there are none."""
    extra = flags & ~asked & (luaevent.EV_READ | luaevent.EV_WRITE)
    return flag_text(luaevent, extra & ~luaevent.EV_TIMEOUT) if extra else ""
