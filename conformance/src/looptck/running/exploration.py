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

from ..models.documents import model_of, parse
from ..models.engine.explore import explore
from ..models.engine.scenario import Scenario
from ..models.engine.shrink import shrink
from ..subjects.implementation import Implementation
from .messages import CallbackRan, Explored, Message, Progress, SearchResult
from .pool import Pool, run_one
from .worker_life import Reporter
from .workers import WorkerExit

# A single scenario that says nothing for so long has stopped the process for
# good: playing has a patience of its own, which works as long as Python does.
_PATIENCE = 30.0

# Less is enough to see it again, and how long that may go on, in seconds.
_SHORT_PATIENCE = 4.0
_SHRINKING = 20.0

# How often whoever waits for us is told that we are alive, in seconds.
_HEARTBEAT = 1.0


@dataclass(frozen=True, slots=True)
class Search:
    """The search that the user asked for."""

    steps: int
    seed: int

    def events(
        self,
        implementation: Implementation,
        wanted: list[tuple[str, str]],
        jobs: int,
        known: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> Iterator[Message]:
        """Search for each wanted (variant, profile); yield what to report of it.

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
                    results = [each for each in messages if isinstance(each, SearchResult)]
                    if results and ending.is_clean:
                        result = results[-1]
                    else:
                        result = _interrupted(implementation, variant, ending)
                    yield Explored(profile, variant, self.seed, result)
                if time.monotonic() - said > _HEARTBEAT:
                    said = time.monotonic()
                    yield Progress()
        finally:
            pool.close()


class _Work:
    """Makes one search in a worker, and reports its result."""

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

    def __call__(self, reporter: Reporter) -> None:
        def begin(scenario: Scenario) -> None:
            reporter.begin(scenario.text())

        model = model_of(self._profile)
        assert model is not None, f"{self._profile} has no model"
        found = explore(
            model,
            self._implementation,
            self._variant,
            self._search.seed,
            self._search.steps,
            begin=begin,
            known=self._known,
        )
        difference = found.difference
        reporter.send(
            SearchResult(
                steps=found.steps,
                scenarios=found.scenarios,
                passed_over=tuple(found.passed_over),
                rule=difference.rule if difference else "",
                difference=difference.text() if difference else "",
            )
        )


def _interrupted(implementation: Implementation, variant: str, ending: WorkerExit) -> SearchResult:
    """The result of a search whose worker hung or died."""
    try:
        scenario = parse(ending.unfinished)
    except ValueError:  # it was between two scenarios
        return SearchResult(0, 0, (), "", _end_in_words(ending))
    model = model_of(scenario.profile)
    assert model is not None

    def ends_so(smaller: Scenario) -> bool:
        def once(reporter: Reporter) -> None:
            reporter.begin(smaller.text())
            model.run(smaller, implementation, variant)
            reporter.send(CallbackRan())

        _, again = run_one(once, _SHORT_PATIENCE)
        return (again.hung, again.death) == (ending.hung, ending.death)

    smallest = shrink(scenario, ends_so, _SHRINKING)
    trace = [f"    {line}" for line in ending.trace]
    lines = ["the scenario:", *(f"    {line}" for line in smallest.text().splitlines())]
    lines += ["", "the last that happened:", *trace] if trace and smallest is scenario else []
    difference = "\n".join([*lines, "", "happened:", f"    {_end_in_words(ending)}"])
    return SearchResult(0, 0, (), "", difference)


def _end_in_words(ending: WorkerExit) -> str:
    if ending.hung:
        return f"the process hung: it {ending.activity}"
    return f"the process {ending.death or 'ended'}"
