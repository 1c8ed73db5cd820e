"""The DaemonSet: its manifests, and its container on a capture and on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from examples import each
from running import run
from shared import FIXTURES
from trees import unpack

import iommu_inspect
from tools.kubernetes import trying
from tools.kubernetes.manifests import FOLDER, documents, pod

CAPTURE = FIXTURES / "kernels" / "6.12-two-functions-1.tar.gz"
LACKING = trying.missing()
enters = pytest.mark.skipif(LACKING is not None, reason=f"no container here: {LACKING}")


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that Python runs as it runs the single file."""
    folder = tmp_path_factory.mktemp("tool") / "iommu-inspect.pyz"
    package = Path(iommu_inspect.__file__).parent
    bare = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, folder / "iommu_inspect", ignore=bare)
    main = "from iommu_inspect.__main__ import main\n\nmain()\n"
    (folder / "__main__.py").write_text(main)
    return folder


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node's files: the capture, and what of /proc lies elsewhere for a pod."""
    folder = tmp_path_factory.mktemp("node")
    with tarfile.open(CAPTURE) as archive:
        unpack(archive, folder)
    shutil.copytree(folder / "proc/net", folder / "proc/1/net")
    (folder / "etc/modprobe.d").mkdir(parents=True)
    (folder / "proc/cpuinfo").write_text("")
    return folder


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """NFD's folder on the node, prepared as docs/kubernetes.md has it."""
    folder = tmp_path / "features.d"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, pod().user, pod().group)
    return folder


def labels(text: str) -> list[str]:
    """Return the labels of a feature file, without the line that has a date."""
    first, *rest = text.splitlines()
    assert first.startswith("# +expiry-time=")
    return rest


@each("kind", ["DaemonSet", "Namespace", "NetworkPolicy"])
@each("version", ["1.30", "1.37"])
def test_each_manifest_is_what_the_schema_of_kubernetes_allows(
    kind: str, version: str
) -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is not installed"
    )
    validate.validate(documents()[kind], version, strict=True)
    with pytest.raises(validate.ValidationError):
        validate.validate({**documents()[kind], "spek": {}}, version, strict=True)


def test_the_pod_keeps_what_restricted_asks_for_but_for_its_volumes() -> None:
    """The controls of Kubernetes' Pod Security Standards, in their order."""
    spec: dict[str, Any] = documents()["DaemonSet"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    of_pod, own = spec["securityContext"], container["securityContext"]
    assert not any(spec[name] for name in ("hostNetwork", "hostPID", "hostIPC"))
    assert own["privileged"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert not [port for port in container.get("ports", []) if "hostPort" in port]
    assert not {"procMount", "seLinuxOptions"} & {*of_pod, *own}
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["allowPrivilegeEscalation"] is False
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["runAsUser"] > 0
    # Beyond it.
    assert own["readOnlyRootFilesystem"] is True
    assert spec["automountServiceAccountToken"] is False
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    assert {"hostPath"} == {*spec["volumes"][0]} - {"name"}, "the one exception"


def test_one_folder_can_be_written_to_and_nothing_makes_folders_on_the_node() -> None:
    writable = [mount.node for mount in pod().mounts if not mount.read_only]
    assert writable == ["/etc/kubernetes/node-feature-discovery/features.d"]
    spec = documents()["DaemonSet"]["spec"]["template"]["spec"]
    assert {v["hostPath"]["type"] for v in spec["volumes"]} == {"Directory", "File"}


def test_what_the_pod_sees_of_proc_is_of_the_node_and_of_no_other_process() -> None:
    """proc/self and proc/net of a node's /proc would be the pod's own."""
    seen = {m.container for m in pod().mounts if m.container.startswith("/host/proc")}
    assert "/host/proc" not in seen
    assert not [path for path in seen if "self" in path or path == "/host/proc/net"]


@enters
def test_the_container_publishes_what_an_audit_of_the_node_says(
    tool: Path, node: Path, features: Path
) -> None:
    done = trying.run(pod(), tool, node, features)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "iommu-inspect: wrote /features.d/iommu-inspect\n"
    assert [path.name for path in features.iterdir()] == ["iommu-inspect"]
    found = labels((features / "iommu-inspect").read_text())
    assert found == labels(run("audit", "--from", CAPTURE, "--format", "nfd").stdout)
    assert any(line.endswith(".conflict=true") for line in found)


@enters
@pytest.mark.no_cover
def test_of_a_running_kernel_it_tells_what_root_is_told(
    tool: Path, features: Path
) -> None:
    """The mounts of the manifest leave nothing out that a label depends on."""
    done = trying.run(pod(), tool, Path("/"), features)
    assert done.returncode == 0, done.stderr
    told = run("audit", "--from", "/", "--format", "nfd")
    assert labels((features / "iommu-inspect").read_text()) == labels(told.stdout)


@pytest.mark.no_cover
@each(
    "name",
    [
        "6.1-reference-2",
        "6.12-bridges-0",
        "6.12-disable-acs-redir-0",
        "6.12-sriov-vfio-3",
        "6.12-switch-no-acs-0",
        "7.3-sriov-no-acs-1",
    ],
)
def test_no_label_depends_on_what_a_pod_does_not_see(name: str, tmp_path: Path) -> None:
    """It sees 64 bytes of registers, nothing of /dev and /lib, and no iomem."""
    root = tmp_path / name
    with tarfile.open(FIXTURES / "kernels" / f"{name}.tar.gz") as archive:
        unpack(archive, root)

    def told() -> list[str]:
        return labels(run("audit", "--from", root, "--format", "nfd").stdout)

    before = told()
    spaces = [path for path in root.glob("sys/devices/**/config") if path.is_file()]
    assert any(path.stat().st_size > 64 for path in spaces)
    for path in spaces:
        os.truncate(path, min(64, path.stat().st_size))
    for part in ("dev", "lib"):
        shutil.rmtree(root / part, ignore_errors=True)
    (root / "proc/iomem").unlink(missing_ok=True)
    assert told() == before


@enters
def test_a_node_that_cannot_be_read_is_told_as_unknown(
    tool: Path, node: Path, features: Path
) -> None:
    trying.run(pod(), tool, node, features)
    done = trying.run(pod(), tool, node, features, environment={"HOST_ROOT": "/gone"})
    assert done.returncode == 4
    assert "cannot read /gone: no such file or directory" in done.stderr
    (label,) = labels((features / "iommu-inspect").read_text())
    assert label.endswith(".verdict=unknown")


@enters
def test_a_folder_that_is_not_prepared_ends_the_pod_with_a_line(
    tool: Path, node: Path, features: Path
) -> None:
    os.chown(features, 0, 0)
    done = trying.run(pod(), tool, node, features)
    assert done.returncode == 2
    assert "cannot write /features.d/iommu-inspect" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(features.iterdir())
    # Root without a capability owns it, and nothing else.
    assert trying.run(pod(), tool, node, features, user=0).returncode == 0


def test_between_two_rounds_it_ends_when_it_is_asked_to(
    tool: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "iommu-inspect.pyz").symlink_to(tool)
    shutil.copy(FOLDER / "publish.sh", folder)
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    process = subprocess.Popen(
        ["sh", folder / "publish.sh"],
        stderr=subprocess.PIPE,
        env={
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "HOST_ROOT": str(FIXTURES / "sysfs" / "half-a-group"),
            "FEATURES": str(tmp_path / "features"),
        },
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        assert b"wrote" in process.stderr.readline()
        # It may not wait yet.
        for _ in range(100):
            process.send_signal(signal.SIGTERM)
            if process.poll() is not None:
                break
            time.sleep(0.05)
        assert process.wait(5) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stderr.close()
    assert (tmp_path / "features").read_text().startswith("# +expiry-time=")


def test_the_image_has_what_the_container_is_told_to_run() -> None:
    lines = (FOLDER / "Containerfile").read_text().splitlines()
    (copied,) = [line for line in lines if line.startswith("COPY")]
    assert {"dist/iommu-inspect.pyz", "deploy/kubernetes/publish.sh"} <= {
        *copied.split()
    }
    assert copied.endswith(" /opt/iommu-inspect/")
    (entry,) = [line for line in lines if line.startswith("ENTRYPOINT")]
    assert entry == 'ENTRYPOINT ["/bin/sh", "/opt/iommu-inspect/publish.sh"]'
    (user,) = [line for line in lines if line.startswith("USER")]
    assert user == f"USER {pod().user}:{pod().group}"
