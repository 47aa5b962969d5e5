"""Which test digits does nearly every network misclassify? Nothing is trained again.

    python -m experiments.audit runs/*                  (your own runs: prints them)
    python -m experiments.audit runs/* --write          (writes results/audit and its page)
    python -m experiments.audit --from-records          (docs/audit.md again, from the record)

Each network counts once, whatever the number of its runs. Their votes stand beside what people say
of the same digits (Northcutt, Athalye, Mueller 2021).
"""

from pathlib import Path

from experiments import words
from experiments.command import Parser, run_command
from mnist_arch.errors import UserError

RECORD, PAGE = Path("results/audit/audit.json"), Path("docs/audit.md")


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("runs", nargs="*", help="folders of finished, tested runs, or globs")
    parser.add_argument("--write", action="store_true", help="the record and the page")
    parser.add_argument("--from-records", action="store_true", help="write the page only")
    args = parser.parse_args()
    folders = (RECORD.parents[1], PAGE.parent)
    if (args.write or args.from_records) and not all(each.is_dir() for each in folders):
        raise UserError("there is no results/ and docs/ here: call it in the project's folder")
    from mnist_arch.analysis.audit import Audit, audit  # seconds of imports
    from mnist_arch.reports import audit as report
    from mnist_arch.runs.records import blamed, read_as

    if args.from_records:
        record = read_as(Audit, RECORD)
    else:
        record = audit(words.runs(args.runs), f"{parser.prog} RUNS --write")
        print(report.table(record).text())
        if args.write:
            RECORD.parent.mkdir(exist_ok=True)
            record.write(RECORD)
    if args.write or args.from_records:
        with blamed(RECORD):
            report.write(record, PAGE)


if __name__ == "__main__":
    run_command(main)
