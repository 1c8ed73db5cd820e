"""The JSON documents, version 1: fields are added, never changed.

They are written out here field by field, apart from the model, so that a change
inside the program cannot change the contract by accident.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, known, map_fact, value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import printable

if TYPE_CHECKING:  # list needs no rules, and so does not wait for them
    from iommu_inspect.audit.changes import Effects
    from iommu_inspect.kernel.answers import Answer
    from iommu_inspect.kernel.ownership.inquiry import Owned, Prediction
    from iommu_inspect.rules._messages import Quote
from iommu_inspect.render.documents.findings import finding_fields
from iommu_inspect.render.uses import use_fields

__all__ = [
    "device_fields",
    "explain_document",
    "group_fields",
    "head",
    "predict_document",
    "to_json",
    "whatif_document",
    "without_surrogates",
]


T = TypeVar("T")
_SURROGATE = re.compile("[\ud800-\udfff]")


def to_json(document: dict[str, Any]) -> str:
    r"""Return the document as text: ASCII, indented, in its own order.

    Bytes that were no UTF-8 are written as ``\xff``: as lone surrogates, which is
    how they come, strict parsers would refuse the whole document. So they would the
    halves of characters that JSON can name, and which are written as ``\ud800``.
    """
    return json.dumps(without_surrogates(document), indent=2)


def without_surrogates(value: object) -> object:
    """Return a document in which bytes that were no UTF-8 are written as escapes."""
    if isinstance(value, str):
        return _SURROGATE.sub(lambda found: printable(found[0]), value)
    if isinstance(value, dict):
        return {key: without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    return value


def predict_document(
    machine: Machine, semantics: Semantics, predictions: Iterable[Prediction]
) -> dict[str, Any]:
    """Build ``iommu-inspect/predict/1``."""
    return {
        **head("predict", machine, semantics),
        "predictions": [_prediction(prediction) for prediction in predictions],
    }


def whatif_document(
    machine: Machine, semantics: Semantics, effects: Effects
) -> dict[str, Any]:
    """Build ``iommu-inspect/whatif/1``: the steps, then the state after them.

    After a crash there is no state, and so there are no groups or predictions.
    """
    simulation = effects.simulation
    ungrouped = simulation.after.ungrouped if simulation.alive else ()
    return {
        **head("whatif", machine, semantics),
        "steps": [
            {
                "step": outcome.step.text,
                "result": outcome.answer.result,
                "group": outcome.group,
                "because": outcome.answer.because,
                "rule": outcome.answer.rule,
                "probe": outcome.answer.probe or None,
                "references": [str(cite) for cite in outcome.answer.references],
            }
            for outcome in simulation.outcomes
        ],
        "groups": [group_fields(owned) for owned in effects.groups],
        "ungrouped": [device_fields(device) for device in ungrouped],
        "predictions": [_prediction(each) for each in effects.predictions],
        "findings_before": [finding_fields(each) for each in effects.findings_before],
        "findings_after": [finding_fields(each) for each in effects.findings_after],
        "vanished": [device.address for device in effects.vanished],
        "losses": [use_fields(x.use, ends=x.whole) for x in effects.losses],
    }


def explain_document(quotes: Iterable[tuple[Quote, str]]) -> dict[str, Any]:
    """Build ``iommu-inspect/explain/1`` from rules and their pages, the best first."""
    return {
        "schema": "iommu-inspect/explain/1",
        "source": None,
        "rules": [
            {
                "rule": quote.rule.id,
                "summary": quote.rule.about.summary,
                "message": quote.message,
                "page": page,
            }
            for quote, page in quotes
        ],
    }


def head(command: str, machine: Machine, semantics: Semantics) -> dict[str, Any]:
    """Return what every document about a machine begins with."""
    return {
        "schema": f"iommu-inspect/{command}/1",
        "source": source_fields(machine),
        "semantics": semantics.label,
        "semantics_basis": semantics.basis,
    }


def source_fields(machine: Machine) -> dict[str, Any]:
    """Return what documents say about where the facts come from."""
    return {
        "kind": machine.source.kind,
        "kernel": _value(machine.kernel.release),
        "name": machine.source.name,
        "notes": list(machine.notes),
        "parts": list(machine.source.parts),
    }


def group_fields(owned: Owned) -> dict[str, Any]:
    """Return a group with its devices and owner."""
    group = owned.group
    facts: dict[str, Fact[Any]] = {
        "type": group.type,
        "name": group.name,
        "reserved_regions": group.reserved_regions,
    }
    regions = group.reserved_regions
    return {
        "id": group.id,
        "type": _value(group.type),
        "name": _value(group.name),
        "ownership": owned.ownership.value,
        "predicted": group.predicted,
        "certainty": _certainty(group),
        "reserved_regions": [
            {
                "start": f"{region.start:#018x}",
                "end": f"{region.end:#018x}",
                "type": region.kind,
            }
            for region in regions
        ]
        if known(regions)
        else None,
        "devices": [device_fields(device) for device in group.devices],
        "missing": _missing(facts),
    }


def _certainty(group: Group) -> str:
    """Say how sure it is that these are the members."""
    if not group.predicted:
        return "kernel"
    return "certain" if group.whole else "partial"


def device_fields(device: Device) -> dict[str, Any]:
    """Return what is known of a device."""
    ids, pci = device.ids, device.pci
    facts: dict[str, Fact[Any]] = {
        "bus": device.bus,
        "driver": device.driver,
        "group": device.group,
        "vendor": _hex(ids.vendor, 4),
        "device": _hex(ids.device, 4),
        "subsystem_vendor": _hex(ids.subsystem_vendor, 4),
        "subsystem_device": _hex(ids.subsystem_device, 4),
        "class": _hex(ids.class_code, 6),
        "revision": _hex(ids.revision, 2),
        "header_type": pci.header_type,
        "multifunction": pci.multifunction,
        "pcie_type": pci.pcie_type,
        "iommu": device.iommu,
        "vfio_devices": _listed(device.vfio_devices),
        "driver_override": device.driver_override,
        "boot_vga": device.boot_vga,
        "power_state": device.power_state,
        "reset_methods": _listed(device.reset_methods),
        "numa_node": device.numa_node,
        "physfn": map_fact(pci.physfn, lambda owner: owner and str(owner)),
        "virtfns": _listed(pci.virtfns),
    }
    return {
        "address": device.address,
        **{name: _value(fact) for name, fact in facts.items()},
        "ids_derived": ids.derived,
        # It was an array from the first version on, and stays one.
        "virtfns": value_or(_listed(pci.virtfns), []),
        "vendor_name": device.vendor_name,
        "name": device.name,
        "missing": _missing(facts),
    }


def _prediction(prediction: Prediction) -> dict[str, Any]:
    return {
        "operation": prediction.operation,
        "target": str(prediction.target),
        "group": prediction.group,
        **answer_fields(prediction.answer),
    }


def answer_fields(answer: Answer) -> dict[str, Any]:
    """Return an answer and what it rests on."""
    return {
        "result": answer.result,
        "rule": answer.rule,
        "because": answer.because,
        "references": [str(cite) for cite in answer.references],
    }


def _value(fact: Fact[T]) -> T | None:
    return fact if known(fact) else None


def _missing(facts: dict[str, Fact[Any]]) -> dict[str, str]:
    """Say why a field is null, for those that are null for want of a fact."""
    return {n: fact.value for n, fact in facts.items() if not known(fact)}


def _hex(number: Fact[int], digits: int) -> Fact[str]:
    return f"{number:0{digits}x}" if known(number) else number


def _listed(words: Fact[tuple[object, ...]]) -> Fact[list[str]]:
    return [str(word) for word in words] if known(words) else words
