"""Screens, what is plugged in, mediated devices, processes: who uses which device."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from builders import device
from examples import each
from trees import ONE, TWO, UNREADABLE, Spec, tree

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.uses.host import Host, UseKind
from iommu_inspect.sources.host.uses import read_host
from iommu_inspect.sources.tree.directory import DirTree

DRM, USB, BOLT = "sys/class/drm", "sys/bus/usb/devices", "sys/bus/thunderbolt/devices"
MDEV = "sys/bus/mdev/devices"
UUID = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"


def cards(one: str = "nvidia", two: str = "amdgpu") -> list[Device]:
    names = ((ONE, one), (TWO, two))
    return [replace(device(p[-12:], driver), path=p) for p, driver in names]


def read(root: Path, spec: Spec, *more: Device, processes: bool = True) -> Host:
    place = root / str(len(list(root.iterdir())))
    return read_host(tree(place, spec), [*cards(), *more], processes=processes)


def found(host: Host) -> list[tuple[UseKind, tuple[str, ...], str]]:
    return [(use.kind, use.what, path) for use in host.uses for path in use.paths]


def connector(name: str, status: str, enabled: str) -> Spec:
    place = f"{ONE}/drm/card0/card0-{name}"
    return {
        f"{DRM}/card0-{name}": f"->{place}",
        f"{place}/status": f"{status}\n",
        f"{place}/enabled": f"{enabled}\n",
    }


def interface(name: str, code: str, kind: str = "00/00", net: bool = False) -> Spec:
    place = f"{TWO}/usb1/1-1/{name}"
    subclass, protocol = kind.split("/")
    return {
        f"{USB}/{name}": f"->{place}",
        f"{place}/bInterfaceClass": f"{code}\n",
        f"{place}/bInterfaceSubClass": f"{subclass}\n",
        f"{place}/bInterfaceProtocol": f"{protocol}\n",
        **({f"{place}/net/": ""} if net else {}),
    }


@each(
    "spec, wanted",
    [
        (
            connector("HDMI-A-1", "connected", "enabled"),
            [(UseKind.DISPLAY, ("HDMI-A-1",), ONE)],
        ),
        (connector("DP-1", "connected", "disabled"), []),
        (connector("DP-1", "disconnected", "disabled"), []),
        ({f"{DRM}/card0": f"->{ONE}/drm/card0"}, []),
        (
            {
                **interface("1-1:1.0", "03", "01/01"),
                **interface("1-1:1.1", "03", "01/02"),
                **interface("1-2:1.0", "08"),
                **interface("1-3:1.0", "ff", net=True),
                **interface("1-4:1.0", "09"),
                **interface("1-5:1.0", "03"),
            },
            [
                (
                    UseKind.USB,
                    ("keyboard", "mouse", "input", "storage", "network"),
                    TWO,
                )
            ],
        ),
        ({f"{USB}/usb1": f"->{TWO}/usb1", f"{USB}/1-0:1.0": f"->{TWO}/x"}, []),
        (
            {
                f"{BOLT}/0-0": f"->{ONE}/domain0/0-0",
                f"{BOLT}/0-1": f"->{ONE}/domain0/0-0/0-1",
                f"{ONE}/domain0/0-0/0-1/device_name": "A dock\n",
                f"{BOLT}/0-301": f"->{ONE}/domain0/0-0/0-1/0-301",
            },
            [(UseKind.THUNDERBOLT, ("A dock", "0-301"), ONE)],
        ),
        (
            {f"{MDEV}/{UUID}": f"->{ONE}/{UUID}"},
            [(UseKind.MEDIATED, (UUID,), ONE)],
        ),
    ],
)
def test_what_hangs_on_a_device_is_a_use_of_it(
    tmp_path: Path, spec: Spec, wanted: list[object]
) -> None:
    assert found(read(tmp_path, spec)) == wanted


def test_a_mediated_device_with_a_group_is_on_its_parent_not_on_itself(
    tmp_path: Path,
) -> None:
    mdev = replace(device(UUID, "vfio_mdev", bus="mdev"), path=f"{ONE}/{UUID}")
    host = read(tmp_path, {"sys/bus/": ""}, mdev)
    assert found(host) == [(UseKind.MEDIATED, (UUID,), ONE)]
    listed = read(tmp_path, {f"{MDEV}/{UUID}": f"->{ONE}/{UUID}"}, mdev)
    assert found(listed) == [(UseKind.MEDIATED, (UUID,), ONE)]


@each(
    "kind, spec, why",
    [
        (UseKind.DISPLAY, {f"{DRM}/card0-DP-1/": ""}, None),  # no status, and no link
        (
            UseKind.DISPLAY,
            {
                f"{DRM}/card0-DP-1": f"->{ONE}/card0-DP-1",
                f"{ONE}/card0-DP-1/status": UNREADABLE,
            },
            Missing.UNREADABLE,
        ),
        (UseKind.USB, {f"{USB}/1-1:1.0": UNREADABLE}, Missing.UNREADABLE),
        (UseKind.THUNDERBOLT, {f"{BOLT}/0-1": UNREADABLE}, Missing.UNREADABLE),
        (UseKind.MEDIATED, {f"{MDEV}/{UUID}": UNREADABLE}, Missing.UNREADABLE),
        (UseKind.PROCESS, {"proc/cmdline": "quiet\n"}, Missing.ABSENT),
    ],
)
def test_what_could_not_be_seen_is_said(
    tmp_path: Path, kind: UseKind, spec: Spec, why: Missing | None
) -> None:
    host = read(tmp_path, {"sys/bus/": "", **spec})
    assert dict(host.untold).get(kind) is why
    assert found(host) == []


def process(number: int, name: str, *nodes: str) -> Spec:
    place = f"proc/{number}"
    links = {f"{place}/fd/{n}": f"->{node}" for n, node in enumerate(nodes)}
    return {f"{place}/comm": f"{name}\n", f"{place}/fd/": "", **links}


SYSFS: Spec = {
    f"{DRM}/card0": f"->{ONE}/drm/card0",
    f"{DRM}/renderD128": f"->{TWO}/drm/renderD128",
    "sys/class/sound/pcmC0D0p": f"->{TWO}/sound/card0/pcmC0D0p",
    "sys/class/nvme/nvme0": f"->{ONE}/nvme/nvme0",
    "sys/class/block/nvme0n1": f"->{ONE}/nvme/nvme0/nvme0n1",
    "sys/class/uio/uio0": f"->{TWO}/uio/uio0",
    "sys/class/input/event3": f"->{TWO}/usb1/1-1/input/input3/event3",
    "sys/class/vfio-dev/vfio0": f"->{ONE}/vfio-dev/vfio0",
    "sys/class/vfio-dev/noiommu-vfio1": f"->{TWO}/vfio-dev/noiommu-vfio1",
}


@each(
    "node, wanted",
    [
        ("dev/dri/card0", [ONE]),
        ("dev/dri/renderD128", [TWO]),
        ("dev/snd/pcmC0D0p", [TWO]),
        ("dev/nvme0", [ONE]),
        ("dev/nvme0n1", [ONE]),
        ("dev/uio0", [TWO]),
        ("dev/input/event3", [TWO]),
        ("dev/vfio/devices/vfio0", [ONE]),
        ("dev/vfio/devices/noiommu-vfio1", [TWO]),
        ("dev/nvidia0", [ONE]),  # the only one of its driver
        ("dev/kfd", [TWO]),
        ("dev/nvidiactl", []),
        ("dev/null", []),
        ("dev/dri/card7", []),
        ("dev/vfio/vfio", []),
        ("home/dev/dri/card0", []),
    ],
)
def test_who_has_a_node_open_holds_the_device_behind_it(
    tmp_path: Path, node: str, wanted: list[str]
) -> None:
    all_seen = {**process(2, "kthreadd"), **process(1234, "Xorg", "dev/null", node)}
    spec = {"sys/bus/": "", **SYSFS, **all_seen}
    host = read(tmp_path, spec)
    assert found(host) == [(UseKind.PROCESS, ("Xorg (1234)",), p) for p in wanted]
    assert UseKind.PROCESS not in dict(host.untold)
    assert read(tmp_path, spec, processes=False).uses == ()


@each(
    "second",
    [
        {},  # hidepid=2, or a list that was made shorter
        process(2, "bash"),  # a container's
        {"proc/2/fd/": ""},
    ],
)
def test_a_list_without_the_kernels_own_process_may_lack_others(
    tmp_path: Path, second: Spec
) -> None:
    seen = process(1234, "Xorg", "dev/dri/card0")
    host = read(tmp_path, {"sys/bus/": "", **SYSFS, **second, **seen})
    assert found(host) == [(UseKind.PROCESS, ("Xorg (1234)",), ONE)]
    assert UseKind.PROCESS in dict(host.untold)


HIDDEN = """
import os
from iommu_inspect.model.uses.host import UseKind
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_live

def why():
    host = read_machine(open_live(), processes=True).host
    return dict(host.untold).get(UseKind.PROCESS)

first = why()  # all that is imported for it can be read now
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
print(first, why())
"""


def test_who_may_not_see_the_processes_of_others_does_not_take_them_for_none() -> None:
    mounted = "mount -t proc -o hidepid=2 proc /proc"
    command = ["unshare", "--mount", "sh", "-c"]
    release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
    if release < (5, 8):  # one mount's options were those of all, this machine's too
        pytest.skip("before v5.8 there is no procfs with options of its own")
    if subprocess.run([*command, mounted], capture_output=True).returncode:
        pytest.skip("needs root, and a kernel that hides processes (hidepid=2)")
    done = subprocess.run(
        [*command, f'{mounted} && exec "$@"', "sh", sys.executable, "-c", HIDDEN],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("None Missing.ABSENT\n", "")


def test_a_group_is_held_by_who_has_its_node_open(tmp_path: Path) -> None:
    on_vfio = replace(device("0000:00:03.0", "vfio-pci", group="7"), path=f"{ONE}/../3")
    spec = {"sys/bus/": "", **process(812, "qemu-system-x86", "dev/vfio/7")}
    host = read(tmp_path, spec, on_vfio)
    assert found(host) == [
        (UseKind.PROCESS, ("qemu-system-x86 (812)",), str(on_vfio.path))
    ]


def test_the_number_of_a_card_of_nvidia_tells_which_it_is(tmp_path: Path) -> None:
    gpus = "proc/driver/nvidia/gpus"
    spec = {
        f"{gpus}/{ONE[-12:]}/information": "Model: A\nDevice Minor: \t 1\n",
        f"{gpus}/{TWO[-12:]}/information": "Model: B\nDevice Minor: \t 0\n",
        "sys/bus/": "",
    }
    place = tree(tmp_path / "a", {**spec, **process(9, "python", "dev/nvidia0")})
    host = read_host(place, cards("nvidia", "nvidia"), processes=True)
    assert [path for *_, path in found(host)] == [TWO]
    place = tree(tmp_path / "b", {"sys/bus/": "", **process(9, "x", "dev/nvidia0")})
    host = read_host(place, cards("nvidia", "nvidia"), processes=True)
    assert [path for *_, path in found(host)] == [ONE, TWO]


class Closed(DirTree):
    """A host where this user may not see what process 1 has open."""

    def _names(self, path: str) -> Fact[Iterable[str]]:
        return Missing.DENIED if path == "proc/1/fd" else super()._names(path)


def test_what_others_have_open_is_not_nobody(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {**SYSFS, **process(1, "init"), **process(20, "mpv", "dev/dri/card0")},
    )
    host = read_host(Closed(str(tmp_path), "a host"), cards(), processes=True)
    assert dict(host.untold)[UseKind.PROCESS] is Missing.DENIED
    assert found(host) == [(UseKind.PROCESS, ("mpv (20)",), ONE)]


class Counting(DirTree):
    """A tree that counts what it is asked."""

    asked = 0

    def _link(self, path: str) -> Fact[str]:
        self.asked += 1
        return super()._link(path)


def test_an_open_file_costs_one_question_and_only_who_asks_pays(
    tmp_path: Path,
) -> None:
    many = process(5, "server", *(f"socket:[{n}]" for n in range(500)))
    tree(tmp_path, {**SYSFS, **many})
    without, looking = (Counting(str(tmp_path), "a host") for _ in range(2))
    read_host(without, cards())
    read_host(looking, cards(), processes=True)
    assert looking.asked - without.asked == 500
