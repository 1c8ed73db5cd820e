"""``iommu-inspect snapshot``: what the tool reads of this host, as a file."""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING, Annotated

from iommu_inspect.cli.declared import Argument, Option
from iommu_inspect.cli.options import From

if TYPE_CHECKING:
    from iommu_inspect.sources.snapshot.making import Snapshot

__all__ = ["take_snapshot"]

_COMPRESSED = (".gz", ".tgz")


class Redact(enum.StrEnum):
    """How much is scrubbed."""

    NONE = "none"
    DEFAULT = "default"
    STRICT = "strict"


def take_snapshot(
    file: Annotated[
        str,
        Argument(
            metavar="FILE",
            help="The tar to write, compressed if its name ends in .gz or .tgz; an "
            "older one is replaced. - is standard output, not compressed.",
        ),
    ],
    source: From = None,
    redact: Annotated[
        Redact,
        Option(
            "--redact",
            help="What other names stand for: nothing; serial numbers, MAC and IP "
            "addresses, UUIDs, labels, names of hosts, users and directories; or those "
            "of interfaces, processes and files of settings too.",
        ),
    ] = Redact.DEFAULT,
) -> None:
    """Write what this tool reads of this host to a file, for --from.

    No serial number, MAC address, host or user name, UUID or label is in it. Made as
    root it can answer everything; made without, what only root may read is unknown.
    """
    from iommu_inspect import __version__
    from iommu_inspect.cli.output import complain
    from iommu_inspect.cli.progress import telling
    from iommu_inspect.model.asked.usage import BadRequestError
    from iommu_inspect.sources.errors import SourceError
    from iommu_inspect.sources.snapshot.making import take
    from iommu_inspect.sources.tree import saving
    from iommu_inspect.sources.tree.opening import Text, open_live, open_source
    from iommu_inspect.sources.tree.snapshot import Manifest

    if file == "-":
        if not sys.stdout or sys.stdout.isatty():
            raise BadRequestError(
                "a tar does no good on a terminal; give a file's name, or redirect it"
            )
    else:
        saving.check_writable(file)
    if source and len(source) > 1:
        raise BadRequestError("a snapshot is made of one source")
    opened = open_source(source[0]) if source else open_live()
    if isinstance(opened, Text):
        raise SourceError(
            f"cannot make a snapshot of {opened.label}: it is a text, and can be given "
            "to --from as it is"
        )
    privileged = saving.is_root() if opened.live else None
    said = Manifest(__version__, redact.value, privileged=privileged)
    files = 0

    def count(read: int) -> None:
        nonlocal files
        files = read

    with telling(lambda: f"reading, {files} files"):
        snapshot = take(opened, said, count)
    _write(file, snapshot)
    if file != "-":
        groups = sum(
            path.startswith("sys/kernel/iommu_groups/") and path.count("/") == 3
            for path in snapshot.capture.entries
        )
        scrubbed = {"none": "nothing scrubbed", "default": "scrubbed"}.get(
            snapshot.manifest.redaction, "scrubbed strictly"
        )
        groups_text = "1 group" if groups == 1 else f"{groups} groups"
        complain(f"wrote {file}: {groups_text}, {scrubbed}")
    if snapshot.manifest.privileged is False:
        complain(
            "made without root: what only root may read is unknown in it; as root it "
            "would answer more"
        )


def _write(file: str, snapshot: Snapshot) -> None:
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import complain, ending_in_order
    from iommu_inspect.sources.snapshot.packing import zipped
    from iommu_inspect.sources.tree.saving import save

    pieces = snapshot.pieces()
    if file.endswith(_COMPRESSED):
        pieces = zipped(pieces)
    try:
        if file == "-":
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.flush()
        else:
            with ending_in_order():
                save(file, pieces)
    except OSError as error:
        if file == "-":
            from iommu_inspect.cli.output import silence

            silence(sys.stdout)
        where = "standard output" if file == "-" else file
        complain(f"cannot write {where}: {error.strerror}")
        sys.exit(Exit.INTERNAL)
