"""``iommu-inspect completion``: what a shell sources, so that Tab knows our words."""

from __future__ import annotations

import enum
from typing import Annotated

from iommu_inspect.cli.declared import Argument

__all__ = ["print_script"]


class Shell(enum.StrEnum):
    """The shells that there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def print_script(
    shell: Annotated[
        Shell, Argument(metavar="bash|zsh|fish", help="The shell that you type in.")
    ],
) -> None:
    """Print what bash, zsh or fish has to read so that Tab completes our words.

    For bash: iommu-inspect completion bash > ~/.local/share/bash-completion/
    completions/iommu-inspect. For zsh, a file _iommu-inspect in a directory of $fpath;
    for fish, ~/.config/fish/completions/iommu-inspect.fish.
    """
    from iommu_inspect.cli.completion.scripts import SCRIPTS
    from iommu_inspect.cli.output import emit

    emit(SCRIPTS[shell.value])
