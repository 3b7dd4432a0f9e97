"""A run: the suite in a process of its own, and what it reports, event by event.

Nothing foreign is imported here.  The runner is a pytest session; it may crash
or hang with the module that it imports, and is ended when the run ends,
however that comes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pkgutil
import platform
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

from .. import __version__
from .. import import_path as import_path
from ..errors import AdapterError, EnvironmentBrokenError, LooptckError, UsageError
from ..rules.catalogue import Catalogue
from ..subjects.discovery import installed, not_installed
from ..text import did_you_mean, printable, shown
from .channel import GarbledError, Receiver, new_secret
from .messages import (
    ImplementationFound,
    MalformedError,
    Message,
    Progress,
    RunEnded,
    RunFailed,
    RunnerOrder,
    as_data,
    encode,
)

# How long the runner may take to import the implementation and judge its
# adapter, in seconds; afterwards something comes within the patience of a test.
_STARTUP_TIMEOUT = 60.0

# How long a runner that is asked to stop may take, in seconds.
_STOP_TIMEOUT = 1.0


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The run that the user asked for."""

    spec: str
    profiles: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    jobs: int = 0
    patience: float = 5.0
    # how far to search after the tests, and from where; no part of a
    # certificate, which is made of the tests alone
    explore: int = 0
    seed: int = 0
    # module:attribute of pollers to put the implementation over
    pollers: tuple[str, ...] = ()

    def arguments(self) -> dict[str, Any]:
        """The arguments, as a certificate records them."""
        return {
            "implementation": self.spec,
            "profiles": list(self.profiles),
            "rules": list(self.rules),
            "variants": list(self.variants),
            "jobs": self.jobs,
            "patience": self.patience,
            "pollers": list(self.pollers),
        }

    def command(self) -> list[str]:
        """The arguments of pytest in the runner."""
        package = Path(str(files("looptck")))
        # Given as a folder, the suite is collected below it, and no conftest.py
        # elsewhere is read.
        command = [
            "-c",
            str(package / "running" / "runner.ini"),
            f"--confcutdir={package / 'suite'}",
        ]
        command += [
            "-p",
            "looptck.running.plugin",
            "-s",
            "-q",
            "--fold-variants",
            str(package / "suite"),
        ]
        command += ["--implementation", self.spec]
        command += [f"--import-from={folder}" for folder in import_path.of_the_user()]
        command += ["--jobs", str(self.jobs), "--patience", str(self.patience)]
        command += ["--explore", str(self.explore), "--seed", str(self.seed)]
        for option, values in (
            ("--profile", self.profiles),
            ("--rule", self.rules),
            ("--variant", self.variants),
            ("--poller", self.pollers),
        ):
            for value in values:
                command += [option, value]
        return command


def refuse_unknown(spec: str) -> None:
    """Raises UsageError if *spec* names nothing, as far as can be told without importing it."""
    if ":" not in spec:
        if spec not in installed():
            raise not_installed(spec)
        return
    top = spec.partition(":")[0].partition(".")[0]
    if not top.isidentifier():
        raise UsageError(
            f"{shown(spec)} is not `module:attribute`; for example uvloop:new_event_loop"
        )
    with contextlib.suppress(ValueError):  # a module without __spec__, such as __main__
        if importlib.util.find_spec(top) is None and not _is_in_folder(top):
            modules = (module.name for module in pkgutil.iter_modules([*sys.path, os.curdir]))
            raise UsageError(
                f"{shown(spec)}: there is no module {shown(top)} here; "
                f"{did_you_mean(top, modules)}"
                "install it, or run from the folder that holds it"
            )


def _is_in_folder(name: str) -> bool:
    folders = [".", *import_path.of_the_user()]
    return any(Path(each, f"{name}.py").exists() or Path(each, name).is_dir() for each in folders)


def events(request: RunRequest, catalogue: Catalogue) -> Generator[Message, None, None]:
    """Run the suite and yield what the runner says, until it is through.

    Raises the error that the runner reports, AdapterError if it dies or hangs
    before it has judged anything.  Closing the iterator ends the runner.
    """
    reading, writing = os.pipe()
    secret = new_secret()
    rules = tuple(catalogue.values())
    order = RunnerOrder(writing, secret.hex(), tuple(request.command()), _given_back(), rules)
    with tempfile.TemporaryFile() as output:
        runner = subprocess.Popen(
            [sys.executable, "-P", str(files("looptck").joinpath("running", "runner.py"))],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for us; we end the runner
        )
        os.close(writing)
        try:
            assert runner.stdin is not None
            with contextlib.suppress(BrokenPipeError), runner.stdin as stdin:
                stdin.write(encode(order))
            yield from _listen(reading, runner, request, output, Receiver(secret, printable))
        finally:
            os.close(reading)
            _stop(runner)


def _listen(
    channel: int,
    runner: subprocess.Popen[bytes],
    request: RunRequest,
    output: IO[bytes],
    receiver: Receiver,
) -> Iterator[Message]:
    patience = _STARTUP_TIMEOUT + request.patience
    for event in _events_in(channel, patience, receiver, request.spec):
        if event is None:
            raise AdapterError(
                f"{request.spec!r}: nothing came back for {patience:.0f} s; "
                "`python -c 'import ...'` of its module shows whether it hangs while it is loaded"
            )
        match event:
            case RunFailed(status, message):
                raise _ERRORS.get(status, EnvironmentBrokenError)(message)
            case RunEnded():
                return
            case Progress():
                pass
            case _:
                yield event
    raise AdapterError(
        f"{request.spec!r}: the process that loads it {_ended(runner.wait())} before it was through"
        f"{_last_words(output)}"
    )


_ERRORS: dict[int, type[LooptckError]] = {2: UsageError, 3: AdapterError}


def _events_in(
    channel: int, patience: float, receiver: Receiver, spec: str
) -> Iterator[Message | None]:
    """The events in *channel*; None when nothing came for *patience* seconds.

    Raises AdapterError when something else than an event came.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            if not selector.select(patience):
                yield None
                continue
            data = os.read(channel, 1 << 16)
            if not data:
                return
            try:
                yield from receiver.feed(data)
            except GarbledError as error:
                raise AdapterError(
                    f"{spec!r}: while it was loaded it wrote to a descriptor that is not its own, "
                    f"over which verdicts are reported ({error}); look for a number that was "
                    "closed and is used still"
                ) from error
            except MalformedError as error:
                raise AdapterError(
                    f"{spec!r}: while it was loaded it changed what reports are made with "
                    f"({error}); have it leave the modules of the library as they are"
                ) from error


def _stop(runner: subprocess.Popen[bytes]) -> None:
    """The runner has ended, and with it its workers."""
    if runner.poll() is None:
        runner.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        runner.wait(_STOP_TIMEOUT)
    # The rest of its group, if the runner could not end it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()


# Variables by which Python finds itself; no other of its own reaches the runner.
_OF_THE_INSTALLATION = {
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONNOUSERSITE",
    "PYTHONPYCACHEPREFIX",
    "PYTHONUSERBASE",
}

# Variables that the implementation gets back, once Python has started without them.
_GIVEN_BACK = ("PYTHONPATH",)

# The variables that change how pytest, hypothesis or Python work.
_ORDERS = ("HYPOTHESIS_", "PYTEST_", "PYTHON")


def _environment() -> dict[str, str]:
    """The user's environment without what could change a verdict."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _OF_THE_INSTALLATION or not name.startswith(_ORDERS)
    }
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    environment["PYTHONHASHSEED"] = "0"  # sets have the same order in every run
    environment.pop("COLUMNS", None)
    return environment


def _given_back() -> dict[str, str]:
    return {name: os.environ[name] for name in _GIVEN_BACK if name in os.environ}


def _ended(status: int) -> str:
    if status < 0:
        try:
            return f"was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"was ended by signal {-status}"
    return f"exited with status {status}"


def _last_words(output: IO[bytes]) -> str:
    """The last line of *output* that is no summary of pytest's, for the end of a message."""
    output.seek(0)
    lines = [line.strip() for line in output.read().decode(errors="replace").splitlines()]
    internal = [line for line in lines if line.startswith(_INTERNAL_ERROR)]
    told = internal or [line for line in lines if line and not _SUMMARY.match(line)]
    if not told:
        return ""
    return f"; its last words: {told[-1].removeprefix(_INTERNAL_ERROR).strip()[:300]}"


_INTERNAL_ERROR = "INTERNALERROR>"

# Lines such as `8000 deselected in 29.30s`, `no tests ran in 0.10s`, `!!! Interrupted !!!`.
_SUMMARY = re.compile(r"[= ]*(\d+ [a-z]+(, \d+ [a-z]+)*|no tests ran) in [\d.]+s|!{3,}|={3,}")


def header(
    request: RunRequest, implementation: ImplementationFound, rules_digest: str
) -> dict[str, Any]:
    """The first line of a results file."""
    return {
        "kind": "header",
        "format_version": 1,
        "suite": {"name": "looptck", "version": __version__, "rules": rules_digest},
        "implementation": as_data(implementation),
        "seed": 0,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "arguments": request.arguments(),
    }
