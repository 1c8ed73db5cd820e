"""Which kernel runs, told beside a list that does not show it."""

from __future__ import annotations

import pytest
from examples import each
from pastes import LSPCI, WIKI
from running import call

from iommu_inspect.model.fact import Missing
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.text.machine import read_texts

UNAME = (
    "Linux tower 6.1.0-18-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01) "
    "x86_64 GNU/Linux"
)


def release(text: str) -> object:
    return read_texts([(text, "a paste")]).kernel.release


@each(
    "line, told",
    [
        (UNAME, "6.1.0-18-amd64"),
        ("Linux pve 6.8.4-2-pve #1 SMP PMX 6.8.4-2 x86_64", "6.8.4-2-pve"),
        ("          Kernel: Linux 6.9.1-arch1-1", "6.9.1-arch1-1"),
        ("Kernel: 6.5.0-14-generic x86_64 bits: 64", "6.5.0-14-generic"),
        ("Kernel Version: 6.9.1-1-default (64-bit)", "6.9.1-1-default"),
        ("user@host:~$ uname -r\n5.15.0-91-generic", "5.15.0-91-generic"),
        ("$ uname -sr\nLinux 5.15.0-91-generic", "5.15.0-91-generic"),
    ],
)
@each("where", ["before", "behind"])
def test_a_line_beside_a_list_names_the_kernel(
    line: str, told: str, where: str
) -> None:
    text = f"{line}\n\n{WIKI}" if where == "before" else f"{WIKI}\n\n{line}\n"
    assert release(text) == told


@each(
    "line",
    [
        "Linux has a kernel 6.1.0-18-amd64 #1 that I like",
        "I have Linux tower 6.1.0-18-amd64 #1 SMP",
        "Kernel: 6.8",
        "Kernel: 6.1.0-18-amd64 did not work either",
        "Kernel driver in use: vfio-pci",
        "6.1.0-18-amd64",
        "user@host:~$ uname -r\nuser@host:~$ ls\n6.1.0-18-amd64",
    ],
)
def test_other_words_name_none(line: str) -> None:
    assert release(f"{LSPCI}\n\n{line}\n") is Missing.ABSENT


def test_of_two_kernels_none_is_believed() -> None:
    other = UNAME.replace("6.1.0-18", "5.10.0-27")
    assert release(f"{UNAME}\n{WIKI}\n{other}\n") is Missing.UNREADABLE


@each("end", range(len("Linux tower 6.1.0-18-amd64 #")))
def test_a_line_that_is_cut_off_names_none(end: int) -> None:
    try:
        assert release(f"{WIKI}\n\n{UNAME[:end]}") is Missing.ABSENT
    except SourceError:
        pytest.fail("the list can be read without it")


def test_what_was_read_is_said() -> None:
    done = call("list", "--from", "-", stdin=f"{UNAME}\n\n{WIKI}".encode())
    assert "read as a list of groups and the kernel's name" in done.stderr
