"""Read the collection of captures beside the checkout: ``python -m tools.corpus``.

Prints a line a machine: how each file was read, how many devices, groups and drivers
came of it, and whether the groups are those of the ``groups*.tsv`` beside it. The exit
status is 1 if a file makes the program fail, or a group differs.
"""

from __future__ import annotations

import sys

from tools.corpus.reading import SHARED, outcomes


def main() -> int:
    """Print the table and what is wrong."""
    if not SHARED.is_dir():
        sys.stdout.write("skipped: there is no ../shared/data beside the checkout\n")
        return 0
    wrong = 0
    files = grouped = 0
    head = ("capture", "read as", "devices", "groups", "drivers", "groups are")
    rows = [head]
    for each in outcomes():
        files += 1
        grouped += each.verdict == "equal"
        wrong += each.is_wrong
        rows.append(
            (
                each.name,
                each.kinds or "-",
                str(each.devices),
                str(each.groups),
                str(each.drivers),
                each.verdict,
            )
        )
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        sys.stdout.write(f"{'  '.join(cells).rstrip()}\n")
    sys.stdout.write(
        f"{files} captures read; {grouped} with exactly the groups that are known of "
        f"them; {wrong} wrong\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
