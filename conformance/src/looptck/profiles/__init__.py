"""The profiles: for each document, exactly what an implementation must offer.

A profile is the API of one document in Python, or of a part of it that not
every implementation has.  It knows no rule and no test; it only says which
names exist, which arguments they take, in which units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from looptck.clocks import Clock

from . import levent, luaevent, luaevent_extended, luahop

# The function that an adapter supplies for a profile: called with the clock that the suite
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
    # the name of the entry object that makes a loop
    constructor: str = "new"


_ALL = (
    Profile("luaevent", "luaevent", luaevent.ENTRY_NAMES, luaevent.LOOP_NAMES),
    Profile(
        "luaevent-extended",
        "luaevent, with what the complete library adds",
        luaevent_extended.ENTRY_NAMES,
        luaevent_extended.LOOP_NAMES,
    ),
    Profile("levent", "levent", levent.ENTRY_NAMES, levent.LOOP_NAMES, "newbase"),
    Profile("luahop", "LuaHop", luahop.ENTRY_NAMES, luahop.LOOP_NAMES),
)

# {name: profile}, in the order in which they are judged
PROFILES: dict[str, Profile] = {profile.name: profile for profile in _ALL}
