"""The examples run, and the README shows what they print."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
README = (HERE / "README.md").read_text()
EXAMPLES = HERE / "examples"


def run(example: str) -> str:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", EXAMPLES / example],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


SHOWN = pytest.mark.parametrize("example", ["first_minute.py", "lines.py", "goodbye.py"])


@SHOWN
def test_the_readme_shows_the_example_as_it_is(example: str) -> None:
    assert (EXAMPLES / example).read_text() in README


@SHOWN
def test_the_readme_shows_what_the_example_prints(example: str) -> None:
    [shown] = re.findall(rf"\$ python reference/examples/{example}\n(.*?)```", README, re.S)
    assert run(example) == shown


@pytest.mark.parametrize(
    "example, printed",
    [
        ("idle_luaevent.py", ["received hello", "nothing; waiting 0.1", "nothing; waiting 0.2"]),
        ("timers_luahop.py", ["tick", "tick", "once, after a quarter of a second", "tick"]),
    ],
)
def test_an_example_of_a_document_prints_what_it_should(example: str, printed: list[str]) -> None:
    assert run(example).splitlines()[: len(printed)] == printed


def test_the_echo_server_sends_back_what_it_is_sent() -> None:
    """More than the buffers hold, from two clients at once, and a half-close."""
    server = subprocess.Popen(
        [sys.executable, EXAMPLES / "echo_server.py", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline().split()[-1])
        sent = bytes(range(256)) * 400
        clients = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(2)]
        for client in clients:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
        for client in clients:
            got = bytearray()
            while data := client.recv(65536):
                got += data
            assert got == sent
            client.close()
    finally:
        server.kill()
        server.communicate()


def test_a_line_in_the_chat_goes_to_everybody_who_is_still_there() -> None:
    """One hangs up in the middle of a line, which goes to nobody."""
    server = subprocess.Popen(
        [sys.executable, EXAMPLES / "chat_levent.py", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline().split()[-1])
        lines = {}
        for _ in range(3):  # one after the other: its line comes back once the server knows it
            each = socket.create_connection(("127.0.0.1", port), timeout=30)
            lines[each] = each.makefile("rb")
            each.sendall(b"here\n")
            assert lines[each].readline() == b"here\n"
        first, second, third = lines
        third.sendall(b"never to be fin")
        third.shutdown(socket.SHUT_WR)
        while lines[third].readline():  # until the server has hung up too
            pass
        first.sendall(b"in two ")
        first.sendall(b"parts\n")
        # after its own line each gets those of the ones who came later
        assert [lines[first].readline() for _ in range(3)] == [*[b"here\n"] * 2, b"in two parts\n"]
        assert [lines[second].readline() for _ in range(2)] == [b"here\n", b"in two parts\n"]
        for each in lines:
            lines[each].close()
            each.close()
    finally:
        server.kill()
        server.communicate()
