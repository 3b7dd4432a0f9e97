"""Lists the rules that a buffered event keeps, under the ids of its document."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BufferedRules:
    """The rule that is broken, for each thing that can be wrong."""

    start: str
    stop: str
    delete: str
    # what has watermarks at all; the watermarks of the input, and the low one of the output
    marks: str
    read_low: str
    read_high: str
    write_low: str
    # every byte of the peer in order and once, before its end
    data: str
    read_size: str
    read_all: str
    buffer_only: str
    readline: str
    readline_none: str
    write: str
    write_in_callback: str


LEVENT = BufferedRules(
    start="levent.bufevent.start",
    stop="levent.bufevent.stop",
    delete="levent.bufevent.delete",
    marks="levent.newevbuf.watermarks-exist",
    read_low="levent.buffer.read-lowwater",
    read_high="levent.buffer.read-highwater",
    write_low="levent.buffer.write-lowwater",
    data="levent.newevbuf.data-before-eof",
    read_size="levent.bufevent.read-size",
    read_all="levent.bufevent.read-all",
    buffer_only="levent.bufevent.read-buffer-only",
    readline="levent.bufevent.readline",
    readline_none="levent.bufevent.readline-none",
    write="levent.bufevent.write",
    write_in_callback="levent.buffer.write-more-in-cb",
)
