"""Writes what many hosts come to, to the terminal or to a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping

from iommu_inspect.audit.fleet.tally import Tally
from iommu_inspect.cli.exits import Exit
from iommu_inspect.cli.fleet.gathering import Hosts
from iommu_inspect.cli.output import complain, emit
from iommu_inspect.render.layout import Style

__all__ = ["write"]

_MOST_NAMES = 200


def write(
    form: str, output: str, hosts: Hosts, style: Style, *, numeric: bool = False
) -> None:
    """Write hosts in a format, to a file or, for ``-``, to standard output."""
    from iommu_inspect.render.fleet.words import host_words

    if form == "parquet":
        from iommu_inspect.cli.fleet.parquet import parquet

        _save(output, parquet(hosts.lines()))
    elif form == "jsonl":
        _write_lines(output, hosts)
    else:
        text = _text(form, hosts.all(), style, numeric=numeric)
        if output == "-":
            emit(text)
            return
        _save(output, [text.encode(), b"\n"])
    if output != "-":
        complain(f"wrote {output}")
    if form in ("jsonl", "parquet"):
        complain(host_words(hosts.tally))


def _text(form: str, tally: Tally, style: Style, *, numeric: bool) -> str:
    if form == "metrics":
        from iommu_inspect.render.fleet.metrics import fleet_metrics

        return fleet_metrics(tally)
    names = {} if numeric else _names(tally)
    if form == "html":
        from iommu_inspect.render.fleet.page import fleet_page

        return fleet_page(tally, names)
    from iommu_inspect.render.fleet.table import fleet_text

    return fleet_text(tally, style, names)


def _write_lines(output: str, hosts: Hosts) -> None:
    if output != "-":
        _save(output, (f"{line}\n".encode() for line in hosts.lines()))
        return
    for line in hosts.lines():
        if not emit(line):
            break


def _save(output: str, pieces: Iterable[bytes]) -> None:
    from iommu_inspect.sources.tree.saving import save

    try:
        save(output, pieces)
    except OSError as error:
        complain(f"cannot write {output}: {error.strerror}")
        sys.exit(Exit.INTERNAL)


def _names(tally: Tally) -> Mapping[str, str]:
    """Return what the devices that most hosts have are called, as this host knows."""
    from iommu_inspect.model.device import Device, PciIds
    from iommu_inspect.model.identity import DeviceId
    from iommu_inspect.model.machine import Machine, Source
    from iommu_inspect.render.fleet.words import by_hosts
    from iommu_inspect.sources.names import from_pci_ids
    from iommu_inspect.sources.tree.opening import open_live

    def devices() -> Iterator[Device]:
        for each in by_hosts(tally.devices)[:_MOST_NAMES]:
            vendor, _, device = each.key.partition(":")
            ids = PciIds(int(vendor, 16), int(device, 16))
            yield Device(DeviceId(each.key, "pci"), ids=ids)

    made = Machine(Source("tree", ""), ungrouped=tuple(devices()))
    namer = from_pci_ids(open_live(), made)
    found = {}
    for device in made.ungrouped:
        names = namer(device)
        if names.vendor:
            found[device.address] = " ".join(filter(None, (names.vendor, names.device)))
    return found
