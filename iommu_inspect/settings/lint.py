"""What in modprobe.d and on the kernel command line is not what was meant."""

from __future__ import annotations

from dataclasses import replace

from iommu_inspect.model.fact import Fact, Missing, value_or
from iommu_inspect.model.settings import ModprobeConfig, Settings
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
        *misspelt_words(words),
        *misspelt_lines(modprobe),
        *misnamed_files(modprobe),
        *(o for found in configured.values() for s in found for o in bad_entries(s)),
        *(o for found in configured.values() for o in replaced(found)),
        *split_by_space(words, modprobe),
        *iommu_words(words, maker, relax_rmrr),
    ]
    told = {(o.where, o.text) for o in odd}
    odd += [o for o in misnamed_modules(settings) if (o.where, o.text) not in told]
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
