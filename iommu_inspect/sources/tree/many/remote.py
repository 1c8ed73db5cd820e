"""Files that are not on this host, by URL; fsspec (an extra) knows how to get them.

Its file systems are many and raise what they like, so that each error is made a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from iommu_inspect.model.text import printable
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree.many.showing import shown

if TYPE_CHECKING:
    from iommu_inspect.sources.tree.opening import Text
    from iommu_inspect.sources.tree.tree import Tree

__all__ = ["listed", "open_url"]

_T = TypeVar("_T")
_LONGEST = 200


def listed(url: str) -> Iterator[tuple[str, str]]:
    """Yield the files below a URL: each one's path below it, and its own URL.

    Of a URL that is one file the path is empty. What begins with a dot is left out.

    Raises:
        SourceError: it cannot be listed, or fsspec is not there.
    """

    def look() -> list[tuple[str, str]]:
        system, root = _fsspec().core.url_to_fs(url)
        if system.isfile(root):
            return [("", url)]
        top = str(root).rstrip("/")
        names = sorted(str(name) for name in system.find(root))
        # Of a chain ("zip://a::file:///b.zip") the system knows its own link alone.
        _, link, others = url.partition("::")
        belows = [name[len(top) :].lstrip("/") for name in names]
        return [
            (below, f"{system.unstrip_protocol(name)}{link}{others}")
            for below, name in zip(belows, names, strict=True)
            if not any(part.startswith(".") for part in below.split("/"))
        ]

    yield from _asked(url, look)


def open_url(url: str) -> Tree | Text:
    """Return the capture, or the text, that a URL leads to.

    Raises:
        SourceError: it cannot be read, or fsspec is not there.
    """
    from iommu_inspect.sources.tree.opening import open_stream

    def read() -> Tree | Text:
        with _fsspec().open(url, "rb") as file:
            return open_stream(cast("BinaryIO", file), printable(shown(url)))

    return _asked(url, read)


def _asked(url: str, ask: Callable[[], _T]) -> _T:
    try:
        return ask()
    except (SourceError, MemoryError):
        raise
    except Exception as error:
        said = shown(" ".join(str(error).split()))[:_LONGEST] or type(error).__name__
        raise SourceError(
            f"cannot read {printable(shown(url))}: {printable(said)}"
        ) from None


def _fsspec() -> Any:  # noqa: ANN401 - it has no types
    try:
        import fsspec
    except ImportError:
        raise SourceError(
            "a URL needs fsspec, which is not installed: pip install "
            "'iommu-inspect[fleet]'"
        ) from None
    return fsspec
