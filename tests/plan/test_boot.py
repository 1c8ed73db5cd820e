"""What is written down for every boot: modprobe.d, initramfs, command line."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from builders import SINCE_6_6, device, functions, group, machine, only
from examples import each

from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.host.kernel import VfioSettings
from iommu_inspect.model.host.settings import ModuleState, Settings
from iommu_inspect.model.host.system import Initramfs, Loader, System
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.host import Host, HostUse, UseKind
from iommu_inspect.plan.host.boot import Boot, boot, cure, leads_with_boot
from iommu_inspect.plan.host.script import script
from iommu_inspect.plan.host.systems import initramfs_places, loader_places
from iommu_inspect.plan.steps.making import make_plan
from iommu_inspect.plan.writing import written
from iommu_inspect.render.plans.plan import plan_text
from iommu_inspect.settings.lint import lint
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.host.modprobe import parse_modprobe

GPU = replace(
    device("0000:01:00.0", "nouveau"), ids=PciIds(0x10DE, 0x1B80, class_code=0x030000)
)
AUDIO = replace(
    device("0000:01:00.1", "snd_hda_intel"),
    ids=PciIds(0x10DE, 0x10F0, class_code=0x040300),
)


def boot_of(host: Machine, *words: str) -> Boot:
    targets = tuple(find_target(host, word) for word in words)
    plan = make_plan(host, only(SINCE_6_6), targets)
    assert not plan.refusals
    found = boot(plan)
    assert found is not None
    return found


def other(found: Device, address: str, group_id: str) -> Device:
    return replace(
        found,
        id=DeviceId(address, "pci"),
        path=f"sys/devices/{address}",
        group=group_id,
    )


def test_ids_that_nothing_else_has_are_named() -> None:
    found = boot_of(machine(group(GPU, AUDIO)), "01:00.0")
    assert found.method == "ids"
    assert found.modprobe[1:] == (
        "options vfio-pci ids=10de:1b80,10de:10f0",
        "softdep nouveau pre: vfio-pci",
        "softdep nvidia pre: vfio-pci",
        "softdep snd_hda_intel pre: vfio-pci",
    )
    assert found.kernel_words == ("vfio-pci.ids=10de:1b80,10de:10f0",)
    assert found.driverctl == (
        "driverctl set-override 0000:01:00.0 vfio-pci",
        "driverctl set-override 0000:01:00.1 vfio-pci",
    )


def test_a_twin_of_the_hosts_is_never_taken_by_ids() -> None:
    """Two of the same graphics card: one for the guest, one for the host."""
    twin = group(
        other(GPU, "0000:02:00.0", "2"), other(AUDIO, "0000:02:00.1", "2"), id="2"
    )
    found = boot_of(machine(group(GPU, AUDIO), twin), "01:00.0")
    assert found.method == "address"
    assert "0000:02:00.0 and 0000:02:00.1" in found.why
    assert found.kernel_words == ()
    assert found.command_line == ()
    assert not any("ids=" in line for line in found.modprobe)
    install = next(x for x in found.modprobe if x.startswith("install "))
    assert "0000:01:00.1; " in install
    assert "0000:02:00" not in install


def test_two_twins_that_both_go_are_named_by_id() -> None:
    twin = group(other(GPU, "0000:02:00.0", "2"), id="2")
    found = boot_of(machine(group(GPU), twin), "01:00.0", "02:00.0")
    assert found.method == "ids"
    assert "options vfio-pci ids=10de:1b80" in found.modprobe


def test_what_must_stay_without_a_driver_cannot_be_said_by_ids() -> None:
    bridge = device("0000:00:1e.0", "shpchp", bridge=True)
    found = boot_of(machine(group(bridge, GPU)), "01:00.0")
    assert found.method == "address"
    assert "driverctl set-override 0000:00:1e.0 none" in found.driverctl
    install = next(x for x in found.modprobe if x.startswith("install "))
    assert install.count("echo none > ") == 1


def test_a_virtual_function_is_not_there_at_boot() -> None:
    vf = replace(
        device("0000:01:10.0", "ixgbevf"),
        pci=PciPlacement(header_type=0, physfn=functions("0000:01:00.0")[0]),
    )
    found = boot_of(machine(group(vf)), "01:10.0")
    assert found.modprobe == ()
    assert found.initramfs == ()
    assert found.driverctl == ("driverctl set-override 0000:01:10.0 vfio-pci",)
    assert "sriov_numvfs" in found.notes[0]
    assert found.why == "by address: vfio-pci's ids are of no use here"


def test_where_modprobe_reaches_nothing_the_text_speaks_of_driverctl_alone() -> None:
    vf = replace(
        device("0000:01:10.0", "ixgbevf"),
        pci=PciPlacement(header_type=0, physfn=functions("0000:01:00.0")[0]),
    )
    host = machine(group(vf))
    rules = only(SINCE_6_6)
    plan = make_plan(host, rules, [find_target(host, "01:10.0")])
    text = plan_text(plan, written(plan, rules), rules)
    every = text.partition("\nFor every boot ")[2].partition("libvirt")[0]
    assert "\n  with driverctl:\n" in every
    assert "initramfs" not in every
    assert "\n  Undo: driverctl unset-override DEVICE.\n" in every


def test_a_device_whose_ids_are_not_told_may_be_a_twin() -> None:
    """The root disk of a capture that lost its vendor file may be the same model."""
    nameless = replace(device("0000:05:00.0", "nvme", group="2"), ids=PciIds())
    host = machine(group(GPU, AUDIO), group(nameless, id="2"))
    found = boot_of(host, "01:00.0")
    assert found.method == "address"
    assert "0000:05:00.0" in found.why


def test_drivers_are_named_by_their_modules() -> None:
    usb = device("0000:01:00.2", "xhci_hcd")
    found = boot_of(machine(group(usb)), "01:00.2")
    assert "softdep xhci_pci pre: vfio-pci" in found.modprobe


def test_the_module_is_the_one_that_the_source_names() -> None:
    usb = device("0000:01:00.2", "xhci_hcd")
    settings = Settings(
        modules=(("vfio_pci", ModuleState.BUILT_IN),),
        driver_modules=(("xhci_hcd", "xhci_pci_renesas"),),
    )
    found = boot_of(machine(group(usb), settings=settings), "01:00.2")
    assert "softdep xhci_pci_renesas pre: vfio-pci" in found.modprobe
    assert found.notes[-1].startswith("vfio-pci is built into this kernel")


@pytest.mark.parametrize("twin", [False, True], ids=["ids", "address"])
def test_our_own_linter_finds_nothing_odd_in_the_lines(twin: bool) -> None:
    second = group(other(GPU, "0000:02:00.0", "2"), id="2")
    host = machine(group(GPU, AUDIO), *([second] if twin else []))
    found = boot_of(host, "01:00.0")
    config = parse_modprobe("\n".join(found.modprobe), "vfio.conf")
    assert lint(Settings(modprobe=config)) == ()
    assert config.loaded_before("nouveau") == ("vfio_pci",)
    assert bool(config.about("install", "vfio_pci")) is twin
    assert bool(config.about("options", "vfio_pci")) is not twin
    words = parse_command_line(" ".join(found.kernel_words))
    assert lint(Settings(command_line=words)) == ()


@pytest.mark.skipif(not shutil.which("modprobe"), reason="there is no modprobe here")
@pytest.mark.parametrize("twin", [False, True], ids=["ids", "address"])
def test_kmod_reads_the_file_as_it_is_meant(tmp_path: Path, twin: bool) -> None:
    """``modprobe --showconfig`` prints what it understood."""
    second = group(other(GPU, "0000:02:00.0", "2"), id="2")
    host = machine(group(GPU, AUDIO), *([second] if twin else []))
    found = boot_of(host, "01:00.0")
    file = tmp_path / "vfio.conf"
    file.write_text("\n".join(found.modprobe) + "\n")
    done = subprocess.run(
        ["modprobe", "-C", str(file), "--showconfig"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    # It adds the kernel's own tables of aliases, and writes "-" as "_".
    lines = set(done.stdout.splitlines())
    wanted = {line for line in found.modprobe if not line.startswith("#")}
    assert {line.replace(" vfio-pci ", " vfio_pci ", 1) for line in wanted} <= {
        *lines,
        *(line.replace(" vfio-pci ", " vfio_pci ", 1) for line in lines),
    }


@pytest.mark.parametrize("moved", [False, True], ids=["in-place", "moved"])
@pytest.mark.parametrize("shell", ["dash", "busybox", "bash"])
def test_the_install_line_works_in_a_shell_and_looks_before_it_writes(
    tmp_path: Path, shell: str, moved: bool
) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} here")
    twin = group(other(GPU, "0000:02:00.0", "2"), id="2")
    found = boot_of(machine(group(GPU, AUDIO), twin), "01:00.0")
    install = next(x for x in found.modprobe if x.startswith("install "))
    for member in (GPU, AUDIO):
        folder = tmp_path / "bus/pci/devices" / member.address
        folder.mkdir(parents=True)
        (folder / "vendor").write_text("0x10de\n")
        (folder / "device").write_text(f"{member.ids.device:#06x}\n")
    if moved:  # the graphics card is elsewhere now, and something else is there
        (tmp_path / "bus/pci/devices/0000:01:00.0/device").write_text("0x9999\n")
    line = install.removeprefix("install vfio-pci ").replace("/sys/", f"{tmp_path}/")
    line = line.replace("/sbin/modprobe", "echo modprobe")
    done = subprocess.run(
        [shell, *(["sh"] if shell == "busybox" else []), "-c", line],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "modprobe --ignore-install vfio-pci"
    written = sorted(path.parent.name for path in tmp_path.rglob("driver_override"))
    assert written == ["0000:01:00.0", "0000:01:00.1"][moved:]


UNKNOWN = System()
UPDATE_GRUB, MKCONFIG = "update-grub", "grub-mkconfig -o /boot/grub/grub.cfg"
GRUBBY = 'grubby --update-kernel=ALL --args="a.b=1 quiet"'
REFRESH = "proxmox-boot-tool refresh"


@each(
    "loaders, path, commands",
    [
        (Loader.UPDATE_GRUB, "/etc/default/grub", UPDATE_GRUB),
        (Loader.GRUB_MKCONFIG, "/etc/default/grub", MKCONFIG),
        (
            Loader.GRUB2_MKCONFIG,
            "/etc/default/grub",
            "grub2-mkconfig -o /boot/grub2/grub.cfg",
        ),
        (Loader.GRUBBY, "", GRUBBY),
        (Loader.SYSTEMD_BOOT, "/boot/loader/entries/*.conf", ""),
        (Loader.PROXMOX_SYSTEMD_BOOT, "/etc/kernel/cmdline", REFRESH),
        (Loader.PROXMOX_GRUB, "/etc/default/grub", REFRESH),
        (Loader.KERNELSTUB, "", 'kernelstub -a "a.b=1 quiet"'),
        (Loader.TRANSACTIONAL, "/etc/default/grub", "transactional-update grub.cfg"),
        (
            Loader.RPM_OSTREE,
            "",
            "rpm-ostree kargs --append-if-missing=a.b=1 --append-if-missing=quiet",
        ),
        (Loader.NIXOS, "/etc/nixos/configuration.nix", "nixos-rebuild boot"),
        (Loader.U_BOOT_MENU, "/etc/default/u-boot", "u-boot-update"),
        (Loader.RASPBERRY_PI, "/boot/firmware/cmdline.txt", ""),
    ],
)
def test_each_boot_loader_takes_the_words_in_its_own_place(
    loaders: Loader, path: str, commands: str
) -> None:
    host = System(loaders=(loaders,))
    (place,) = loader_places(("a.b=1", "quiet"), host, all_systems=False)
    assert (place.path, "; ".join(place.commands)) == (path, commands)
    said = " ".join((*place.lines, *place.commands))
    assert "a.b=1" in said and "quiet" in said
    assert loader_places((), host, all_systems=True) == ()


@each(
    "host, all_systems, loaders, initramfs",
    [
        (UNKNOWN, False, 5, 3),
        (UNKNOWN, True, len(Loader), len(Initramfs)),
        (System("arch", (Initramfs.BOOSTER,), (Loader.SYSTEMD_BOOT,)), False, 1, 1),
        (
            System("arch", (Initramfs.BOOSTER,), (Loader.SYSTEMD_BOOT,)),
            True,
            len(Loader),
            len(Initramfs),
        ),
    ],
)
def test_only_the_hosts_own_way_is_shown_unless_all_are_asked_for(
    host: System, all_systems: bool, loaders: int, initramfs: int
) -> None:
    assert len(loader_places(("a",), host, all_systems=all_systems)) == loaders
    assert len(initramfs_places(host, (), all_systems=all_systems)) == initramfs


@each("twin", [False, True])
def test_nixos_has_all_of_it_in_one_file(twin: bool) -> None:
    second = group(other(GPU, "0000:02:00.0", "2"), id="2")
    system = System("nixos", (Initramfs.NIXOS,), (Loader.NIXOS,))
    host = machine(group(GPU, AUDIO), *([second] if twin else []), system=system)
    found = boot_of(host, "01:00.0")
    assert found.modprobe == ()
    (place,) = found.initramfs
    text = "\n".join(place.lines)
    assert 'boot.initrd.kernelModules = [ "vfio_pci" "vfio_iommu_type1" ];' in text
    assert "softdep nouveau pre: vfio-pci" in text
    assert "/etc/modprobe.d" not in text
    assert "/sbin/modprobe" not in text
    assert ("boot.initrd.preDeviceCommands" in text) is twin
    assert ("options vfio-pci ids=10de:1b80,10de:10f0" in text) is not twin
    assert text.count("echo vfio-pci > $d/driver_override") == 2 * twin


@each(
    "line, words, says",
    [
        ("quiet", ("vfio-pci.ids=10de:1b80",), None),
        ("quiet vfio-pci.ids=10de:1b80", (), "has vfio-pci.ids=10de:1b80 already"),
        ("vfio_pci.ids=10de:1b80", (), "already"),
        (
            "vfio-pci.ids=1002:ab20 quiet",
            ("vfio-pci.ids=1002:ab20,10de:1b80",),
            "is to take the place of vfio-pci.ids=1002:ab20",
        ),
        # The last one counts.
        (
            "vfio-pci.ids=10de:1b80 vfio-pci.ids=1002:ab20",
            ("vfio-pci.ids=1002:ab20,10de:1b80",),
            "is to take the place of vfio-pci.ids=1002:ab20",
        ),
    ],
)
def test_a_word_that_is_there_is_not_told_again(
    line: str, words: tuple[str, ...], says: str | None
) -> None:
    settings = Settings(command_line=parse_command_line(line))
    found = boot_of(machine(group(GPU), settings=settings), "01:00.0")
    assert found.kernel_words == words
    notes = " ".join(found.notes)
    assert says is None or says in notes
    assert ("command line" in notes.replace("kernel's command line, or", "")) is bool(
        says
    )


def test_other_lines_about_vfio_pci_are_named() -> None:
    config = parse_modprobe("# none\noptions vfio-pci ids=1002:ab20\n", "/etc/a.conf")
    host = machine(group(GPU), settings=Settings(modprobe=config))
    notes = " ".join(boot_of(host, "01:00.0").notes)
    assert notes.startswith("/etc/a.conf:2 is about vfio-pci too")


def test_what_is_denied_needs_the_denylist_off_at_every_boot_too() -> None:
    qat = replace(
        device("0000:b1:00.0", "vfio-pci"),
        ids=PciIds(0x8086, 0x37C8, class_code=0xB4000),
    )
    for off in (True, False):
        vfio = VfioSettings(False, False, False, True, disable_denylist=off)
        found = boot_of(machine(group(qat), vfio=vfio), "b1:00.0")
        line = "options vfio-pci disable_denylist=1"
        assert (line in found.modprobe) is off
        assert ("vfio-pci.disable_denylist=1" in found.kernel_words) is off
        assert ("Only trusted guests" in " ".join(found.notes)) is off


DISPLAY_PATH = "sys/devices/0000:01:00.0"
SHOWN = Host(uses=(HostUse(UseKind.FRAMEBUFFER, ("efifb",), ((DISPLAY_PATH,),)),))
TERMINAL = Host(uses=(HostUse(UseKind.CONSOLE, ("ttyS4",), ((DISPLAY_PATH,),)),))
NO_USE = Host(untold=(), disks=(), interfaces=())


@each(
    "found, host, reason",
    [
        (GPU, NO_USE, None),
        (replace(GPU, boot_vga=False), NO_USE, None),
        (replace(GPU, boot_vga=True), NO_USE, "the host booted on the display"),
        (GPU, SHOWN, "the firmware's framebuffer is on 0000:01:00.0"),
        (GPU, TERMINAL, "0000:01:00.0 is in use (ttyS4)"),
        # A serial card's terminal is no display, and its driver lets go.
        (device("0000:01:00.0", "serial"), TERMINAL, None),
        # On vfio-pci already, or without a driver: nothing is taken off.
        (replace(GPU, boot_vga=True, driver="vfio-pci"), NO_USE, None),
        (replace(GPU, boot_vga=True, driver=None), NO_USE, None),
    ],
)
def test_for_a_display_in_use_the_settings_for_every_boot_come_first(
    found: Device, host: Host, reason: str | None
) -> None:
    whole = machine(group(found), host=host)
    target = (find_target(whole, "01:00.0"),)
    plan = make_plan(whole, only(SINCE_6_6), target, frozenset({"host-loss"}))
    assert not plan.refusals
    said = leads_with_boot(plan)
    assert said is None if reason is None else reason in (said or "")
    text = plan_text(plan, written(plan, only(SINCE_6_6)), only(SINCE_6_6))
    if not plan.nothing_to_do:
        first = text.index("For every boot") < text.index("Now, until the next boot")
        assert first is (reason is not None)
        assert ("Bind it at boot" in text) is first


@pytest.mark.parametrize(
    ("line", "tables", "words"),
    [
        ("quiet", ("DMAR",), ("intel_iommu=on",)),
        ("quiet intel_iommu=on", ("DMAR",), ()),
        ("quiet intel_iommu=off", ("DMAR",), ()),
        ("quiet intel-iommu=off", ("DMAR",), ()),
        ("quiet iommu=off", ("DMAR",), ()),
        ("quiet intel_iommu", ("DMAR",), ("intel_iommu=on",)),
        ("quiet -- intel_iommu=off", ("DMAR",), ("intel_iommu=on",)),
        ("quiet", ("IVRS",), ()),
        ("quiet", (), ()),
    ],
)
def test_only_vt_d_waits_to_be_asked(
    line: str, tables: tuple[str, ...], words: tuple[str, ...]
) -> None:
    host = machine(
        settings=Settings(command_line=parse_command_line(line)),
        firmware_tables=tables,
        iommus=(),
    )
    assert cure(host) == words


def test_without_ids_the_address_alone_says_who_is_meant() -> None:
    nameless = replace(GPU, ids=PciIds(class_code=0x030000))
    found = boot_of(machine(group(nameless)), "01:00.0")
    assert found.method == "address"
    assert "[ " not in "".join(found.modprobe)
    host = machine(group(nameless))
    plan = make_plan(host, only(SINCE_6_6), (find_target(host, "01:00.0"),))
    assert "is pci 0000:01:00.0 '' ''" in script(plan, "6.12")


def test_what_modprobe_does_not_reach_is_said() -> None:
    thing = device("PNP0C02:00", "acpi_thing", bus="platform")
    # Whether such a thing's interrupts are remapped is not told, where it is asked.
    vfio = VfioSettings(type1_allow_unsafe_interrupts=True)
    found = boot_of(machine(group(GPU, thing), vfio=vfio), "01:00.0")
    assert any("PNP0C02:00 is no PCI function" in note for note in found.notes)


def test_where_nothing_is_bound_nothing_is_set_for_every_boot() -> None:
    host = machine(group(device("0000:01:00.0", "mlx5_vfio_pci")))
    plan = make_plan(host, only(SINCE_6_6), (find_target(host, "01:00.0"),))
    assert plan.nothing_to_do
    assert boot(plan) is None


def test_ids_on_the_command_line_that_name_what_stays_are_not_written_again() -> None:
    """They have no effect only because another driver was there first."""
    root = replace(
        device("0000:05:00.0", "nvme", group="2"),
        ids=PciIds(0x144D, 0xA808, class_code=0x010802),
    )
    words = parse_command_line("vfio-pci.ids=144d:a808,1002:ab20")
    host = machine(
        group(GPU, AUDIO), group(root, id="2"), settings=Settings(command_line=words)
    )
    found = boot_of(host, "01:00.0")
    assert found.kernel_words == ("vfio-pci.ids=1002:ab20,10de:1b80,10de:10f0",)
    assert any("144d:a808" in n and "0000:05:00.0" in n for n in found.notes)


ON_VFIO = device("0000:05:00.0", "vfio-pci", group="5")
SCREEN = replace(
    other(GPU, "0000:06:00.0", "6"), driver="vfio-pci", vfio_devices=("vfio0",)
)


@each(
    "settled, said",
    [
        # Which driver of the host would take a network card cannot be seen.
        ([ON_VFIO], "0000:05:00.0 is on vfio-pci already: if other"),
        # A graphics card of this vendor is known by its class and vendor.
        ([SCREEN], None),
        ([ON_VFIO, SCREEN], "0000:05:00.0 and 0000:06:00.0 are on vfio-pci already"),
    ],
)
def test_what_is_on_vfio_already_has_no_softdep_where_its_driver_is_not_told(
    settled: list[Device], said: str | None
) -> None:
    groups = [group(d, id=str(d.group)) for d in settled]
    host = machine(group(GPU, AUDIO), *groups)
    found = boot_of(host, "01:00.0", *(d.address for d in settled))
    notes = [note for note in found.notes if "already: if other settings" in note]
    assert bool(notes) is (said is not None)
    assert all(note.startswith(said or "") for note in notes)
