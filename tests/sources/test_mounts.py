"""The texts of /proc, as kernels print them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from iommu_inspect.sources.host.mounts import (
    Mount,
    Route,
    mountinfo,
    mounts,
    routes4,
    routes6,
    swaps,
)

HEAD = (
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
)


def test_a_mount_point_with_a_space_and_tags_before_the_dash() -> None:
    line = (
        r"36 35 98:0 /sub /mnt\040a rw,noatime master:1 shared:2 - ext3 /dev/r\134t rw"
    )
    assert mountinfo(line) == (Mount("/mnt a", "ext3", r"/dev/r\t", "rw", "98:0"),)


def test_a_mount_without_tags() -> None:
    line = "27 1 254:0 / / rw - ext4 /dev/vda rw,discard"
    assert mountinfo(line) == (Mount("/", "ext4", "/dev/vda", "rw,discard", "254:0"),)


def test_the_shorter_table() -> None:
    text = "rootfs / rootfs rw 0 0\n/dev/sda1 /boot\\011x ext4 rw 0 0\nnonsense\n"
    assert mounts(text) == (
        Mount("/", "rootfs", "rootfs", "rw"),
        Mount("/boot\tx", "ext4", "/dev/sda1", "rw"),
    )


def test_swap_on_a_partition_and_in_a_file() -> None:
    text = (
        "Filename\tType\tSize\tUsed\tPriority\n"
        "/dev/sda2 partition 1 0 -2\n/swap\\040file file 1 0 -3\n"
    )
    assert swaps(text) == (("/dev/sda2", True), ("/swap file", False))


def test_routes_in_the_byte_order_of_a_small_machine_and_of_a_large_one() -> None:
    little = HEAD + "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    big = HEAD + "eth0\tC0000200\t00000000\t0001\t0\t0\t0\tFFFFFF00\t0\t0\t0\n"
    wanted = (Route("eth0", 0xC0000200, 24, 32),)
    assert routes4(little) == routes4(big) == wanted


def test_a_route_that_is_down_or_rejects_is_none() -> None:
    down = "eth0\t00000000\t00000000\t0000\t0\t0\t0\t00000000\t0\t0\t0\n"
    rejects = "eth0\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n"
    assert routes4(HEAD + down + rejects) == ()


def test_the_default_route_of_ipv6_and_the_one_that_only_rejects() -> None:
    zero = "0" * 32
    text = (
        f"{zero} 00 {zero} 00 fe8000000000000000000000000000fe "
        "00000400 1 0 00000003 eth0\n"
        f"{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo\n"
    )
    assert routes6(text) == (Route("eth0", 0, 0, 128),)


@given(st.text(alphabet=st.sampled_from("eth0 /\\-019afF\t\n:"), max_size=200))
def test_no_text_stops_the_parsers(text: str) -> None:
    for parse in (mountinfo, mounts, swaps, routes4, routes6):
        parse(text)
