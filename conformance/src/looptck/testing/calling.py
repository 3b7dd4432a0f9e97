"""Callbacks that are functions: a loop may refuse other objects, such as `functools.partial`'s."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def calling(act: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """A function without parameters that calls *act* with *arguments*."""
    return lambda: act(*arguments)
