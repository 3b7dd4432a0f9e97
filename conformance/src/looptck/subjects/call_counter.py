"""The witness: proof that an implementation did the work.

It stands between the suite and the objects of a profile, passes everything
through unchanged and counts.  It knows no rule.

Only what has functions of the profile is wrapped: a loop, an event, a buffered
event; handles and results stay as they are.  A wrapper holds the only reference
of the suite's to what it wraps, so that dropping the wrapper drops the object.
Where a wrapped object is passed back as an argument, the implementation gets
its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ..profiles.api import Profile
from ..testing.trace import beat


class CallCounter:
    """Counts what is asked of an implementation, and of whom."""

    def __init__(self, engine: Callable[[object], object] | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self.engines: set[str] = set()
        self._engine = engine

    def watch(self, entry: object, profile: Profile) -> Any:
        """*entry*, the entry object of *profile*, under observation."""
        return CallCountingProxy(entry, self, profile, "")

    def wrap(self, profile: Profile, name: str, result: object) -> object:
        """*result* of the function *name*: a part of the profile is counted, too."""
        if result is None:
            return None
        if name == profile.constructor:
            self.engines.add(_type_name(self._engine(result) if self._engine else result))
        part = profile.parts.get(name)
        return result if part is None else CallCountingProxy(result, self, profile, part + ".")


class CallCountingProxy:
    """Behaves as the object it wraps; counts the use of its attributes."""

    __slots__ = (
        "__weakref__",
        "_looptck_object",
        "_looptck_part",
        "_looptck_profile",
        "_looptck_witness",
    )

    def __init__(
        self, wrapped: object, call_counter: CallCounter, profile: Profile, part: str
    ) -> None:
        self._looptck_object = wrapped
        self._looptck_witness = call_counter
        self._looptck_profile = profile
        self._looptck_part = part

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._looptck_object, name)
        call_counter, counted = self._looptck_witness, self._looptck_part + name
        profile = self._looptck_profile
        if counted in profile.modules:
            return CallCountingProxy(value, call_counter, profile, counted + ".")
        if not callable(value):
            call_counter.calls[counted] += 1
            return value

        def call(*args: Any, **kwargs: Any) -> object:
            call_counter.calls[counted] += 1
            beat()
            return call_counter.wrap(profile, counted, value(*map(unwrap, args), **kwargs))

        return call

    def __len__(self) -> int:
        self._looptck_witness.calls[self._looptck_part + "len"] += 1
        wrapped: Any = self._looptck_object
        return len(wrapped)

    def __bool__(self) -> bool:
        return True  # whatever its length is

    def __bytes__(self) -> bytes:
        self._looptck_witness.calls[self._looptck_part + "bytes"] += 1
        wrapped: Any = self._looptck_object
        return bytes(wrapped)

    def __str__(self) -> str:
        return str(self._looptck_object)

    def __repr__(self) -> str:
        return repr(self._looptck_object)


def unwrap(watched: object) -> object:
    """The object that *watched* stands for; any other object itself."""
    return watched._looptck_object if isinstance(watched, CallCountingProxy) else watched


def _type_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
