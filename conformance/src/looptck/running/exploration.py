"""The search that `certify --explore` adds to the frozen tests.

Scenarios are played in worker processes, one for each profile and variant.  A
loop that hangs or dies there is a finding as well: the parent knows which
scenario was being played, and makes it smaller in fresh processes.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..models.explore import Exploration, explore
from ..models.parse import AnyScenario, parse
from ..models.run import run_scenario
from ..models.shrink import reduce
from ..subjects.implementation import Implementation
from .workers import Pool, Report, WorkerExit, run_one

# A single scenario that says nothing for so long has stopped the process for
# good: playing has a patience of its own, which works as long as Python does.
_PATIENCE = 30.0

# Less is enough to see it again, and how long that may go on, in seconds.
_SHORT_PATIENCE = 4.0
_REDUCING = 20.0

# How often whoever waits for us is told that we are alive, in seconds.
_HEARTBEAT = 1.0


@dataclass(frozen=True, slots=True)
class Search:
    """What the user asked to be searched."""

    steps: int
    seed: int

    def events(
        self,
        implementation: Implementation,
        wanted: list[tuple[str, str]],
        jobs: int,
        known: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> Iterator[dict[str, Any]]:
        """Search for each wanted (variant, profile); yield what to tell of it.

        *known* says which rules each variant is known to break: that they are
        broken is no news.
        """
        pool = Pool(jobs, _PATIENCE)
        waiting = list(wanted)
        said = time.monotonic()
        try:
            while waiting or not pool.is_idle:
                while waiting and pool.has_room:
                    variant, profile = waiting.pop(0)
                    work = _Work(implementation, variant, profile, self, known.get(variant, ()))
                    pool.start((variant, profile), work)
                for (variant, profile), messages, ending in pool.wait():
                    event = {"kind": "exploration", "variant": variant, "profile": profile}
                    event["seed"] = self.seed
                    if messages and ending.is_clean:
                        yield {**event, **messages[-1]}
                    else:
                        yield {**event, **_cut_off(implementation, variant, ending)}
                if time.monotonic() - said > _HEARTBEAT:
                    said = time.monotonic()
                    yield {"kind": "exploring"}
        finally:
            pool.close()


class _Work:
    """What a worker does: one search, and then it tells of it."""

    def __init__(
        self,
        implementation: Implementation,
        variant: str,
        profile: str,
        search: Search,
        known: Collection[str],
    ) -> None:
        self._implementation = implementation
        self._variant = variant
        self._profile = profile
        self._search = search
        self._known = known

    def __call__(self, report: Report) -> None:
        def begin(scenario: AnyScenario) -> None:
            report.begin(scenario.text())

        found = explore(
            self._implementation,
            self._variant,
            self._profile,
            self._search.seed,
            self._search.steps,
            begin=begin,
            known=self._known,
        )
        report.say(_as_event(found))


def _as_event(found: Exploration) -> dict[str, Any]:
    difference = found.difference
    return {
        "steps": found.steps,
        "scenarios": found.scenarios,
        "passed_over": found.passed_over,
        "rule": difference.rule if difference else "",
        "difference": difference.text() if difference else "",
    }


def _cut_off(implementation: Implementation, variant: str, ending: WorkerExit) -> dict[str, Any]:
    """What to tell of a search that hung or died."""
    event = {"steps": 0, "scenarios": 0, "passed_over": (), "rule": ""}
    event["difference"] = _how(ending)
    try:
        scenario = parse(ending.unfinished)
    except ValueError:
        return event  # it was between two scenarios

    def ends_so(smaller: AnyScenario) -> bool:
        def once(report: Report) -> None:
            report.begin(smaller.text())
            run_scenario(smaller, implementation, variant)
            report.say({})

        _, again = run_one(once, _SHORT_PATIENCE)
        return (again.hung, again.death) == (ending.hung, ending.death)

    smallest = reduce(scenario, ends_so, _REDUCING)
    trace = [f"    {line}" for line in ending.trace]
    lines = ["the scenario:", *(f"    {line}" for line in smallest.text().splitlines())]
    lines += ["", "the last that happened:", *trace] if trace and smallest is scenario else []
    event["difference"] = "\n".join([*lines, "", "happened:", f"    {_how(ending)}"])
    return event


def _how(ending: WorkerExit) -> str:
    if ending.hung:
        return f"the process hung: it {ending.activity}"
    return f"the process {ending.death or 'ended'}"
