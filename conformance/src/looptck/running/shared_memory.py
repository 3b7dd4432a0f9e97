"""The memory that workers share with the runner, which forks them."""

from __future__ import annotations

import gc
import sys


def share_memory() -> None:
    """Let later workers share the objects that exist now, without copying them."""
    if "hypothesis" in sys.modules:  # otherwise no test uses it, and it is slow to import
        _prepare_hypothesis()
    gc.collect()
    gc.freeze()


def _prepare_hypothesis() -> None:
    """Choose its settings; its first draw reads the source of every module, which takes 0.2 s."""
    from hypothesis import given, settings
    from hypothesis import strategies as st

    settings.register_profile("looptck", derandomize=True, database=None, deadline=None)
    settings.load_profile("looptck")

    @settings(max_examples=10)
    @given(st.lists(st.integers()), st.binary())
    def draw(_numbers: list[int], _data: bytes) -> None:
        """Nothing: the drawing is what counts."""

    draw()
