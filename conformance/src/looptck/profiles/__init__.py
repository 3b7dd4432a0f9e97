"""The profiles by name: those that looptck ships, and those that a user names.

To add one to looptck, write its module and add a line to `SHIPPED`.  A profile
is imported when it is first looked up, since its checks need pytest, which is
slow to import.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .. import import_path
from ..errors import UsageError
from ..text import did_you_mean, shown
from .api import Check, Factory, Profile, SmokeCheck, TimerCheck

__all__ = ["PROFILES", "SHIPPED", "Check", "Factory", "Profile", "SmokeCheck", "TimerCheck", "load"]

# {name: the module that has it as PROFILE}, in the order in which they are judged
SHIPPED = {
    # first: no document's rules are kept over a poller that breaks its own
    "poller": "looptck.profiles.poller",
    "luaevent": "looptck.profiles.luaevent",
    "luaevent-extended": "looptck.profiles.luaevent_extended",
    "levent": "looptck.profiles.levent",
    "luahop": "looptck.profiles.luahop",
}


class _Profiles(Mapping[str, Profile]):
    """All profiles that are known, by name; each is imported when it is asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, Profile] = {}
        # {name: profile} of those that looptck does not ship
        self.foreign: dict[str, Profile] = {}

    def __getitem__(self, name: str) -> Profile:
        if name in self.foreign:
            return self.foreign[name]
        if name not in self._loaded:
            self._loaded[name] = importlib.import_module(SHIPPED[name]).PROFILE
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in SHIPPED or name in self.foreign

    def __iter__(self) -> Iterator[str]:
        yield from SHIPPED
        yield from self.foreign

    def __len__(self) -> int:
        return len(SHIPPED) + len(self.foreign)


PROFILES = _Profiles()


def load(specs: Iterable[str]) -> tuple[str, ...]:
    """The names of the profiles that *specs* stand for; each is in `PROFILES` afterwards.

    A spec is the name of a profile, or ``module:attribute`` for one that looptck
    does not ship, whose module is imported here.  Raises UsageError for any other.
    """
    return tuple(dict.fromkeys(_import(spec) if ":" in spec else _known(spec) for spec in specs))


def pages() -> list[Path]:
    """The pages of rules that belong to profiles which looptck does not ship."""
    return [Path(each.page) for each in PROFILES.foreign.values() if each.page is not None]


def foreign_modules(name: str) -> set[str]:
    """The modules with the verbs and checks of a profile that looptck does not ship."""
    if name not in PROFILES.foreign:
        return set()
    profile = PROFILES.foreign[name]
    parts = [profile.verbs, *(check for checks in profile.checks.values() for check in checks)]
    found = {str(getattr(part, "__module__", "")) for part in parts if part is not None}
    return {module for module in found if not module.startswith("looptck.")}


def _known(name: str) -> str:
    if name not in PROFILES:
        raise UsageError(
            f"no profile is called {shown(name)}; {did_you_mean(name, PROFILES)}"
            f"there are {', '.join(PROFILES)}; name one of your own as module:attribute"
        )
    return name


def _how_to_load(module_name: str, *, absent: bool, has_module: bool) -> str:
    if absent:
        return "name it as module:attribute, from the folder that holds the module"
    if has_module:
        return f"name an attribute that the module {module_name} has"
    return f"mend the module {module_name}"


def _import(spec: str) -> str:
    module_name, _, attribute = spec.partition(":")
    if not module_name or not attribute:
        raise UsageError(
            f"the profile {shown(spec)} is not `module:attribute`; for example my_profile:PROFILE"
        )
    if here := import_path.working_folder():
        import_path.add([*import_path.of_the_user(), here])
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except UsageError:
        raise
    except Exception as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name == module_name
        raise UsageError(
            f"the profile {shown(spec)} cannot be loaded ({type(error).__name__}: {error}); "
            + _how_to_load(module_name, absent=absent, has_module=module_name in sys.modules)
        ) from error
    if not isinstance(found, Profile):
        raise UsageError(
            f"{shown(spec)} is {shown(found)}, not a looptck.profiles.Profile; "
            "name the Profile object of the module"
        )
    if found.name in SHIPPED:
        raise UsageError(
            f"{shown(spec)} is called {found.name!r}, as a profile that looptck ships; "
            "give it a name of its own"
        )
    PROFILES.foreign[found.name] = found
    return found.name
