"""Finding a byte in the pieces of a `Buffer`."""

from __future__ import annotations

from collections.abc import Sequence


def position_of(
    byte: bytes,
    since: int,
    pos: int,
    head: bytes,
    rest: Sequence[bytes | bytearray],
    behind: int,
) -> int:
    """The position of the first *byte* at or after *since*; the end if there is none.

    It counts from the first byte of *head*, of which *pos* were taken; *behind*
    bytes are in the *rest*.
    """
    head_end = len(head)
    end = head_end + behind
    if since >= end:
        return end
    if rest and end - since < since - pos:
        # Most of it is known: from the end back, over the new pieces only.
        position = piece_end = end
        for piece in reversed(rest):
            piece_start = piece_end - len(piece)
            found = piece.find(byte, max(0, since - piece_start))
            if found >= 0:
                position = piece_start + found
            if piece_start <= since:
                return position
            piece_end = piece_start
        found = head.find(byte, since)
        return position if found < 0 else found
    if since < head_end:
        found = head.find(byte, since)
        if found >= 0:
            return found
    piece_start = head_end
    for piece in rest:
        piece_end = piece_start + len(piece)
        if since < piece_end:
            found = piece.find(byte, max(0, since - piece_start))
            if found >= 0:
                return piece_start + found
        piece_start = piece_end
    return end
