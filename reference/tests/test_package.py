"""The distribution describes itself rightly."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import tideloop


def test_there_is_one_version() -> None:
    assert metadata.version("tideloop") == tideloop.__version__


def test_it_needs_nothing_at_run_time() -> None:
    assert not metadata.requires("tideloop")


def test_it_is_typed() -> None:
    assert (Path(tideloop.__file__).parent / "py.typed").exists()


def test_an_import_brings_no_asyncio_no_ctypes_and_no_suite() -> None:
    """A program pays for what it uses."""
    program = (
        "import sys, tideloop, tideloop.luahop\n"
        "print([name for name in ('asyncio', 'ctypes', 'looptck', 'threading', 'socket')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_suite_finds_every_poller() -> None:
    looptck = pytest.importorskip("looptck", reason="looptck is not installed here")
    from tideloop import tck

    assert list(tck.implementation.variants) == list(tideloop.available())
    clock = looptck.VirtualClock()
    for profiles in tck.implementation.variants.values():
        hop = profiles["luahop"](clock).new()
        before = clock.now()
        assert hop.poll({"s": 3600}) is False
        assert clock.now() == before + 3600
        hop.close()
        base = profiles["luaevent"](looptck.MonotonicClock()).new()
        base.loop()
        base.close()
