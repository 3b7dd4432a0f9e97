"""The seal on a session that judges: nothing but pytest, looptck and the suite has a say.

Plugins, `conftest.py` files and options of the user's are for the user's own
tests.  One of them may deselect, skip or reorder tests, or turn a failure into
a pass, so that a verdict would be about them and not about the loop.  Those
that got into the session all the same are put out again, and what is left to
run is compared with what the suite ships.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from ..errors import EnvironmentBrokenError
from ..rules.catalogue import Rule
from . import pytest_internals, suite_index

_SUITE = Path(__file__).parent.parent / "suite"

# Packages whose plugins may take part.
_TRUSTED = ("_pytest", "pytest", "pluggy", "looptck")

# A plugin of this name prints; pytest cannot do without one.
_PRINTS = "terminalreporter"

# So many names are enough to see which kind of test is missing.
_NAMED = 5


class Seal:
    """Puts out every plugin that is not trusted, now and later in the session."""

    def __init__(self, config: pytest.Config) -> None:
        self._manager = config.pluginmanager
        self.put_out: list[str] = []
        # These options run no test.
        config.option.setuponly = config.option.setupplan = False
        # {id of a test that was collected: its rule}
        self._collected: dict[str, str] = {}
        # No conftest.py above the suite is read while it is collected.
        pytest_internals.stop_reading_conftests_above(self._manager, _SUITE)
        # A plugin that was registered is told to every later one, which then
        # takes its fixtures, even if it is gone by then.
        told = pytest_internals.registrations(config)
        told[:] = [call for call in told if self._may_stay(call[0]["plugin"])]
        for name, plugin in list(self._manager.list_name_plugin()):
            if plugin is not None and name != _PRINTS and not self._may_stay(plugin):
                self._manager.unregister(plugin)
                self.put_out.append(name)

    def pytest_plugin_registered(self, plugin: object, plugin_name: str) -> None:
        if plugin_name != _PRINTS and not self._may_stay(plugin):
            pytest.exit(
                f"looptck: {plugin_name} joined the session, and could change a verdict; "
                "leave it out, or run `looptck certify`, which judges without it",
                returncode=EnvironmentBrokenError.exit_status,
            )

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        for marker in item.iter_markers("rule"):
            self._collected[item.nodeid] = str(marker.args[0])

    def pytest_report_header(self) -> list[str]:
        return [f"looptck: put out: {', '.join(self.put_out)}"] if self.put_out else []

    def check_chosen(self, rules: Iterable[Rule], items: Iterable[pytest.Item]) -> None:
        """Raises EnvironmentBrokenError unless *items* are all that was collected for *rules*."""
        chosen = {rule.id for rule in rules}
        there = {item.nodeid for item in items}
        _refuse_gaps(
            nodeid
            for nodeid, rule_id in self._collected.items()
            if rule_id in chosen and nodeid not in there
        )

    def check_shipped(self, rules: Iterable[Rule], items: Iterable[pytest.Item]) -> None:
        """Raises EnvironmentBrokenError unless *items* hold every test that is shipped for *rules*.

        A rule that no test can judge says so on its page.
        """
        if absent := suite_index.absent_files():
            raise EnvironmentBrokenError(
                f"the suite lacks {_named(absent)}; install looptck anew and run again"
            )
        there: dict[str, set[str]] = {}
        for item in items:
            for marker in item.iter_markers("rule"):
                name = getattr(item, "originalname", None) or item.name
                there.setdefault(marker.args[0], set()).add(name)
        judged = [rule for rule in rules if not rule.untested]
        _refuse_gaps(
            f"{test.function} of {rule.id}"
            for rule in judged
            for test in suite_index.judging(rule.id)
            if test.function not in there.get(rule.id, ())
        )
        without = [rule.id for rule in judged if rule.level.is_judged and rule.id not in there]
        if without:
            raise EnvironmentBrokenError(
                f"no test of the suite ran for {_named(without)}, though a test can judge it; "
                "install looptck anew, or state on the page of the rule why it is untested"
            )

    def _may_stay(self, plugin: object) -> bool:
        file = getattr(plugin, "__file__", None)
        if isinstance(file, str) and Path(file).name == "conftest.py":
            return Path(file).is_relative_to(_SUITE)
        if getattr(plugin, "is_of_looptck", False):
            return True
        name = getattr(plugin, "__name__", None) or type(plugin).__module__
        return str(name).partition(".")[0] in _TRUSTED


def _refuse_gaps(missing: Iterable[str]) -> None:
    if names := sorted(missing):
        raise EnvironmentBrokenError(
            f"tests of the suite are missing from the session: {_named(names)}; "
            "leave out what deselects them, and choose by --rule and --profile"
        )


def _named(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
