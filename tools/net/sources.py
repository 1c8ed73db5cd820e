"""What the net is cast over: captures beside the checkout, and the fixtures."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ROOT", "SHARED", "sources"]

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"

# Pages, tables of what is true of a capture, and what is no capture at all.
_NOT_CAPTURES = {".md", ".tsv", ".py", ".config", ".json"}


def sources() -> list[str]:
    """Return every source, as a path from the checkout's root, in sorted order."""
    found = {_top(path) for path in SHARED.rglob("*") if _is_capture(path)}
    fixtures = ROOT / "tests" / "fixtures"
    trees = [path for path in (fixtures / "sysfs").iterdir() if path.is_dir()]
    shared = [f"../{path.relative_to(ROOT.parent)}" for path in found]
    own = [*trees, *fixtures.glob("kernels/*.tar.gz")]
    return sorted([*shared, *(str(path.relative_to(ROOT)) for path in own)])


def _is_capture(path: Path) -> bool:
    return path.is_file() and path.suffix not in _NOT_CAPTURES


def _top(path: Path) -> Path:
    """Return the directory that a file's tree begins in, or the file itself."""
    for above in path.parents:
        if (above / "sys").is_dir():
            return above
        if above == SHARED:
            break
    return path
