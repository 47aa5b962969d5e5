"""Installed from a wheel, in another folder, the command finds its configs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import mnist_arch
from tests.factories import FIVE, drawn, written

ROOT = Path(mnist_arch.__file__).parent.parent


PIP = [sys.executable, "-m", "pip", "--quiet"]


def built(folder: Path) -> Path:
    """Build a wheel of a copy, so that the build leaves nothing in the checkout."""
    folder.mkdir()
    for name in ("conf", "experiments", "mnist_arch", "setup.cfg", "pyproject.toml"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(folder)], check=True)
    for name in ("README.md", "LICENSE"):
        (folder / name).write_text("stand-in")
    words = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), "."]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1800000000"}
    subprocess.run([*PIP, *words], cwd=folder, env=environment, check=True)
    (wheel,) = folder.glob("mnist_arch-*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("first") / "copy")


def test_a_wheel_is_the_same_whenever_and_wherever_it_is_built(
    wheel: Path, tmp_path: Path
) -> None:
    """Given SOURCE_DATE_EPOCH, as reproducible-builds.org has it."""
    assert built(tmp_path / "a later copy").read_bytes() == wheel.read_bytes()


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel is installed."""
    site = tmp_path_factory.mktemp("installed") / "site"
    install = ["install", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run([*PIP, *install], cwd=site.parent, check=True)
    return site


def test_an_installed_wheel_reads_a_picture_with_nothing_else_there(
    site: Path, tmp_path: Path
) -> None:
    """Neither a network, nor data, nor a run."""
    (tmp_path / "five.png").write_bytes(written(Image.fromarray(drawn(FIVE)), "PNG"))
    code = "import socket; socket.socket.connect = None; import mnist_arch; "
    code += (
        "print(mnist_arch.__file__); print(mnist_arch.load('lenet5').predict('five.png').digit)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site), "MNIST_ARCH_DATA": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, digit = done.stdout.splitlines()
    assert where.startswith(str(site))
    assert digit == "5"


def test_the_wheel_composes_the_config_and_knows_its_types(
    wheel: Path, site: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert wheel.name.startswith(f"mnist_arch-{mnist_arch.__version__}-")
    folders = [ROOT / name for name in ("conf", "experiments", "mnist_arch")]
    files = [path for folder in folders for path in folder.rglob("*.*") if path.suffix != ".pyc"]
    assert {"py.typed", "page.html", "least_scores.json"} <= {path.name for path in files}
    assert [path for path in files if not (site / path.relative_to(ROOT)).exists()] == []

    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-m", "experiments.run", "model=mlp", "recipe=modern", "--cfg", "job"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "name: mlp" in done.stdout
    assert "torch.optim.AdamW" in done.stdout
    code = "import conf, experiments, mnist_arch; print(conf, experiments, mnist_arch)"
    where = subprocess.run(
        [sys.executable, "-c", code],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.count(str(site)) == 3
