"""Which digits are in these pictures?

    python -m experiments.predict checkpoint=runs/lenet5-seed0 images="photos/*.jpg"
    python -m experiments.predict checkpoint=runs/lenet5-seed0 images=photos sheet=a.png
    python -m experiments.predict checkpoint=runs/lenet5-seed0 images=- split=true < a.png

images= is a file, a folder, a pattern or - for standard input. Each picture gives a line: digit,
probability, the next digit and its probability, and doubt. split=true reads several digits in a
picture as a number, json=true or csv=true writes for programs, and sheet=FILE.png shows each
picture beside what the network saw. A file that is no picture is named, the others are read, and
the exit code is 2.
"""

import csv
import glob
import json
import sys
from pathlib import Path
from typing import Any

from experiments.command import run_command
from mnist_arch.errors import UserError, suggestion
from mnist_arch.files import target

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
SETTINGS = ("checkpoint", "images", "split", "json", "csv", "sheet")
COLUMNS = ("file", "digit", "probability", "runner_up", "runner_up_probability", "doubt", "error")


def main() -> None:
    """Read the pictures that the words name."""
    asked = settings(sys.argv[1:])
    names = files(asked["images"])
    import mnist_arch  # seconds of imports
    from mnist_arch.inference import pictures

    predictor = mnist_arch.load(asked["checkpoint"])
    rows: list[dict[str, Any]] = []
    shown = []
    for name in names:
        try:
            source = sys.stdin.buffer.read() if name == "-" else name
            picture = pictures.read(source, "standard input" if name == "-" else name)
        except UserError as error:
            rows.append(dict.fromkeys(COLUMNS) | {"file": name, "error": str(error)})
            continue
        read = predictor.predict_number(picture) if "split" in asked else []
        read = read or [predictor.predict(picture)]
        for answer in read:
            values = {key: getattr(answer, key) for key in COLUMNS[1:-1]}
            rows.append({"file": name} | values | {"error": None})
            shown.append((picture, answer.image, caption(Path(name).name, rows[-1])))
        if len(read) > 1 and not {"json", "csv"} & asked.keys():
            number = "".join(str(answer.digit) for answer in read)
            print(f"{name}: the number {number}")
    write(rows, asked)
    if "sheet" in asked and shown:
        from mnist_arch.reports.figures.pictures import sheet
        from mnist_arch.reports.figures.style import write_png

        write_png(sheet(shown), Path(asked["sheet"]))
    unread = sum(row["error"] is not None for row in rows)
    if unread:
        raise UserError(f"{unread} of {len(names)} files could not be read")


def settings(words: list[str]) -> dict[str, str]:
    """Read key=value words; --json and --csv may be said too.

    Raises:
        UserError: A word is no setting, or one is missing or impossible.
    """
    if {"-h", "--help"} & {*words}:
        print(__doc__)
        sys.exit(0)
    found: dict[str, str] = {}
    for word in words:
        key, _, value = word.removeprefix("--").partition("=")
        if key not in SETTINGS:
            raise UserError(f"no setting {key!r}; {suggestion(key, SETTINGS)}")
        if key in ("split", "json", "csv"):
            if value.lower() not in ("", "true", "false"):
                raise UserError(f"{word}: must be true or false")
            value = "" if value.lower() == "false" else "true"
        elif not value:
            raise UserError(f"{key}: needs a value, {key}=...")
        if value:
            found[key] = value
    for key in ("checkpoint", "images"):
        if key not in found:
            raise UserError(f"{key}=... is missing; --help shows how it is called")
    if {"json", "csv"} <= found.keys():
        raise UserError("json and csv: choose one of them")
    if "sheet" in found:
        target(found["sheet"])
    return found


def files(images: str) -> list[str]:
    """Name the files of a folder, a pattern, or one file; - is standard input.

    Raises:
        UserError: There are none.
    """
    if images == "-" or Path(images).is_file():
        return [images]
    if Path(images).is_dir():
        inside = sorted(Path(images).iterdir())
        names = [str(path) for path in inside if path.suffix.lower() in SUFFIXES]
    else:
        names = sorted(name for name in glob.glob(images, recursive=True) if Path(name).is_file())
    if not names:
        raise UserError(f"images={images}: no pictures there")
    return names


def caption(name: str, row: dict[str, Any]) -> str:
    """Say an answer in two short lines."""
    name = name if len(name) <= 26 else f"{name[:12]}...{name[-11:]}"
    if row["digit"] is None:
        return f"{name}\n{row['doubt']}"
    return f"{name}\n{row['digit']}, {100 * row['probability']:.1f} %" + "?" * bool(row["doubt"])


def write(rows: list[dict[str, Any]], asked: dict[str, str]) -> None:
    """Print the answers."""
    if "json" in asked:
        print(json.dumps(rows, indent=1))
    elif "csv" in asked:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        for row in rows:
            print(line(row))


def line(row: dict[str, Any]) -> str:
    """Say an answer, or why there is none, in one line."""
    if row["error"]:
        return str(row["error"])
    if row["digit"] is None:
        return f"{row['file']}: {row['doubt']}"
    doubt = f"; doubtful: {row['doubt']}" if row["doubt"] else ""
    return (
        f"{row['file']}: {row['digit']} ({100 * row['probability']:.1f} %), else "
        f"{row['runner_up']} ({100 * row['runner_up_probability']:.1f} %){doubt}"
    )


if __name__ == "__main__":
    run_command(main)
