"""The simulated platform and the bridge as processes, and the calls by which tests steer them."""

import base64
import json
import struct
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.e2e.programs import PATIENCE, Program, free_port, python

TOKEN = "a token of the tests"
SECRET = "a secret of the tests"
SELF_ID = 10001
Answer = TypeVar("Answer")


def png(red: int, green: int, blue: int) -> bytes:
    """A small picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes((red, green, blue)) * 8) * 8
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


PICTURE = png(200, 60, 20)


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request(
    url: str, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """One HTTP call: status, and the answer, decoded if it is JSON."""
    asked = urllib.request.Request(
        url,
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json", **(headers or {})},
    )
    try:
        with OPENER.open(asked, timeout=PATIENCE) as answer:
            status, raw = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, raw = error.code, error.read()
    try:
        return status, json.loads(raw)
    except ValueError:
        return status, raw


def eventually(ask: Callable[[], Answer | None], what: str, *needed: Program) -> Answer:
    """Ask until there is an answer, while the programs that it takes are alive."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = ask()
        if answer is not None:
            return answer
        for program in needed:
            assert program.returncode is None, f"{program.name} ended:\n{program.tail()}"
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.02)
