#!/usr/bin/python
# Copyright: the iommu-inspect developers
# MIT License (see LICENSE)
"""Brings a snapshot of the target to the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: snapshot
short_description: Bring a snapshot of a host to the controller
version_added: 0.1.0
description:
  - Runs C(iommu-inspect snapshot) on the target and writes the snapshot to a file on
    the controller, from which every command of the tool can answer as the host would.
  - On the target only the temporary directory of the task is written to.
  - No serial number, MAC address, host or user name, UUID or label is in it, unless
    O(redact=none).
author:
  - The iommu-inspect developers (@iommu-inspect)
extends_documentation_fragment:
  - iommu_inspect.host.tool
attributes:
  check_mode:
    details: The snapshot is taken and compared. Neither file is written.
  diff_mode:
    support: full
options:
  dest:
    description:
      - The file on the controller, which names like C(host.tgz) suit. Folders that are
        missing are made.
      - It is replaced in one step, and only if the content differs.
    type: path
    required: true
  baseline:
    description:
      - An earlier snapshot on the controller, with which the new one is compared.
      - Without it, or where there is no such file, that is what was in O(dest).
    type: path
  accept:
    description:
      - Make the new snapshot the O(baseline). Where there is no baseline yet, the new
        snapshot becomes it in any case.
    type: bool
    default: false
  redact:
    description:
      - What other names stand for, as the tool's C(--redact) has it.
    type: str
    choices:
      - none
      - default
      - strict
    default: default
seealso:
  - module: iommu_inspect.host.audit
"""

EXAMPLES = r"""
- name: A snapshot of each host
  iommu_inspect.host.snapshot:
    dest: "snapshots/{{ inventory_hostname }}.tgz"

- name: The same, compared with the state that was accepted
  iommu_inspect.host.snapshot:
    dest: "snapshots/{{ inventory_hostname }}.tgz"
    baseline: "snapshots/baseline/{{ inventory_hostname }}.tgz"
"""

RETURN = r"""
dest:
  description: The file on the controller.
  returned: success
  type: str
size:
  description: Its size in bytes.
  returned: success
  type: int
same:
  description:
    - Whether the host is as it was in the earlier snapshot in terms of groups, drivers,
      ownership and verdicts. None where that cannot be told, or nothing was there.
  returned: success
  type: bool
differences:
  description: What differs from the earlier one, as C(iommu-inspect diff) prints it.
  returned: success
  type: str
said:
  description: What the tool said about the snapshot, a line each.
  returned: success
  type: list
  elements: str
"""

import base64

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.iommu_inspect.host.plugins.module_utils import tool


def main() -> None:
    """Take the snapshot; the action writes it on the controller."""
    module = AnsibleModule(
        argument_spec=dict(
            tool.TOOL_ARGUMENTS,
            dest={"type": "path", "required": True},
            baseline={"type": "path"},
            accept={"type": "bool", "default": False},
            redact={
                "type": "str",
                "choices": ["none", "default", "strict"],
                "default": "default",
            },
        ),
        mutually_exclusive=[("tool", "executable")],
        supports_check_mode=True,
    )
    params = module.params
    folder = module.tmpdir
    try:
        words = tool.command(params["tool"], params["executable"], params["python"])
        content, said = tool.take_snapshot(words, params, folder)
        found = {"same": None, "text": ""}
        if params["baseline"]:
            found = tool.compare(words, params["baseline"], content, folder)
    except tool.ToolError as error:
        module.fail_json(msg=str(error), exit_code=error.code)
    module.exit_json(
        changed=False,
        content=base64.b64encode(content).decode(),
        same=found["same"],
        differences=found["text"],
        said=said,
    )


if __name__ == "__main__":
    main()
