"""From a tree to a capture of what the tool reads of it, reduced and scrubbed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Missing
from iommu_inspect.sources.snapshot.capture import (
    FOLDER,
    NAMED,
    UNREAD,
    Capture,
    Link,
    Mark,
)
from iommu_inspect.sources.snapshot.packing import packed
from iommu_inspect.sources.snapshot.recording import Recorder
from iommu_inspect.sources.snapshot.redaction.scrubbing import scrubbed
from iommu_inspect.sources.snapshot.redaction.secrets import secret_words
from iommu_inspect.sources.snapshot.reducing import reduced
from iommu_inspect.sources.sysfs.bars import with_bars
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.sysfs.places import with_places
from iommu_inspect.sources.sysfs.settled import undisturbed
from iommu_inspect.sources.tree import tar
from iommu_inspect.sources.tree.snapshot import LEVELS, Manifest, SnapshotTree
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["Snapshot", "take"]


@dataclass(frozen=True)
class Snapshot:
    """What becomes a file."""

    capture: Capture
    manifest: Manifest

    def pieces(self) -> Iterator[bytes]:
        """Return the pieces of its tar."""
        return packed(self.capture, self.manifest)


def take(
    tree: Tree,
    manifest: Manifest,
    progress: Callable[[int], None] = lambda _: None,
) -> Snapshot:
    """Read everything that any command reads, and keep what it came to.

    Args:
        tree: The host, or a capture of one.
        manifest: What is said of the tool, of who runs it and of how much is scrubbed.
            Of a snapshot only the last of it counts, and never for less than was.
        progress: Called with how many files were read so far.
    """
    if isinstance(tree, SnapshotTree):
        level = max(manifest.redaction, tree.manifest.redaction, key=LEVELS.index)
        manifest = replace(tree.manifest, redaction=level)
    read = undisturbed(tree, lambda: _recorded(Recorder(tree, progress)))
    capture = reduced(read)
    if manifest.redaction != "none":
        strict = manifest.redaction == "strict"
        capture = scrubbed(capture, secret_words(tree), strict=strict)
    # Read it as everybody will: nothing may be in it that only this host was asked.
    again = SnapshotTree(_tree(capture), _manifest(capture, manifest))
    capture = _recorded(Recorder(again))
    return Snapshot(capture, _manifest(capture, manifest))


def _recorded(recorder: Recorder) -> Capture:
    machine = read_machine(recorder, processes=True)
    with_bars(recorder, machine)
    with_places(recorder, machine)
    return recorder.capture()


def _manifest(capture: Capture, said: Manifest) -> Manifest:
    def marked(mark: Mark) -> frozenset[str]:
        paths = (path for path, entry in capture.entries.items() if entry == mark)
        return frozenset(path for path in paths if path not in capture.refused)

    release = capture.entries.get("proc/sys/kernel/osrelease")
    known = release if isinstance(release, bytes) else b""
    kernel = known.decode("utf-8", "replace").strip()
    return replace(
        said,
        kernel=kernel or None,
        whole=capture.whole,
        left_out=_left_out(capture, said),
        refused=capture.refused,
        absent=capture.absent,
        unread=marked(UNREAD),
        named=marked(NAMED),
        listed=capture.listed,
        nodes=capture.nodes,
    )


def _left_out(capture: Capture, said: Manifest) -> tuple[str, ...]:
    """Say for people what a snapshot of this kind has not."""
    lines = ["files that no command reads", "processes that have no device open"]
    if said.redaction != "none":
        lines += [
            "serial numbers, MAC and IP addresses, UUIDs, labels, names of hosts, "
            "users, volumes and directories: others stand for them",
            "comments, and what settings of other programs say",
        ]
    if said.redaction == "strict":
        lines.append("names of interfaces, processes and files of settings")
    counts = [
        (why, sum(reason is why for reason in capture.refused.values()))
        for why in (Missing.DENIED, Missing.TRUNCATED, Missing.UNREADABLE)
    ]
    lines += [f"{count} paths that were {why.value}" for why, count in counts if count]
    return tuple(lines)


def _tree(capture: Capture) -> Tree:
    """Show a capture as the tar that it will be in."""
    top: tar.Folder = {}
    for path, entry in capture.entries.items():
        *above, name = path.split("/")
        folder = top
        for part in above:
            below = folder.setdefault(part, {})
            if not isinstance(below, dict):
                break
            folder = below
        else:
            if isinstance(entry, Link):
                folder[name] = tar.Link(entry.text)
            elif isinstance(entry, bytes):
                folder[name] = entry
            elif entry == FOLDER:
                folder.setdefault(name, {})
            else:
                folder[name] = b""
    return tar.TarTree(top, "a snapshot")
