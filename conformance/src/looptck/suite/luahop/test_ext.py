"""LuaHop, extensions that the complete library offers beyond its document: observed only."""

from __future__ import annotations

import re
from typing import Any

from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.hop_driver import error_of
from looptck.testing.observation import Observation
from looptck.testing.trace import Trace


@rule("luahop.ext.loop-stop")
def test_loop_and_stop_are_recorded(luahop: Luahop, trace: Trace, observe: Observation) -> None:
    """Timers stop the loop again and again, in case the first `stop` has no effect."""
    hop: Any = luahop.new()
    for name in ("loop", "stop"):
        if not callable(getattr(hop, name, None)):
            observe(f"no {name}")
            return
    error = error_of(hop.stop)
    observe(f"raises {type(error).__name__}" if error else "is accepted", of="stop before loop")

    def stop() -> None:
        trace("stop")
        hop.stop()

    hop.set_timeout({"ms": 1}, lambda: trace("before"))
    hop.set_timeout({"ms": 2}, stop)
    hop.set_timeout({"ms": 2}, lambda: trace("same time"))
    for milliseconds in range(10, 60, 10):
        hop.set_timeout({"ms": milliseconds}, stop)
    error = error_of(hop.loop)
    if error is not None:
        observe.raised(error, of="loop")
        return
    observe(", ".join(trace) or "nothing ran", of="ran until loop returned")


@rule("luahop.ext.tostring")
def test_the_text_of_a_loop_is_recorded(luahop: Luahop, observe: Observation) -> None:
    """Addresses are left out, since they differ from run to run."""
    text = str(luahop.new())
    observe(re.sub(r" at 0x[0-9a-fA-F]+|0x[0-9a-fA-F]+", "", text)[:80])
