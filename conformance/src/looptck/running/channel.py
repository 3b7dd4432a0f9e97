"""The channel between two of our own processes: signed lines, one for each message.

A loop under test shares its process with the channel and may write to any
descriptor.  So a line starts with a code made from the secret of the channel,
the number of the line and its text; `Receiver` notices a line that `Sender` did
not send, or that is missing.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

from .messages import Message, decode, encode

_CODE_LENGTH = 32  # of 16 bytes, in hexadecimal

# Bound here, since a loop under test may replace it in `os`.
_write = os.write


class GarbledError(Exception):
    """A line came through the channel that its sender did not send."""


def new_secret() -> bytes:
    return secrets.token_bytes(32)


class Sender:
    """Writes messages to the descriptor *fd*."""

    def __init__(self, fd: int, secret: bytes) -> None:
        self.fd = fd
        self._secret = secret
        self._sent = 0

    def send(self, *messages: Message) -> None:
        """Send all of *messages* in one write, if the system takes as much."""
        data = b"".join(self._line(message) for message in messages)
        while data:
            data = data[_write(self.fd, data) :]

    def _line(self, message: Message) -> bytes:
        text = encode(message)
        code = _code(self._secret, self._sent, text)
        self._sent += 1
        return code + b" " + text + b"\n"


class Receiver:
    """Takes messages out of the bytes that came through one channel.

    *clean* is applied to the JSON data of each message before it is decoded.
    """

    def __init__(self, secret: bytes, clean: Callable[[Any], Any] = lambda data: data) -> None:
        self._secret = secret
        self._clean = clean
        self._received = 0
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that *data* completes.

        Raises GarbledError for a line that was not sent, and MalformedError for
        one that was sent and is no message.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            code, _, text = line.partition(b" ")
            if code != _code(self._secret, self._received, text):
                raise GarbledError(f"{line[:60]!r} is no message of this channel")
            self._received += 1
            yield decode(text, self._clean)


def _code(secret: bytes, number: int, text: bytes) -> bytes:
    made = blake2b(b"%d " % number, key=secret, digest_size=_CODE_LENGTH // 2)
    made.update(text)
    return made.hexdigest().encode()
