"""An implementation under test, as an adapter declares it."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import AdapterError
from ..profiles.api import Factory
from ..text import one_line, shown

# The name of the only variant of an implementation that declares none.
ONLY_VARIANT = "default"

# The most characters that a name or a version may have.
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """A loop under test, which offers one or more profiles.

    *profiles* maps a profile's name to its factory.  An implementation that
    comes in several forms (the reference's pollers) gives *variants* instead:
    the same mapping for each of them.  *unsupported* maps rule ids or patterns
    to the reason why the implementation cannot be asked; such a rule is *not
    applicable*, which is shown and never looks like a pass.

    *virtual_time* is True if the factories honour the clock they are given
    (see `looptck.clocks.Clock`).  *engine*, called with what a profile's
    `new()` returned, tells the object that does the work behind an adapter;
    its type goes into the certificate.

    *with_pollers* makes the same implementation over other pollers, for
    ``looptck certify --poller``: it is called with {variant: a function that
    returns a poller}.
    """

    name: str
    version: str
    profiles: Mapping[str, Factory] = field(default_factory=dict)
    unsupported: Mapping[str, str] = field(default_factory=dict)
    virtual_time: bool = False
    variants: Mapping[str, Mapping[str, Factory]] = field(default_factory=dict)
    engine: Callable[[object], object] | None = None
    with_pollers: Callable[[Mapping[str, Callable[[], Any]]], Implementation] | None = None

    def __post_init__(self) -> None:
        self._make_text_plain()
        self._check_types()
        if bool(self.profiles) == bool(self.variants):
            raise AdapterError(
                f"implementation {self.name!r} must give either profiles or variants; "
                "give profiles={'luahop': factory} unless there are several forms to compare"
            )
        for variant, profiles in self.by_variant.items():
            _check_name("variant", variant)
            if not isinstance(profiles, Mapping):
                raise AdapterError(
                    f"implementation {self.name!r}: variant {variant!r} is {with_type(profiles)}; "
                    "give a mapping from profiles to factories"
                )
            for name, factory in profiles.items():
                _check_name("profile", name)
                if not callable(factory):
                    raise AdapterError(
                        f"implementation {self.name!r}: the factory of {name} is "
                        f"{shown(factory)}, which cannot be called; give a function of the clock"
                    )
        for pattern, reason in self.unsupported.items():
            if not isinstance(pattern, str):
                raise AdapterError(
                    f"implementation {self.name!r} declares {with_type(pattern)} unsupported; "
                    "give a rule id or a pattern"
                )
            if not isinstance(reason, str) or not reason.strip():
                raise AdapterError(
                    f"implementation {self.name!r} gives no reason for unsupported "
                    f"{shown(pattern)}; say what the loop lacks"
                )

    def _make_text_plain(self) -> None:
        changed: dict[str, object] = {
            "name": _plain_text(self.name),
            "version": _plain_text(self.version),
            "profiles": _plain_keys(self.profiles),
            "variants": _plain_keys(self.variants),
            "unsupported": _plain_keys(self.unsupported),
        }
        for each in ("variants", "unsupported"):
            if isinstance(members := changed[each], dict):
                plain = _plain_keys if each == "variants" else _plain_text
                changed[each] = {key: plain(value) for key, value in members.items()}
        for name, value in changed.items():
            object.__setattr__(self, name, value)

    def _check_types(self) -> None:
        _check_name("name", self.name)
        _check_name("version", self.version)
        for field_name in ("profiles", "variants", "unsupported"):
            if not isinstance(value := getattr(self, field_name), Mapping):
                raise AdapterError(
                    f"implementation {self.name!r}: {field_name} is {with_type(value)}; "
                    "give a mapping"
                )
        if not isinstance(self.virtual_time, bool):
            raise AdapterError(
                f"implementation {self.name!r}: virtual_time is {with_type(self.virtual_time)}; "
                "give True if the factories honour the clock that they are given, else False"
            )
        if self.with_pollers is not None and not callable(self.with_pollers):
            raise AdapterError(
                f"implementation {self.name!r}: with_pollers is {with_type(self.with_pollers)}, "
                "which cannot be called; give a function of {variant: factory of pollers}"
            )
        if self.engine is not None and not callable(self.engine):
            raise AdapterError(
                f"implementation {self.name!r}: engine is {with_type(self.engine)}, which cannot "
                "be called; give a function of what `new()` returned"
            )

    @property
    def by_variant(self) -> Mapping[str, Mapping[str, Factory]]:
        """{variant: {profile: factory}}, also for an implementation without variants."""
        return self.variants or {ONLY_VARIANT: self.profiles}

    def why_unsupported(self, rule_id: str) -> str | None:
        """The declared reason why *rule_id* does not apply, or None if it does."""
        for pattern, reason in self.unsupported.items():
            if fnmatch.fnmatchcase(rule_id, pattern):
                return reason
        return None


def _check_name(what: str, value: object) -> None:
    """Raises AdapterError unless *value* can be printed as a name and fits in a line."""
    if not isinstance(value, str):
        wrong = "is no text"
    elif not value.strip():
        wrong = "is empty"
    elif len(value) > _LONGEST_NAME:
        wrong = f"has {len(value)} characters"
    elif value != one_line(value):
        wrong = "holds a line break, a control character or half a surrogate pair"
    else:
        return
    raise AdapterError(
        f"an Implementation's {what} {wrong}: {shown(value)}; "
        f"give a printable text of at most {_LONGEST_NAME} characters in one line"
    )


def with_type(value: object) -> str:
    """*value* and its type, for a message."""
    return f"{shown(value)} (a {type(value).__qualname__})"


def _plain_text(value: object) -> object:
    """A subclass of `str` as plain text: its methods are the loop's own, and may fail."""
    return str.__str__(value) if isinstance(value, str) else value


def _plain_keys(mapping: object) -> object:
    if not isinstance(mapping, Mapping):
        return mapping
    return {_plain_text(key): value for key, value in mapping.items()}
