"""How an implementation is found by what the user typed.

Finding one imports foreign code, which may fail, hang or crash: only a process
that may die calls `find`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from .. import import_path
from ..errors import AdapterError, LooptckError, UsageError
from ..text import did_you_mean, one_line, printable, shown
from .implementation import Implementation, with_type

ENTRY_POINT_GROUP = "looptck.implementations"


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
    if here := import_path.working_folder():
        import_path.add([here])
    import_path.add_folder_of(module_name)
    try:
        return _checked(spec, _attribute(spec, _import(spec, module_name), attribute))
    except LooptckError as error:
        if (hidden := _hidden_by_the_library(module_name)) is not None:
            raise UsageError(f"{spec!r}: {hidden}") from error
        raise


def find_over(spec: str, pollers: Sequence[str]) -> Implementation:
    """The implementation that *spec* names, over the pollers that *pollers* name.

    Each is ``module:attribute`` of a class, or of a function that returns a poller.
    Without pollers it is the implementation as it is.
    """
    found = find(spec)
    if not pollers:
        return found
    if found.with_pollers is None:
        raise UsageError(
            f"{spec!r} cannot be put over another poller; leave --poller out, or give its "
            "Implementation a function with_pollers"
        )
    names = [_variant_of(each) for each in pollers]
    factories = {
        name if names.count(name) == 1 else printable(spec): _poller_factory(spec)
        for name, spec in zip(names, pollers, strict=True)
    }
    made = found.with_pollers(factories)
    if not isinstance(made, Implementation):
        raise AdapterError(
            f"{spec!r}: with_pollers returned {with_type(made)}; it must return an Implementation"
        )
    return made


def _poller_factory(spec: str) -> Callable[[], Any]:
    module_name, _, attribute = spec.partition(":")
    if not module_name or not attribute:
        raise UsageError(
            f"the poller {shown(spec)} is not `module:attribute`; name a class, or a function that "
            "returns a poller, for example looptck.adapters.stdlib_selectors:default"
        )
    if here := import_path.working_folder():
        import_path.add([here])
    import_path.add_folder_of(module_name)
    factory = _attribute(spec, _import(spec, module_name), attribute)
    if not callable(factory):
        raise UsageError(
            f"the poller {spec!r} is {with_type(factory)}; name a class, or a function that "
            "returns a poller"
        )
    _check_makes_pollers(spec, factory)
    return factory


def _check_makes_pollers(spec: str, factory: Callable[[], Any]) -> None:
    try:
        made = factory()
    except Exception as error:
        raise UsageError(
            f"the poller {spec!r} cannot be made ({type(error).__name__}: {one_line(str(error))}); "
            "name what can be called without an argument"
        ) from error
    lacking = [verb for verb in _POLLER_VERBS if not callable(getattr(made, verb, None))]
    if lacking:
        raise UsageError(
            f"the poller {spec!r} made {with_type(made)}, which has no "
            f"{'() and no '.join(lacking)}(); name what returns an object with change(), wait() "
            "and close()"
        )
    with contextlib.suppress(Exception):  # whether close() keeps the contract is judged later
        made.close()


# what `looptck.protocols.poller.Poller` has, as the suite calls it
_POLLER_VERBS = ("change", "wait", "close")


def _variant_of(spec: str) -> str:
    """The name of the variant over a poller: what stands behind the colon."""
    return printable(spec.partition(":")[2] or spec)


def _hidden_by_the_library(module_name: str) -> str | None:
    """A sentence about the user's file of that name which Python's own module hides."""
    top = module_name.partition(".")[0]
    module = sys.modules.get(top)
    if module is None or top not in sys.stdlib_module_names:
        return None
    for folder in filter(None, [import_path.working_folder(), *import_path.of_the_user()]):
        for file in (Path(folder, f"{top}.py"), Path(folder, top, "__init__.py")):
            if file.exists():
                return (
                    f"{top!r} is Python's own module ({_file_of(module)}), which hides "
                    f"{printable(str(file))!r}; rename that file"
                )
    return None


def _file_of(module: object) -> str:
    return printable(str(getattr(module, "__file__", None) or "built in"))


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
            f"{spec!r}: importing {module_name} raised {_error_line(error)}; "
            f"`python -c 'import {module_name}'` shows where"
        ) from error


def _attribute(spec: str, module: object, path: str) -> object:
    found = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            hint = did_you_mean(name, _names_in(found)).strip() or "check the part after the colon"
            raise UsageError(
                f"{spec!r}: there is no {name!r} in it ({_file_of(module)}); {hint}"
            ) from None
        except BaseException as error:  # a `__getattr__` of the module's own
            raise AdapterError(
                f"{spec!r}: looking up {name!r} raised {_error_line(error)}; give the "
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
            f"{spec!r} is {with_type(found)}, neither an Implementation nor a callable that "
            "returns an asyncio loop; see the page `certify your loop`"
        )
    try:
        made = found()
    except AdapterError as error:
        # The adapter itself says what it lacks.
        raise AdapterError(f"{spec!r}: {error}") from error
    except BaseException as error:  # it may call sys.exit, or raise KeyboardInterrupt
        raise AdapterError(
            f"{spec!r}: calling it without arguments raised {_error_line(error)}; "
            "give an Implementation, or a callable that takes no argument and returns an "
            "asyncio loop"
        ) from error
    if isinstance(made, Implementation):
        return made
    import asyncio  # takes time, and the command line imports this module

    if not isinstance(made, asyncio.AbstractEventLoop):
        raise AdapterError(
            f"{spec!r} returned {with_type(made)}, which is no asyncio loop; for any other "
            "loop write an Implementation, see the page `certify your loop`"
        )
    try:
        made.close()
    except BaseException as error:
        raise AdapterError(
            f"{spec!r}: closing a loop that has done nothing raised {_error_line(error)}; "
            "mend its close()"
        ) from error
    from ..adapters import asyncio as family  # an adapter imports this module

    return family.from_loop_factory(spec, found)


def _error_line(error: BaseException) -> str:
    try:
        text = str(error).strip()
    except Exception:  # a `__str__` of its own
        text = ""
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


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
