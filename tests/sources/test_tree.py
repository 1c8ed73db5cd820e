"""Trees: the same files give the same answers, wherever they are, and no others."""

from __future__ import annotations

import io
import os
import socket
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from examples import each
from hypothesis import given, settings
from hypothesis import strategies as st

from iommu_inspect.model.fact import Fact, Missing, value_or
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree import tree as tree_module
from iommu_inspect.sources.tree.directory import DirTree
from iommu_inspect.sources.tree.opening import open_live, open_path
from iommu_inspect.sources.tree.tree import MAX_FILE, Tree

DEVICE = "sys/devices/pci0000:00/0000:00:1f.0"
BY_BUS = "sys/bus/pci/devices/0000:00:1f.0"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class To(str):
    """A link to somewhere."""


Spec = Mapping[str, str | bytes | None]

HOST: Spec = {
    "proc/cmdline": "intel_iommu=on quiet \n",
    f"{DEVICE}/vendor": "0x8086\n",
    f"{DEVICE}/resource": "0x1 0x2\n0x3 0x4\n",
    f"{DEVICE}/config": b"\x86\x80\x00\xff",
    f"{DEVICE}/driver_override": "vfio-pci\n",
    f"{DEVICE}/latin": b"caf\xe9\n",
    f"{DEVICE}/empty": "",
    f"{DEVICE}/long": b"x" * (MAX_FILE + 1),
    f"{DEVICE}/longest": b"x" * MAX_FILE,
    f"{DEVICE}/padded": b"0x8086\n" + bytes(4089),
    f"{DEVICE}/driver": To("../../../bus/pci/drivers/vfio-pci"),
    f"{DEVICE}/iommu_group": To("../../../kernel/iommu_groups/3"),
    f"{DEVICE}/up/up/up": To("../../../../../.."),
    f"{DEVICE}/out": To("../../../../etc/passwd"),
    f"{DEVICE}/absolute": To("/sys/bus/pci"),
    f"{DEVICE}/elsewhere": To("/etc/passwd"),
    f"{DEVICE}/self": To("self"),
    f"{DEVICE}/rom": "never",
    f"{DEVICE}/to_rom": To("rom"),
    f"{DEVICE}/to_vendor": To("../../../bus/pci/devices/0000:00:1f.0/vendor"),
    "sys/bus/pci/drivers/vfio-pci": None,
    BY_BUS: To("../../../devices/pci0000:00/0000:00:1f.0"),
    "sys/ping": To("pong"),
    "sys/pong": To("ping"),
    "dev/vfio/3": "never",
    "sys/to_vfio": To("../dev/vfio"),
    **{f"sys/chain/{n}": To(f"{n + 1}") for n in range(60)},
    "sys/chain/60": "end\n",
}


def build_folder(root: Path, spec: Spec) -> Path:
    for name, what in spec.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if what is None:
            path.mkdir(exist_ok=True)
        elif isinstance(what, To):
            path.symlink_to(what)
        else:
            path.write_bytes(what.encode() if isinstance(what, str) else what)
    return root


def build_tar(path: Path, spec: Spec, mode: str = "") -> Path:
    with tarfile.open(path, f"w:{mode}") as tar:  # type: ignore[call-overload]
        for name, what in spec.items():
            info = tarfile.TarInfo(name)
            if what is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            elif isinstance(what, To):
                info.type, info.linkname = tarfile.SYMTYPE, str(what)
                tar.addfile(info)
            else:
                content = what.encode() if isinstance(what, str) else what
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def prefixed(spec: Spec, prefix: str) -> Spec:
    return {f"{prefix}{name}": what for name, what in spec.items()}


def sys_only(spec: Spec) -> Spec:
    return {n[4:]: what for n, what in spec.items() if n.startswith("sys/")}


Opener = Callable[[Spec], Tree]
KINDS = ("directory", "tar", "tar.gz", "tar.bz2", "tar.xz", "live")


def open_as(kind: str, place: Path, spec: Spec) -> Tree:
    """Return the same files as another kind of tree."""
    if kind == "directory":
        return open_path(str(build_folder(place / "d", spec)))
    if kind == "live":
        return DirTree(str(build_folder(place / "d", spec)), "this host", live=True)
    mode = kind.partition(".")[2]
    return open_path(str(build_tar(place / "named-anything", spec, mode)))


@pytest.fixture(params=KINDS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    return lambda spec: open_as(request.param, tmp_path, spec)


@pytest.fixture(params=KINDS, scope="module")
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Tree:
    return open_as(request.param, tmp_path_factory.mktemp("host"), HOST)


@each(
    "path, text",
    [
        ("proc/cmdline", "intel_iommu=on quiet"),
        (f"{DEVICE}/vendor", "0x8086"),
        (f"{BY_BUS}/vendor", "0x8086"),
        (f"{BY_BUS}/to_vendor", "0x8086"),
        (f"{BY_BUS}/./vendor", "0x8086"),
        (f"{DEVICE}/driver/../../devices/0000:00:1f.0/vendor", "0x8086"),
        (f"{DEVICE}/resource", "0x1 0x2\n0x3 0x4"),
        (f"{DEVICE}/latin", "caf\udce9"),
        (f"{DEVICE}/empty", ""),
        (f"{DEVICE}/padded", "0x8086"),
        ("sys/chain/30", "end"),
        (f"{DEVICE}/nothing", Missing.ABSENT),
        ("sys/bus/pci/devices/0000:00:1e.0/vendor", Missing.ABSENT),
        (f"{DEVICE}/vendor/below", Missing.ABSENT),
        (f"{DEVICE}/vendor/", Missing.ABSENT),
        (f"{DEVICE}/long", Missing.TRUNCATED),
        (f"{DEVICE}/longest", "x" * MAX_FILE),
        (DEVICE, Missing.UNREADABLE),
        (f"{DEVICE}/driver", Missing.UNREADABLE),
        (f"{DEVICE}/iommu_group", Missing.ABSENT),
        (f"{DEVICE}/out", Missing.ABSENT),
        (f"{DEVICE}/elsewhere", Missing.ABSENT),
        (f"{DEVICE}/self", Missing.UNREADABLE),
        (f"{DEVICE}/to_rom", Missing.UNREADABLE),
        ("sys/to_vfio/3", Missing.UNREADABLE),
        ("sys/chain/0", Missing.UNREADABLE),
        ("../etc/passwd", Missing.UNREADABLE),
        ("sys/" + "n" * 300, Missing.UNREADABLE),
        ("sys/n\0n", Missing.UNREADABLE),
    ],
)
def test_text_is_the_file_or_why_there_is_none(
    host: Tree, path: str, text: Fact[str]
) -> None:
    assert host.text(path) == text


def test_data_is_the_bytes_as_they_are(host: Tree) -> None:
    assert host.data(f"{BY_BUS}/config") == b"\x86\x80\x00\xff"
    assert host.data(f"{BY_BUS}/padded") == b"0x8086\n" + bytes(4089)


@each(
    "path, target",
    [
        (BY_BUS, DEVICE),
        (f"{BY_BUS}/driver", "sys/bus/pci/drivers/vfio-pci"),
        (f"{BY_BUS}/iommu_group", "sys/kernel/iommu_groups/3"),
        (f"{BY_BUS}/absolute", "sys/bus/pci"),
        (f"{BY_BUS}/elsewhere", "etc/passwd"),
        (f"{BY_BUS}/to_vendor", f"{DEVICE}/vendor"),
        (f"{BY_BUS}/vendor", Missing.ABSENT),
        (f"{BY_BUS}/nothing", Missing.ABSENT),
        (f"{DEVICE}/up/up/up", ""),
        (f"{BY_BUS}/self", Missing.UNREADABLE),
        ("sys/ping", Missing.UNREADABLE),
        ("sys/chain/0", Missing.UNREADABLE),
        ("sys/chain/59", "sys/chain/60"),
    ],
)
def test_target_is_where_a_link_leads_even_if_nothing_is_there(
    host: Tree, path: str, target: Fact[str]
) -> None:
    assert host.target(path) == target


@each(
    "path, resolved",
    [
        ("", ""),
        (f"{BY_BUS}/driver", "sys/bus/pci/drivers/vfio-pci"),
        (f"{BY_BUS}/vendor", f"{DEVICE}/vendor"),
        (f"{BY_BUS}/iommu_group", Missing.ABSENT),
        ("sys/ping", Missing.UNREADABLE),
        ("sys/..", ""),
        ("sys/../..", Missing.UNREADABLE),
    ],
)
def test_resolve_leads_to_what_exists(
    host: Tree, path: str, resolved: Fact[str]
) -> None:
    assert host.resolve(path) == resolved
    assert host.exists(path) is isinstance(resolved, str)


@each(
    "path, names",
    [
        ("sys/bus/pci", ("devices", "drivers")),
        (f"{DEVICE}/absolute", ("devices", "drivers")),
        ("sys/bus/pci/drivers/vfio-pci", ()),
        ("sys/nothing", Missing.ABSENT),
        (f"{DEVICE}/vendor", Missing.ABSENT),
        (f"{DEVICE}/iommu_group", Missing.ABSENT),
        ("sys/ping", Missing.UNREADABLE),
    ],
)
def test_names_are_those_in_the_directory_sorted(
    host: Tree, path: str, names: Fact[tuple[str, ...]]
) -> None:
    assert host.names(path) == names


def test_a_link_that_climbs_out_is_unreadable_and_noted(opened: Opener) -> None:
    tree = opened({"sys/out": To("../../etc"), "sys/deep/out": To("../../../../x")})
    for _ in range(2):
        assert tree.target("sys/out") is Missing.UNREADABLE
        assert tree.text("sys/out/passwd") is Missing.UNREADABLE
        assert tree.names("sys/deep/out") is Missing.UNREADABLE
    assert tree.notes == ("2 links that leave the capture were not followed",)


def test_nothing_is_noted_where_nothing_was_ignored(opened: Opener) -> None:
    host = opened(HOST)
    host.text(f"{BY_BUS}/vendor")
    assert host.notes == ()


@each(
    "path",
    [
        *(f"{BY_BUS}/{n}" for n in sorted(tree_module.NEVER_OPENED)),
        f"{BY_BUS}/resource0",
        f"{BY_BUS}/resource10_wc",
        "dev/vfio/3",
        "dev/vfio",
    ],
)
def test_files_that_act_when_they_are_read_are_never_opened(
    host: Tree, path: str
) -> None:
    for read in (host.text, host.data, host.large_data):
        with pytest.raises(ValueError, match="never"):
            read(path)
    with pytest.raises(ValueError, match="never"):
        host.text_bounded(["proc/cmdline", path])


def test_bounded_texts_are_those_that_text_gives(host: Tree) -> None:
    paths = ["proc/cmdline", f"{DEVICE}/driver_override", f"{DEVICE}/nothing"]
    paths += [f"{DEVICE}/latin", f"{DEVICE}/longest", f"{DEVICE}/long", DEVICE]
    assert host.text_bounded(paths, 10) == {path: host.text(path) for path in paths}
    assert host.text_bounded([]) == {}


def test_large_files_can_be_read_from_directories(tmp_path: Path) -> None:
    size = 3 << 20
    root = build_folder(tmp_path, {"sys/x": None, "usr/pci.ids": b"x" * size})
    assert open_path(str(root)).large_data("usr/pci.ids") == b"x" * size


@pytest.mark.parametrize("wrap", [lambda s: prefixed(s, "host+pci/"), sys_only])
@pytest.mark.parametrize("kind", ["directory", "tar"])
def test_sys_is_found_one_level_up_or_down(
    tmp_path: Path, kind: str, wrap: Callable[[Spec], Spec]
) -> None:
    spec = wrap(HOST)
    build = build_folder if kind == "directory" else build_tar
    tree = open_path(str(build(tmp_path / "x", spec)))
    assert tree.text(f"{BY_BUS}/vendor") == "0x8086"
    assert tree.target(f"{BY_BUS}/iommu_group") == "sys/kernel/iommu_groups/3"
    assert tree.target(f"{BY_BUS}/absolute") == "sys/bus/pci"
    only_sys = wrap is sys_only
    assert tree.exists("proc/cmdline") is not only_sys
    assert tree.exists("vendor") is False
    names = ("sys",) if only_sys else ("dev", "proc", "sys")
    assert tree.names("") == names
    assert "bus" in value_or(tree.names("sys"), ())


def test_members_may_begin_with_a_dot_or_a_slash(tmp_path: Path) -> None:
    for prefix in ("./", "/", "//./"):
        tree = open_path(str(build_tar(tmp_path / "t", prefixed(HOST, prefix))))
        assert tree.text(f"{BY_BUS}/vendor") == "0x8086"


@pytest.mark.parametrize("kind", ["directory", "tar"])
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"etc/passwd": "x"}, "there is no sys/ in it"),
        ({"sys": "a file", "proc/cmdline": "x"}, "there is no sys/ in it"),
        ({"sys": To("etc"), "etc/x": ""}, "there is no sys/ in it"),
        ({"a/sys/x": "", "b/sys/x": ""}, "it holds 2 captures; give one of them"),
    ],
)
def test_a_place_without_one_sys_is_refused(
    tmp_path: Path, kind: str, spec: Spec, message: str
) -> None:
    build = build_folder if kind == "directory" else build_tar
    with pytest.raises(SourceError, match=message):
        open_path(str(build(tmp_path / "x", spec)))


def test_standard_input_is_read_as_a_tar(tmp_path: Path) -> None:
    with build_tar(tmp_path / "t", HOST, "gz").open("rb") as file:
        tree = open_path("-", file)
    assert tree.label == "standard input"
    assert tree.text(f"{BY_BUS}/vendor") == "0x8086"


def test_a_path_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "no\x1b[31m"
    with pytest.raises(SourceError) as caught:
        open_path(str(path))
    shown = str(path).replace("\x1b", r"\x1b")
    assert str(caught.value) == f"cannot read {shown}: no such file or directory"
    with pytest.raises(SourceError):
        open_path("a\0b")


def test_a_pipe_or_a_device_is_refused_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="give a pipe as -"):
        open_path(str(tmp_path / "pipe"))
    with pytest.raises(SourceError, match="a directory or a tar"):
        open_path("/dev/zero")


def test_what_is_no_plain_file_is_named_and_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sys"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        tree = open_path(str(tmp_path))
        assert tree.names("sys") == ("pipe", "socket")
        assert tree.text("sys/pipe") is Missing.UNREADABLE
        assert tree.text("sys/socket") is Missing.UNREADABLE


def test_a_file_replaced_by_a_pipe_while_it_is_opened_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sys").mkdir()
    os.mkfifo(tmp_path / "sys/pipe")
    tree = open_path(str(tmp_path))
    kind = tree_module.Kind.FILE
    monkeypatch.setattr(tree, "_kind", lambda path: kind if "pipe" in path else None)
    tree._folders["sys"] = "sys"
    assert tree.text("sys/pipe") is Missing.UNREADABLE


def test_a_device_that_vanishes_is_absent(tmp_path: Path) -> None:
    build_folder(tmp_path, {"sys/d/x": "1", "sys/d/y": "2"})
    tree = DirTree(str(tmp_path), "this host", live=True)
    assert tree.text("sys/d/x") == "1"
    (tmp_path / "sys/d/y").unlink()
    assert tree.text("sys/d/y") is Missing.ABSENT
    (tmp_path / "sys/d/x").write_text("3")
    assert tree.text("sys/d/x") == "3"
    (tmp_path / "sys/d/x").unlink()
    (tmp_path / "sys/d").rmdir()
    assert tree.text("sys/d/x") is Missing.ABSENT
    assert tree.names("sys/d") is Missing.ABSENT
    assert tree.text("sys/new/x") is Missing.ABSENT
    build_folder(tmp_path, {"sys/new/x": "4"})
    assert tree.text("sys/new/x") == "4"


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("ENODEV", Missing.UNREADABLE),
        ("ENXIO", Missing.UNREADABLE),
        ("ESTALE", Missing.UNREADABLE),
        ("ENAMETOOLONG", Missing.UNREADABLE),
        ("ENOENT", Missing.ABSENT),
        ("EACCES", Missing.DENIED),
        ("EPERM", Missing.DENIED),
        ("EIO", Missing.UNREADABLE),
    ],
)
def test_a_failing_read_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, missing: Missing
) -> None:
    tree = open_path(str(build_folder(tmp_path, HOST)))
    number = getattr(__import__("errno"), name)

    def fail(*_: object) -> bytes:
        raise OSError(number, "failed")

    before = descriptors()
    monkeypatch.setattr(os, "read", fail)
    assert tree.data(f"{DEVICE}/vendor") is missing
    monkeypatch.undo()
    assert descriptors() == before


def test_a_file_without_permission_is_denied() -> None:
    if os.geteuid():
        pytest.skip("only root can drop its privileges")
    with tempfile.TemporaryDirectory() as name:
        root = build_folder(Path(name), HOST)
        root.chmod(0o755)
        (root / DEVICE / "vendor").chmod(0)
        (root / "sys/bus/pci").chmod(0o600)
        script = (
            "import os, sys\n"
            "from iommu_inspect.sources.tree.opening import open_path\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "tree = open_path(sys.argv[1])\n"
            f"print(tree.text({DEVICE + '/vendor'!r}))\n"
            f"print(tree.text({DEVICE + '/resource'!r}))\n"
            f"print(tree.text({BY_BUS + '/vendor'!r}))\n"
            f"print(tree.target({DEVICE + '/driver'!r}))\n"
        )
        answer = run_python(script, name)
    denied = "Missing.DENIED\n"
    assert answer == f"{denied}0x1 0x2\n0x3 0x4\n{denied}{denied}"


def run_python(script: str, *arguments: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(tree_module.__file__).parents[3],
    )
    assert done.stderr == ""
    return done.stdout


class Stuck(DirTree):
    """A host where one file takes for ever, as behind a stuck probe."""

    def _read(self, path: str, limit: int) -> Fact[bytes] | None:
        if path.endswith("stuck"):
            time.sleep(60)
        if path.endswith("broken"):
            raise MemoryError
        return super()._read(path, limit)


@pytest.fixture
def stuck(tmp_path: Path) -> Stuck:
    spec: Spec = {"sys/a": "1", "sys/stuck": "2", "sys/z": "3", "sys/broken": ""}
    return Stuck(str(build_folder(tmp_path, spec)), "this host", live=True)


def test_a_stuck_file_costs_no_more_than_the_time_given(stuck: Stuck) -> None:
    start = time.monotonic()
    answer = stuck.text_bounded(["sys/a", "sys/stuck", "sys/z"], 0.3)
    assert time.monotonic() - start < 10  # of the 60 that it sleeps
    unreadable = Missing.UNREADABLE
    assert answer == {"sys/a": "1", "sys/stuck": unreadable, "sys/z": unreadable}
    # The child that was left behind is collected the next time, once it has ended.
    for _ in range(100):
        assert stuck.text_bounded(["sys/z"], 10) == {"sys/z": "3"}
        if not stuck._reader._left_behind:
            break
        time.sleep(0.1)
    assert stuck._reader._left_behind == []


def test_a_reader_that_dies_costs_one_answer(stuck: Stuck) -> None:
    answer = stuck.text_bounded(["sys/a", "sys/broken", "sys/z"], 10)
    unreadable = Missing.UNREADABLE
    assert answer == {"sys/a": "1", "sys/broken": unreadable, "sys/z": "3"}


def test_no_process_to_read_in_leaves_all_unreadable(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", fail)
    assert stuck.text_bounded(["sys/a"]) == {"sys/a": Missing.UNREADABLE}


def test_more_than_a_pipe_holds_comes_through(tmp_path: Path) -> None:
    spec: Spec = {f"sys/{n}": f"{n}" * 5000 for n in range(100)}
    tree = DirTree(str(build_folder(tmp_path, spec)), "this host", live=True)
    assert tree.text_bounded(list(spec), 30) == spec


def test_a_reader_that_cannot_be_killed_keeps_no_output_open(tmp_path: Path) -> None:
    build_folder(tmp_path, {"sys/a": "1"})
    script = (
        "import os, sys, time\n"
        "from iommu_inspect.sources.tree import directory as m\n"
        "class Slow(m.DirTree):\n"
        "    def _read(self, path, limit):\n"
        "        time.sleep(4)\n"
        "os.kill = lambda *_: None\n"
        "print(Slow(sys.argv[1], 'x', live=True).text_bounded(['sys/a'], 0.2))\n"
    )
    start = time.monotonic()
    answer = run_python(script, str(tmp_path))
    assert time.monotonic() - start < 3
    assert answer == "{'sys/a': <Missing.UNREADABLE: 'unreadable'>}\n"


def test_a_child_prints_nothing_of_what_its_parent_had_not_flushed(
    tmp_path: Path,
) -> None:
    build_folder(tmp_path, {"sys/a": "1"})
    script = (
        "import sys\n"
        "from iommu_inspect.sources.tree.directory import DirTree\n"
        "sys.stdout.write('once ')\n"
        "print(DirTree(sys.argv[1], 'x', live=True).text_bounded(['sys/a'], 10))\n"
    )
    assert run_python(script, str(tmp_path)) == "once {'sys/a': '1'}\n"


def test_the_live_host_answers() -> None:
    host = open_live()
    assert host.live
    assert host.label == "this host"
    assert host.text("proc/sys/kernel/ostype") == "Linux"
    assert host.text_bounded(["proc/sys/kernel/ostype"], 10) == {
        "proc/sys/kernel/ostype": "Linux"
    }


def test_many_devices_are_read_in_good_time(tmp_path: Path) -> None:
    spec: dict[str, str | bytes | None] = {}
    for n in range(400):
        where = f"devices/pci0000:00/0000:00:01.0/{n}"
        spec[f"sys/bus/pci/devices/{n}"] = To(f"../../../{where}")
        for name in "abcde":
            spec[f"sys/{where}/{name}"] = "0x8086\n"
    tree = open_path(str(build_folder(tmp_path, spec)))
    start = time.process_time()
    for name in tree.names("sys/bus/pci/devices"):  # type: ignore[union-attr]
        for file in "abcde" * 4:
            assert tree.text(f"sys/bus/pci/devices/{name}/{file}") == "0x8086"
    # Measured: 0.17 s. A machine that is busy with other tests gets some more.
    assert time.process_time() - start < 2


NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.lists(st.one_of(NAMES, st.just(".."), st.just("..")), min_size=1, max_size=5)
TARGETS = st.builds(
    lambda absolute, steps: To(("/sys/" if absolute else "") + "/".join(steps)),
    st.booleans(),
    STEPS,
)
GRAPHS = st.dictionaries(
    st.builds(lambda *n: "sys/" + "/".join(n), NAMES, st.sampled_from("xyz")),
    st.one_of(TARGETS, st.just("content"), st.none()),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(GRAPHS, STEPS)
def test_no_graph_of_links_leads_out_or_goes_on_for_ever(
    graph: dict[str, str | None], steps: list[str]
) -> None:
    graph["sys/top"] = None
    asked = [*graph, *(f"{path}/{'/'.join(steps)}" for path in graph)]
    with tempfile.TemporaryDirectory() as name:
        # A place of its own, so that a way out would be seen.
        root = build_folder(Path(name) / "1/2/3", graph)
        folder = open_path(str(root))
        tar = open_path(str(build_tar(Path(name) / "t", graph)))
        relative = not any(str(to).startswith("/") for to in graph.values())
        for path in asked:
            for answer in ("resolve", "target", "names", "text", "exists"):
                ours = getattr(folder, answer)(path)
                assert ours == getattr(tar, answer)(path)
            for fact in (folder.resolve(path), folder.target(path)):
                if isinstance(fact, str):
                    assert ".." not in fact.split("/")
                    assert not fact.startswith("/")
            resolved = folder.resolve(path)
            if isinstance(resolved, str) and relative:
                real = Path(os.path.realpath(root / path))
                assert real == Path(os.path.realpath(root)) / resolved
                assert folder.names(path) == (
                    tuple(sorted(entry.name for entry in real.iterdir()))
                    if stat.S_ISDIR(real.stat().st_mode)
                    else Missing.ABSENT
                )
