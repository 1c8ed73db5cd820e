# Copyright: the iommu-inspect developers
# MIT License (see LICENSE)
"""Has a snapshot taken on the target, and keeps it on the controller."""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.iommu_inspect.host.plugins.module_utils.tool import printable
from ansible_collections.iommu_inspect.host.plugins.plugin_utils.sending import (
    SendingAction,
)


class ActionModule(SendingAction):
    """``snapshot``: the module takes and compares it, the files are written here."""

    def run(self, tmp: None = None, task_vars: dict | None = None) -> dict:
        """Take, compare, and write what differs; in check mode only say so."""
        result = super().run(tmp, task_vars)
        args = self._task.args.copy()
        if not args.get("dest"):
            raise AnsibleActionFail("'dest' has to name a file on the controller")
        dest = Path(self._loader.path_dwim(str(args["dest"])))
        if dest.is_dir():
            raise AnsibleActionFail("'dest' is a directory: " + str(dest))
        baseline = None
        if args.get("baseline"):
            baseline = Path(self._loader.path_dwim(str(args["baseline"])))
        self.send_tool(args)
        before = baseline if baseline and baseline.is_file() else dest
        args.pop("baseline", None)
        if before.is_file():
            args["baseline"] = self.send(str(before), "earlier.tgz")
        said = self._execute_module(
            module_name="iommu_inspect.host.snapshot",
            module_args=args,
            task_vars=task_vars,
        )
        content = base64.b64decode(said.pop("content", ""))
        result.update(said)
        if result.get("failed"):
            return result
        kept = [dest]
        accept = boolean(args.get("accept") or False, strict=False)
        if baseline and (accept or not baseline.is_file()):
            kept.append(baseline)
        differing = [path for path in kept if _content(path) != content]
        if not self._task.check_mode:
            for path in differing:
                _write(path, content)
        result.update(changed=bool(differing), dest=str(dest), size=len(content))
        if self._task.diff:
            result["diff"] = {"prepared": _shown(result, before, differing)}
        return result


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step: nobody ever reads half of a snapshot."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix="." + path.name)
        new = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            new.chmod(0o644)
            new.replace(path)
        except BaseException:
            new.unlink()
            raise
    except OSError as error:
        raise AnsibleActionFail(f"cannot write {path}: {error.strerror}") from error


def _shown(result: dict, before: Path, differing: list) -> str:
    """Return what ``--diff`` shows: what the tool says changed since then."""
    if result["differences"]:
        # It comes from the target, whatever that is.
        return f"since {before}:\n{printable(result['differences'])}"
    if differing and result["same"] is None:
        return "the first snapshot\n"
    return ""
