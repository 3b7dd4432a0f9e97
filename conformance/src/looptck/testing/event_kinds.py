"""The kinds of luaevent events: what they wait for, and whether it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .channels import Channels, fill

if TYPE_CHECKING:
    from looptck.profiles.luaevent import Luaevent

KINDS = ("ready reader", "ready writer", "silent reader", "silent writer", "timer")

every_kind = pytest.mark.parametrize("kind", KINDS)


def event_arguments(luaevent: Luaevent, channels: Channels, kind: str) -> tuple[int | None, int]:
    """The descriptor and the flags for an event of that kind."""
    if kind == "timer":
        return None, luaevent.EV_TIMEOUT
    near, far = channels.pair()
    if kind == "ready reader":
        far.send(b"x")
    if kind != "ready writer":
        fill(near)
    return near.fileno(), luaevent.EV_READ if "reader" in kind else luaevent.EV_WRITE


def first_call(kind: str) -> str:
    """What the first call of such an event tells."""
    return {"ready reader": "read", "ready writer": "write"}.get(kind, "timeout")


def short_timeout(kind: str) -> float | None:
    """A short timeout, in seconds, for those events that nothing else would call.

    The others get none: where readiness and a timeout meet in one turn,
    either may come.
    """
    return None if kind.startswith("ready") else 0.003
