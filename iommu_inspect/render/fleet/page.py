"""What many hosts come to, as one HTML page, in the look of `report`.

The page has a row for each host that needs a look, up to a bound, and says how many are
left out: whoever wants all of ten thousand asks the JSON Lines or the Parquet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from markupsafe import Markup

from iommu_inspect.audit.fleet.tally import OWNERS, Brief, Tally
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.render.fleet.words import (
    by_hosts,
    change_words,
    devices_of,
    host_words,
    rules_of,
    state_word,
    sums_of,
    what_words,
)
from iommu_inspect.render.templates import Templates, policy

__all__ = ["fleet_page"]

_MOST_ROWS = 200
_REPORT = "iommu_inspect.render.report"


@dataclass(frozen=True, slots=True)
class _Row:
    """A host's row; ``anchor`` is where links to it lead."""

    anchor: str
    host: str
    path: str
    word: str
    kernel: str
    groups: str
    what: str


def fleet_page(tally: Tally, names: Mapping[str, str]) -> str:
    """Return the whole page, without a newline at its end.

    Args:
        tally: What was counted.
        names: What devices are called, by their ids.
    """
    templates, report = Templates(__package__), Templates(_REPORT)
    sheet = f"{report.text('page.css')}\n{templates.text('fleet.css')}"
    style = Markup(sheet)  # noqa: S704 (our own)
    script = Markup(templates.text("fleet.js"))  # noqa: S704 (our own)
    rows = [*map(_row, tally.worst)]
    rules, kernels = rules_of(tally), by_hosts(tally.kernels)
    devices = devices_of(tally, names)
    return (
        templates.environment.get_template("fleet.html")
        .render(
            title="IOMMU report of a fleet",
            policy=policy(style, script),
            style=style,
            script=script,
            sentence=f"{host_words(tally)}.",
            changes=change_words(tally),
            sums=sums_of(tally),
            rows=rows,
            left_out=tally.count - len(rows),
            rules=[(*each.key.rpartition(" ")[::2], *each.numbers) for each in rules],
            kernels=[(each.key, sum(each.numbers), *each.numbers) for each in kernels][
                :_MOST_ROWS
            ],
            more_kernels=max(len(kernels) - _MOST_ROWS, 0),
            devices=devices[:_MOST_ROWS],
            owners=OWNERS,
            more_devices=max(len(devices) - _MOST_ROWS, 0),
        )
        .rstrip("\n")
    )


def _row(brief: Brief) -> _Row:
    # The same host has the same one next time, so that a link to it can be kept.
    name = f"{brief.host}\0{brief.path}".encode("utf-8", "surrogatepass")
    return _Row(
        f"host-{hashlib.blake2b(name, digest_size=8).hexdigest()}",
        brief.host,
        brief.path,
        state_word((brief.verdict, brief.read)),
        brief.kernel or "-",
        str(brief.groups) if brief.read else "-",
        what_words(brief) or "-",
    )
