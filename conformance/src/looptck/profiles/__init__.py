"""The profiles: for each document, exactly what an implementation must offer.

A profile is the API of one document in Python.  It knows no rule and no test;
it only says which names exist, which arguments they take, in which units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from looptck.clocks import Clock

from . import luaevent, luahop

# What an adapter supplies for a profile: called with the clock that the suite
# measures by, it returns the profile's entry object.
Factory = Callable[[Clock], Any]


@dataclass(frozen=True, slots=True)
class Profile:
    """One document's API, as the harness needs to know it."""

    name: str
    document: str
    # names that the entry object must have, and names that its loops must have
    entry_names: tuple[str, ...]
    loop_names: tuple[str, ...]


PROFILES: dict[str, Profile] = {
    "luaevent": Profile("luaevent", "luaevent", luaevent.ENTRY_NAMES, luaevent.LOOP_NAMES),
    "luahop": Profile("luahop", "LuaHop", luahop.ENTRY_NAMES, luahop.LOOP_NAMES),
}
