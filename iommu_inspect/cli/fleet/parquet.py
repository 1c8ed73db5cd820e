"""Rows as Parquet, by DuckDB, which the extra ``fleet`` brings.

Lines are written to a file of their own first, so that memory stays flat, and read by
DuckDB by types that are said here: nothing is guessed from what the hosts happen to
have. Lists stay lists in a host's row; ``unnest()`` makes rows of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree.many.spool import Spool

__all__ = ["COLUMNS", "check", "parquet"]

_FINDING = (
    'STRUCT(rule VARCHAR, severity VARCHAR, certainty VARCHAR, "group" VARCHAR, '
    "devices VARCHAR[], message VARCHAR)[]"
)
_GROUP = "STRUCT(id VARCHAR, ownership VARCHAR, possible VARCHAR, devices VARCHAR[])[]"
_DEVICE = (
    "STRUCT(address VARCHAR, ids VARCHAR, class VARCHAR, driver VARCHAR, "
    '"group" VARCHAR, ownership VARCHAR)[]'
)
_CHANGES = (
    "STRUCT(change VARCHAR, before VARCHAR, verdict VARCHAR, groups STRUCT(kind "
    "VARCHAR, before VARCHAR[], after VARCHAR[], devices VARCHAR[])[], ungrouped "
    "VARCHAR[], grouped VARCHAR[], added VARCHAR[], removed VARCHAR[], rules "
    "VARCHAR[], cured VARCHAR[])"
)
COLUMNS = {
    "schema": "VARCHAR",
    "host": "VARCHAR",
    "path": "VARCHAR",
    "verdict": "VARCHAR",
    "read": "BOOLEAN",
    "because": "VARCHAR",
    "kind": "VARCHAR",
    "kernel": "VARCHAR",
    "semantics": "VARCHAR",
    "purpose": "VARCHAR",
    "findings": _FINDING,
    "ignored": "INTEGER",
    "unseen": "VARCHAR[]",
    "groups": _GROUP,
    "devices": _DEVICE,
    "changes": _CHANGES,
}
"""The fields of ``iommu-inspect/fleet/1`` as columns, by DuckDB's types."""
# Hosts of one row group: they are in memory together, lists and all.
_AT_ONCE = 2048
_LEAST_LINE = 1 << 20


def parquet(lines: Iterable[str]) -> Iterator[bytes]:
    """Yield the bytes of a Parquet file of rows, a line of JSON each, in their order.

    Raises:
        SourceError: DuckDB is not there.
    """
    duckdb = _duckdb()
    with Spool() as spool:
        longest = spool.write("rows.json", lines)
        rows, made = spool.path("rows.json"), spool.path("rows.parquet")
        with contextlib.closing(duckdb.connect()) as connection:
            for setting in (
                "threads = 1",
                "memory_limit = '256MB'",
                f"temp_directory = {_quoted(spool.folder)}",
                "autoinstall_known_extensions = false",  # nothing is fetched
                "autoload_known_extensions = false",
                "preserve_insertion_order = true",
            ):
                connection.execute(f"SET {setting}")
            columns = ", ".join(
                f"{_quoted(name)}: {_quoted(kind)}" for name, kind in COLUMNS.items()
            )
            connection.execute(
                f"COPY (SELECT * FROM read_json({_quoted(rows)}, "  # noqa: S608
                f"format = 'newline_delimited', columns = {{{columns}}}, "
                f"maximum_object_size = {max(longest + 1, _LEAST_LINE)})) "
                f"TO {_quoted(made)} (FORMAT parquet, COMPRESSION zstd, "
                f"ROW_GROUP_SIZE {_AT_ONCE})"
            )
        yield from spool.read("rows.parquet")


def check() -> None:
    """Say that DuckDB is not there, before anything is read.

    Raises:
        SourceError: it is not.
    """
    _duckdb()


def _quoted(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))


def _duckdb() -> Any:  # noqa: ANN401 - it comes with an extra
    try:
        import duckdb
    except ImportError:
        raise SourceError(
            "Parquet needs DuckDB, which is not installed: pip install "
            "'iommu-inspect[fleet]'"
        ) from None
    return duckdb
