# Copyright: the iommu-inspect developers
# MIT License (see LICENSE)
"""What both actions do: the tool and its files go to the target, and are removed there.

The temporary directory is that of the task: `ansible.plugins.action.ActionBase` makes
it, and removes it whatever happens.
"""

from __future__ import annotations

import re
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

_NAME = "iommu-inspect.pyz"
# What the collection ships, where it was built with the tool in it.
_SHIPPED = Path(__file__).parents[2] / "files" / _NAME
_ODD = re.compile(r"[^A-Za-z0-9._-]")


class SendingAction(ActionBase):
    """An action whose module runs the tool, which is sent along."""

    TRANSFERS_FILES = True

    def send_tool(self, args: dict) -> None:
        """Put the tool on the target, and its place there into the arguments.

        Raises:
            AnsibleActionFail: there is no such file on the controller.
        """
        if args.get("executable"):
            return
        if args.get("tool"):
            local = self._find_needle("files", args["tool"])
        elif _SHIPPED.is_file():
            local = str(_SHIPPED)
        else:
            raise AnsibleActionFail(
                "this collection was built without the tool: 'tool' has to name "
                + _NAME
                + " on the controller ('make zipapp' makes it), or 'executable' a "
                "command on the target"
            )
        args["tool"] = self.send(local, _NAME)

    def send(self, local: str, name: str) -> str:
        """Put a file of the controller into the task's directory; return its place."""
        shell = self._connection._shell
        remote = shell.join_path(shell.tmpdir, _ODD.sub("_", name))
        self._transfer_file(local, remote)
        self._fixup_perms2((shell.tmpdir, remote))
        return remote

    def send_named(self, args: dict, name: str) -> None:
        """Put the file that an option names on the target, if it names one."""
        if args.get(name):
            local = self._find_needle("files", args[name])
            args[name] = self.send(local, f"{name}-{Path(local).name}")
