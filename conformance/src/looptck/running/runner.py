"""The runner: the pytest session in which an implementation is judged.

Started as a script, by its path, with Python's safe path: so it is this very
looptck that runs, and nothing in the working folder or in PYTHONPATH stands in
for a module of the standard library.  A `RunnerOrder` on its standard input says
where to report, where the user's modules are and what to judge.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the session that the order on standard input describes; returns pytest's status."""
    from looptck.rules.catalogue import Catalogue
    from looptck.running.channel import Sender
    from looptck.running.messages import RunnerOrder, decode

    order = decode(sys.stdin.buffer.read())
    assert isinstance(order, RunnerOrder)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.update(order.environment)

    import pytest

    from looptck.running import own_descriptors as descriptors
    from looptck.running.event_stream import EventStream

    events = descriptors.out_of_reach(order.events_fd)
    sender = Sender(events, bytes.fromhex(order.secret))
    stream = EventStream(sender, Catalogue(order.rules))
    return int(pytest.main(list(order.arguments), plugins=[stream]))


def _place_package() -> None:
    """The package beside this file is the one that is imported as looptck."""
    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
    library = os.path.dirname(os.__file__)
    places = [at for at, folder in enumerate(sys.path) if folder.startswith(library)]
    inside = [at for at in places if "site-packages" not in sys.path[at]]
    sys.path.insert(inside[-1] + 1 if inside else 0, root)


if __name__ == "__main__":
    _place_package()
    sys.exit(main())
