"""No name of a source does anything in a shell, whatever the program prints of it."""

from __future__ import annotations

import shutil
from random import Random

import pytest
from examples import each

from tools.hostile.machines import made, text_fields
from tools.hostile.names import hostile
from tools.hostile.outputs import Collected, collect
from tools.hostile.sandbox import (
    SHELLS,
    faults_of_commands,
    faults_of_install,
    faults_of_scripts,
)
from tools.hostile.settings import faults_of_settings

needs_shells = pytest.mark.skipif(
    len(SHELLS) < 2, reason="dash or bash is missing: install dash"
)
needs_kmod = pytest.mark.skipif(
    shutil.which("modprobe", path="/sbin:/usr/sbin") is None,
    reason="modprobe is missing: install kmod",
)
# Machines that have plans, in spite of their names.
SEEDS = (2, 5, 8)
# What one or two of the fixtures have.
RARE = {"Device.power_state", "Device.runtime_status", "Group.name"}


@needs_shells
@needs_kmod
def test_no_name_does_anything_in_what_is_printed() -> None:
    """``python -m tools.hostile`` does it with ten thousand names."""
    found = Collected()
    for seed in SEEDS:
        found.add(collect(made(seed).machine, seed))
    assert found.faults == []
    assert len(found.commands) > 30
    assert found.scripts
    assert found.modprobe
    assert found.planned
    assert [*faults_of_commands(found.commands)] == []
    assert [*faults_of_scripts(found.scripts)] == []
    assert [*faults_of_install(found.modprobe)] == []
    assert [*faults_of_settings(found.settings)] == []


@needs_shells
def test_a_quoted_sign_is_a_word_and_a_bare_one_is_found() -> None:
    quoted = "iommu-inspect plan '|' SOURCE"
    assert [*faults_of_commands([quoted, "ls '>' x | cat '&&'"])] == []
    bare = [*faults_of_commands([quoted.replace("'", "")])]
    assert len(bare) == len(SHELLS)


def test_every_text_of_the_model_gets_such_names_in_time() -> None:
    there: set[str] = set()
    named: set[str] = set()
    for seed in range(160):
        machine = made(seed)
        there |= {field for field, _ in text_fields(machine.machine)}
        named |= machine.fields
    assert len(there) > 40
    assert there - named <= RARE


@needs_shells
def test_what_a_shell_would_read_is_seen() -> None:
    for line in (
        "echo x > /sys/$(canary)",
        "modprobe `canary`",
        "umount $'\\n canary'",
        "umount /mnt/a; canary",
        "umount /mnt/a\ncanary",
        "driverctl set-override a|canary vfio-pci",
        "zpool status *",
        "cat a >canary",
        "modprobe 'a",
        "nobody-knows this",
    ):
        assert [*faults_of_commands([line, "modprobe vfio-pci"])], line
    assert [*faults_of_commands(["umount '/mnt/$(canary)'", "modprobe a"])] == []


@needs_shells
def test_what_a_script_would_do_with_a_name_is_seen() -> None:
    head = "#!/bin/sh\nsame_devices() { :; }\nback() { :; }\n"
    tail = "[ -w /sys/bus/pci/drivers_probe ]\n"
    for body in (
        "release pci $(canary)",
        "is pci a;canary",
        "bind pci '",
        "# a\ncanary",
    ):
        script = f"{head}there() {{\n    {body}\n}}\n{tail}"
        assert [*faults_of_scripts([script])], body
    assert [*faults_of_scripts([f"{head}there() {{ is pci a; }}\n{tail}"])] == []


@needs_shells
@needs_kmod
def test_what_modprobe_would_run_with_a_name_is_seen() -> None:
    plain = "install vfio-pci d={}; /sbin/modprobe --ignore-install vfio-pci"
    for evil in ("$(canary)", "`canary`", "a; canary", "a\ninstall b canary"):
        assert [*faults_of_install([(plain.format(evil),)])], evil
    assert [*faults_of_install([(plain.format("a"),)])] == []


@each(
    "line",
    [
        'GRUB (Debian, Proxmox): GRUB_CMDLINE_LINUX="... vfio-pci.ids=$(canary)"',
        'GRUB (Debian, Proxmox): GRUB_CMDLINE_LINUX="... a=b"; canary',
        "NixOS:   options vfio-pci ids=''${canary}",
        "NixOS:   echo a; canary > $d/driver_override",
        'dracut (Fedora): force_drivers+=" $(canary) "',
    ],
)
def test_what_a_boot_loader_would_do_with_a_name_is_seen(line: str) -> None:
    assert [*faults_of_settings([line])]


def test_names_follow_from_their_seed_and_mean_something() -> None:
    names = [hostile(Random(seed)) for seed in range(2000)]
    assert names == [hostile(Random(seed)) for seed in range(2000)]
    assert len(set(names)) > 1200
