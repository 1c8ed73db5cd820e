"""Every command that the README and its pages show runs as printed, and prints that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.readme import ROOT, Shown, differing, mended, pages, shown

EXAMPLES = [
    pytest.param(one, id=f"{page.relative_to(ROOT)}:{one.start}")
    for page in pages()
    for one in shown(page.read_text())
]


@pytest.mark.parametrize("one", EXAMPLES)
def test_a_shown_command_runs_as_printed_and_prints_what_is_shown(one: Shown) -> None:
    assert differing(one) is None, "run: python -m tools.readme --write"


def test_the_readme_and_its_pages_show_commands() -> None:
    commands = [param.values[0].command for param in EXAMPLES]  # type: ignore[union-attr]
    for name in (
        "list",
        "audit",
        "predict",
        "whatif",
        "why",
        "graph",
        "plan",
        "diff",
        "explain",
    ):
        assert any(f"iommu-inspect {name}" in command for command in commands), name


def test_make_demo_is_the_command_that_it_stands_for() -> None:
    assert "iommu-inspect audit --demo" in (ROOT / "Makefile").read_text()


PAGE = """\
Some words.

```
$ iommu-inspect explain host-loss | head -n 1
host-loss
$ make test
$ iommu-inspect explain \\
    no-iommu | head -n 1
READY
```

```
$ iommu-inspect explain host-loss
host-loss

[...]

SEE ALSO

[...]
```

    $ iommu-inspect in an indented block
"""


def test_commands_are_found_with_what_is_shown_below_them() -> None:
    assert [(one.command, one.lines[:1]) for one in shown(PAGE)] == [
        ("iommu-inspect explain host-loss | head -n 1", ("host-loss",)),
        ("iommu-inspect explain no-iommu | head -n 1", ("READY",)),
        ("iommu-inspect explain host-loss", ("host-loss",)),
    ]


def test_what_is_not_printed_is_seen_and_put_right() -> None:
    right, wrong, elided = shown(PAGE)
    assert differing(right) is None
    assert differing(elided) is None
    said = differing(wrong)
    assert said is not None
    assert "prints something else" in said
    page = mended(PAGE)
    assert page == PAGE.replace("READY\n", "no-iommu\n")
    assert mended(page) == page


def test_what_a_page_leaves_out_stays_left_out() -> None:
    block = (
        "$ iommu-inspect whatif unbind=03:02.0 --demo\nstale\n\n[...]\n\nAUDIT  GROUP\n"
    )
    (one,) = shown(mended(f"# A page\n\n```\n{block}\n[...]\n```\n"))
    begins = [line.split("  ")[0] for line in one.lines if line == line.lstrip()]
    assert begins[:2] == ["STEP", "unbind=03:02.0"]
    assert begins.count("[...]") == 2
    assert "AUDIT" in begins
    assert "GROUP" not in begins
    assert differing(one) is None


@pytest.mark.parametrize(
    "command",
    [
        "iommu-inspect audit --from nowhere.tar.gz",
        "iommu-inspect audit --no-such-option",
        "iommu-inspect-it",
    ],
)
def test_a_command_that_does_not_run_is_seen(command: str) -> None:
    assert differing(Shown(command, (), 0, 0)) is not None


def test_what_a_command_writes_lands_nowhere() -> None:
    assert differing(Shown("iommu-inspect list --demo > left.txt", (), 0, 0)) is None
    assert not Path("left.txt").exists()
    assert not (ROOT / "left.txt").exists()
