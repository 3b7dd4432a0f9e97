"""Implementations that the acceptance tests name on the command line."""

from __future__ import annotations

import dataclasses
import os

from tideloop.tck import implementation as reference

_ONE_VARIANT = "poll"

# The reference on one poller, saying of the rules named in the environment that
# it does not support them.
ablated = dataclasses.replace(
    reference,
    variants={_ONE_VARIANT: reference.variants[_ONE_VARIANT]},
    unsupported=dict.fromkeys(os.environ.get("ABLATED_RULES", "").split(), "taken away by a test"),
)
