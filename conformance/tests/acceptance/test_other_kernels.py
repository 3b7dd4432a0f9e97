"""The verdicts stand on a kernel unlike Linux; `nox -s kernels` judges by all rules."""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from looptck.testing.channels import Channels, fill
from looptck.testing.child_process import run_program

from .conftest import ROOT

FIXTURES = ROOT / "fixtures"

# Rules whose tests use TCP, sizes, pipes, identities of files or ports without a listener.
RULES = (
    "levent.loop.howmany-zero",
    "luaevent.bufferevent.new-nil",
    "luaevent.bufferevent.what-read",
    "luaevent.buffer.write",
    "luaevent.constants.ev-read",
    "luaevent.constants.ev-write-connect",
    "luaevent.loop.data-before-eof",
    "luahop.example.drain",
    "luahop.listener.replace",
)
BROKEN = 20


@pytest.fixture
def kernel() -> Iterator[ModuleType]:
    """The module that replaces functions; only a child process may ask it to."""
    sys.path.insert(0, str(FIXTURES))
    import other_kernel

    yield other_kernel
    sys.path.remove(str(FIXTURES))


def _small_buffers() -> None:
    near, _far = socket.socketpair()
    near.setblocking(False)
    sent = near.send(bytes(20_000))
    assert 4096 <= sent < 5000, f"expected a pair to take about 4096 bytes, it took {sent}"
    with pytest.raises(OSError, match=os.strerror(errno.ENOBUFS)):
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)


def _small_pipes() -> None:
    _reading, writing = os.pipe()
    os.set_blocking(writing, False)
    sent = os.write(writing, bytes(100_000))
    assert sent == 16_384, f"expected a pipe to take 16384 bytes, it took {sent}"


def _two_way_pipes() -> None:
    reading, writing = os.pipe()
    os.write(reading, b"x")
    assert os.read(writing, 1) == b"x", "expected a byte from the reading end of a pipe"


def _tcp() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        far = listening.accept()[0]
    return near, far


def _delayed_tcp() -> None:
    near, far = _tcp()
    for act in (lambda: far.send(b"x"), far.close):
        act()
        early = select.select([near], [], [], 0)[0]
        assert not early, "expected nothing at once over TCP, it was there"
        late = select.select([near], [], [], 5)[0]
        assert late, "expected it to arrive in 5 s, it did not"
        near.recv(1)


def _silent_ports() -> None:
    with socket.socket() as holder, socket.socket() as client:
        holder.bind(("127.0.0.1", 0))
        client.setblocking(False)
        status = client.connect_ex(holder.getsockname())
        over = select.select([], [client], [], 0.05)[1]
    assert status == errno.EINPROGRESS, f"expected EINPROGRESS, got {errno.errorcode[status]}"
    assert not over, "expected no answer from a port that does not listen, there was one"


def _inherited_flags() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        listening.setblocking(False)
        select.select([listening], [], [], 5)
        served, _ = listening.accept()
    assert not os.get_blocking(served.fileno()), "expected O_NONBLOCK of the listener, it is unset"
    client.close()


def _no_rdhup() -> None:
    assert not hasattr(select, "POLLRDHUP"), "expected select to lack POLLRDHUP, it has it"


def _nameless_files() -> None:
    first, second = (os.fstat(os.pipe()[0]) for _ in range(2))
    assert os.path.samestat(first, second), f"expected two pipes alike, got {first} and {second}"


def _no_dev_fd() -> None:
    seen = os.listdir("/dev/fd")
    assert seen == ["0", "1", "2"], f"expected 0, 1 and 2 in /dev/fd, saw {seen}"


@pytest.mark.parametrize(
    "act",
    [
        _small_buffers,
        _small_pipes,
        _two_way_pipes,
        _delayed_tcp,
        _silent_ports,
        _inherited_flags,
        _no_rdhup,
        _nameless_files,
        _no_dev_fd,
    ],
    ids=lambda act: act.__name__[1:].replace("_", "-"),
)
def test_linux_behaves_as_another_kernel(kernel: ModuleType, act: Callable[[], None]) -> None:
    """The behaviour shows when it is on, and Linux's own shows again when it is off."""
    name = act.__name__[1:].replace("_", "-")
    behaviour = kernel.Behaviour(name)

    def other() -> None:
        kernel.behave(frozenset({behaviour}))
        act()

    def own() -> None:
        kernel.behave(frozenset({behaviour}))
        kernel.behave(frozenset())
        act()

    assert run_program(other).complaint == ""
    assert "raised" in run_program(own).complaint, f"Linux shows {name} by itself"


def test_a_channel_hides_when_loopback_delivers(kernel: ModuleType) -> None:
    """Bytes, a shutdown and an end are there when the call returns; a full channel stays full."""

    def main() -> None:
        kernel.behave(frozenset(kernel.Behaviour))
        channels = Channels()
        near, far = channels.tcp_pair()
        far.send(b"x")
        assert near.recv(2) == b"x", "a byte had not arrived when send returned"
        fill(near)
        assert not select.select([], [near], [], 0.05)[1], "a full channel had room a moment later"
        far.shutdown(socket.SHUT_WR)
        assert near.recv(1) == b"", "the end had not arrived when shutdown returned"
        near, far = channels.tcp_pair()
        far.close()
        assert near.recv(1) == b"", "the end had not arrived when close returned"
        channels.close()

    assert run_program(main).complaint == ""


def test_the_reference_keeps_rules_on_another_kernel() -> None:
    _judge("--behaviour", "all", "--rule", ",".join(RULES))


def test_a_rule_says_which_tests_do_not_apply(tmp_path: Path) -> None:
    """On FreeBSD the reading end of a pipe can be written to, and may be called writable."""
    command = [sys.executable, "-m", "looptck", "certify", "other_kernel:implementation"]
    command += ["--variant", "two-way-pipes", "--rule", "luahop.listener.not-ready"]
    subprocess.run(
        [*command, "-o", str(tmp_path)], cwd=FIXTURES, capture_output=True, timeout=300, check=True
    )
    (certificate,) = tmp_path.rglob("certificate.json")
    (row,) = json.loads(certificate.read_text())["verdicts"]
    assert row["verdict"] == "kept", f"expected kept, saw {row}"
    reason = row.get("reason", "")
    assert "tests do not apply: both ends of a pipe" in reason, f"expected a reason, saw {reason!r}"


@pytest.mark.slow
def test_broken_loops_are_caught_on_another_kernel() -> None:
    _judge("--broken", str(BROKEN))


def _judge(*options: str) -> None:
    done = subprocess.run(
        [sys.executable, str(FIXTURES / "other_kernel.py"), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
