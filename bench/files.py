"""Files of settings and options with many of one thing, and many steps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.inputs import Capture, Commands, Input, placed

__all__ = ["FILES"]


def _commands(source: str) -> Commands:
    tail = ["--from", source]
    return [
        ["list", *tail],
        ["audit", *tail],
        ["audit", placed(0), *tail],
        ["plan", placed(0), *tail],
    ]


def _host(n: int = 4) -> Capture:
    capture = Capture()
    for k in range(n):
        capture.function(placed(k), str(k // 2), device=f"0x{k & 0xFFFF:04x}")
    return capture


def _id_files(n: int, folder: Path) -> Commands:
    """Three files, an ``ids=`` a line, as long as a file may be."""
    capture = _host()
    for name in "abc":
        capture.file(
            f"etc/modprobe.d/{name}.conf",
            "".join(f"options vfio-pci ids=10de:{k & 0xFFFF:04x}\n" for k in range(n)),
        )
    return _commands(capture.write(folder / "c.tar"))


def _ids_in_words(n: int, folder: Path) -> Commands:
    """Three lines with many ids, and many ``ids=`` in a line."""
    capture = _host()
    ids = ",".join(f"8086:{k & 0xFFFF:04x}" for k in range(n))
    capture.file("etc/modprobe.d/a.conf", f"options vfio-pci ids={ids}\n" * 2)
    words = " ".join(f"ids=10de:{k & 0xFFFF:04x}" for k in range(n))
    capture.file("etc/modprobe.d/b.conf", f"options vfio-pci {words}\n")
    return _commands(capture.write(folder / "c.tar"))


def _bad_ids(n: int, folder: Path) -> Commands:
    """Ids that are none, and ids behind spaces."""
    capture = _host()
    bad = ",".join(f"10de:{k:05x}x,zz{k},01:{k & 31:02x}.0" for k in range(n))
    tail = " ".join(f"10de:{k & 0xFFFF:04x}" for k in range(n))
    capture.file("etc/modprobe.d/a.conf", f"options vfio-pci ids={bad}\n")
    capture.file("etc/modprobe.d/b.conf", f"options vfio-pci ids=1:2 {tail}\n")
    capture.file("etc/modprobe.d/c.conf", f"options vfio-pci {'ids=1:2, 3:4 ' * n}\n")
    capture.file("proc/cmdline", f"vfio-pci.ids={bad} {'vfio-pci.ids=1:2 3:4 ' * n}\n")
    return _commands(capture.write(folder / "c.tar"))


def _ids_and_devices(n: int, folder: Path) -> Commands:
    """As many ids as there are devices."""
    capture = _host(n)
    ids = ",".join(f"8086:{k & 0xFFFF:04x}" for k in range(n))
    capture.file("etc/modprobe.d/a.conf", f"options vfio-pci ids={ids}\n")
    capture.file("proc/cmdline", f"quiet pci-stub.ids={ids}\n")
    return _commands(capture.write(folder / "c.tar"))


def _cmdline(n: int, folder: Path) -> Commands:
    """A command line of words about the IOMMU, ids and more."""
    capture = _host()
    words = " ".join(
        f"vfio-pci.ids=10de:{k & 0xFFFF:04x} intel_iomu=on{k} iommu=pt{k} "
        f"pcie_acs_override=downstream vfio_pci.disable_vga=1 driver{k}.a={k}"
        for k in range(n)
    )
    capture.file("proc/cmdline", words + "\n")
    return _commands(capture.write(folder / "c.tar"))


def _modprobe(n: int, folder: Path) -> Commands:
    """Lines of modprobe.d of all kinds, with names that are nearly right."""
    capture = _host()
    capture.file(
        "etc/modprobe.d/a.conf",
        "".join(
            f"softdep e1000e pre: vfio-pci d{k}\nblacklist vfio_pcii{k}\n"
            f"install e1000e /bin/{k}\nalias pci:v{k}* vfio-pc\n"
            f"optoins vfio-pci a={k}\noptions kvm{k} b=1\noptions e1000e c={k}\n"
            for k in range(n)
        ),
    )
    for k in range(n):
        capture.file(f"etc/modprobe.d/x{k}.conf", f"blacklist d{k}\n")
        capture.file(f"etc/modprobe.d/y{k}", f"options vfio-pci ids=1:{k}\n")
    capture.file("etc/modules", "".join(f"vfio_pc{k}\n" for k in range(n)))
    return _commands(capture.write(folder / "c.tar"))


def _backslashes(n: int, folder: Path) -> Commands:
    """Lines that are joined, and blanks."""
    capture = _host()
    capture.file("etc/modprobe.d/a.conf", "options \\\n" * n + "a" * n + "\n")
    capture.file("etc/modprobe.d/b.conf", "options a " + " \t" * n + "b\n")
    capture.file("etc/modprobe.d/c.conf", 'options a b="' + "c d " * n)
    capture.file("proc/cmdline", '"a=" ' * n)
    return _commands(capture.write(folder / "c.tar"))


def _config(n: int, folder: Path) -> Commands:
    """As many exceptions as findings."""
    capture = Capture()
    for k in range(n):
        driver = "vfio-pci" if k % 2 else "e1000e"
        capture.function(placed(k), str(k // 2), driver=driver)
    source = capture.write(folder / "c.tar")
    rules = ("mixed-ownership", "singleton-assumption")
    tables = "".join(
        f'[[ignore]]\nrule = "{rules[k % 2]}"\nreason = "because"\n'
        f'devices = ["{placed(n - k)}"]\n'
        for k in range(n)
    )
    (folder / "c.toml").write_text(tables, encoding="utf-8")
    every = ", ".join(f'"{placed(n - k)}"' for k in range(n))
    (folder / "d.toml").write_text(
        f'[[ignore]]\nrule = "{rules[0]}"\nreason = "a"\ndevices = [{every}]\n',
        encoding="utf-8",
    )
    return [
        ["audit", "--from", source, "--config", str(folder / name)]
        for name in ("c.toml", "d.toml")
    ]


def _integer(n: int, folder: Path) -> Commands:
    """A number without an end, and lists in lists."""
    source = _host().write(folder / "c.tar")
    (folder / "c.toml").write_text("a = " + "9" * n, encoding="utf-8")
    (folder / "d.toml").write_text("a = " + "[" * n, encoding="utf-8")
    (folder / "e.toml").write_text(".".join("a" * n) + " = 1", encoding="utf-8")
    (folder / "f.toml").write_text("[" + ".".join("a" * n) + "]\n", encoding="utf-8")
    return [
        ["audit", "--from", source, "--config", str(folder / f"{name}.toml")]
        for name in "cdef"
    ]


def _expect(n: int, folder: Path) -> Commands:
    """As many expectations as devices, right and wrong."""
    source = _host(n).write(folder / "c.tar")
    (folder / "e").write_text(
        "".join(
            f"{placed(n - k)} 8086:{(n - k * (k % 2)) & 0xFFFF:04x}\n" for k in range(n)
        ),
        encoding="utf-8",
    )
    return [["audit", "--from", source, "--expect", str(folder / "e")]]


def _baseline(n: int, folder: Path) -> Commands:
    """An earlier audit of many findings, as a document and as a capture."""
    capture, later = Capture(), Capture()
    for k in range(n):
        driver = "vfio-pci" if k % 2 else "e1000e"
        capture.function(placed(k), str(k // 2), driver=driver)
        later.function(placed(k + 1), str(k // 2 + 7), driver=driver)
    source = capture.write(folder / "c.tar")
    now = later.write(folder / "d.tar")
    # A real document: one that is made up would be refused, which costs nothing.
    words = [sys.executable, "-m", "iommu_inspect", "audit", "--format", "json"]
    with (folder / "b.json").open("wb") as document:
        subprocess.run([*words, "--from", source], stdout=document, check=False)
    return [
        ["audit", "--from", now, "--baseline", source],
        ["audit", "--from", now, "--baseline", str(folder / "b.json")],
        ["diff", source, now],
        ["diff", "--format", "json", source, now],
    ]


def _steps(n: int, folder: Path) -> Commands:
    """Many steps, about one device and about as many."""
    source = _host(n).write(folder / "c.tar")
    one = [
        f"bind={placed(0)},vfio-pci" if k % 2 else f"unbind={placed(0)}"
        for k in range(n)
    ]
    each = [f"bind={placed(k)},vfio-pci" for k in range(n)]
    claims = [f"claim={k // 2}" if k % 2 else f"release={k // 2}" for k in range(n)]
    return [["whatif", *some, "--from", source] for some in (one, each, claims)]


def _plugs(n: int, folder: Path) -> Commands:
    """Hot-plug again and again, and many virtual functions."""
    capture = _host()
    capture.function("0000:00:1c.0", "9", driver="pcieport", code="0x060400")
    source = capture.write(folder / "c.tar")
    steps = ["hotplug=00:1c.0"] * n
    return [
        ["whatif", *steps, "--from", source],
        ["whatif", f"sriov={placed(0)},{n}", "--from", source],
    ]


def _bomb(n: int, folder: Path) -> Commands:
    """A compressed tar of very much that is alike."""
    capture = _host()
    for k in range(n):
        capture.file(f"sys/x{k}", "")
    return _commands(capture.write(folder / "c.tar.gz"))[:1]


def _zeros(n: int, folder: Path) -> Commands:
    """A compressed tar of long files, and of long names."""
    capture = _host()
    for k in range(n):
        capture.file(f"sys/x{k}", bytes(1 << 20))
    return _commands(capture.write(folder / "c.tar.gz"))[:1]


def _names(n: int, folder: Path) -> Commands:
    """Long names in extended headers."""
    capture = _host()
    for k in range(n):
        capture.file(f"sys/{k}" + "/" * 4000 + "a", "")
        capture.file(f"sys/{k}/" + "a/" * 2000 + "a", "")
    return _commands(capture.write(folder / "c.tar.gz"))[:1]


FILES = (
    Input("ids-files", _id_files, 2000, 60),
    Input("ids-words", _ids_in_words, 2000, 60),
    Input("ids-bad", _bad_ids, 1000, 60),
    Input("ids-devices", _ids_and_devices, 2000, 60),
    Input("cmdline", _cmdline, 500, 60),
    Input("modprobe", _modprobe, 500, 40),
    Input("backslashes", _backslashes, 6000, 60),
    Input("config", _config, 2000, 60),
    Input("toml", _integer, 40000, 200),
    Input("expect", _expect, 3000, 60),
    Input("baseline", _baseline, 2000, 30),
    Input("steps", _steps, 400, 40),
    Input("plugs", _plugs, 200, 40),
    Input("bomb", _bomb, 60000, 100),
    Input("zeros", _zeros, 100, 4),
    Input("names", _names, 1000, 10),
)
