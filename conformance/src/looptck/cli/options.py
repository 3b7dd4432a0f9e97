"""Options that commands share, and what their values mean."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from ..profiles import pages as profile_pages
from ..rules.catalogue import Catalogue, read_folder, shipped, with_pages
from ..running import own_profiles
from ..text import shown


class Number(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4 only
    """A number from *least* to *most*; a mistake is told with an example."""

    def __init__(self, kind: type[int | float], least: float, most: float, example: str):
        self.name = "number" if kind is float else "whole number"
        self._kind, self._least, self._most = kind, least, most
        self._example = example

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | float:
        try:
            number = self._kind(value)
            if not math.isfinite(number) or not self._least <= number <= self._most:
                raise ValueError
        except (ValueError, OverflowError):
            self.fail(
                f"{shown(value, 30)} is no {self.name} from {self._least} to {self._most}; "
                f"give one such as {self._example}",
                param,
                ctx,
            )
        return number


own_profile_option = click.option(
    "--profile",
    "-p",
    "profiles",
    multiple=True,
    metavar="P",
    help="Read the rules of this profile too: module:attribute of one of your own.",
)


def catalogue_of(rules_folder: str | None) -> Catalogue:
    """The rules of *rules_folder*, or the shipped ones; and those of the named profiles."""
    if rules_folder == "":
        raise UsageError("--rules-folder is empty; name a folder, or leave the option out")
    catalogue = shipped() if rules_folder is None else read_folder(Path(rules_folder))
    catalogue = with_pages(catalogue, profile_pages())
    own_profiles.refuse_unknown_rules(catalogue)
    return catalogue
