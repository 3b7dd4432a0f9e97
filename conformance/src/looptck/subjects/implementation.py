"""An implementation under test, and how one is found by what the user typed.

Knows no rule and runs no test.  Finding an implementation imports foreign
code, which may fail, hang or crash: only a process that may die calls `find`.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ..errors import AdapterError, UsageError
from ..profiles import PROFILES, Factory
from ..running import import_path as import_path
from ..text import did_you_mean, one_line, printable, shown

ENTRY_POINT_GROUP = "looptck.implementations"

# The name of the only variant of an implementation that declares none.
ONLY_VARIANT = "default"

# The most characters that a name or a version may have.
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """What offers one or more profiles.

    *profiles* maps a profile's name to its factory.  An implementation that
    comes in several forms (the reference's pollers) gives *variants* instead:
    the same mapping for each of them.  *unsupported* maps rule ids or patterns
    to the reason why the implementation cannot be asked; such a rule is *not
    applicable*, which is shown and never looks like a pass.

    *virtual_time* is True if the factories honour the clock they are given
    (see `looptck.clocks.Clock`).  *engine*, called with what a profile's
    `new()` returned, tells the object that does the work behind an adapter;
    its type goes into the certificate.
    """

    name: str
    version: str
    profiles: Mapping[str, Factory] = field(default_factory=dict)
    unsupported: Mapping[str, str] = field(default_factory=dict)
    virtual_time: bool = False
    variants: Mapping[str, Mapping[str, Factory]] = field(default_factory=dict)
    engine: Callable[[object], object] | None = None

    def __post_init__(self) -> None:
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
                    f"implementation {self.name!r}: variant {variant!r} is {_kind(profiles)}; "
                    "give a mapping from profiles to factories"
                )
            for name, factory in profiles.items():
                if name not in PROFILES:
                    raise AdapterError(
                        f"implementation {self.name!r} offers an unknown profile {shown(name)}; "
                        f"{did_you_mean(str(name), PROFILES)}there are {', '.join(PROFILES)}"
                    )
                if not callable(factory):
                    raise AdapterError(
                        f"implementation {self.name!r}: the factory of {name} is "
                        f"{shown(factory)}, which cannot be called; give a function of the clock"
                    )
        for pattern, reason in self.unsupported.items():
            if not isinstance(pattern, str):
                raise AdapterError(
                    f"implementation {self.name!r} declares {_kind(pattern)} unsupported; "
                    "give a rule id or a pattern"
                )
            if not isinstance(reason, str) or not reason.strip():
                raise AdapterError(
                    f"implementation {self.name!r} gives no reason for unsupported "
                    f"{shown(pattern)}; say what the loop lacks"
                )

    def _check_types(self) -> None:
        _check_name("name", self.name)
        _check_name("version", self.version)
        for field_name in ("profiles", "variants", "unsupported"):
            if not isinstance(value := getattr(self, field_name), Mapping):
                raise AdapterError(
                    f"implementation {self.name!r}: {field_name} is {_kind(value)}; give a mapping"
                )
        if not isinstance(self.virtual_time, bool):
            raise AdapterError(
                f"implementation {self.name!r}: virtual_time is {_kind(self.virtual_time)}; "
                "give True if the factories honour the clock that they are given, else False"
            )
        if self.engine is not None and not callable(self.engine):
            raise AdapterError(
                f"implementation {self.name!r}: engine is {_kind(self.engine)}, which cannot be "
                "called; give a function of what `new()` returned"
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


def find(spec: str) -> Implementation:
    """The implementation that *spec* names.

    *spec* is the name of an installed entry point (``tideloop``), or
    ``module:attribute`` where the attribute is an `Implementation` or a
    callable without arguments that returns an asyncio loop
    (``uvloop:new_event_loop``).  Raises UsageError when nothing has that name
    and AdapterError when what has it does not work.
    """
    if ":" not in spec:
        return _checked(spec, _load_entry_point(spec))
    module_name, _, attribute = spec.partition(":")
    if not module_name or not attribute:
        raise UsageError(f"{spec!r} is not `module:attribute`; for example uvloop:new_event_loop")
    import_path.add([os.getcwd()])
    import_path.add_folder_of(module_name)
    return _checked(spec, _attribute(spec, _import(spec, module_name), attribute))


def installed() -> dict[str, EntryPoint]:
    """The installed implementations by name; importing none of them."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


# {former name of an implementation: its name today}
_FORMER_NAMES = {"eventide": "tideloop"}


def not_installed(name: str) -> UsageError:
    """The error for an implementation that nobody has declared under that name."""
    known = installed()
    hint = did_you_mean(name, known)
    if name in _FORMER_NAMES:
        hint = f"it is called {_FORMER_NAMES[name]!r} now; "
    module, _, attribute = name.rpartition(".")
    if not hint and module and attribute:
        hint = f"did you mean {printable(f'{module}:{attribute}')!r}? "
    return UsageError(
        f"no implementation is installed as {shown(name)}; {hint}"
        f"installed are {', '.join(sorted(known)) or 'none'}; "
        "name anything else as module:attribute, for example uvloop:new_event_loop"
    )


def _load_entry_point(name: str) -> object:
    known = installed()
    if name not in known:
        raise not_installed(name)
    point = known[name]
    return _attribute(name, _import(name, point.module), point.attr)


def _import(spec: str, module_name: str) -> object:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name + ".").startswith(error.name + "."):
            raise UsageError(
                f"{spec!r}: there is no module {error.name!r} here; "
                "install it, or run from the folder that holds it"
            ) from error
        raise AdapterError(
            f"{spec!r}: importing {module_name} failed, because it needs the module "
            f"{error.name!r}, which is not installed; install it and run again"
        ) from error
    except AdapterError as error:
        # The adapter itself says what it lacks.
        raise AdapterError(f"{spec!r}: {error}") from error
    except BaseException as error:  # a module may call sys.exit, or raise KeyboardInterrupt
        raise AdapterError(
            f"{spec!r}: importing {module_name} raised {_said(error)}; "
            f"`python -c 'import {module_name}'` shows where"
        ) from error


def _attribute(spec: str, module: object, path: str) -> object:
    found = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            hint = did_you_mean(name, _names_in(found)).strip() or "check the part after the colon"
            raise UsageError(f"{spec!r}: there is no {name!r} in it; {hint}") from None
        except BaseException as error:  # a `__getattr__` of the module's own
            raise AdapterError(
                f"{spec!r}: looking up {name!r} raised {_said(error)}; give the "
                "Implementation, or a callable that returns an asyncio loop, a plain name"
            ) from error
    return found


def _names_in(found: object) -> list[str]:
    try:
        return [name for name in dir(found) if not name.startswith("_")]
    except Exception:  # a `__dir__` of its own
        return []


def _checked(spec: str, found: object) -> Implementation:
    if isinstance(found, Implementation):
        return found
    if not callable(found):
        raise AdapterError(
            f"{spec!r} is {_kind(found)}, neither an Implementation nor a callable that "
            "returns an asyncio loop; see the page `certify your loop`"
        )
    try:
        made = found()
    except AdapterError as error:
        # The adapter itself says what it lacks.
        raise AdapterError(f"{spec!r}: {error}") from error
    except BaseException as error:  # it may call sys.exit, or raise KeyboardInterrupt
        raise AdapterError(
            f"{spec!r}: calling it without arguments raised {_said(error)}; "
            "it must return an asyncio loop"
        ) from error
    if isinstance(made, Implementation):
        return made
    import asyncio  # takes time, and the command line imports this module

    if not isinstance(made, asyncio.AbstractEventLoop):
        raise AdapterError(
            f"{spec!r} returned {_kind(made)}, which is no asyncio loop; for any other "
            "loop write an Implementation, see the page `certify your loop`"
        )
    try:
        made.close()
    except BaseException as error:
        raise AdapterError(
            f"{spec!r}: closing a loop that has done nothing raised {_said(error)}; "
            "mend its close()"
        ) from error
    from ..adapters import asyncio as family  # an adapter imports this module

    return family.from_loop_factory(spec, found)


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


def _said(error: BaseException) -> str:
    try:
        text = str(error).strip()
    except Exception:  # a `__str__` of its own
        text = ""
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _kind(value: object) -> str:
    return f"{shown(value)} (a {type(value).__qualname__})"


def file_hashes(modules: Iterator[str]) -> dict[str, str]:
    """{file: SHA-256} of the packages that *modules* belong to, looptck's own left out."""
    hashes: dict[str, str] = {}
    for top in sorted({name.partition(".")[0] for name in modules} - {"looptck", "builtins"}):
        origin = getattr(sys.modules.get(top), "__file__", None)
        if origin is None:
            continue
        root = Path(origin)
        files = sorted(root.parent.rglob("*")) if root.stem == "__init__" else [root]
        for file in files:
            if file.suffix in (".py", ".so", ".pyd") and file.is_file():
                name = str(file.relative_to(root.parent.parent if len(files) > 1 else root.parent))
                with contextlib.suppress(OSError):  # removed meanwhile, or not for us to read
                    hashes[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return hashes
