"""The simulated platform for a module's tests, and what its programs said when one fails."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.e2e.programs import Program
from tests.e2e.stack import Platform

pytest.register_assert_rewrite("tests.e2e.abilities")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a module together: its programs are started once."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for program in Program.running:
            report.sections.append((f"output of {program.name}", program.tail()))
    return report


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform() as platform:
        yield platform
