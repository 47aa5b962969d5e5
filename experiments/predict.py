"""Which digits are in these pictures?

    python -m experiments.predict photos/*.jpg
    python -m experiments.predict photos --sheet answers.png
    python -m experiments.predict --checkpoint runs/lenet5-seed0 - --number < a.png

A picture is a file, a folder, a glob, or - for standard input. Each gives a line: digit,
probability, the runner-up and its probability, and doubt. --number takes several digits in a
picture as a number, with slashes, dots, commas and dashes between them, --json and --csv write for
programs, and --sheet shows each picture beside what the network saw. A file that is no picture is
named, the others are classified, and the exit code is 2. Without --checkpoint the reader that
comes with the package answers, or the network that the first word names.
"""

import json
import sys
from pathlib import Path
from typing import Any

from experiments import words
from experiments.command import Parser, run_command
from mnist_arch.errors import UserError
from mnist_arch.files import target
from mnist_arch.progress import progress
from mnist_arch.runs.shipped import READER, located

FIELDS = ("digit", "sign", "probability", "runner_up", "runner_up_probability", "doubt", "box")
OLD = {"images": "the pictures by themselves", "split": "--number"}


def main() -> None:
    parser = Parser(__file__, __doc__, OLD)
    parser.add_argument("pictures", nargs="+", help="files, folders, globs, or -")
    parser.add_argument("--checkpoint", metavar="RUN", help="a run's folder or a checkpoint file")
    parser.add_argument("--number", action="store_true", help="several digits in a picture")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="write JSON")
    form.add_argument("--csv", action="store_true", help="write comma-separated values")
    parser.add_argument("--sheet", type=target, metavar="PNG", help="draw what the network saw")
    args = parser.parse_args()
    checkpoint, named = args.checkpoint or READER, args.pictures
    if not args.checkpoint and words.is_network(named[0]):
        checkpoint, *named = named
    if not named:
        raise UserError(f"{checkpoint}: a network; name pictures behind it")
    names = [name for word in named for name in words.pictures(word)]
    from mnist_arch.inference import pictures, predictor  # seconds of imports
    from mnist_arch.reports.table import Column, Table

    network = predictor.load(located(checkpoint))
    rows: list[dict[str, Any]] = []
    drawn = []
    as_text = not (args.json or args.csv)
    for name in names if as_text and sys.stdout.isatty() else progress(names, "pictures"):
        try:
            # One byte more than a picture may have tells that there are too many.
            source = standard_input(pictures.MOST_BYTES + 1) if name == "-" else name
            picture = pictures.read(source, "standard input" if name == "-" else name)
        except UserError as error:
            rows.append({"file": name, **dict.fromkeys(FIELDS), "error": str(error)})
            if as_text:
                print(error, flush=True)
            continue
        number = network.predict_number(picture) if args.number else predictor.Number()
        if len(number) > 1 and as_text:
            print(f"{name}: the number {number.text}")
        for answer in number or [network.predict(picture)]:
            values = {field: getattr(answer, field) for field in FIELDS}
            rows.append({"file": name, **values, "error": None})
            drawn.append((picture, answer.image, caption(Path(name).name, rows[-1])))
            if as_text:
                print(line(rows[-1]), flush=True)  # who waits sees how far it is
    if args.json:
        print(json.dumps(rows, indent=1))
    elif args.csv:
        print(Table([*map(Column, rows[0])], [[*row.values()] for row in rows]).csv(), end="")
    if args.sheet and drawn:
        from mnist_arch.reports.figures.pictures import sheet
        from mnist_arch.reports.figures.style import write_png

        write_png(sheet(drawn), args.sheet)
    if broken := sum(row["error"] is not None for row in rows):
        raise UserError(f"{broken} of {len(names)} files could not be read")


def standard_input(most: int) -> bytes:
    """Read at most so many bytes.

    Raises:
        UserError: It was closed.
    """
    if sys.stdin is None:
        raise UserError("standard input: closed")
    return sys.stdin.buffer.read(most)


def caption(name: str, row: dict[str, Any]) -> str:
    """Put an answer into two short lines."""
    name = name if len(name) <= 26 else f"{name[:12]}...{name[-11:]}"
    if row["digit"] is None:
        return f"{name}\n{row['sign'] or row['doubt']}"
    return f"{name}\n{row['digit']}, {100 * row['probability']:.1f} %" + "?" * bool(row["doubt"])


def line(row: dict[str, Any]) -> str:
    """Put an answer into one line."""
    if row["digit"] is None:
        return f"{row['file']}: {row['sign'] or row['doubt']}"
    doubt = f"; doubtful: {row['doubt']}" if row["doubt"] else ""
    return (
        f"{row['file']}: {row['digit']} ({100 * row['probability']:.1f} %), else "
        f"{row['runner_up']} ({100 * row['runner_up_probability']:.1f} %){doubt}"
    )


if __name__ == "__main__":
    run_command(main)
