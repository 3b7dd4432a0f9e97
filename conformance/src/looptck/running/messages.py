"""Messages between our own processes: lines of JSON, each signed with a secret.

A loop under test shares its process with the channel and may write to any
number.  So a line starts with a code made from the secret of the channel, the
number of the line and its text; a line that was not sent by `Sender`, or is
missing, is noticed by `Receiver`.  Knows no process and no test.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

_CODE_LENGTH = 32  # of 16 bytes, in hexadecimal


class GarbledError(Exception):
    """A line came through the channel that its sender did not send."""


def new_secret() -> bytes:
    return secrets.token_bytes(32)


class Sender:
    """Writes messages, which must be JSON objects, to the descriptor *fd*."""

    def __init__(self, fd: int, secret: bytes) -> None:
        self.fd = fd
        self._secret = secret
        self._sent = 0

    def send(self, *messages: dict[str, Any]) -> None:
        """All of *messages* in one write, as far as the system takes it."""
        data = b"".join(self._line(message) for message in messages)
        while data:
            data = data[os.write(self.fd, data) :]

    def _line(self, message: dict[str, Any]) -> bytes:
        text = json.dumps(message).encode()
        code = _code(self._secret, self._sent, text)
        self._sent += 1
        return code + b" " + text + b"\n"


class Receiver:
    """Takes messages out of the bytes that came through one channel."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._received = 0
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The messages that *data* completes; raises GarbledError at a line that is none."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            code, _, text = line.partition(b" ")
            if code != _code(self._secret, self._received, text):
                raise GarbledError(f"{line[:60]!r} is no message of this channel")
            self._received += 1
            message: dict[str, Any] = json.loads(text)
            yield message


def _code(secret: bytes, number: int, text: bytes) -> bytes:
    made = blake2b(b"%d " % number, key=secret, digest_size=_CODE_LENGTH // 2)
    made.update(text)
    return made.hexdigest().encode()
