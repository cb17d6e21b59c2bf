from pathlib import Path

import pytest

from tests.runner.cli.databases import Desk, fill, using


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    using(made.database, fill)
    return made
