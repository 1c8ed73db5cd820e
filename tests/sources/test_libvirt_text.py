"""What is read of libvirt's node devices: the tree, and their XML."""

from __future__ import annotations

from examples import each
from said import about, cuts, facts, read
from shared import SHARED, needs_shared

from iommu_inspect.sources.text.parts.libvirt.tree import NodeTreeReader
from iommu_inspect.sources.text.parts.libvirt.xml import NodeXmlReader

TREE = """\
computer
  |
  +- net_lo_00_00_00_00_00_00
  +- pci_0000_00_01_0
  |   |
  |   +- pci_0000_01_00_0
  |   |   |
  |   |   +- net_enp1s0_52_54_00_11_22_33
  |   |
  |   +- pci_0000_01_00_1
  |
  +- pci_0000_00_17_0
      |
      +- scsi_host0
          |
          +- block_sda_Samsung_SSD_S1
"""

DEVICE = """\
<device>
  <name>pci_0000_05_00_1</name>
  <path>/sys/devices/pci0000:00/0000:00:09.0/0000:05:00.1</path>
  <parent>pci_0000_00_09_0</parent>
  <driver>
    <name>igb</name>
  </driver>
  <capability type='pci'>
    <class>0x020000</class>
    <domain>0</domain>
    <bus>5</bus>
    <slot>0</slot>
    <function>1</function>
    <product id='0x10c9'>82576 Gigabit &amp; more</product>
    <vendor id='0x8086'>Intel Corporation</vendor>
    <capability type='virt_functions' maxCount='7'>
      <address domain='0x0000' bus='0x05' slot='0x10' function='0x1'/>
    </capability>
    <iommuGroup number='15'>
      <address domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>
      <address domain='0x0000' bus='0x05' slot='0x00' function='0x1'/>
    </iommuGroup>
  </capability>
</device>
"""
INTERFACE = """\
<device>
  <name>net_eth9_0_52_54_00_11_22_33</name>
  <parent>pci_0000_05_00_1</parent>
  <capability type='net'>
    <interface>eth9.0</interface>
  </capability>
</device>
"""
NO_DRIVER = """\
<device>
  <name>pci_0000_00_00_0</name>
  <parent>computer</parent>
  <capability type='pci'>
    <domain>0</domain>
    <bus>0</bus>
    <slot>0</slot>
    <function>0</function>
    <product id='0x2f00'/>
    <vendor id='0x8086'>Intel Corporation</vendor>
    <capability type='pci-bridge'/>
  </capability>
</device>
"""


def parents(text: str) -> dict[str, list[str]]:
    found = about(read(NodeTreeReader, text), "parent")
    return {device: [str(v) for v in values] for device, values in found.items()}


def test_the_tree_says_what_is_above_what() -> None:
    expected = {
        "0000:00:01.0": ["None"],
        "0000:00:17.0": ["None"],
        "0000:01:00.0": ["0000:00:01.0"],
        "0000:01:00.1": ["0000:00:01.0"],
    }
    assert parents(TREE) == expected
    moved = "".join(f"    {line}\n" for line in TREE.splitlines())
    assert parents(moved) == expected
    assert about(read(NodeTreeReader, TREE), "nodes") == {
        "0000:00:17.0": ["sda"],
        "0000:01:00.0": ["enp1s0"],
    }


def test_a_tree_that_lost_its_indentation_says_only_what_is_there() -> None:
    flat = "\n".join(line.strip() for line in TREE.splitlines())
    found = read(NodeTreeReader, flat)
    assert facts(found) == set()
    assert len({said.device for said in found}) == 4
    one = "\n".join(" ".join(line.split()) for line in TREE.splitlines())
    assert facts(read(NodeTreeReader, one)) == set()
    part = TREE[TREE.index("  |   +- pci_0000_01_00_1") :]
    assert facts(read(NodeTreeReader, part)) == set()


@each("line", ["+- a thing", "computer science", "| or |", "+- apples_and_pears"])
def test_what_is_no_tree(line: str) -> None:
    assert not NodeTreeReader.begins(line)


def test_the_xml_of_a_device() -> None:
    found = read(NodeXmlReader, DEVICE + INTERFACE)
    device = "0000:05:00.1"
    assert about(found, "name") == {device: ["Intel Corporation 82576 Gigabit & more"]}
    assert about(found, "vendor") == {device: [0x8086]}
    assert about(found, "device") == {device: [0x10C9]}
    assert about(found, "class_code") == {device: [0x020000]}
    assert about(found, "driver") == {device: ["igb"]}
    assert about(found, "group") == {"0000:05:00.0": ["15"], device: ["15"]}
    assert about(found, "enabled_vfs") == {device: [1]}
    assert about(found, "nodes") == {device: ["eth9.0"]}
    above = {d: str(v[0]) for d, v in about(found, "parent").items()}
    assert above == {device: "0000:00:09.0"}
    of = {d: str(v[0]) for d, v in about(found, "physfn").items()}
    assert of == {"0000:05:10.1": device}


def test_indentation_and_line_breaks_of_xml_do_not_matter() -> None:
    whole = facts(read(NodeXmlReader, DEVICE + NO_DRIVER))
    flat = "\n".join(line.strip() for line in (DEVICE + NO_DRIVER).splitlines())
    one = flat.replace("\n", "")
    split = flat.replace(" bus=", "\nbus=").replace(" slot=", "\n   slot=")
    for text in (flat, one, split, f"<devices>\n{flat}\n</devices>"):
        assert facts(read(NodeXmlReader, text)) == whole


def test_none_is_said_where_others_have_one() -> None:
    alone = read(NodeXmlReader, NO_DRIVER)
    assert about(alone, "driver") == about(alone, "group") == {}
    assert about(alone, "header_type") == {"0000:00:00.0": [1]}
    both = read(NodeXmlReader, DEVICE + NO_DRIVER)
    assert about(both, "driver")["0000:00:00.0"] == [None]
    assert about(both, "group")["0000:00:00.0"] == [None]
    assert {d: v[0] for d, v in about(both, "parent").items()}["0000:00:00.0"] is None


@each(
    "before,after",
    [
        ("<bus>5</bus>", "<bus>6</bus>"),
        ("<bus>5</bus>", "<bus>4294967295</bus>"),
        ("<slot>0</slot>", ""),
        ("  </driver>\n", ""),
        ("<capability type='pci'>", "<capability type='usb'>"),
    ],
)
def test_xml_that_contradicts_itself_says_nothing_of_the_device(
    before: str, after: str
) -> None:
    found = read(NodeXmlReader, DEVICE.replace(before, after))
    assert about(found, "driver") == about(found, "vendor") == {}


@each(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]>\n',
        '<?xml version="1.0"?>\n<!DOCTYPE a SYSTEM "file:///etc/passwd">\n',
        "<devices>\n" + "<a>" * 200 + "\n",
        "<device>\n<name>" + "<" * 9000 + "\n",
    ],
)
def test_dangerous_xml_is_refused(text: str) -> None:
    assert facts(read(NodeXmlReader, text)) == set()
    entity = DEVICE.replace("Intel Corporation", "&b;")
    assert about(read(NodeXmlReader, entity), "name")["0000:05:00.1"][0][:4] == "&b; "


def test_what_is_cut_off_anywhere_says_no_other_facts() -> None:
    whole = facts(read(NodeXmlReader, DEVICE + NO_DRIVER + INTERFACE))
    for part in cuts(DEVICE + NO_DRIVER + INTERFACE):
        assert facts(read(NodeXmlReader, part)) <= whole
    whole = facts(read(NodeTreeReader, TREE))
    for part in cuts(TREE):
        assert facts(read(NodeTreeReader, part)) <= whole


@needs_shared
def test_every_shared_xml_is_read() -> None:
    whole = read(NodeXmlReader, (SHARED / "vdsm/devicetree.xml").read_text())
    assert len(about(whole, "vendor")) > 90
    assert about(whole, "group") == {}
    files = [
        *(SHARED / "vdsm").glob("pci_*.xml"),
        *(SHARED / "libvirt/nodedevschemadata").glob("pci_*.xml"),
    ]
    for file in files:
        text = file.read_text()
        found = read(NodeXmlReader, text)
        if "iommuGroup" in text:
            number = text.split("iommuGroup number='")[1].split("'")[0]
            groups = about(found, "group")
            assert len(groups) == text.split("<iommuGroup")[1].count("<address")
            assert {v for values in groups.values() for v in values} == {number}
