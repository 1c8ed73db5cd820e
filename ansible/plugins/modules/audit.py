#!/usr/bin/python
# Copyright: the iommu-inspect developers
# MIT License (see LICENSE)
"""Asks whether devices of the target can be handed to user space."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: audit
short_description: Say whether devices of a host can be handed to user space
version_added: 0.1.0
description:
  - Runs C(iommu-inspect audit) on the target and returns its document as facts.
  - The tool reads. It changes nothing on the target, runs no program, and needs no root
    for what it says of ownership. As root it sees more.
  - It never reports a change. In check mode it does the same as otherwise.
author:
  - The iommu-inspect developers (@iommu-inspect)
extends_documentation_fragment:
  - iommu_inspect.host.tool
attributes:
  check_mode:
    details: An audit changes nothing, and so it is done in check mode too.
  diff_mode:
    support: none
options:
  targets:
    description:
      - What is to be handed over, as C(0000:01:00.0), C(group:13), C(10de:1e04), or the
        name of an interface or disk.
      - Without any the whole host is looked at.
    type: list
    elements: str
  purpose:
    description:
      - What the devices are wanted for.
    type: str
    choices:
      - vfio
      - dpdk
      - attach
      - one-per-group
    default: vfio
    aliases:
      - for
  semantics:
    description:
      - Whose rules apply. V(auto) is the kernel of the target. A release as V(6.12), or
        V(proposed-single-driver), asks about another one.
    type: str
    default: auto
  ignore:
    description:
      - Rules whose findings are counted and not shown. They change the verdict of no
        target.
    type: list
    elements: str
  strict:
    description:
      - Make errors of warnings.
    type: bool
    default: false
  config:
    description:
      - A file with C([[ignore]]) tables, on the controller unless O(remote_src) is
        true.
    type: path
  expect:
    description:
      - A file with lines of C(address vendor:device), on the controller unless
        O(remote_src) is true. Another device in that place is an error.
    type: path
  baseline:
    description:
      - An earlier state, as a snapshot or the document of an earlier audit. On the
        controller unless O(remote_src) is true.
      - Only what is new since then counts, for RV(findings) and for RV(verdict).
    type: path
  remote_src:
    description:
      - Whether O(config), O(expect) and O(baseline) are files on the target.
    type: bool
    default: false
  fail_on:
    description:
      - When the task fails.
      - With V(error) it fails if something is blocked, with V(unknown) also if that
        cannot be told, with V(never) for no verdict. Where it cannot be told and the
        task does not fail, there is a warning.
      - A tool that gives no answer fails the task always. So do wrong usage, a source
        that cannot be read, and a Python that is too old.
    type: str
    choices:
      - error
      - unknown
      - never
    default: error
seealso:
  - module: iommu_inspect.host.snapshot
"""

EXAMPLES = r"""
- name: Nothing is wrong with the groups of this host
  iommu_inspect.host.audit:

- name: The cards of the guests can be handed over
  iommu_inspect.host.audit:
    targets:
      - "0000:01:00.0"
      - "0000:01:00.1"
    fail_on: unknown

- name: Look, and decide later
  iommu_inspect.host.audit:
    fail_on: never

- name: What was seen
  ansible.builtin.debug:
    msg: "{{ ansible_facts.iommu_inspect.verdict }}"

- name: Nothing is worse than before the update
  iommu_inspect.host.audit:
    baseline: "baseline/{{ inventory_hostname }}.tgz"
"""

RETURN = r"""
verdict:
  description:
    - V(ready), V(blocked), or V(unknown) where it cannot be told.
    - With O(baseline) that of what is new.
  returned: when there is a verdict
  type: str
  sample: blocked
exit_code:
  description:
    - The exit code of the tool, 0 for ready, 1 for blocked, 3 for unknown. Others are
      those of a tool that gave no answer.
  returned: always
  type: int
  sample: 1
findings:
  description: What was found, the most severe first.
  returned: when there is a verdict
  type: list
  elements: dict
document:
  description:
    - The whole document of the audit. Left out where O(fail_on) fails the task.
  returned: success
  type: dict
ansible_facts:
  description: The same, for later tasks.
  returned: success
  type: dict
  contains:
    iommu_inspect:
      description: RV(verdict), RV(exit_code) and RV(document).
      returned: success
      type: dict
msg:
  description: The errors in a line, or that there are none.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.iommu_inspect.host.plugins.module_utils import tool


def main() -> None:
    """Run the audit and return what it said."""
    module = AnsibleModule(
        argument_spec=dict(
            tool.TOOL_ARGUMENTS,
            targets={"type": "list", "elements": "str"},
            purpose={
                "type": "str",
                "choices": ["vfio", "dpdk", "attach", "one-per-group"],
                "default": "vfio",
                "aliases": ["for"],
            },
            semantics={"type": "str", "default": "auto"},
            ignore={"type": "list", "elements": "str"},
            strict={"type": "bool", "default": False},
            config={"type": "path"},
            expect={"type": "path"},
            baseline={"type": "path"},
            remote_src={"type": "bool", "default": False},
            fail_on={
                "type": "str",
                "choices": ["error", "unknown", "never"],
                "default": "error",
            },
        ),
        mutually_exclusive=[("tool", "executable")],
        supports_check_mode=True,
    )
    params = module.params
    try:
        words = tool.command(params["tool"], params["executable"], params["python"])
        said = tool.run(words + tool.audit_words(params))
        result = tool.audit_result(said, params["fail_on"])
    except tool.ToolError as error:
        module.fail_json(msg=str(error), exit_code=error.code)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
