# Copyright: the iommu-inspect developers
# MIT License (see LICENSE)
"""What the documentation of both modules says alike."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that runs the tool on the target."""

    DOCUMENTATION = r"""
options:
  tool:
    description:
      - The tool as a single file, C(iommu-inspect.pyz), on the controller.
      - It is copied to the temporary directory of the task on the target and removed
        with it. Nothing is installed.
      - Looked for as files of other modules are, in C(files/) of the role and the play.
        Without it the file that ships in the collection is taken.
    type: path
  executable:
    description:
      - A command on the target that is installed already. Nothing is copied then.
    type: path
  python:
    description:
      - The interpreter on the target that runs O(tool). It has to be Python 3.11 or
        newer.
      - Without it that of the module is taken if it is new enough, else the newest
        C(python3.X) in C(PATH).
    type: path
  source:
    description:
      - What is read on the target in place of the running host, as the tool's C(--from)
        takes it. For instance a directory that holds C(sys/), a snapshot, or a text.
      - Several of one machine are joined.
      - Whatever is named here turns off all live probes. It is meant for tests, and for
        the disk of another host in a rescue system.
    type: list
    elements: path
    aliases:
      - root
attributes:
  check_mode:
    description: Can run in check mode, and changes nothing then.
    support: full
  diff_mode:
    description: Returns what changed when in diff mode.
  platform:
    description: The systems that it runs on.
    platforms: linux
    support: full
"""
