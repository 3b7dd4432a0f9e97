"""Occasions: events of luaevent that are due a call, one of each kind.

Knows the profile `luaevent` and no rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from looptck.profiles.luaevent import Luaevent

from .channels import Channels, fill

# The timeout of an event whose occasion is a timeout, and one that never
# passes, in seconds.
SHORT = 0.01
FAR = 30.0

# What can be waited for in vain.
IDLE_KINDS = ("timer", "read", "write", "both")
any_idle_kind = pytest.mark.parametrize("kind", IDLE_KINDS)

KINDS = ("data", "room", "room, with a timeout", "a read timeout", "a write timeout", "a timer")
any_kind = pytest.mark.parametrize("kind", KINDS)


@dataclass(frozen=True, slots=True)
class DueEvent:
    """What to register, and how `looptck.testing.flag_names.flag_text` tells of the call."""

    fd: int | None
    event: int
    timeout: float | None
    flag_text: str


def due_event(luaevent: Luaevent, channels: Channels, kind: str) -> DueEvent:
    """The data stays unread and the room stays, so that the call comes again and again."""
    if kind == "a timer":
        return DueEvent(None, luaevent.EV_TIMEOUT, SHORT, "timeout")
    near, far = channels.pair()
    fd = near.fileno()
    if kind == "data":
        far.send(b"unread")
        return DueEvent(fd, luaevent.EV_READ, None, "read")
    if kind == "room":
        return DueEvent(fd, luaevent.EV_WRITE, None, "write")
    if kind == "room, with a timeout":
        return DueEvent(fd, luaevent.EV_WRITE, FAR, "write")
    if kind == "a read timeout":
        return DueEvent(fd, luaevent.EV_READ, SHORT, "timeout")
    fill(near)
    return DueEvent(fd, luaevent.EV_WRITE, SHORT, "timeout")


def idle_arguments(luaevent: Luaevent, channels: Channels, kind: str) -> tuple[int | None, int]:
    """A descriptor on which nothing happens, or None, and the flags to wait for."""
    if kind == "timer":
        return None, luaevent.EV_TIMEOUT
    near, _far = channels.pair()
    fill(near)
    read, write = luaevent.EV_READ, luaevent.EV_WRITE
    return near.fileno(), {"read": read, "write": write, "both": read | write}[kind]
