"""What a command imports before it is needed. Each fact is looked at in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.test_sources import contents, write

HEAVY = {"matplotlib", "numpy", "pandas", "pytorch_lightning", "scipy", "torch", "torchvision"}
# Of a training: what Lightning imports and does not use.
UNUSED = {
    "matplotlib",
    "pandas",
    "scipy",
    "statsmodels",
    "sympy",
    "torch._inductor",
    "torchvision",
}


def run(code: str, folder: Path) -> str:
    """Run code that ends by printing."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_of_every_command_and_a_mistyped_word_come_before_torch(tmp_path: Path) -> None:
    code = f"""
import contextlib, io, runpy, sys
from experiments.__main__ import commands
lines = [[name, "--help"] for name in commands()]
lines += [["run", word] for word in ("model=lenet6", "recipe.max_epoch=3", "trainer.precison=x")]
lines += [["run", "-m", "seed=0,1", "recipe=modrn"]]
for name, *words in lines:
    sys.argv = [name, *words]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        with contextlib.suppress(SystemExit):
            runpy.run_module(f"experiments.{{name}}", run_name="__main__", alter_sys=True)
    print(name, *words, *sorted({HEAVY} & sys.modules.keys()))
    assert ("error: " in printed.getvalue()) == ("--help" not in words), printed.getvalue()
"""
    lines = run(code, tmp_path).splitlines()
    assert len(lines) > 15
    for line in lines:
        assert not HEAVY & {*line.split()}, line


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Python code that runs the command; `loaded` is what it had imported by a training step."""
    folder = tmp_path_factory.mktemp("idx")
    write(folder, contents())
    return f"""
import runpy, sys
import mnist_arch
loaded, train = set(), mnist_arch.train
def watched(config, **options):
    from pytorch_lightning.callbacks import LambdaCallback
    watch = LambdaCallback(on_train_batch_end=lambda *_: loaded.update(sys.modules))
    return train(config, callbacks=[watch], **options)
mnist_arch.train = watched
sys.argv = ["run", "model=lenet5", "data=idx", "data.root={folder}"]
sys.argv += ["recipe.max_epochs=1", "figures=false"]
runpy.run_module("experiments.run", run_name="__main__", alter_sys=True)
"""


def test_a_training_imports_no_package_that_it_does_not_use(training: str, tmp_path: Path) -> None:
    printed = run(f"{training}print('torch' in loaded, {UNUSED} & loaded)", tmp_path)
    assert printed.splitlines()[-1] == "True set()"


def test_what_was_left_out_is_there_when_it_is_wanted(training: str, tmp_path: Path) -> None:
    code = f"""{training}
import torch
assert "torch._inductor" not in sys.modules
net = torch.nn.Linear(2, 2)
compiled = torch.compile(net, backend="eager")
torch.testing.assert_close(compiled(torch.ones(1, 2)), net(torch.ones(1, 2)))
import torch._dynamo
assert torch._dynamo is sys.modules["torch._dynamo"]
assert torch._dynamo.__file__.endswith("__init__.py")
from lightning_fabric.wrappers import OptimizedModule
assert isinstance(compiled, OptimizedModule) and not isinstance(net, OptimizedModule)
import matplotlib.pyplot, scipy.signal, torchvision
from importlib.metadata import version
print(version("scipy") == scipy.__version__)
"""
    assert run(code, tmp_path).splitlines()[-1] == "True"


def test_a_submodule_brings_the_real_module(tmp_path: Path) -> None:
    code = """
from experiments.startup import import_lightning
import_lightning()
import torch._dynamo.utils
print(torch._dynamo.__file__.endswith("__init__.py"))
"""
    assert run(code, tmp_path) == "True\n"
