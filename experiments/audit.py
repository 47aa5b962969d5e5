"""Which test digits does nearly every network misclassify? Nothing is trained again.

    python -m experiments.audit runs/*                  (your own runs: prints them)
    python -m experiments.audit --from-records          (docs/audit.md, from results/)

Each network counts once, whatever the number of its runs. What people say of the same digits
stands beside (Northcutt, Athalye, Mueller 2021).
"""

from pathlib import Path

from experiments import words
from experiments.command import Parser, run_command
from mnist_arch.errors import UserError

RESULTS, PAGE = Path("results"), Path("docs/audit.md")


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("runs", nargs="*", help="folders of finished, tested runs, or globs")
    parser.add_argument("--from-records", action="store_true", help="write the page")
    args = parser.parse_args()
    if not (args.runs or args.from_records):
        raise UserError("nothing to do; name tested runs, or --from-records")
    if args.from_records and not (RESULTS.is_dir() and PAGE.parent.is_dir()):
        raise UserError("there is no results/ and docs/ here: call it in the project's folder")
    from mnist_arch.analysis.audit import audit  # seconds of imports
    from mnist_arch.data import sources
    from mnist_arch.reports import audit as report
    from mnist_arch.runs import records
    from mnist_arch.runs.records import blamed

    test = sources.load("mnist", sources.default_root()).test
    if args.runs:
        members = {run: records.read(run) for run in words.runs(args.runs)}
        for run, member in members.items():
            if member.data != "mnist":
                raise UserError(f"{run}: was tested on {member.data_title}, not on MNIST")
        print(report.table(audit(members), test.labels).text())
    if args.from_records:
        with blamed(RESULTS):
            report.write(audit(report.counted(RESULTS)), test, PAGE)


if __name__ == "__main__":
    run_command(main)
