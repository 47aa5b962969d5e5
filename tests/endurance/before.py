"""The hostile files of today, read by the code of a former day: a tally to compare with.

    git worktree add --detach FOLDER 7b85fcc
    python -m tests.endurance.before FOLDER [READER ...]

7b85fcc is the last commit before the first of these faults was mended. The files are broken by
today's `tests.endurance.hostile`, from sound ones that the former code wrote itself; what that
code has not, or calls otherwise, is left out, and a reader of which nothing is left is said to be
none. Each reader may take `MORE` memory beyond what its imports take, and `SECONDS` for a file.
"""

import ast
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

MORE = 2 << 30  # bytes
SECONDS = 20
PACKAGES = ("mnist_arch", "experiments", "tests")
COMMAND = "python -m tests.endurance.before FOLDER"


class Absent:
    """What the former code has not: it can be named, but not used."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, name: str) -> "Absent":
        return Absent(f"{self.name}.{name}")

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise LookupError(f"there was no {self.name}")


def had(module: str, name: str) -> Any:
    """Return what a module has by a name."""
    try:
        found = importlib.import_module(module)
        if hasattr(found, name):
            return getattr(found, name)
        return importlib.import_module(f"{module}.{name}")
    except ImportError:
        return Absent(f"{module}.{name}")


def harness() -> dict[str, Any]:
    """Return the names of today's harness, bound to the packages that can be imported here."""
    path = Path(__file__).with_name("hostile.py")
    tree = ast.parse(path.read_text())
    module = sys.modules["hostile"] = ModuleType("hostile")  # which dataclasses ask for
    names = module.__dict__
    names["__file__"] = str(path)
    kept: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGES):
            for each in node.names:
                names[each.asname or each.name] = had(str(node.module), each.name)
        else:
            kept.append(node)
    tree.body = kept
    exec(compile(tree, str(path), "exec"), names)
    fields = set(names["records"].Record.__dataclass_fields__)
    make = names["record"]

    def record(*numbers: int, **changes: Any) -> Any:
        return make(*numbers, **{key: each for key, each in changes.items() if key in fields})

    if not hasattr(names["records"], "mask"):
        names["records"].mask = lambda values: values
    if not hasattr(names["checkpoint"], "weights_sha256"):
        names["checkpoint"].weights_sha256 = lambda _: ""
    names["record"] = record
    return names


def usable(names: dict[str, Any], name: str) -> tuple[list[Any], list[str]]:
    """Return what can be done with a reader's sound file, and why the rest cannot."""
    reader, uses, reasons = names["READERS"][name], [], list[str]()
    with tempfile.TemporaryDirectory() as folder:
        try:
            reader.make(Path(folder))
        except Exception as error:  # noqa: BLE001 whatever it is, it is not to be had
            return [], [" ".join(str(error).split())]
        for use in reader.uses:
            try:
                with names["limited"]():
                    use(Path(folder))
            except (Exception, names["Hang"]) as error:  # noqa: BLE001
                line = " ".join(str(error).split())
                reasons.append(f"{use.__name__.removeprefix('use_')}: {line}"[:200])
            else:
                uses.append(use)
    return uses, reasons


def tell(chosen: list[str], inputs: int) -> None:
    """Print a line of JSON for each reader, in a process that has the former code."""
    from dataclasses import replace

    names = harness()
    status = Path("/proc/self/status").read_text()
    size = int(status.split("VmSize:")[1].split()[0]) << 10
    names["ADDRESSES"], names["SECONDS"] = size + MORE, SECONDS
    for name in chosen or names["READERS"]:
        uses, reasons = usable(names, name)
        found: dict[str, Any] = {"outcomes": {}, "left out": reasons}
        if uses:
            names["READERS"][name] = replace(names["READERS"][name], uses=uses)
            outcomes, faults = names["apart"](name, inputs, 0)
            found |= {"outcomes": outcomes, "faults": faults[:20]}
        sys.stdout.write(json.dumps([name, found]) + "\n")
        sys.stdout.flush()


def main(folder: str, chosen: list[str], inputs: int = 100) -> int:
    from tests.endurance.hostile import READERS
    from tests.endurance.kept import keep

    ask = ["git", "-C", folder, "rev-parse", "HEAD"]
    commit = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    process = subprocess.Popen(
        [sys.executable, "-P", __file__, "--tell", str(inputs), *chosen],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(folder).resolve())},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("["):
            name, found = json.loads(line)
            keep("before", name, found | {"of": commit}, COMMAND, [*READERS])
            print(f"{name}: {found['outcomes']} {'; '.join(found['left out'])}", flush=True)
    return process.wait()


if __name__ == "__main__":
    if sys.argv[1] == "--tell":
        tell(sys.argv[3:], int(sys.argv[2]))
    else:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
