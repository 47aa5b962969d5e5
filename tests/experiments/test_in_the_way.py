"""A folder of the user's own, with names that are ours."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mnist_arch

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["conf.py", "conf/__init__.py", "conf/config.yaml"])
def _own_conf(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """As every Sphinx project has one; importing it would fail."""
    path = tmp_path / request.param
    path.parent.mkdir(exist_ok=True)
    path.write_text("raise SystemExit('imported')\n")


@pytest.mark.usefixtures("_own_conf")
@pytest.mark.parametrize("module", ["experiments.run", "experiments"])
def test_a_conf_of_ones_own_does_not_matter(command: Command, module: str) -> None:
    words = ["run"] * (module == "experiments") + ["model=mlp", "seed=7", "--cfg", "job"]
    done = command(module, *words)
    assert done.returncode == 0, done.stderr
    assert "seed: 7" in done.stdout


@pytest.mark.usefixtures("_own_conf")
def test_nor_does_it_in_python(tmp_path: Path) -> None:
    program = "from mnist_arch.runs.config import compose; print(compose(['seed=7']).seed)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr


def test_beside_experiments_of_ones_own_the_command_and_python_p_work(tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/__init__.py").touch()
    script = "import sys; sys.argv = ['mnist-arch', 'run', 'seed=7', '--cfg', 'job']\n"
    script += "from experiments.__main__ import main; main()"
    ours = str(Path(mnist_arch.__file__).parents[1])
    for words in (["-P", "-m", "experiments.run", "seed=7", "--cfg", "job"], ["-P", "-c", script]):
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": ours},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "seed: 7" in done.stdout
