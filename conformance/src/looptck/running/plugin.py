"""The pytest plugin: options, checks at collection, verdicts from test runs.

It does nothing unless ``--implementation`` is given, so that its presence in
an environment disturbs no other test suite.  Policy (what is certified, what
is printed) is not here.

Tests run in worker processes, one for each rule; `scheduler` decides what runs
when and what it means.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .. import import_path as import_path
from ..errors import CatalogueError, LooptckError, UsageError
from ..profiles import load as profiles_named
from ..profiles import pages as profile_pages
from ..rules import catalogue as rules
from ..rules.markers import EVERY_VARIANT, is_judging, rule
from . import suite_index

if TYPE_CHECKING:
    from .exploration import Search
    from .scheduler import RuleScheduler
    from .sealing import Seal
    from .selection import Selection

for _package in ("looptck.testing", "looptck.checks"):
    if _package not in sys.modules:
        pytest.register_assert_rewrite(_package)

DEFAULT_PATIENCE = 5.0

_SUITE = Path(__file__).parents[1] / "suite"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("looptck", "conformance of event loops")
    group.addoption(
        "--implementation",
        metavar="IMPL",
        help="judge this: an installed name, or module:attribute",
    )
    group.addoption("--variant", action="append", default=[], help="only this variant")
    group.addoption("--profile", action="append", default=[], help="only this profile")
    group.addoption(
        "--rule", action="append", default=[], help="only rules with this id or pattern"
    )
    group.addoption(
        "--poller", action="append", default=[], help="put it over this poller: module:attribute"
    )
    group.addoption(
        "--patience",
        type=float,
        default=DEFAULT_PATIENCE,
        help="seconds without a sign of life after which a test is hung (default: %(default)s)",
    )
    group.addoption(
        "--jobs", type=int, default=0, help="workers at a time (default: one for each processor)"
    )
    group.addoption(
        "--explore", type=int, default=0, help="then play made-up scenarios, for so many steps"
    )
    group.addoption("--seed", type=int, default=0, help="the seed of what is made up")
    group.addoption(
        "--fold-variants",
        action="store_true",
        help="collect each test once for all variants; its id does not name them",
    )
    group.addoption("--rules-folder", help="read the rules from this folder")
    group.addoption(
        "--import-from", action="append", default=[], help="find modules in this folder too"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rule(id): the rule of looptck that this test judges")
    if config.getoption("implementation") is None:
        return
    from ..testing import wall_clock
    from .event_stream import EventStream
    from .sealing import Seal
    from .worker_life import die_with_parent

    if sys.flags.optimize:
        raise pytest.UsageError(
            "looptck: Python runs without assertions (-O or PYTHONOPTIMIZE), and every test "
            "would pass; run it without"
        )
    wall_clock.install()  # before the implementation is imported
    stream = config.stash.get(EventStream.KEY, None)
    if stream is None:
        stream = config.stash[EventStream.KEY] = EventStream()
    if stream.is_read:
        die_with_parent(os.getppid())  # whoever reads the events; without it there is nothing to do
    if config.pluginmanager.hasplugin("dsession") or config.getoption("dist", "no") != "no":
        raise pytest.UsageError("looptck runs its own workers; use --jobs in place of -n")
    with contextlib.suppress(LooptckError):  # said when the implementation is found
        _load_profiles(config)
        if (chosen := _chosen_rules(config)) is not None:
            config.pluginmanager.register(_ChosenTests(chosen), _ChosenTests.NAME)
    seal = Seal(config)
    config.pluginmanager.register(seal, "looptck-seal")
    if config.getoption("fold_variants"):
        config.pluginmanager.register(_ClampLater(seal), "looptck-clamp")
    else:
        clamp(config, seal)


class _ChosenTests:
    """Collects only files of the suite and shared checks that judge one of the chosen rules."""

    NAME = "looptck-chosen"

    def __init__(self, rules: Collection[str]) -> None:
        self.rules = rules
        self._files = suite_index.files_for(rules)
        self._folders = {folder for file in self._files for folder in file.parents}

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        if not collection_path.is_relative_to(_SUITE):
            return None
        is_test = collection_path.name.startswith("test_")
        if collection_path.suffix == ".py":
            return (is_test and collection_path not in self._files) or None
        return collection_path not in self._folders or None

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, obj: object) -> list[pytest.Item] | None:
        bindings = suite_index.bindings_of(obj)
        return [] if bindings and not self.among(bindings) else None

    def among(self, bindings: list[suite_index.Binding]) -> list[suite_index.Binding]:
        return [each for each in bindings if each.rule_id in self.rules]


def _chosen_rules(config: pytest.Config) -> Collection[str] | None:
    """The ids of the rules that the options leave; None for all of them."""
    patterns, profiles = config.getoption("rule"), profiles_named(config.getoption("profile"))
    if not patterns and not profiles:
        return None
    catalogue = _catalogue(config)
    chosen = catalogue.matching(patterns) if patterns else catalogue.values()
    return {rule.id for rule in chosen if not profiles or rule.profile in profiles}


class _ClampLater:
    """Imports the implementation once the suite is collected, and all that it needs imported."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        clamp(config, self._seal).pytest_collection_modifyitems(config, items)


def clamp(config: pytest.Config, seal: Seal) -> RuleScheduler:
    """Find the implementation, have its adapter judged, and register who judges it."""
    from ..testing import guards
    from .event_stream import EventStream
    from .messages import RunFailed
    from .scheduler import RuleScheduler
    from .selection import Selection

    stream = config.stash[EventStream.KEY]
    try:
        guards.set_patience(config.getoption("patience"))
        import_path.add(config.getoption("import_from"))
        selection = Selection.from_options(
            spec=config.getoption("implementation"),
            variants=config.getoption("variant"),
            profiles=config.getoption("profile"),
            patterns=config.getoption("rule"),
            patience=config.getoption("patience"),
            catalogue=_catalogue(config),
            search=_search(config),
            pollers=config.getoption("poller"),
            note_progress=stream.note_progress,
        )
        stream.send(selection.described(stream.note_progress))
    except LooptckError as error:
        stream.send(RunFailed(error.exit_status, str(error)))
        if not isinstance(error, (UsageError, CatalogueError)):
            pytest.exit(f"looptck: {error}", returncode=error.exit_status)
        raise pytest.UsageError(f"looptck: {error}") from error
    jobs = config.getoption("jobs") or default_jobs(virtual=selection.implementation.virtual_time)
    judging = RuleScheduler(selection, stream, jobs, seal=seal)
    config.pluginmanager.register(judging, "looptck-judging")
    config.stash[Selection.KEY] = selection
    return judging


def _search(config: pytest.Config) -> Search | None:
    """The search that the options ask for; the models it needs are slow to import."""
    steps = config.getoption("explore")
    if not steps:
        return None
    from .exploration import Search

    return Search(steps, config.getoption("seed"))


def default_jobs(*, virtual: bool) -> int:
    """How many workers at a time.

    In real time a worker sleeps most of its life, so twice as many as there
    are processors disturb each other little.
    """
    processors = os.cpu_count() or 1
    return processors if virtual else 2 * processors


def under_test_of(config: pytest.Config) -> Selection:
    """The selection that this session judges; raises UsageError if it judges nothing."""
    from .selection import Selection

    found = config.stash.get(Selection.KEY, None)
    if found is None:
        raise pytest.UsageError(
            "looptck: the suite judges an implementation; name one, "
            "for example --implementation asyncio"
        )
    return found


def _load_profiles(config: pytest.Config) -> None:
    """Import the profiles that the options name as module:attribute, and rewrite their asserts."""
    import_path.add(config.getoption("import_from"))
    for spec in config.getoption("profile"):
        if ":" in spec:
            pytest.register_assert_rewrite(spec.partition(":")[0])
    profiles_named(config.getoption("profile"))


def _catalogue(config: pytest.Config) -> rules.Catalogue:
    from .event_stream import EventStream

    stream = config.stash[EventStream.KEY]
    if stream.catalogue is not None:
        return stream.catalogue
    folder = config.getoption("rules_folder")
    return rules.with_pages(
        rules.read_folder(Path(folder)) if folder else rules.shipped(), profile_pages()
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    bindings = suite_index.bindings_of(metafunc.function)
    if chosen := metafunc.config.pluginmanager.get_plugin(_ChosenTests.NAME):
        bindings = chosen.among(bindings)
    if bindings:
        metafunc.parametrize(
            "binding",
            [pytest.param(each, marks=rule(each.rule_id), id=each.rule_id) for each in bindings],
        )
    has_rule = bool(bindings) or is_judging(metafunc.definition)
    if "variant" in metafunc.fixturenames and has_rule:
        if metafunc.config.getoption("implementation") and metafunc.config.getoption(
            "fold_variants"
        ):
            every = pytest.param(EVERY_VARIANT, id=pytest.HIDDEN_PARAM)
            metafunc.parametrize("variant", [every])
        else:
            metafunc.parametrize("variant", under_test_of(metafunc.config).variants)
