"""Installed from a wheel, in another folder, the command finds its configs."""

import os
import subprocess
import sys
from pathlib import Path

import mnist_arch

ROOT = Path(mnist_arch.__file__).parent.parent


def test_the_wheel_composes_the_config_and_knows_its_types(tmp_path: Path) -> None:
    # A copy, so that the build leaves nothing in the checkout.
    for name in ("conf", "experiments", "mnist_arch", "setup.cfg", "pyproject.toml"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(tmp_path)], check=True)
    for name in ("README.md", "LICENSE"):
        (tmp_path / name).write_text("stand-in")
    pip = [sys.executable, "-m", "pip", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), "."]
    subprocess.run([*pip, *build], cwd=tmp_path, check=True)
    (wheel,) = tmp_path.glob("mnist_arch-*.whl")
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    install = ["install", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run([*pip, *install], cwd=elsewhere, check=True)
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
