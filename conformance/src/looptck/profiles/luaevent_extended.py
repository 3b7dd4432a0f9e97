"""The profile `luaevent-extended`: luaevent with the buffers of the complete library."""

from __future__ import annotations

from ..protocols.luaevent_extended import ENTRY_NAMES, LOOP_NAMES
from . import luaevent
from .api import Profile

PROFILE = Profile(
    name="luaevent-extended",
    document="luaevent, with what the complete library adds",
    entry_names=ENTRY_NAMES,
    loop_names=LOOP_NAMES,
    indispensable=luaevent.PROFILE.indispensable,
    parts={
        **luaevent.PROFILE.parts,
        "buffer.new": "buffer",
        "bufferevent.new": "bufferevent",
    },
    modules=("buffer", "bufferevent"),
    smoke_checks=luaevent.PROFILE.smoke_checks,
    timer_check=luaevent.PROFILE.timer_check,
)
