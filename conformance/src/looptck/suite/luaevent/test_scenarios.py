"""luaevent: scenarios in which loops were once found to differ from the model.

Each is played again on the loop and on the model; the test stands under the
rule that the scenario is about, and fails if that rule is the one broken.
"""

from __future__ import annotations

from looptck.models.replay import replays

globals().update(replays("luaevent"))
