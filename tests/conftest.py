"""For all tests: property tests that repeat, and a loop that nobody may block."""

import asyncio
from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

from onebridge.observability import redactor

# Until somebody has set a loop, Python 3.11 makes one for whoever asks, and nobody closes it.
asyncio.set_event_loop(None)

# A failure on one machine is a failure on every machine; no time limit, which would be luck.
settings.register_profile("onebridge", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("onebridge")


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop() -> Iterator[None]:
    """Refuse calls of ours that would block the event loop: files, sockets, sleeping."""
    with blockbuster_ctx(scanned_modules=["onebridge"], excluded_modules=["onebridge.sandbox"]):
        yield


@pytest.fixture(autouse=True)
def secrets_of_one_test() -> Iterator[None]:
    """Forget the secrets of a test: a word that is one there is none in the next."""
    known = redactor._secrets, redactor._pattern
    redactor._secrets = set(known[0])
    yield
    redactor._secrets, redactor._pattern = known
