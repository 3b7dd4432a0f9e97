"""The fixtures that the tests of luaevent's extended part share.

The tests of the document's own part have the same fixtures; here they use the entry object that has
`buffer` and `bufferevent`.
"""

from __future__ import annotations

from typing import cast

import pytest

from looptck.protocols.luaevent_extended import LuaeventExtended
from looptck.subjects.subject import Subject
from looptck.testing.bufferevent_driver import BufferEventDriver
from looptck.testing.channels import Channels


@pytest.fixture
def luaevent(subject: Subject) -> LuaeventExtended:
    """A fresh entry object of the profile `luaevent-extended`."""
    return cast("LuaeventExtended", subject.entry("luaevent-extended"))


@pytest.fixture
def driver(luaevent: LuaeventExtended, channels: Channels) -> BufferEventDriver:
    """A fresh base that runs the script of a test while its loop runs."""
    return BufferEventDriver(luaevent, channels)
