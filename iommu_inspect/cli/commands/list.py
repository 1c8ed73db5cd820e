"""``iommu-inspect list``: groups, members, drivers, who owns each group."""

from __future__ import annotations

import enum
import sys
from typing import Annotated

from iommu_inspect.cli import options
from iommu_inspect.cli.declared import Completes, Option
from iommu_inspect.model.asked.usage import BadRequestError

__all__ = ["list_groups"]


class ListFormat(enum.StrEnum):
    """What to print."""

    TABLE = "table"
    JSON = "json"
    PASTE = "paste"


def list_groups(
    source: options.From = None,
    group: Annotated[
        str | None,
        Option(completes=Completes.GROUP, metavar="ID", help="Only this group."),
    ] = None,
    device: Annotated[
        str | None,
        Option(
            completes=Completes.DEVICE,
            metavar="DEVICE",
            help=f"Only devices that this fits: {options.NAMES}.",
        ),
    ] = None,
    driver: Annotated[
        str | None,
        Option(
            completes=Completes.DRIVER,
            metavar="NAME",
            help="Only devices on this driver.",
        ),
    ] = None,
    class_: Annotated[
        str | None,
        Option(
            "--class",
            metavar="CLASS",
            completes=Completes.CLASS,
            help="Only devices of this class: gpu, display, network, storage, usb, "
            "audio, accelerator, bridge; its hexadecimal beginning (02, 0300); or a "
            "part of its name (nvme).",
        ),
    ] = None,
    ownership: Annotated[
        str | None,
        Option(
            metavar="STATE",
            completes=Completes.OWNERSHIP,
            help="Only groups that are none, kernel, user, conflict or unknown.",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        Option(
            metavar="NAME,NAME...",
            completes=Completes.COLUMN,
            help="What to show of each device, in this order: group, owner, address, "
            "driver, class, ids, name, description, uses, slot, numa, iommu.",
        ),
    ] = None,
    predict_groups: Annotated[
        bool,
        Option(
            "--predict-groups",
            help="Where the source shows no groups, show those that a kernel would "
            "make with the IOMMU on.",
        ),
    ] = False,
    semantics: options.SemanticsOption = "auto",
    output: Annotated[
        ListFormat,
        Option(
            "--format",
            help="A table for people; JSON; or what to paste where one asks for help: "
            "groups, devices, drivers, and what an audit says.",
        ),
    ] = ListFormat.TABLE,
    numeric: options.Numeric = False,
    demo: options.Demo = False,
    color: options.ColorOption = options.Color.AUTO,
) -> None:
    """Show the groups, their devices, drivers and uses, and who owns each group.

    Exit code: 0 told, 2 usage, 3 the groups, or some of them, cannot be told, 4 source
    unreadable.
    """
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import complain, emit, style
    from iommu_inspect.cli.selection import Selection, named, select
    from iommu_inspect.cli.session import load, rules_of
    from iommu_inspect.kernel.ownership.inquiry import Inquiry
    from iommu_inspect.kernel.ownership.roles import Ownership
    from iommu_inspect.model.asked.target import find_target
    from iommu_inspect.model.fact import Missing

    states = [state.value for state in Ownership]
    if ownership is not None and ownership not in states:
        raise BadRequestError(f"--ownership takes one of {', '.join(states)}")
    from iommu_inspect.render.listing.columns import STANDARD, columns_named

    chosen = STANDARD if columns is None else columns_named(columns)
    # A document has every fact of a device, and so has what is predicted of it.
    brief = output is ListFormat.TABLE and not predict_groups
    brief = brief and "numa" not in chosen
    places = output is ListFormat.JSON or "slot" in chosen
    machine = load(source, numeric=numeric, demo=demo, brief=brief, places=places)
    rules = rules_of(machine, semantics)
    found = None
    if predict_groups:
        from iommu_inspect.kernel.grouping.making.prediction import foretell

        found = foretell(machine)
        machine = found.machine
    if group is not None:
        find_target(machine, f"group:{group}")
    devices = None if device is None else named(machine, device)
    wanted = Selection(group, devices, driver, class_, ownership)
    groups, ungrouped = select(Inquiry(machine, rules), wanted)
    if output is ListFormat.JSON:
        from iommu_inspect.render.documents.common import to_json
        from iommu_inspect.render.documents.list import list_document

        emit(to_json(list_document(machine, rules, groups, ungrouped, found)))
    elif output is ListFormat.PASTE:
        from dataclasses import replace

        from iommu_inspect.audit.advice import Advice
        from iommu_inspect.audit.auditing import audit
        from iommu_inspect.render.audits.verdict import audit_text
        from iommu_inspect.render.layout import PLAIN
        from iommu_inspect.render.listing.paste import paste

        # What to type is for who sits there, and not for who reads a forum.
        found_wrong = replace(audit(machine, rules), advice=Advice(None))
        said = audit_text(found_wrong, PLAIN)
        emit(paste(groups, ungrouped, machine.kernel.release, said))
    else:
        from iommu_inspect.model.relations import Relations
        from iommu_inspect.render.listing.columns import rows_of
        from iommu_inspect.render.listing.table import list_text
        from iommu_inspect.render.uses import untold_text

        if groups or ungrouped:
            relations = Relations(machine)
            rows = rows_of(groups, ungrouped, relations, machine.place_of)
            emit(list_text(rows, style(color), chosen))
            if untold := untold_text(machine):
                complain(untold)
        if found is not None:
            from iommu_inspect.render.foretold import foretold_text

            emit(
                ("\n" if groups or ungrouped else "")
                + foretold_text(found, style(color))
            )
    if found is not None and found.predicted:
        if not groups and not ungrouped:
            complain("no device fits")
        if not found.told:
            sys.exit(Exit.CANNOT_TELL)
        return
    if not machine.groups_known:
        contested = any(d.group is Missing.UNREADABLE for d in machine.devices)
        complain(
            "the groups that the source names contradict each other"
            if contested
            else options.NO_GROUPS
        )
        sys.exit(Exit.CANNOT_TELL)
    if not machine.groups:
        complain("this machine has no IOMMU groups; 'iommu-inspect audit' says why")
    elif not groups and not ungrouped:
        complain("no device fits")
