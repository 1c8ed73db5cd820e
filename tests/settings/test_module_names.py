"""A name that no module has, where one of vfio's was meant."""

from __future__ import annotations

from pathlib import Path

from examples import each

from iommu_inspect.model.asked.near import distance, is_near
from iommu_inspect.model.host.module_names import meant
from iommu_inspect.model.host.settings import ListedModule, Settings
from iommu_inspect.settings.lint import Oddity, lint
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.host.modprobe import parse_modprobe
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path


@each(
    "name, right",
    [
        ("vfio-cpi", "vfio-pci"),
        ("vfoi_pci", "vfio-pci"),
        ("vfio-pcie", "vfio-pci"),
        ("vfiopci", "vfio-pci"),
        ("VFIO-PCI-", "vfio-pci"),
        ("vfio_iommu_typ1", "vfio_iommu_type1"),
        ("vfio-iommu-type-1", "vfio_iommu_type1"),
        ("vifo", "vfio"),
        ("pci-stubs", "pci-stub"),
        ("vfio-pci", None),
        ("vfio_pci", None),
        ("vfio_virqfd", None),
        ("virtio_pci", None),
        ("mlx5_vfio_pci", None),
        ("iommu", None),
        ("vio", None),
        ("kvm", None),
        ("nouveau", None),
    ],
)
def test_which_module_was_meant(name: str, right: str | None) -> None:
    assert meant(name) == right


def test_how_far_words_are_apart() -> None:
    assert distance("10de:1f19", "10de:1f91") == 1
    assert distance("", "ab") == distance("ab", "") == 2
    assert distance("abc", "ca") == 3
    assert is_near("10de:1f91", "10de:1f90")
    assert not is_near("10de:1f91", "10de:1f91")
    assert not is_near("10de:1f91", "10de:2f90")


def named(**more: object) -> tuple[Oddity, ...]:
    return lint(Settings(**more))  # type: ignore[arg-type]


@each(
    "text, line, lost",
    [
        (
            "options vfio-cpi ids=10de:1f91",
            "options vfio-pci ids=10de:1f91",
            ["10de:1f91"],
        ),
        ("softdep nouveau pre: vfio-cpi", "softdep nouveau pre: vfio-pci", []),
        ("softdep vfio-cpi pre: vfio", "softdep vfio-pci pre: vfio", []),
        ("install vfio-cpi /bin/true", "install vfio-pci /bin/true", []),
        ("alias pci:v000010DE vfio-cpi", "alias pci:v000010DE vfio-pci", []),
        ("options vfio_iommu_typ1 x=1", "options vfio_iommu_type1 x=1", []),
    ],
)
def test_a_name_that_no_module_has_in_modprobe_d(
    text: str, line: str, lost: list[str]
) -> None:
    (odd,) = named(modprobe=parse_modprobe(text, "/etc/modprobe.d/vfio.conf"))
    assert "no module of vfio is called" in odd.why
    assert (odd.fix.line, odd.fix.file) == (line, "/etc/modprobe.d/vfio.conf")
    assert [entry.text for entry in odd.lost] == lost


@each(
    "text, line, lost",
    [
        ("vfio-cpi.ids=10de:1f91", "vfio-pci.ids=10de:1f91", ["10de:1f91"]),
        ("vfio-cpi.disable_vga=1", "vfio-pci.disable_vga=1", []),
        ("rd.driver.pre=vfio-cpi", "rd.driver.pre=vfio-pci", []),
        ("modules-load=kvm,vfio-cpi", "modules-load=kvm,vfio-pci", []),
    ],
)
def test_a_name_that_no_module_has_on_the_command_line(
    text: str, line: str, lost: list[str]
) -> None:
    (odd,) = named(command_line=parse_command_line(f"quiet {text}"))
    assert (odd.fix.line, odd.fix.file) == (line, "")
    assert [entry.text for entry in odd.lost] == lost


@each("name", ["vfio-cpi;id", "vfio-cp$(id)", "vfio-cpi\x1b[2J"])
def test_what_is_no_name_is_passed_over(name: str) -> None:
    text = f"softdep nouveau pre: {name}"
    assert named(modprobe=parse_modprobe(text)) == ()


def test_a_line_with_more_than_names_in_it_is_not_printed_to_be_copied() -> None:
    entry = ListedModule("vfio_cpi", "MODULES=(vfio_cpi $(id))", "/etc/m.conf", 3)
    (odd,) = named(module_lists=(entry,))
    assert odd.where == "in /etc/m.conf line 3"
    assert odd.fix.line == ""
    assert "vfio-pci" in odd.fix.prose


LISTS = {
    "etc/modules": "vfio\nvfio_cpi\n",
    "etc/modules-load.d/vfio.conf": "# vfio-cpi\n; vfio-cpi\nvfio-cpi\n",
    "etc/initramfs-tools/modules": "# none\nvfio-cpi ids=10de:1f91\n",
    "etc/mkinitcpio.conf": '#MODULES=(vfio-cpi)\nMODULES="vfio vfio-cpi"\n',
    "etc/mkinitcpio.conf.d/vfio.conf": "MODULES+=(vfio-cpi vfio)\n",
    "etc/dracut.conf.d/vfio.conf": 'force_drivers+=" vfio vfio-cpi "\n',
    "etc/modules-load.d/README": "vfio-cpi\n",
}


def written(root: Path, files: dict[str, str]) -> Settings:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "sys").mkdir(exist_ok=True)
    return read_machine(open_path(str(root))).settings


def test_lists_of_modules_are_looked_through(tmp_path: Path) -> None:
    odd = lint(written(tmp_path, LISTS))
    assert sorted(o.where for o in odd) == [
        "in /etc/dracut.conf.d/vfio.conf line 1",
        "in /etc/initramfs-tools/modules line 2",
        "in /etc/mkinitcpio.conf line 2",
        "in /etc/mkinitcpio.conf.d/vfio.conf line 1",
        "in /etc/modules line 2",
        "in /etc/modules-load.d/vfio.conf line 3",
    ]


@each(
    "dep, builtin, why",
    [
        ("kernel/vfio-pci.ko.zst: kernel/vfio.ko.zst\n", "", "this kernel has no"),
        ("updates/vfio-cpi.ko:\n", "", None),  # somebody built one
        ("", "kernel/vfio-cpi.ko\n", None),
        ("kernel/vfio-pci.ko:\n", None, "no module of vfio is called"),
        (None, None, "no module of vfio is called"),
    ],
)
def test_the_kernels_own_list_of_modules_decides(
    tmp_path: Path, dep: str | None, builtin: str | None, why: str | None
) -> None:
    root = tmp_path / str(abs(hash((dep, builtin))))
    files = {
        "etc/modprobe.d/a.conf": "options vfio-cpi ids=10de:1f91\n",
        "proc/sys/kernel/osrelease": "6.12.1\n",
    }
    for name, text in (("modules.dep", dep), ("modules.builtin", builtin)):
        if text is not None:
            files[f"lib/modules/6.12.1/{name}"] = text
    odd = lint(written(root, files))
    assert [o.why.partition(" module")[0] for o in odd] == (
        [why.partition(" module")[0]] if why else []
    )


@each(
    "dep, count",
    [("kernel/vfio.ko:\n", 1), ("kernel/vfio_virqfd.ko:\n", 0), (None, 0)],
)
def test_a_module_that_newer_kernels_have_folded_into_vfio(
    tmp_path: Path, dep: str | None, count: int
) -> None:
    """dracut: Failed to find module 'vfio_virqfd' (passthrough_helper_fedora 2)."""
    files = {
        "etc/modules": "vfio_virqfd\n",
        "proc/sys/kernel/osrelease": "6.6.9\n",
    }
    if dep is not None:
        files["lib/modules/6.6.9/modules.dep"] = dep
        files["lib/modules/6.6.9/modules.builtin"] = ""
    odd = lint(written(tmp_path / str(count) / str(dep is None), files))
    assert len(odd) == count
    assert all("since v6.2" in o.why for o in odd)
