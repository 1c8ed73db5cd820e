"""What in modprobe.d and on the kernel command line is not what was meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from iommu_inspect.model.fact import Fact, Missing, value_or
from iommu_inspect.model.host.settings import ModprobeConfig, Settings
from iommu_inspect.settings.ids import ID_DRIVERS, id_settings
from iommu_inspect.settings.lint_ids import bad_entries, replaced, split_by_space
from iommu_inspect.settings.lint_iommu import iommu_words
from iommu_inspect.settings.lint_modules import misnamed_modules
from iommu_inspect.settings.lint_names import (
    misnamed_files,
    misspelt_lines,
    misspelt_words,
)
from iommu_inspect.settings.maker import Maker
from iommu_inspect.settings.oddity import Oddity

__all__ = ["Oddity", "lint"]

# Oddities of one kind that are told one by one.
_MOST = 16


def lint(
    settings: Settings,
    maker: Maker | None = None,
    relax_rmrr: Fact[bool] = Missing.ABSENT,
) -> tuple[Oddity, ...]:
    """Return everything odd in the settings, whether or not it does any harm.

    Args:
        settings: What to look at. Snippets can be looked at alone, as
            ``Settings(modprobe=parse_modprobe(text))`` or
            ``Settings(command_line=parse_command_line(text))``.
        maker: Whose IOMMU the machine has, where that is known. Without it nothing is
            said about the other ones' parameters.
        relax_rmrr: Whether the kernel has the patch for that option.
    """
    modprobe = value_or(settings.modprobe, ModprobeConfig())
    words = value_or(settings.command_line, ())
    configured = {module: id_settings(settings, module) for module in ID_DRIVERS}
    odd = [
        *_few(misspelt_words(words)),
        *_few(misspelt_lines(modprobe)),
        *_few(misnamed_files(modprobe)),
        *_few(o for some in configured.values() for s in some for o in bad_entries(s)),
        *_few(o for some in configured.values() for o in replaced(some)),
        *_few(split_by_space(words, modprobe)),
        *_few(iommu_words(words, maker, relax_rmrr)),
    ]
    told = {(o.where, o.text) for o in odd}
    odd += _few(o for o in misnamed_modules(settings) if (o.where, o.text) not in told)
    # What is written right elsewhere is not lost.
    kept = {
        entry.numbers
        for found in configured.values()
        for setting in found
        if setting.in_force
        for entry in setting.entries
    }
    return tuple(
        replace(o, lost=tuple(e for e in o.lost if e.numbers not in kept)) for o in odd
    )


def _few(odd: Iterable[Oddity]) -> Iterator[Oddity]:
    """Yield the first of a kind one by one, and all others as one for each driver.

    A file that somebody filled with nothing but mistakes has thousands: who mends a
    few of them sees the next.
    """
    each = iter(odd)
    yield from islice(each, _MOST)
    rest: dict[str, list[Oddity]] = {}
    for oddity in each:
        rest.setdefault(oddity.driver, []).append(oddity)
    for some in rest.values():
        yield _together(some)


def _together(odd: Sequence[Oddity]) -> Oddity:
    first, more = odd[0], len(odd) - 1
    lost = {e.numbers: e for o in reversed(odd) for e in reversed(o.lost)}
    return replace(
        first,
        why=f"{first.why}, and {more} more like it" if more else first.why,
        lost=tuple(reversed(lost.values())),
        lost_addresses=tuple(dict.fromkeys(a for o in odd for a in o.lost_addresses)),
        about_iommu=all(o.about_iommu for o in odd),
        sure=all(o.sure for o in odd),
    )
