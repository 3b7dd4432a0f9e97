"""What a search found, for people."""

from __future__ import annotations

from typing import Any


def format_exploration(event: dict[str, Any]) -> str:
    """The event of an exploration, for people."""
    what = f"{event['profile']} ({event['variant']}), seed {event['seed']}"
    if not event["difference"]:
        found = f"{event['steps']} steps in {event['scenarios']} scenarios, no difference"
        if event["passed_over"]:
            found += f" beyond what is broken already: {', '.join(event['passed_over'])}"
        return f"explored {what}: {found}"
    return f"explored {what}: a difference\n\n{event['difference']}\n"
