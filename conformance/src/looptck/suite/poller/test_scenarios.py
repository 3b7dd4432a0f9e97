"""The poller contract: scenarios in which pollers were once found to differ from the model.

The poller and the model play each scenario again. The test belongs to the rule that the scenario
is about, and fails if that rule is the one broken.
"""

from __future__ import annotations

from looptck.models.engine.replay import replays
from looptck.models.poller import MODEL

globals().update(replays(MODEL))
