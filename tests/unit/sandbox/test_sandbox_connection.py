import asyncio
from typing import Any

import pytest
from aiohttp import ClientConnectionResetError

from onebridge.sandbox import connection
from onebridge.sandbox.connection import Connection


class FakeTransport:
    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class FakeSocket:
    def __init__(self, gone: bool = False) -> None:
        self.sent: list[Any] = []
        self._gone = gone

    async def send_frame(self, frame: bytes, _opcode: int) -> None:
        if self._gone:
            raise ClientConnectionResetError
        self.sent.append(frame)

    async def close(self, *, code: int, message: bytes = b"") -> None:
        self.sent.append((code, message))


def opened(**how: bool) -> tuple[Connection, FakeSocket, FakeTransport]:
    socket, transport = FakeSocket(**how), FakeTransport()
    return Connection(socket, transport), socket, transport  # type: ignore[arg-type]


async def test_what_is_queued_is_written_before_the_close() -> None:
    here, socket, _ = opened()
    here.send(b"1")
    here.hold(b"2")
    here.send(b"3")
    here.pause(0.0)
    here.close(4009, "bye")
    here.send(b"late")
    await here.write()
    assert socket.sent == [b"1", b"3", b"2", (4009, b"bye")]
    assert here.is_ending


async def test_holding_a_second_frame_lets_the_first_go() -> None:
    here, socket, _ = opened()
    here.hold(b"1")
    here.hold(b"2")
    here.send(b"3")
    here.close(1000, "")
    await here.write()
    assert socket.sent[:-1] == [b"1", b"3", b"2"]


async def test_a_peer_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "OUTBOX", 3)
    here, socket, transport = opened()
    for _ in range(10):
        here.send(b"x")
    await here.write()
    assert transport.aborted
    assert socket.sent == []


async def test_writing_to_nobody_ends_quietly() -> None:
    here, socket, _ = opened(gone=True)
    here.send(b"1")
    async with asyncio.timeout(1):
        await here.write()
    assert socket.sent == []
