"""``iommu-inspect explain``: the rules' pages."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from iommu_inspect.cli.declared import Argument, Completes
from iommu_inspect.cli.options import Color, ColorOption, Format, FormatOption

if TYPE_CHECKING:
    from iommu_inspect.rules._messages import Quote
    from iommu_inspect.rules.base import Rule

__all__ = ["explain_rule"]


def explain_rule(
    words: Annotated[
        list[str] | None,
        Argument(
            metavar="[RULE|MESSAGE|-]",
            completes=Completes.RULE,
            help="A rule's id, or what QEMU, libvirt, DPDK or the kernel said, in "
            "quotes; lines of a log will do, and - reads them from standard input. "
            "Without it, all rules are listed.",
        ),
    ] = None,
    output: FormatOption = Format.TABLE,
    color: ColorOption = Color.AUTO,
) -> None:
    """Show a rule's page: what it checks, why, kernel sources, remedy.

    A message finds the pages that quote it: the best is shown, the others are named.

    Exit code: 0 found, 2 there is no such rule, or no page quotes the message.
    """
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import complain, emit, style
    from iommu_inspect.render.pages import matches_text, page_text
    from iommu_inspect.rules._pages import page, page_named

    text = " ".join(words or []).strip()
    if output is Format.TABLE and (named := page_named(text)) is not None:
        emit(page_text(named, style(color)))  # and no rule is imported for that
        return

    from iommu_inspect.rules._messages import Quote
    from iommu_inspect.rules.registry import RULES, find_rule

    rule = find_rule(text)
    if rule is not None or not words:
        quotes = [
            Quote(known, None, 0) for known in (RULES if rule is None else [rule])
        ]
    else:
        quotes = _quoting(_standard_input() if text == "-" else text)
    if not quotes:
        complain(_nothing(text))
        sys.exit(Exit.USAGE)
    if output is Format.JSON:
        from iommu_inspect.render.documents.common import explain_document, to_json

        emit(to_json(explain_document((quote, page(quote.rule)) for quote in quotes)))
    elif not words:
        from iommu_inspect.render.layout import table

        rows = [[known.id, known.about.summary] for known in RULES]
        emit(table(["RULE", "WHAT IT FINDS"], rows, style(color), paints={}))
    elif rule is not None:
        emit(page_text(page(rule), style(color)))
    else:
        emit(matches_text(quotes, page(quotes[0].rule), style(color)))


def _quoting(text: str) -> list[Quote]:
    from iommu_inspect.rules._messages import quoting

    return quoting(*_book(), text)


def _nothing(text: str) -> str:
    """Say that nothing was found, and what is near."""
    from iommu_inspect.model.asked.usage import close_matches
    from iommu_inspect.model.text import printable
    from iommu_inspect.rules._messages import nearest

    if text == "-":
        return "no page quotes a line of this; 'explain' lists the rules"
    pages, rules = _book()
    if " " in text:
        near = [quote.rule.id for quote in nearest(pages, rules, text)]
        hint = (
            f"; near are {', '.join(near)}" if near else "; 'explain' lists the rules"
        )
        return f"no page quotes this message{hint}"
    hint = close_matches(text, pages) or "; 'explain' lists the rules"
    return f"there is no rule {printable(text)!r}, and no page quotes it{hint}"


def _book() -> tuple[dict[str, str], tuple[Rule, ...]]:
    from iommu_inspect.rules._pages import page
    from iommu_inspect.rules.registry import RULES

    return {rule.id: page(rule) for rule in RULES}, RULES


def _standard_input() -> str:
    from iommu_inspect.model.asked.usage import BadRequestError
    from iommu_inspect.sources.tree.opening import Text, open_source

    opened = open_source("-")
    if not isinstance(opened, Text):
        raise BadRequestError("standard input is a capture; explain takes messages")
    return opened.content
