"""Measures what tests cover, in each process that runs some.

    python -m pytest -n auto -p tools.measuring [--by-test] && coverage combine

``--by-test`` notes which test ran which line. Tests marked ``no_cover`` are not
measured. pytest-cov starts two measurements in a worker of xdist, which slows it twice
as much, and stops only one of them for such a test.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest
from coverage import Coverage

__all__ = ["pytest_addoption", "pytest_configure"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--by-test", action="store_true", help="which test ran which line")


def pytest_configure(config: pytest.Config) -> None:
    """Begin before the program is imported; not where only workers run tests."""
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        measuring = _Measuring(by_test=bool(config.getoption("by_test")))
        config.pluginmanager.register(measuring)


class _Measuring:
    def __init__(self, *, by_test: bool) -> None:
        self._by_test = by_test
        self._coverage = Coverage(data_suffix=True)
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        if item.get_closest_marker("no_cover"):
            self._coverage.stop()
            try:
                return (yield)
            finally:
                self._coverage.start()
        if not self._by_test:
            return (yield)
        self._coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._coverage.switch_context("")

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        self._coverage.save()
