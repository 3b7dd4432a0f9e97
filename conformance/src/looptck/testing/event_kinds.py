"""Kinds of luaevent events: the arguments of `addevent`, and the call that is due.

This module knows the profile `luaevent` and no rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from looptck.protocols.luaevent import Luaevent

from .channels import Channels, fill

# The timeout of an event that waits for its timeout, and one that never passes, in seconds.
SHORT = 0.01
FAR = 30.0

KINDS = ("ready reader", "ready writer", "silent reader", "silent writer", "timer")
every_kind = pytest.mark.parametrize("kind", KINDS)

# {kind of an event that is due: one of KINDS, its timeout in seconds}
_DUE = {
    "data": ("ready reader", None),
    "room": ("ready writer", None),
    "room, with a timeout": ("ready writer", FAR),
    "a read timeout": ("silent reader", SHORT),
    "a write timeout": ("silent writer", SHORT),
    "a timer": ("timer", SHORT),
}
any_kind = pytest.mark.parametrize("kind", _DUE)

# {kind of an event that nothing calls but its timeout: one of KINDS}
_IDLE = {
    "timer": "timer",
    "read": "silent reader",
    "write": "silent writer",
    "both": "silent reader",
}
any_idle_kind = pytest.mark.parametrize("kind", _IDLE)


@dataclass(frozen=True, slots=True)
class DueEvent:
    """The arguments of an event that is due, and the flags of its calls as `flag_text` has them."""

    fd: int | None
    event: int
    timeout: float | None
    flag_text: str


def event_arguments(luaevent: Luaevent, channels: Channels, kind: str) -> tuple[int | None, int]:
    """Return the descriptor and the flags for an event of that *kind*."""
    if kind == "timer":
        return None, luaevent.EV_TIMEOUT
    near, far = channels.pair()
    if kind == "ready reader":
        far.send(b"unread")
    if kind != "ready writer":
        fill(near)
    return near.fileno(), luaevent.EV_READ if "reader" in kind else luaevent.EV_WRITE


def first_call(kind: str) -> str:
    """Return the flags of the first call of an event of that *kind*, as `flag_text` has them."""
    return {"ready reader": "read", "ready writer": "write"}.get(kind, "timeout")


def short_timeout(kind: str) -> float | None:
    """Return a short timeout, in seconds, for the kinds that nothing else would call.

    The others get none: where readiness and a timeout meet in one turn,
    either may come.
    """
    return None if kind.startswith("ready") else 0.003


def due_event(luaevent: Luaevent, channels: Channels, kind: str) -> DueEvent:
    """Return an event that is called again and again: data stay unread, and room stays."""
    basic, timeout = _DUE[kind]
    return DueEvent(*event_arguments(luaevent, channels, basic), timeout, first_call(basic))


def idle_arguments(luaevent: Luaevent, channels: Channels, kind: str) -> tuple[int | None, int]:
    """Return a descriptor on which nothing happens, or None, and the flags to wait for."""
    fd, event = event_arguments(luaevent, channels, _IDLE[kind])
    return fd, luaevent.EV_READ | luaevent.EV_WRITE if kind == "both" else event
