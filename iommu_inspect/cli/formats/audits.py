"""What an audit is written as for other programs, and what it then ends with."""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Iterator

from iommu_inspect import __version__
from iommu_inspect.audit.tally import Tally
from iommu_inspect.cli.exits import Exit
from iommu_inspect.cli.formats.writing import write
from iommu_inspect.cli.output import emit
from iommu_inspect.sources.errors import SourceError

__all__ = ["machine_text", "saying_if_unread"]


def machine_text(
    form: enum.StrEnum, tally: Tally, code: Exit, *, notes: bool
) -> tuple[str, int]:
    """Return the text of one of the formats for programs, and the exit code.

    That is ``code``, but for a plugin, which has codes of its own. Results that are
    written one by one have ``notes`` among them where these are asked for.
    """
    if form.value == "nagios":
        from iommu_inspect.render.machines.nagios import nagios_line, state_of

        return nagios_line(tally), state_of(tally.result)
    return _text(form.value, tally, code, notes=notes), code


def _text(form: str, tally: Tally, code: Exit, *, notes: bool) -> str:
    if form == "sarif":
        from iommu_inspect.render.documents.common import to_json
        from iommu_inspect.render.machines.sarif import sarif_document

        document = sarif_document(
            tally, version=__version__, exit_code=code, notes=notes
        )
        return to_json(document)
    if form == "junit":
        from iommu_inspect.render.machines.junit import junit_text

        return junit_text(tally, version=__version__, notes=notes)
    if form == "metrics":
        from iommu_inspect.render.machines.metrics import metrics_text

        now = time.time()
        return metrics_text(tally, version=__version__, exit_code=code, now=now)
    from iommu_inspect.render.machines.nfd import nfd_text

    return nfd_text(tally, now=time.time())


@contextlib.contextmanager
def saying_if_unread(form: enum.StrEnum, output: str) -> Iterator[None]:
    """Write what there is to say where the source cannot be read, and go on failing.

    Else the file of the last run would stand there as if it were of this one.
    """
    try:
        yield
    except SourceError:
        now = time.time()
        if form.value == "metrics":
            from iommu_inspect.render.machines.metrics import unread_metrics_text

            code = int(Exit.SOURCE)
            text = unread_metrics_text(version=__version__, exit_code=code, now=now)
            _written(output, text)
        elif form.value == "nfd":
            from iommu_inspect.render.machines.nfd import unread_nfd_text

            _written(output, unread_nfd_text(now=now))
        raise


def _written(output: str, text: str) -> None:
    if output == "-":
        emit(text)
    else:
        write(output, text)
