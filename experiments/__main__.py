"""All commands under one name: `mnist-arch NAME ...` is `python -m experiments.NAME ...`.

Unlike `python -m`, it does not mind a `conf.py` or an `experiments` folder where you call it.
"""

import ast
import runpy
import sys
from pathlib import Path

from experiments.command import run_command
from mnist_arch.errors import suggestion


def commands() -> dict[str, str]:
    """Map the name of each command to the first line of its docstring."""
    sources = {
        path.stem: path.read_text(encoding="utf-8")
        for path in Path(__file__).parent.glob("[a-z]*.py")
    }
    return {
        name: (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
        for name, source in sorted(sources.items())
        if '__name__ == "__main__"' in source
    }


def main() -> None:
    if sys.argv[1:] in ([], ["-h"], ["--help"]):
        run_command(show)
        return
    name = sys.argv.pop(1)
    if name not in commands():
        sys.stderr.write(f"error: no command {name!r}; {suggestion(name, commands())}\n")
        sys.exit(2)
    runpy.run_module(f"experiments.{name}", run_name="__main__", alter_sys=True)


def show() -> None:
    print("usage: mnist-arch NAME ...; mnist-arch NAME --help says more\n")
    for name, summary in commands().items():
        print(f"  {name:<12} {summary}")


if __name__ == "__main__":
    main()
