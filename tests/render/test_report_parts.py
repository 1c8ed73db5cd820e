"""The parts of a report that are made of text: rules' pages, advice."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from iommu_inspect.render.report.blocks import Piece, pieces
from iommu_inspect.render.report.rule_pages import page_html
from iommu_inspect.rules._pages import page
from iommu_inspect.rules.registry import RULES

PAGE = """\
# a-rule

What it is *about*, with `code <x>` and
a second line.

## A heading

- one, see [the kernel](https://kernel.org/x)
  goes on
- https://example.org/a_b (why), and [a page](docs/why.md)

1. first
2. second

    echo 1 > /sys/x

```
$ a <b>
```
"""


def test_a_page_is_html_of_the_kinds_that_pages_are_written_in() -> None:
    assert page_html(PAGE).split("\n") == [
        "<p>What it is <em>about</em>, with <code>code &lt;x&gt;</code> and a second "
        "line.</p>",
        "<h4>A heading</h4>",
        '<ul><li>one, see <a href="https://kernel.org/x" rel="noreferrer">the '
        "kernel</a> goes on</li><li>"
        '<a href="https://example.org/a_b" rel="noreferrer">https://example.org/a_b'
        "</a> (why), and a page</li></ul>",
        "<ol><li>first</li><li>second</li></ol>",
        "<pre><code>echo 1 &gt; /sys/x</code></pre>",
        "<pre><code>$ a &lt;b&gt;</code></pre>",
    ]


def test_no_mark_of_markdown_is_left_in_the_pages_of_the_rules() -> None:
    for rule in RULES:
        root = ET.fromstring(f"<div>{page_html(page(rule))}</div>")
        assert len(root) > 5, rule.id
        for paragraph in (*root.iter("p"), *root.iter("li")):
            assert "`" not in (paragraph.text or "")
            assert "](" not in "".join(paragraph.itertext())


@given(st.text(alphabet="`*[]()<>&\"' \n#-1.ahtps:/", max_size=200))
def test_no_text_of_a_page_makes_an_element_that_is_not_ours(text: str) -> None:
    root = ET.fromstring(f"<div>{page_html(text)}</div>")
    ours = {*("div", "p", "h4", "ul", "ol", "li", "pre", "code", "em", "a")}
    assert {each.tag for each in root.iter()} <= ours


@given(st.text(max_size=200))
def test_no_control_character_of_a_page_gets_through(text: str) -> None:
    ET.fromstring(f"<div>{page_html(text)}</div>")


def test_advice_is_taken_apart_into_prose_and_lines_to_copy() -> None:
    blocks = ["First look:", "    cat a\n    cat b\n      as it should be: 1", "Then:"]
    assert pieces(blocks) == (
        Piece("First look:"),
        Piece("cat a\ncat b", code=True),
        Piece("as it should be: 1"),
        Piece("Then:"),
    )
