"""What an error of the kernel makes of a fact."""

from __future__ import annotations

import errno

from iommu_inspect.model.fact import Missing

__all__ = ["missing_of"]

# Only these two say that there is no such file. ENODEV and ENXIO come from a file that
# is there, of a device that is not any more; ESTALE from a server that has forgotten
# the file; ENAMETOOLONG is about the question.
_NOT_THERE = frozenset((errno.ENOENT, errno.ENOTDIR))
_REFUSED = frozenset((errno.EACCES, errno.EPERM))


def missing_of(number: int | None) -> Missing:
    """Return why there is no fact, by the number of an ``OSError``."""
    if number in _NOT_THERE:
        return Missing.ABSENT
    return Missing.DENIED if number in _REFUSED else Missing.UNREADABLE
