"""Generates scenarios: by chance for a search, by hypothesis for a property test.

A scenario leaves out the features that a loop declares it lacks, and whatever
no rule decides: answers of nothing, timeouts of zero, descriptors
closed under their events, callbacks that raise.
"""

from __future__ import annotations

from hypothesis import strategies as st

from .choices import Choices, Feature, HypothesisChoices, RandomChoices, features_of
from .levent_generator import LeventGenerator
from .loop_generators import LuaeventGenerator, LuahopGenerator
from .parse import AnyScenario

# {profile: its generator}
_GENERATORS: dict[str, type[LuaeventGenerator | LuahopGenerator | LeventGenerator]] = {
    "luaevent": LuaeventGenerator,
    "luahop": LuahopGenerator,
    "levent": LeventGenerator,
}


@st.composite
def scenarios(
    draw: st.DrawFn, profile: str, features: frozenset[Feature], *, is_virtual: bool = True
) -> AnyScenario:
    """Return scenarios that any conforming loop runs without a difference."""
    return generated(HypothesisChoices(draw), profile, features, is_virtual=is_virtual)


def generated(
    chooser: Choices, profile: str, features: frozenset[Feature], *, is_virtual: bool
) -> AnyScenario:
    """Return a scenario that any conforming loop runs without a difference."""
    return _GENERATORS[profile](chooser, features, is_virtual=is_virtual).generate()


__all__ = ["Feature", "RandomChoices", "features_of", "generated", "scenarios"]
