"""The search that `certify --explore` makes, with loops that take their process with them."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from looptck import Clock, Implementation
from looptck.cli.main import main
from looptck.running import exploration
from looptck.running.exploration import Search
from looptck.running.messages import Explored
from tideloop.tck import implementation as reference


class _Ending:
    """The reference, until a timer is set beside another one: that ends the process."""

    def __init__(self, clock: Clock) -> None:
        self._real = reference.by_variant["poll"]["luahop"](clock)

    def new(self) -> Any:
        hop = self._real.new()
        real = hop.set_interval

        def set_interval(duration: Any, callback: Any) -> Any:
            real(duration, callback)
            os.kill(os.getpid(), signal.SIGKILL)

        hop.set_interval = set_interval
        return hop

    def clear_timer(self, timer: Any) -> None:
        self._real.clear_timer(timer)


class _Standstill(_Ending):
    """Stops its process where nothing in it can help."""

    def new(self) -> Any:
        hop = super().new()

        def set_interval(_duration: Any, _callback: Any) -> Any:
            os.kill(os.getpid(), signal.SIGSTOP)

        hop.set_interval = set_interval
        return hop


def _search(factory: Any, steps: int) -> Explored:
    made = Implementation(name="made", version="1", profiles={"luahop": factory}, virtual_time=True)
    events = Search(steps, seed=1).events(made, [("default", "luahop")], jobs=1)
    found = [event for event in events if isinstance(event, Explored)]
    assert len(found) == 1
    return found[0]


def test_a_search_without_a_difference_says_how_far_it_went() -> None:
    event = _search(reference.by_variant["poll"]["luahop"], 200)
    assert event.result.difference == ""
    assert event.result.steps >= 200
    assert event.text().endswith("scenarios, no difference")


def test_the_scenario_that_ends_the_process_is_told_and_small() -> None:
    event = _search(_Ending, 5000)
    assert "the process was ended by SIGKILL" in event.result.difference
    lines = event.result.difference.partition("\n\n")[0].splitlines()
    assert [line.strip() for line in lines[1:2]] == ["luahop"]
    assert lines[-2].strip() == "begin"
    assert lines[-1].strip().startswith("set ")


def test_the_scenario_that_stops_the_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploration, "_PATIENCE", 1.5)
    monkeypatch.setattr(exploration, "_SHORT_PATIENCE", 0.5)
    monkeypatch.setattr(exploration, "_SHRINKING", 2.0)
    event = _search(_Standstill, 5000)
    assert "the process hung: it slept" in event.result.difference
    assert "interval" in event.result.difference


def test_the_command_line_prints_the_seed_and_the_search(
    capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    arguments = ["certify", "tideloop", "--rule", "luaevent.constants.leave", "--variant", "poll"]
    arguments += ["--explore", "100", "--seed", "7", "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    assert ending.value.code == 0
    said = capsys.readouterr().out
    assert "explored luaevent (poll), seed 7: 1" in said
    assert "explored luahop (poll), seed 7: 1" in said
