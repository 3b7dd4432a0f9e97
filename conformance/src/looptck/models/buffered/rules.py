"""Lists what documents promise of a buffered event, under the ids of their rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Callback(Enum):
    """The three callbacks of a buffered event."""

    READ = 0
    WRITE = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class BufferedRules:
    """The rule that is broken, for each thing that can be wrong, and what documents leave open."""

    # the names of the three callbacks
    names: tuple[str, str, str]
    # what has watermarks at all; the watermarks of the input, and the low one of the output
    marks: str
    read_low: str
    read_high: str
    write_low: str
    # every byte of the peer in order and once, before its end
    data: str
    read_size: str
    read_all: str
    readline: str
    readline_none: str
    write: str
    write_in_callback: str
    # reading takes from the buffer alone; empty if it may let the loop read at once
    buffer_only: str = ""
    # the end is told once; empty if nobody promises that it is told
    end: str = ""
    # `readcb` is due at the low watermark, and not only above it
    is_due_at_low: bool = True
    # at the end `readcb` may be called for what is below the low watermark
    may_tell_rest: bool = True
    # a loop that was full reads as soon as it is not
    resumes_at_once: bool = False
    # the end or an error of one direction leaves the other one alone
    is_two_way: bool = False

    def name(self, callback: Callback) -> str:
        return self.names[callback.value]
