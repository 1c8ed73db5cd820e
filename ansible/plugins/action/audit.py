# Copyright: the iommu-inspect developers
# MIT License (see LICENSE)
"""Sends the tool, and the files that options name, before the module runs."""

from __future__ import annotations

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.iommu_inspect.host.plugins.plugin_utils.sending import (
    SendingAction,
)


class ActionModule(SendingAction):
    """``audit``: everything but the files is the module's business."""

    def run(self, tmp: None = None, task_vars: dict | None = None) -> dict:
        """Send, run the module on the target, and return what it returned."""
        result = super().run(tmp, task_vars)
        args = self._task.args.copy()
        self.send_tool(args)
        if not boolean(args.get("remote_src") or False, strict=False):
            for name in ("config", "expect", "baseline"):
                self.send_named(args, name)
        result.update(
            self._execute_module(
                module_name="iommu_inspect.host.audit",
                module_args=args,
                task_vars=task_vars,
            )
        )
        return result
