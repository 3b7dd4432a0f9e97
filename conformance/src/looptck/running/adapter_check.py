"""The judgement of the adapter, before any rule is judged.

A failure here is the adapter's, never a broken rule.  It asks for little: a
loop that is wrong in one way must still come through, to be judged.  So it is
enough that one callback runs, of a descriptor or of a timer; whether a loop
closes is a rule's business.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NoReturn

from ..errors import AdapterError, UsageError
from ..profiles import PROFILES, Profile, SmokeCheck
from ..rules.catalogue import Catalogue
from ..subjects.call_counter import unwrap
from ..subjects.implementation import Implementation
from ..subjects.subject import Subject
from ..text import did_you_mean, shown
from .messages import AdapterFailed, CallbackRan
from .pool import run_one
from .virtual_time import refuse_real_sleep
from .worker_life import Reporter


def steps(
    implementation: Implementation,
    variants: Iterable[str],
    profiles: Iterable[str],
    catalogue: Catalogue,
    patience: float,
) -> Iterator[None]:
    """Judge it step by step, each within *patience*.

    Raises AdapterError unless each of *profiles* in each of *variants* can be judged.
    """
    _refuse_unknown_patterns(implementation, catalogue)
    for variant in variants:
        offered = implementation.by_variant[variant]
        for profile in [name for name in profiles if name in offered]:
            yield from _check_profile(implementation, variant, profile, patience)


def refuse_unknown_profiles(implementation: Implementation) -> None:
    """Raises AdapterError if *implementation* offers a profile that is not known.

    It is a UsageError if the user named a profile of their own: one of the two has another name.
    """
    for name in {name: None for offered in implementation.by_variant.values() for name in offered}:
        if name not in PROFILES and PROFILES.foreign:
            raise UsageError(
                f"implementation {implementation.name!r} offers a profile {shown(name)}, and the "
                f"profile that you named is called {' and '.join(map(repr, PROFILES.foreign))}; "
                "give both the same name"
            )
        if name not in PROFILES:
            raise AdapterError(
                f"implementation {implementation.name!r} offers an unknown profile {shown(name)}; "
                f"{did_you_mean(name, PROFILES)}there are {', '.join(PROFILES)}; "
                "name one of your own by --profile module:attribute"
            )


def _refuse_unknown_patterns(implementation: Implementation, catalogue: Catalogue) -> None:
    for pattern in implementation.unsupported:
        try:
            catalogue.matching([pattern])
        except UsageError as error:
            raise AdapterError(
                f"implementation {implementation.name!r} declares {pattern!r} unsupported, "
                f"but {error}"
            ) from error


def _check_profile(
    implementation: Implementation, variant: str, profile: str, patience: float
) -> Iterator[None]:
    where = f"the adapter of {implementation.name} ({variant}, {profile})"

    def shape(reporter: Reporter) -> None:
        reporter.begin("the factory")
        try:
            for _ in range(2):
                _check_shape(Subject(implementation, variant), profile, reporter)
        except Exception as error:
            reason = str(error) if isinstance(error, AdapterError) else _described(error)
            reporter.send(AdapterFailed(reason))

    messages, ending = run_one(shape, patience)
    for message in messages:
        if isinstance(message, AdapterFailed):
            raise AdapterError(f"{where} {message.reason}")
    if not ending.is_clean:
        how = "hung" if ending.hung else ending.death
        said = f"; it said: {ending.output.splitlines()[-1][:200]}" if ending.output else ""
        raise AdapterError(
            f"{where}: its process {how} while it made a loop{said}; "
            "call its factory by hand to see why"
        )
    yield
    refuse_real_sleep(implementation, variant, profile, patience)
    yield
    reasons: list[str] = []
    for way in PROFILES[profile].smoke_checks:
        reason = _try(way, implementation, variant, profile, patience)
        yield
        if reason is None:
            return
        reasons.append(f"{way.__doc__}: {reason}")
    own = ", or mend the smoke checks of the profile" if profile in PROFILES.foreign else ""
    raise AdapterError(
        f"{where} ran no callback at all ({'; '.join(reasons)}); "
        f"make one timer or one descriptor work{own}, and run again"
    )


def _check_shape(subject: Subject, profile: str, reporter: Reporter) -> None:
    entry = subject.entry(profile)
    made = PROFILES[profile]
    new = getattr(entry, made.constructor, None)
    if not callable(new):
        raise AdapterError(
            f"gave {entry!r:.60}, which has no `{made.constructor}`; "
            "its factory must return the entry "
            f"object of {made.document}, with {', '.join(made.entry_names)}"
        )
    loops = []
    for _ in range(2):
        reporter.begin("a loop")
        loops.append(new())
    for loop in loops:
        for name in made.indispensable:
            if not callable(getattr(loop, name, None)):
                raise AdapterError(
                    f"gave {loop!r:.60} for a loop, which has no `{name}`; it needs "
                    f"{', '.join(made.loop_names)}"
                )
        if profile in PROFILES.foreign:
            _refuse_misspelt_names(unwrap(loop), made)


def _refuse_misspelt_names(loop: object, profile: Profile) -> None:
    """A loop that lacks a name is judged, unless the profile seems to have misspelt it."""
    for name in profile.loop_names:
        if not hasattr(loop, name) and (meant := did_you_mean(name, dir(loop))):
            raise AdapterError(
                f"gave {loop!r:.60} for a loop, which has no `{name}`, as `loop_names` of the "
                f"profile says; {meant}mend the name there or in the loop"
            )


def _try(
    way: SmokeCheck,
    implementation: Implementation,
    variant: str,
    profile: str,
    patience: float,
) -> str | None:
    """None if a callback ran that way, otherwise what happened."""

    def attempt(reporter: Reporter) -> None:
        reporter.begin("one callback")

        def ran() -> NoReturn:
            reporter.send(CallbackRan())
            os._exit(0)  # whatever the loop would do next is for the rules to judge

        try:
            way(Subject(implementation, variant).entry(profile), ran)
        except Exception as error:
            reporter.send(AdapterFailed(_described(error)))

    messages, ending = run_one(attempt, patience)
    for message in messages:
        if isinstance(message, CallbackRan):
            return None
        if isinstance(message, AdapterFailed):
            return message.reason
    return ("hung" if ending.hung else ending.death) or "it returned without one"


def _described(error: BaseException) -> str:
    return f"raised {type(error).__name__}: {error}"
