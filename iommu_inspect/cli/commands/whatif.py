"""``iommu-inspect whatif``: the kernel's answers to steps that nobody has taken."""

from __future__ import annotations

import sys
from typing import Annotated

from iommu_inspect.cli import options
from iommu_inspect.cli.declared import Argument, Completes

__all__ = ["what_if"]


def what_if(
    steps: Annotated[
        list[str],
        Argument(
            metavar="STEP...",
            completes=Completes.STEP,
            help="bind=DEV,DRIVER unbind=DEV override=DEV,DRIVER "
            "probe=DEV rebind=DEV,DRIVER claim=GROUP claim=DEV,iommufd "
            "release=GROUP release=DEV,iommufd attach=DEV detach=DEV sriov=DEV,N "
            "hotplug=PORT[,CLASS][,DRIVER] unplug=DEV new_id=DRIVER,ID "
            "remove_id=DRIVER,ID type=GROUP,TYPE load=MODULE unload=MODULE "
            "parameter=MODULE.NAME,VALUE, taken in this order. DEV and PORT are one "
            "device each: 01:00.0, enp3s0, or a part of its name. ID is 10de:2504, or "
            "a device that has it; TYPE is identity, DMA, DMA-FQ or auto.",
        ),
    ],
    source: options.From = None,
    demo: options.Demo = False,
    semantics: options.SemanticsOption = "auto",
    output: options.FormatOption = options.Format.TABLE,
    numeric: options.Numeric = False,
    color: options.ColorOption = options.Color.AUTO,
) -> None:
    """Show what the kernel would answer to steps, and the state after them.

    Nothing is done to the host. bind stands for driver_override and then
    bind, rebind for bind alone, probe for drivers_probe.

    Exit code: 0 every step works, 1 one is refused, 3 one cannot be told.
    """
    from iommu_inspect.audit.changes import effects
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import complain, emit, style
    from iommu_inspect.cli.progress import telling
    from iommu_inspect.cli.session import load, rules_of
    from iommu_inspect.kernel.answers import OK, UNKNOWN
    from iommu_inspect.kernel.steps.simulate import simulate
    from iommu_inspect.kernel.steps.step import parse_step

    parsed = [parse_step(text) for text in steps]
    machine = load(source, numeric=numeric, demo=demo, processes=True)
    rules = rules_of(machine, semantics)
    with telling(lambda: "taking the steps"):
        simulation = simulate(machine, rules, parsed)
        found = effects(machine, simulation, rules)
    if output is options.Format.JSON:
        from iommu_inspect.render.documents.common import to_json, whatif_document

        emit(to_json(whatif_document(machine, rules, found)))
    else:
        from iommu_inspect.render.simulation import simulation_text

        emit(simulation_text(found, style(color)))
        if not rules.certain:
            complain(f"{rules.basis}; --semantics chooses a kernel")
    results = {outcome.answer.result for outcome in simulation.outcomes}
    if results - {OK, UNKNOWN}:
        sys.exit(Exit.BLOCKED)
    if UNKNOWN in results:
        sys.exit(Exit.CANNOT_TELL)
