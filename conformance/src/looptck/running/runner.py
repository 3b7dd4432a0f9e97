"""The runner: the pytest session in which an implementation is judged.

Started as a script, by its path, with Python's safe path: so it is this very
looptck that runs, and nothing in the working folder or in PYTHONPATH stands in
for a module of the standard library.  A letter on its standard input says
where to report, where the user's modules are and what to judge.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import IO, Any


@dataclass(frozen=True, slots=True)
class Letter:
    """What the command line tells the runner."""

    # the descriptor for events, and the secret that signs them, in hexadecimal
    events_fd: int
    secret: str
    # the arguments of pytest
    arguments: tuple[str, ...]
    # variables for the implementation and the programs that it starts; Python
    # itself has started without them
    environment: dict[str, str]

    def as_bytes(self) -> bytes:
        return json.dumps(
            {
                "events_fd": self.events_fd,
                "secret": self.secret,
                "arguments": self.arguments,
                "environment": self.environment,
            }
        ).encode()

    @classmethod
    def read(cls, file: IO[bytes]) -> Letter:
        said: dict[str, Any] = json.load(file)
        return cls(
            events_fd=said["events_fd"],
            secret=said["secret"],
            arguments=tuple(said["arguments"]),
            environment=dict(said["environment"]),
        )


def main() -> int:
    """Judge what the letter says; returns the exit status of pytest."""
    letter = Letter.read(sys.stdin.buffer)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.update(letter.environment)

    import pytest

    from looptck.running import own_descriptors as descriptors
    from looptck.running.event_stream import Stream
    from looptck.running.messages import Sender

    events = descriptors.out_of_reach(letter.events_fd)
    stream = Stream(Sender(events, bytes.fromhex(letter.secret)))
    return int(pytest.main(list(letter.arguments), plugins=[stream]))


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
