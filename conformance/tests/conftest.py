"""The order of the tests."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow ones: one of 150 s that came last would keep one processor idle."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
