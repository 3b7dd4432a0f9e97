"""The selection: an implementation, and the rules that the user asked to judge.

Finds the implementation and has its adapter judged; knows no test.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest

from ..errors import UsageError
from ..profiles import PROFILES, foreign_modules
from ..profiles import load as profiles_named
from ..rules.catalogue import Catalogue, Rule
from ..subjects.discovery import file_hashes, find_over
from ..subjects.implementation import Implementation
from ..subjects.subject import Subject
from ..text import did_you_mean
from . import adapter_check
from .messages import EnginesSeen, ImplementationFound
from .pool import run_one
from .worker_life import Reporter

if TYPE_CHECKING:
    from .exploration import Search


@dataclass(frozen=True, slots=True)
class Selection:
    """The implementation and what the user asked to judge of it."""

    KEY: ClassVar[pytest.StashKey[Selection]] = pytest.StashKey()

    implementation: Implementation
    variants: tuple[str, ...]
    profiles: tuple[str, ...]
    rules: tuple[Rule, ...]
    catalogue: Catalogue
    patience: float
    # to be made after the tests; None for none
    search: Search | None = None

    @classmethod
    def from_options(
        cls,
        *,
        spec: str,
        variants: Sequence[str],
        profiles: Sequence[str],
        patterns: Sequence[str],
        patience: float,
        catalogue: Catalogue,
        search: Search | None = None,
        pollers: Sequence[str] = (),
        note_progress: Callable[[], None] = lambda: None,
    ) -> Selection:
        """*note_progress* is called after each step, of which none takes longer than *patience*.

        Raises UsageError for a name that does not exist, AdapterError for a broken adapter."""
        profiles = profiles_named(profiles)
        chosen = tuple(catalogue.matching(patterns)) if patterns else tuple(catalogue.values())
        implementation = find_over(spec, pollers)
        adapter_check.refuse_unknown_profiles(implementation)
        for name in variants:
            if name not in implementation.by_variant:
                raise UsageError(
                    f"{implementation.name} has no variant {name!r}; "
                    f"{did_you_mean(name, implementation.by_variant)}"
                    f"it has {', '.join(implementation.by_variant)}"
                )
        offered = {name for each in implementation.by_variant.values() for name in each}
        for name in profiles:
            if name not in offered:
                raise UsageError(
                    f"{implementation.name} does not offer the profile {name!r}; "
                    f"it offers {', '.join(sorted(offered))}"
                )
        wanted = tuple(name for name in PROFILES if name in (profiles or offered))
        selection = cls(
            implementation=implementation,
            variants=tuple(variants or implementation.by_variant),
            profiles=wanted,
            rules=tuple(rule for rule in chosen if rule.profile in wanted),
            catalogue=catalogue,
            patience=patience,
            search=search,
        )
        if not selection.rules:
            raise UsageError(
                f"no rule is left to judge: {', '.join(patterns)} is not among the rules of "
                f"{', '.join(wanted)}"
            )
        note_progress()
        for _ in adapter_check.steps(
            implementation, selection.variants, selection.profiles, catalogue, patience
        ):
            note_progress()
        return selection

    def offers(self, variant: str, profile: str) -> bool:
        return profile in self.implementation.by_variant[variant]

    def described(self, note_progress: Callable[[], None] = lambda: None) -> ImplementationFound:
        """Describe it for the header; *note_progress* is called after each step."""
        implementation = self.implementation
        modules = {module for name in self.profiles for module in foreign_modules(name)}
        for variant in self.variants:
            for profile in self.profiles:
                if self.offers(variant, profile):
                    modules |= _modules_of(implementation, variant, profile, self.patience)
                    note_progress()
        return ImplementationFound(
            name=implementation.name,
            version=implementation.version,
            variants=self.variants,
            profiles=self.profiles,
            virtual_time=implementation.virtual_time,
            unsupported=dict(sorted(implementation.unsupported.items())),
            files=file_hashes(iter(modules)),
            python=f"{platform.python_implementation()} {platform.python_version()}",
        )


def _modules_of(
    implementation: Implementation, variant: str, profile: str, patience: float
) -> set[str]:
    """The modules of the factory and of the loop that it makes, made where it may misbehave."""
    factory = implementation.by_variant[variant][profile]
    found = {getattr(factory, "__module__", None) or ""}

    def look(reporter: Reporter) -> None:
        reporter.begin("a look at the loop")
        subject = Subject(implementation, variant)
        loop = getattr(subject.entry(profile), PROFILES[profile].constructor)()
        reporter.send(EnginesSeen(tuple(sorted(subject.call_counter.engines))))
        del loop

    messages, _ = run_one(look, patience)
    for message in messages:
        if isinstance(message, EnginesSeen):
            found |= {engine.rpartition(".")[0] for engine in message.engines}
    return found - {""}
