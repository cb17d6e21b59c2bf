from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.store.backends import BACKENDS


@pytest.fixture(params=sorted(BACKENDS))
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    made = BACKENDS[request.param](tmp_path)
    yield made
    made.repair()
    await made.close()


@pytest.fixture
async def store(backend: Any) -> Any:
    return await backend.open()
