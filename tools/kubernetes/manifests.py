"""What ``deploy/kubernetes`` describes, read from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from iommu_inspect.model.dataclass import dataclass

__all__ = ["FOLDER", "Mount", "Pod", "documents", "pod"]

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"


@dataclass(frozen=True, slots=True)
class Mount:
    """A path of the node, where the container has it, and whether only to be read."""

    node: str
    container: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Pod:
    """The container of the DaemonSet: who runs, with what, and on which mounts."""

    user: int
    group: int
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    mounts: tuple[Mount, ...]


def documents() -> dict[str, Any]:
    """Return each resource, by its kind; kustomization.yaml says which there are."""
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    found = [yaml.safe_load((FOLDER / name).read_text()) for name in listed]
    return {each["kind"]: each for each in found}


def pod() -> Pod:
    """Return what the DaemonSet runs on a node."""
    spec = documents()["DaemonSet"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    paths = {each["name"]: each["hostPath"]["path"] for each in spec["volumes"]}
    return Pod(
        spec["securityContext"]["runAsUser"],
        spec["securityContext"]["runAsGroup"],
        tuple(container["args"]),
        tuple((each["name"], each["value"]) for each in container["env"]),
        tuple(
            Mount(paths[m["name"]], m["mountPath"], m.get("readOnly", False))
            for m in container["volumeMounts"]
        ),
    )
