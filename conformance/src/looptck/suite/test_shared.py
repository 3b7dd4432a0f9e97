"""The checks that documents share, each under every rule that a profile binds it to."""

from __future__ import annotations

from looptck.running.suite_index import bound_checks

globals().update(bound_checks())
