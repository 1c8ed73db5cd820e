"""What a kernel's release string tells."""

from __future__ import annotations

import re

__all__ = ["carries_code_back", "version_of"]

# Kernels that carry later IOMMU and VFIO code under an old number: RHEL and its
# rebuilds (".el8"), Oracle ("uek"), SUSE ("-150500.55-default").
_VENDOR = re.compile(r"\.el\d+|uek|-1[0-9]0[0-9]00\.")
_RELEASE = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})(?:[.\-+~_ ].*|rc\d.*)?", re.DOTALL)


def version_of(release: str) -> tuple[int, int] | None:
    """Return ``(6, 12)`` of ``6.12.107+deb13-amd64``, ``None`` if it is no release."""
    match = _RELEASE.fullmatch(release.strip())
    return (int(match[1]), int(match[2])) if match else None


def carries_code_back(release: str) -> bool:
    """Say whether the vendor puts later code under this number.

    RHEL 9.1 (5.14.0-162) has the rules of before v5.19 and 9.3 (5.14.0-362) has those
    of about v6.2, under one number.
    """
    return _VENDOR.search(release) is not None
