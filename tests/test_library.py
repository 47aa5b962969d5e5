"""The project: its public surface, and which package may import which."""

import ast
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import Tensor

import mnist_arch
from mnist_arch import files
from mnist_arch.errors import UserError, suggestion
from mnist_arch.runs.checkpoint import weights_sha256
from tests.factories import finished_run

PACKAGE = Path(mnist_arch.__file__).parent
# Each may import itself and those before it.
ROOMS = [
    "errors",
    "files",
    "progress",
    "randomness",
    "models",
    "data",
    "training",
    "runs",
    "inference",
]
ROOMS += ["analysis", "reports", "page"]


def imports(path: Path) -> set[str]:
    """Name the rooms that a file imports anything from."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("mnist_arch.")}
    return rooms & set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_imports_upwards(room: str) -> None:
    files = [*PACKAGE.glob(f"{room}.py"), *PACKAGE.glob(f"{room}/**/*.py")]
    assert files
    for path in files:
        assert imports(path) <= set(ROOMS[: ROOMS.index(room) + 1]), path


def uses_facade(source: str) -> bool:
    """Whether code imports `mnist_arch` itself, or anything from it that is no module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import) and any(each.name == "mnist_arch" for each in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and (node.level or node.module == "mnist_arch"):
            return not {each.name for each in node.names} <= set(ROOMS)
    return False


def test_nothing_inside_the_package_imports_the_facade() -> None:
    for seen in ("import mnist_arch", "from mnist_arch import build, files", "from . import x"):
        assert uses_facade(f"def late():\n    {seen}")
    assert not uses_facade("from mnist_arch import files\nimport mnist_arch.errors")
    for path in PACKAGE.rglob("*.py"):
        if path.name != "__main__.py":  # that is a user
            assert not uses_facade(path.read_text()), path


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {path.stem for path in (*PACKAGE.glob("*.py"), *PACKAGE.glob("*/__init__.py"))}
    rooms |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {room for room in rooms if not room.startswith("_")} == set(ROOMS)


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    files.write(path, "first")
    with suppress(ZeroDivisionError), files.whole(path) as unfinished:
        unfinished.write_text("half of the sec")
        raise ZeroDivisionError
    assert path.read_text() == "first"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        files.write(tmp_path / "folder", b"in its place")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "some.txt"]


def test_a_file_has_its_name_only_when_its_content_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a machine that loses its power can be left with the name of an empty file."""
    path, synced = tmp_path / "file", list[tuple[int, bool]]()

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    files.write(path, b"12345")
    assert synced == [(5, False)]


def test_a_name_that_cannot_be_a_file_is_refused_before_the_work(tmp_path: Path) -> None:
    assert files.target(f"{tmp_path}/new.txt") == tmp_path / "new.txt"
    for name, message in ((f"{tmp_path}", "is a folder"), (f"{tmp_path}/no/new.txt", "no folder")):
        with pytest.raises(UserError, match=message):
            files.target(name)


def test_the_library_never_imports_its_commands() -> None:
    for path in PACKAGE.rglob("*.py"):
        modules = [
            node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, (ast.Import, ast.ImportFrom))
        ]
        assert not [m for m in modules if m and m.split(".")[0] in ("experiments", "conf")], path


def test_every_architecture_has_a_recipe_named_as_it() -> None:
    recipes = {path.stem for path in (PACKAGE.parent / "conf/recipe").glob("*.yaml")}
    assert recipes >= {*mnist_arch.architectures()}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import mnist_arch", ["torch", "torchvision", "pytorch_lightning"]),
        ("import mnist_arch; mnist_arch.architectures()", ["torch"]),
        ("import mnist_arch.runs.config", ["torch"]),
        ("import mnist_arch; mnist_arch.build('lenet5')", ["pytorch_lightning"]),
    ],
)
def test_no_more_is_imported_than_is_used(code: str, absent: list[str]) -> None:
    code = f"{code}; import sys; print(*set({absent}) & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_mistyped_architecture_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="no architecture 'lenet'; did you mean lenet5"):
        mnist_arch.build("lenet")


def test_without_a_near_word_all_are_named() -> None:
    assert suggestion("zzz", ["b", "a"]) == "valid are a, b"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such checkpoint"),
        (b"", "not a readable checkpoint"),
        (b"not a checkpoint at all", r"not a readable checkpoint \(File is not a zip file\)$"),
        ({"mnist_arch": "mlp", "state_dict": {}}, "but not one that mnist_arch wrote"),
        ({"mnist_arch": {"architecture": ["mlp"]}, "state_dict": {}}, "but not one that"),
        ({"mnist_arch": {"architecture": "mlp"}, "state_dict": [1]}, "but not one that"),
        ({"mnist_arch": {"architecture": "mlp"}, "state_dict": {"net.a": "b"}}, "but not one"),
        ({"mnist_arch": {"architecture": "mlp"}, "state_dict": {1: torch.ones(1)}}, "but not one"),
        ({"mnist_arch": {"architecture": "mlp", "arguments": 1}, "state_dict": {}}, "but not one"),
        (
            {"mnist_arch": {"architecture": "mlp", "arguments": {"a": 1}}, "state_dict": {}},
            "no setting 'model.a' of mlp; it has none",
        ),
        ({"state_dict": {}}, "but not one that mnist_arch wrote"),
        ([1, 2], "but not one that mnist_arch wrote"),
        ({"mnist_arch": {"architecture": "mlp"}, "state_dict": {}}, "its weights do not fit"),
        ({"mnist_arch": {"architecture": "mpl"}, "state_dict": {}}, "did you mean mlp"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_named(
    tmp_path: Path, content: object, message: str
) -> None:
    path = tmp_path / "some.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UserError, match=message):
        mnist_arch.load(path)


def saved(path: Path, change: Callable[[dict[str, Tensor]], None]) -> Path:
    """A checkpoint of an mlp whose weights were changed."""
    weights = mnist_arch.build("mlp").state_dict()
    change(weights)
    state = {f"net.{name}": value for name, value in weights.items()}
    torch.save({"mnist_arch": {"architecture": "mlp"}, "state_dict": state}, path)
    return path


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    path = saved(tmp_path / "a.ckpt", lambda weights: weights["output.bias"][3].fill_(value))
    with pytest.raises(UserError, match=r"a\.ckpt: its weights are not all finite numbers"):
        mnist_arch.load(path)


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
def test_a_single_flipped_bit_is_noticed(tmp_path: Path, place: float) -> None:
    path = saved(tmp_path / "a.ckpt", lambda _: None)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.ckpt: damaged"):
        mnist_arch.load(path)


def test_weights_other_than_the_records_are_refused(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", weights_sha256="0" * 64)
    with pytest.raises(UserError, match="its weights are not those of the run's record"):
        mnist_arch.load(run)
    one, other = (mnist_arch.build("mlp").state_dict() for _ in range(2))
    assert weights_sha256(one) != weights_sha256(other)
    assert weights_sha256(one) == weights_sha256({f"net.{name}": w for name, w in one.items()})


def test_what_is_no_file_is_refused_instead_of_read_without_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UserError, match=f"{path}: not a file"):
            mnist_arch.load(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """torch stores what it writes as it is: parts that are larger than the file are packed."""
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10_000_000))
    with pytest.raises(UserError, match=r"bomb\.ckpt: not a readable checkpoint \(packed\)"):
        mnist_arch.load(path)


@pytest.mark.parametrize(
    "strange",
    [
        torch.zeros(10).to_sparse(),
        torch.zeros(10, device="meta"),
        torch.zeros(1).expand(2**40),
        torch.zeros(10, dtype=torch.bfloat16),
        torch.zeros(10, dtype=torch.complex64),
    ],
)
def test_weights_such_as_no_network_has_are_refused(tmp_path: Path, strange: Tensor) -> None:
    path = saved(tmp_path / "a.ckpt", lambda weights: weights.update({"output.bias": strange}))
    with pytest.raises(UserError, match=r"not one that mnist_arch|do not fit|not a readable"):
        mnist_arch.load(path)


def test_what_is_read_is_a_plain_file_that_is_small_enough(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    path.write_bytes(b"12345")
    assert files.read(path, 5) == b"12345"
    with pytest.raises(UserError, match=f"{path}: larger than"):
        files.read(path, 4)
    with pytest.raises(UserError, match="larger than"):  # it says that it has no bytes
        files.read(Path("/proc/self/maps"), 4)
    for device in (Path("/dev/zero"), tmp_path):
        with pytest.raises(UserError, match=f"{device}: not a file"):
            files.read(device, 5)


def test_a_few_lines_that_stand_for_a_billion_words_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a [x, x]\nb: [*a, *a]\n")
    with pytest.raises(UserError, match=r"a\.yaml: has aliases"):
        files.yaml_text(tmp_path / "a.yaml", 100)
    (tmp_path / "a.yaml").write_text("a: 2 * 3 & 4\n")
    assert files.yaml_text(tmp_path / "a.yaml", 100) == "a: 2 * 3 & 4\n"


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("1/0",)


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    torch.save({"mnist_arch": Attack()}, tmp_path / "attack.ckpt")
    with pytest.raises(UserError, match="not a readable checkpoint"):
        mnist_arch.load(tmp_path / "attack.ckpt")


def test_a_folder_without_a_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no finished run's record\.json"):
        mnist_arch.load(tmp_path)


def test_the_list_of_architectures_is_one_command(capfd: pytest.CaptureFixture[str]) -> None:
    subprocess.run([sys.executable, "-m", "mnist_arch"], check=True)
    lines = capfd.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {*mnist_arch.architectures()}
    counts = [int(line.split()[1].replace(",", "")) for line in lines]
    assert counts == sorted(counts)
    assert "60,806  LeNet-5 with average pooling and a softmax" in lines[3]
