"""``report`` as its users run it: one page that loads nothing and hides nothing."""

from __future__ import annotations

import re
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest
from examples import each
from pages import Page
from running import call
from shared import FIXTURES, SHARED, SYSFS, needs_shared

DEMO = str(resources.files("iommu_inspect").joinpath("demo.tar.gz"))
TREES = sorted(path for path in SYSFS.iterdir() if path.is_dir())
KERNELS = sorted((FIXTURES / "kernels").glob("6.12*.tar.gz"))


def page(*arguments: str | Path) -> Page:
    done = call("report", *arguments)
    assert done.stdout.startswith("<!DOCTYPE html>"), done.stderr
    return Page(done.stdout)


def check(found: Page) -> None:
    """What holds of every page, whatever it is about."""
    assert len(found.ids) == len(set(found.ids))
    for link in found.links:
        inside = link.startswith("#") and link[1:] in found.ids
        assert inside or link.startswith("https://"), link
    for element in found.root.iter():
        for name in ("aria-labelledby", "for", "aria-describedby"):
            for target in (element.get(name) or "").split():
                assert target in found.ids, target
        for name in element.attrib:
            assert name not in ("style", "src", "srcset", "srcdoc", "action"), name
            assert not name.startswith("on"), name
    assert not {*found.all("link"), *found.all("img"), *found.all("iframe")}
    assert "url(" not in re.sub(r'fill="url\(#[a-z0-9-]+\)"', "", found.text)
    assert "@import" not in found.text
    assert found.policy["default-src"] == "'none'"
    assert [found.policy["style-src"]] == found.hashes("style")
    assert [found.policy["script-src"]] == found.hashes("script")
    assert set(found.policy) == {
        *("default-src", "style-src", "script-src", "base-uri", "form-action")
    }


def levels(found: Page) -> list[int]:
    return [
        int(each.tag[1])
        for each in found.root.iter()
        if isinstance(each.tag, str) and re.fullmatch("h[1-6]", each.tag)
    ]


@each("tree", TREES)
def test_a_page_about_each_fixture_is_sound(tree: Path) -> None:
    check(page("--from", tree, "--notes"))


@each("capture", KERNELS[::3])
def test_a_page_about_each_kernel_is_sound(capture: Path) -> None:
    check(page("--from", capture))


@needs_shared
def test_a_page_about_a_real_machine_is_sound() -> None:
    server = SHARED / "machines" / "server-hp-dl388p-gen8" / "direct-mappings.txt"
    check(page("--from", server))


@each("tree", [*TREES, Path(DEMO)])
def test_the_verdict_is_the_sentence_of_audit(tree: Path) -> None:
    audit = call("audit", "--from", tree, columns=10_000)
    done = call("report", "--from", tree)
    assert done.returncode == audit.returncode
    found = Page(done.stdout)
    sentences = [p for p in found.all("p") if p.get("class") == "sentence"]
    (said,) = map(found.words, sentences)
    assert said in " ".join(audit.stdout.split())
    assert said


def test_a_target_has_its_verdict_its_steps_and_the_state_after_them() -> None:
    done = call("report", "03:01.0", "--from", DEMO)
    assert done.returncode == 1
    found = Page(done.stdout)
    check(found)
    verdict = found.words(found.by_id("verdict"))
    assert "0000:03:01.0 cannot be handed to user space now." in verdict
    assert "echo 0000:03:02.0 > /sys/bus/pci/drivers/e1000/unbind" in verdict
    trial = found.words(found.by_id("trial"))
    assert "unbind=0000:03:02.0 0 e1000 lets go" in trial
    assert re.search(r"7 conflict .*0000:03:02\.0 \(e1000\)", trial)
    assert re.search(r"user .*0000:03:02\.0 \(vfio-pci\)", trial)


def test_without_a_plan_no_steps_are_shown() -> None:
    found = page("--from", SYSFS / "no-iommu-firmware")
    assert "trial" not in found.ids


def test_headings_come_in_their_order() -> None:
    for arguments in ((), ("03:01.0",), ("03:01.0", "--notes")):
        found = levels(page(*arguments, "--from", DEMO))
        assert found[0] == 1
        assert found.count(1) == 1
        assert all(b - a <= 1 for a, b in pairwise(found))


def test_each_table_has_a_caption_and_heads() -> None:
    found = page("03:01.0", "--from", DEMO)
    tables = [*found.all("table")]
    assert len(tables) >= 4
    for table in tables:
        assert table[0].tag == "caption"
        assert all(th.get("scope") for th in table.iter("th"))


def test_a_rule_that_found_something_has_its_page_inside() -> None:
    found = page("--from", DEMO)
    rule = found.words(found.by_id("rules"))
    assert "A driver of the host holds a device of a group" in rule
    assert "#rule-mixed-ownership" in found.links
    assert "VFIO_GROUP_SET_CONTAINER calls iommu_group_claim_dma_owner()" in rule
    assert "https://github.com/kubevirt/kubevirt/issues/6718" in found.links


def test_the_picture_is_inside_with_a_name() -> None:
    found = page("--from", DEMO)
    svg = found.one("svg")
    names = (svg.get("aria-labelledby") or "").split()
    assert found.words(found.by_id(names[0])).startswith("IOMMU groups of")
    assert "isolation of group 7 is lost here" in found.words(svg)


def test_every_device_is_in_the_table_of_groups() -> None:
    found = page("--from", DEMO)
    words = found.words(found.by_id("groups"))
    for address in ("0000:00:00.0", "0000:03:02.0", "0000:00:1f.3"):
        assert address in words


def test_what_needs_a_script_is_hidden_until_it_runs() -> None:
    found = page("--from", DEMO)
    boxes = [each for each in found.all("div") if each.get("class") == "filter"]
    assert len(boxes) == 2
    assert all(box.get("hidden") is not None for box in boxes)
    hidden = [each for each in found.root.iter() if each.get("hidden") is not None]
    assert hidden == boxes


def test_names_of_a_hostile_capture_are_only_text() -> None:
    done = call("report", "--from", SYSFS / "hostile-names", "--notes")
    check(Page(done.stdout))
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "$(reboot)`id`;&amp;|" in done.stdout


def test_a_name_cannot_bring_an_element(tmp_path: Path) -> None:
    """As lspci would have it; the rest of the text is as a person pastes it."""
    evil = "<script>alert(1)</script><img src=x onerror=y>\"'{{ 7*7 }}"
    text = f"01:00.0 VGA compatible controller [0300]: {evil} [fffe:0001] (rev a1)\n"
    text += "\tKernel driver in use: nouveau\n"
    source = tmp_path / "paste.txt"
    source.write_text(text)
    done = call("report", "--from", source, "--notes")
    found = Page(done.stdout)
    check(found)
    assert "<script>alert(1)</script>" in found.words()
    assert "{{ 7*7 }}" in found.words()
    assert len([*found.all("script")]) == 1


@pytest.mark.parametrize("text", ["a\nb", "a\u2028b", "\x1b[2J", "a\rb"])
def test_a_name_of_two_lines_is_shown_as_one(text: str) -> None:
    from iommu_inspect.render.templates import Templates

    environment = Templates("iommu_inspect.render.report").environment
    shown = environment.from_string("<td>{{ name }}</td>").render(name=text)
    assert len(shown.splitlines()) == 1
    assert "\x1b" not in shown
    lines = "{{ name|whole_lines }}"
    whole = environment.from_string(lines).render(name="<a\n\x1bb")
    assert whole == "&lt;a\n\\x1bb"


def test_notes_are_counted_or_shown() -> None:
    brief, whole = page("--from", DEMO), page("--from", DEMO, "--notes")
    said = re.search(r"(\d+) notes? more", brief.words())
    assert said
    shown = [b for b in whole.all("tbody") if b.get("data-kind") == "note"]
    assert shown
    assert "more: make the report" not in whole.words()


def test_a_baseline_says_what_is_new_known_and_gone(tmp_path: Path) -> None:
    old, new = SYSFS / "groups-of-one", SYSFS / "half-a-group"
    audit = call("audit", "--from", new, "--baseline", old, columns=10_000)
    done = call("report", "--from", new, "--baseline", old)
    found = Page(done.stdout)
    check(found)
    assert done.returncode == audit.returncode
    since = found.words(found.by_id("since"))
    assert "What changed" in since
    sentences = [p for p in found.all("p") if p.get("class") == "sentence"]
    assert found.words(sentences[0]) in " ".join(audit.stdout.split())


def test_what_the_baseline_had_as_well_is_known(tmp_path: Path) -> None:
    document = tmp_path / "old.json"
    document.write_text(call("audit", "--from", DEMO, "--format", "json").stdout)
    done = call("report", "--from", DEMO, "--baseline", document)
    found = Page(done.stdout)
    check(found)
    assert done.returncode == 0
    assert "Found then, and still there" in found.words(found.by_id("since"))
    assert "What changed" not in found.words()  # a document has no more to compare
    assert "Nothing is new since" in found.words(found.by_id("verdict"))


def test_the_page_is_written_to_a_file_whole(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("old")
    done = call("report", "--from", DEMO, "--output", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"iommu-inspect: wrote {file}\n"
    assert file.read_text() == call("report", "--from", DEMO).stdout
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("where", ["/sys/x.html", "/proc/x.html", "/dev/x.html"])
def test_nothing_is_written_where_nothing_is_ever_written(where: str) -> None:
    done = call("report", "--from", DEMO, "--output", where)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing is ever written below" in done.stderr


def test_a_file_that_cannot_be_written_is_said_before_anything_is_read() -> None:
    done = call("report", "--from", "/nowhere", "--output", "/nowhere/x.html")
    assert done.returncode == 2
    assert "there is no directory /nowhere" in done.stderr


def test_the_same_source_gives_the_same_page() -> None:
    one, other = (call("report", "--from", DEMO).stdout for _ in range(2))
    assert one == other


def test_a_source_without_groups_cannot_be_told_and_has_a_page() -> None:
    source = FIXTURES / "texts" / "board-without-iommu.txt"
    done = call("report", "--from", source)
    audit = call("audit", "--from", source)
    assert done.returncode == audit.returncode
    check(Page(done.stdout))


def test_another_purpose_and_another_kernel_are_those_of_audit() -> None:
    for more in (("--for", "attach"), ("--semantics", "5.10")):
        audit = call("audit", "03:01.0", "--from", DEMO, *more, columns=10_000)
        done = call("report", "03:01.0", "--from", DEMO, *more)
        assert done.returncode == audit.returncode
        found = Page(done.stdout)
        said = [p for p in found.all("p") if p.get("class") == "sentence"]
        assert found.words(said[0]) in " ".join(audit.stdout.split())


def test_what_is_ignored_stands_on_the_page_with_its_reason(tmp_path: Path) -> None:
    config = tmp_path / "exceptions.toml"
    config.write_text('[[ignore]]\nrule = "mixed-ownership"\nreason = "a lab <host>"\n')
    before, after = page("--from", DEMO), page("--from", DEMO, "--config", config)
    check(after)
    assert "a lab &lt;host&gt;" in after.text
    assert "Why it is ignored" in after.text and "Why it is ignored" not in before.text


@each("option", ["--strict", "--ignore=mixed-ownership", "--expect"])
def test_options_that_change_an_audit_change_the_report_alike(
    option: str, tmp_path: Path
) -> None:
    expected = tmp_path / "expected"
    expected.write_text("0000:03:01.0 10de:1e04\n")
    arguments = [option, expected] if option == "--expect" else [option]
    audit = call("audit", "--from", DEMO, *arguments, columns=10_000)
    report = call("report", "--from", DEMO, *arguments)
    assert report.returncode == audit.returncode
    (sentence,) = [
        line
        for line in audit.stdout.splitlines()
        if re.fullmatch(r"\d+ things? .*wrong\.|The kernel refuses .*", line)
    ]
    assert sentence in Page(report.stdout).text
