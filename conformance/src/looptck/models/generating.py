"""Makes up scenarios: by dice for a search, by hypothesis for a property test.

What is made up leaves out the features that a loop declares it lacks, and
whatever no rule decides: answers of nothing, timeouts of zero, descriptors
closed under their events, callbacks that raise.
"""

from __future__ import annotations

from hypothesis import strategies as st

from .choosing import Chooser, Dice, Drawn, Feature, features_of
from .levent_author import LeventAuthor
from .loop_authors import EventAuthor, HopAuthor
from .reading import AnyScenario

# {profile: who writes for it}
_AUTHORS: dict[str, type[EventAuthor | HopAuthor | LeventAuthor]] = {
    "luaevent": EventAuthor,
    "luahop": HopAuthor,
    "levent": LeventAuthor,
}


@st.composite
def scenarios(
    draw: st.DrawFn, profile: str, features: frozenset[Feature], *, is_virtual: bool = True
) -> AnyScenario:
    """Scenarios that any conforming loop plays without a difference."""
    return made_up(Drawn(draw), profile, features, is_virtual=is_virtual)


def made_up(
    chooser: Chooser, profile: str, features: frozenset[Feature], *, is_virtual: bool
) -> AnyScenario:
    """A scenario that any conforming loop plays without a difference."""
    return _AUTHORS[profile](chooser, features, is_virtual=is_virtual).write()


__all__ = ["Dice", "Feature", "features_of", "made_up", "scenarios"]
