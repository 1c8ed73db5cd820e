"""A rule's page in a terminal."""

from __future__ import annotations

from examples import each
from running import call

from iommu_inspect.render.layout import PLAIN, Style
from iommu_inspect.render.pages import page_text
from iommu_inspect.rules._pages import page
from iommu_inspect.rules.base import Rule
from iommu_inspect.rules.registry import RULES

PAGE = """\
# some-rule

Prose with `a_name`, `some words`, `say "so"`, *stress*, **more stress** and a
[link](https://example.org/x) and 2 * 3 * 4.

## What it checks

- one item that goes on for so long that it has to be folded somewhere, at last
  it ends
- *error*: two
1. first
2. second
- last

    indented --with `backticks` and *stars* --that-are-longer-than-the-terminal-is

    more # of it

```
$ fenced

  output
```
"""
WIDE = """\
some-rule

Prose with a_name, "some words", 'say "so"', stress, more stress and a link
(https://example.org/x) and 2 * 3 * 4.

WHAT IT CHECKS

- one item that goes on for so long that it has to be folded somewhere, at last
  it ends
- error: two
1. first
2. second
- last

indented --with `backticks` and *stars* --that-are-longer-than-the-terminal-is

more # of it

    $ fenced

      output"""


def test_a_page_is_laid_out_without_the_marks_of_markdown() -> None:
    lines = page_text(PAGE, PLAIN).splitlines()
    wide = [line.removeprefix("  ") if "that-are" in line else line for line in lines]
    wide = [line.removeprefix("  ") if "more #" in line else line for line in wide]
    assert wide == WIDE.splitlines()


def test_prose_takes_the_width_there_is_and_code_is_never_folded() -> None:
    narrow = page_text(PAGE, Style(40)).splitlines()
    code = (
        "indented --with `backticks` and *stars* --that-are-longer-than-the-terminal-is"
    )
    assert code in narrow
    assert all(len(line) <= 40 for line in narrow if line != code)
    assert "    $ fenced" in narrow


def test_only_the_style_has_colours() -> None:
    painted = page_text(PAGE, Style(80, lambda text, colour: f"<{colour}>{text}</>"))
    assert "<cyan>some-rule</>" in painted
    assert "<cyan>WHAT IT CHECKS</>" in painted
    assert painted.count("<cyan>") == 2


@each("rule", RULES)
def test_no_page_shows_marks_or_loses_a_block(rule: Rule) -> None:
    shown = call("explain", rule.id).stdout
    outside = [line for line in shown.splitlines() if not line.startswith(" ")]
    assert not [line for line in outside if line.startswith(("#", "```"))]
    fenced = page(rule).split("```")[1::2]
    for block in fenced:
        for line in block.strip("\n").splitlines():
            assert line.strip() in shown
