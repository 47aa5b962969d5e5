"""Tables: every cell follows from the records."""

import csv
import json
import re
from pathlib import Path
from unittest.mock import ANY

import pytest
from omegaconf import DictConfig

import mnist_arch
from experiments.report import tables
from experiments.reproduce import PAGES_WITH_TABLES
from mnist_arch.analysis import robustness
from mnist_arch.analysis.ensembles import Ensemble
from mnist_arch.analysis.groups import Group, groups
from mnist_arch.analysis.judgements import Change, claims, judged, variations
from mnist_arch.errors import UserError
from mnist_arch.reports import results
from mnist_arch.reports.table import Table
from mnist_arch.runs import metrics
from mnist_arch.runs.config import compose, reference
from mnist_arch.runs.identity import difference, identity
from mnist_arch.runs.metrics import Metric
from mnist_arch.runs.records import Record, read_all
from tests.factories import group, provenance, record, untested

RESULTS = Path(mnist_arch.__file__).parent.parent / "results"
# On a GPU machine this checkout had uncommitted files, when `dirty` counted all of them. What was
# tested there after training (results/robustness) counted mnist_arch/ alone.
BESIDE = "3a8ee5f4273fb69f50d8f11a282349f5cb928924"


def cells(table: Table) -> list[list[str]]:
    """The rows as they are written."""
    return [
        [column.cell(value) for column, value in zip(table.columns, row, strict=True)]
        for row in table.rows
    ]


def test_a_published_number_stands_beside_ours_with_its_source() -> None:
    """200, 220, 240 errors: mean 97.8 %, sd 0.2, interval 97.8 +- 4.3027 * 0.2 / sqrt 3.

    One more run: sqrt(1 + 3) times as far, and 0.005. The margin at 97.59 % is 0.153. Of six runs
    the interval's half would be 2.5706 * 0.2 / sqrt 6 = 0.2099, less than the difference of 0.21.
    """
    accuracy, loss = cells(results.claims(claims([group([200, 220, 240])]), "docs/sources.md"))
    source = "[soorya-2021](docs/sources.md#soorya-2021)"
    assert accuracy == [
        *("`mlp`", "the source's", "test accuracy", source, "97.59 %", "3", "97.80", "0.20"),
        *("97.30 to 98.30", "96.80 to 98.80", "0.15", "open", "3"),
    ]
    assert loss[2:8] == ["test loss", source, "0.0769", "3", "0.0500", "0.0000"]


def test_one_run_is_shown_and_not_judged() -> None:
    row, _ = cells(results.claims(claims([group([241])]), ""))
    assert row[4:] == ["97.59 %", "1", "97.59", "", "", "", "0.15", "open", "4"]


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ([240, 241, 242, 241, 241], "confirmed"),
        ([200, 220, 240, 210, 230], "plausible, typically 0.21 higher"),
        ([200, 201, 202, 201, 201], "contradicted: 0.40 higher"),
    ],
)
def test_a_verdict_says_which_way_the_runs_differ(errors: list[int], words: str) -> None:
    row, _ = cells(results.claims(claims([group(errors)]), ""))
    assert row[-2] == words


def test_a_recipe_is_named_by_whose_it_is() -> None:
    ways = [
        (group([80], architecture="lenet5"), "ours"),
        (
            group([80], architecture="dropout_cnn", precision="bf16-mixed"),
            "the source's, completed, bf16-mixed",
        ),
        (group([80], variant={"recipe.max_epochs": 9}, epochs=9), "own, max_epochs=9"),
        (group([80], recipe="mlp_on_pytorch"), "mlp_on_pytorch"),
    ]
    for runs, words in ways:
        assert cells(results.claims(judged(runs), ""))[0][1] == words


def test_every_kind_of_run_has_a_row_of_its_own_that_says_so() -> None:
    runs = [
        record(),
        record(261, seed=1),
        record(recipe="modern"),
        record(50, 500, data="mnist_5k", data_title="MNIST-5k"),
        record(architecture="dense", parameters=7_850),
        record(precision="bf16-mixed"),
        record(variant={"recipe.max_epochs": 9}, epochs=9),
        record(variant={"recipe.l2": 0.1}, label="heavy"),
        untested(),
    ]
    table = results.results(groups(runs))
    rows = cells(table)
    titles = [(row[0], row[2], row[4]) for row in rows]
    assert sorted(titles) == [
        ("`dense`", "own", "10,000 test"),
        ("`mlp`", "modern", "10,000 test"),
        ("`mlp`", "own", "10,000 test"),
        ("`mlp`", "own", "6,000 validation"),
        ("`mlp`", "own, bf16-mixed", "10,000 test"),
        ("`mlp`", "own, heavy", "10,000 test"),
        ("`mlp`", "own, max_epochs=9", "10,000 test"),
        ("`mlp`", "own, on MNIST-5k", "500 test"),
    ]
    place = titles.index(("`mlp`", "own", "10,000 test"))
    # 241 and 261 errors: mean 251, sd 20 / sqrt 2, t of one degree of freedom 12.706.
    assert rows[place][3:] == [
        *("2", "10,000 test", "97.49 ± 0.14 %", "251.0 ± 14.1", "0.0500 ± 0.0000"),
        *("96.22 to 98.76", "5", "20 s, cpu, 2 threads"),
    ]

    values = list(csv.DictReader(table.csv().splitlines()))
    assert [row["network"] for row in values] == [row[0].strip("`") for row in rows]
    columns = ("accuracy", "accuracy_sd", "accuracy_low", "errors", "seconds")
    numbers = [float(values[place][name]) for name in columns]
    assert numbers == pytest.approx([97.49, 0.1414, 96.219, 251, 20], abs=1e-3)
    (heavy,) = (row for row in values if row["title"] == "own, heavy")
    assert (heavy["variant"], heavy["accuracy_low"]) == ("recipe.l2=0.1", "")


def test_no_interval_of_accuracy_reaches_beyond_what_can_be() -> None:
    """0 and 100 errors: 99.5 +- 12.706 x 0.5 %; 0 and 100 %: 50 +- 635.3 %."""
    tables = [results.results([group(errors)]) for errors in ([0, 100], [0, 10_000])]
    assert [cells(table)[0][-3] for table in tables] == ["93.15 to 100.00", "0.00 to 100.00"]


def test_seconds_are_those_of_one_device() -> None:
    gpu = {"device": "NVIDIA H200", "seconds": {"training": 2.0}}
    runs = [record(), record(seed=1), record(seed=2, **gpu)]
    assert cells(results.results(groups(runs)))[0][-1] == "20 s, cpu, 2 threads (2 of 3)"
    assert cells(results.results(groups(runs[2:])))[0][-1] == "2 s, NVIDIA H200"


def test_a_new_metric_has_a_column_where_runs_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One entry in METRICS: tables and CSV follow."""
    kappa = Metric("kappa", "kappa", "points", True, 3, lambda scored: scored.loss)
    monkeypatch.setitem(metrics.METRICS, "kappa", kappa)
    assert "kappa" not in results.results([group([241])]).csv()
    old, new = group([241, 261]), group([100, 200], recipe="modern")
    for place, run in enumerate(new.records):
        run.scores["test"]["kappa"] = 0.5 + place
    old.records[0].scores["test"]["kappa"] = 7.0  # one run of two: not their mean
    table = results.results([old, new])
    (column,) = (i for i, each in enumerate(table.columns) if each.title == "kappa")
    assert [row[column] for row in cells(table)] == ["", "1.000 ± 0.707 points"]
    values = list(csv.DictReader(table.csv().splitlines()))
    assert [row["kappa"] for row in values] == ["", "1.0"]


def test_probabilities_are_judged_by_the_runs_that_measured_them() -> None:
    """The oldest records have no such metrics: 2 of 3 runs count, with t 12.706 of their sd.

    The interval ends at 0, which no such metric can fall below.
    """
    runs = group([100, 200, 300])
    for run, value in zip(runs.records[1:], (0.04, 0.06), strict=True):
        run.scores["test"] |= dict.fromkeys(results.CALIBRATION, value)
    (row,) = cells(results.calibration([runs, group([100], architecture="mlp")]))
    (error,) = {cell.split(" ", 1)[0] for cell in row[3:]}
    assert (row[2], error) == ("2", "0.0500")
    assert row[3] == "0.0500 (0.0000 to 0.1771)"  # 0.05 +- 12.706 x 0.01
    left = results.results([runs], leave_out=results.CALIBRATION).columns
    shown = results.results([runs]).columns
    titles = {metrics.METRICS[name].title for name in results.CALIBRATION}
    assert {each.title for each in shown} - {each.title for each in left} == titles


def test_fewer_images_stand_before_more() -> None:
    """241 and 261 errors of 10,000; 9.5 % of the training images in the last pass."""
    common = {"architecture": "lenet5_1998", "recipe": "lenet5_1998"}
    curve = {"train/accuracy": [80.0, 90.5]}
    runs = [
        group([241, 261], history=curve, **common),
        group([400], variant={"data.size": 15_000}, history=curve, **common),
        group([1], variant={"recipe.l2": 0.1}, history=curve, **common),
        Group([untested(history=curve, **common)]),
    ]
    assert cells(results.sizes(runs)) == [
        ["15,000", "1", "4.00 %", "9.50 %"],
        ["60,000", "2", "2.51 ± 0.14 %", "9.50 ± 0.00 %"],
    ]


def test_what_a_part_is_worth_stands_by_pass() -> None:
    """Errors after 3, 10, 20 passes: 10 - 3 / 4, ...; none where one run of two is too short."""
    history = {
        "validation/accuracy": [90.0 + each / 4 for each in range(1, 21)],
        "train/accuracy": [91.0 + each / 4 for each in range(1, 21)],
    }
    short = {key: curve[:3] for key, curve in history.items()}
    common = {"architecture": "lenet5_1998", "epochs": 20}
    own = [untested(history=history, seed=0, variant={"recipe.validation": 0.1}, **common)]
    fresh = {"recipe.reshuffle": True, "recipe.validation": 0.1}
    changed = [
        untested(history=each, seed=seed, variant=fresh, **common)
        for seed, each in enumerate((history, short))
    ]
    tested = [record(history=history, **common)]
    table = results.parts(groups([*own, *changed, *tested]))
    assert cells(table) == [
        ["reshuffle=true", "2", "9.25 ± 0.00 %", "", "", ""],
        ["as it is", "1", "9.25 %", "7.50 %", "5.00 %", "4.25 %"],
    ]


def test_both_recipes_of_a_network_stand_side_by_side() -> None:
    change = Change(group([241, 261]), group([151], recipe="modern"))
    # One degree of freedom, 12.7062, and Student's error of one run beside two: 0.1414 sqrt(1.5).
    assert cells(results.modern([change])) == [
        [
            *("`mlp`", "79,510", "97.49 ± 0.14 %", "5", "2", "98.49 %", "5", "1"),
            *("+1.00", "-1.20 to +3.20"),
        ]
    ]


def test_a_changed_recipe_stands_beside_the_recipe_and_its_verdict() -> None:
    """241 and 261 errors against five times about 500, where 97.59 % is claimed."""
    own, changed = group([241, 261]), group([500, 500, 501, 499, 500], variant={"recipe.l2": 0.1})
    (row,) = results.variations(variations([own, changed])).rows
    assert row[:3] == ("mlp", "l2=0.1", 5)
    assert row[3:5] == (
        (pytest.approx(95), pytest.approx(0.00707, abs=1e-5)),
        (pytest.approx(97.49), ANY),
    )
    assert row[5] == pytest.approx(-2.49)
    assert row[7] == "contradicted: 2.59 lower"


def test_an_ensemble_stands_beside_its_best_member() -> None:
    members = [
        {"architecture": name, "recipe": recipe, "variant": {}, "errors": errors}
        for name, recipe, errors in [("mlp", "mlp", 270), ("mlp", "mlp", 240), ("dense", "x", 760)]
    ]
    ensemble = Ensemble(
        data="mnist",
        split="test",
        members=members,
        images=10_000,
        errors=200,
        loss=0.1,
        errors_by_digit=[20] * 10,
        provenance=provenance(),
    )
    assert cells(results.ensembles([ensemble])) == [
        ["2 `mlp` and 1 `dense`, x", "240, 270, 760", "240", "200 of 10,000: 98.00 %", "-40"]
    ]


def test_candidates_are_ranked_by_errors_and_then_by_loss() -> None:
    def candidate(epochs: int, errors: int, loss: float) -> Ensemble:
        variant = {"recipe.max_epochs": epochs, "recipe.validation": 0.1}
        member = {"architecture": "mlp", "recipe": "modern", "variant": variant, "errors": 70}
        return Ensemble(
            data="mnist",
            split="validation",
            members=[member, member | {"errors": 71}],
            images=6_000,
            errors=errors,
            loss=loss,
            errors_by_digit=[errors] + [0] * 9,
            provenance=provenance(),
        )

    table = results.candidates([candidate(2, 9, 0.1), candidate(3, 8, 0.3), candidate(4, 8, 0.2)])
    assert cells(table) == [
        ["2 `mlp`, modern, max_epochs=4", "70.5", "8", "0.2000"],
        ["2 `mlp`, modern, max_epochs=3", "70.5", "8", "0.3000"],
        ["2 `mlp`, modern, max_epochs=2", "70.5", "9", "0.1000"],
    ]


def test_a_page_keeps_what_stands_around_its_tables(tmp_path: Path) -> None:
    begin, end = results.BEGIN.format("claims"), results.END.format("claims")
    page = f"before\n{begin}\nold\n{end}\nafter\n"
    new = f"before\n{begin}\nnew\n{end}\nafter\n"
    assert results.with_table(page, "claims", "new") == new
    for name in ("claims", "results"):
        with pytest.raises(UserError, match="to write between"):
            results.with_table("no markers" if name == "claims" else page, name, "new")
    (tmp_path / "page.md").write_text(page)
    results.write_tables(tmp_path / "page.md", {"claims": "new", "results": "elsewhere"})
    assert (tmp_path / "page.md").read_text() == new
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]
    with pytest.raises(UserError, match=r"page\.md: no markers there, such as"):
        results.write_tables(tmp_path / "page.md", {"results": "new"})
    with pytest.raises(UserError, match=r"nowhere: no readable page"):
        results.write_tables(tmp_path / "nowhere", {"results": "new"})


def test_no_choice_was_made_by_test_images() -> None:
    for each in read_all(RESULTS / "search"):
        assert not each.tested, each.provenance.command


def test_committed_runs_differ_from_their_recipes_of_today_as_their_records_say() -> None:
    """Who changes a recipe also changes what the runs by the former one are called."""
    recipes: dict[tuple[str, ...], DictConfig] = {}
    runs = [*read_all(RESULTS), *read_all(RESULTS / "search")]
    distinct = {json.dumps([each.config | {"seed": 0}, each.variant]): each for each in runs}
    for each in distinct.values():
        names = (each.architecture, each.recipe, each.data)
        if names not in recipes:
            words = zip(("model", "recipe", "data"), names, strict=True)
            recipes[names] = reference(compose([f"{key}={name}" for key, name in words]))
        assert difference(each.config, recipes[names]) == each.variant, each.provenance.command


def test_seeds_trained_on_two_devices_misclassify_the_same_images() -> None:
    """docs/use.md says so; lenet5 has no dropout."""
    others = {(each.architecture, each.seed): each for each in read_all(RESULTS / "devices")}
    both = [
        (each, others[each.architecture, each.seed])
        for each in read_all(RESULTS)
        if not each.variant and (each.architecture, each.seed) in others
    ]
    assert len(both) == len(others) == 4
    for one, other in both:
        assert one.device != other.device
        assert one.misclassified
        assert one.misclassified == other.misclassified
        assert one.scores["test"]["loss"] == pytest.approx(other.scores["test"]["loss"], rel=1e-4)


def test_the_committed_pages_hold_every_table_as_the_committed_records_make_it() -> None:
    root = RESULTS.parent
    pages = [(root / name).read_text() for name in ("README.md", *PAGES_WITH_TABLES)]
    for name, table in tables(RESULTS).items():
        (page,) = (page for page in pages if results.BEGIN.format(name) in page)
        assert results.with_table(page, name, table.markdown()) == page


def test_the_results_open_with_the_verdicts_of_the_table() -> None:
    readme = (RESULTS.parent / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)` \|(?:[^|]*\|){5} ([a-z]+)", readme, re.MULTILINE)
    _, opening, *_ = (RESULTS.parent / "docs/results.md").read_text(encoding="utf-8").split("\n\n")
    confirmed, plausible = opening.split(". ")
    for sentence, word in ((confirmed, "confirmed"), (plausible, "plausible")):
        assert word in sentence
        named = re.findall(r"`(\w+)`", sentence)
        assert sorted(named) == sorted(name for name, verdict in table if verdict == word)


def test_a_network_has_one_row_however_many_precisions_it_was_trained_in(tmp_path: Path) -> None:
    few, most = group([241]), group([240, 250, 260, 245, 255], precision="bf16-mixed")
    for number, run in enumerate([*few.records, *most.records]):
        (tmp_path / str(number)).mkdir()
        run.write(tmp_path / str(number))
    written = tables(tmp_path)
    assert [row[0] for row in written["networks"].rows] == ["mlp"]
    assert len(written["cost"].rows) == 1
    assert len(written["variations"].rows) == 1


def is_unlike_its_commit(run: Record) -> bool:
    """Tell whether a run may have been trained by other code than that of its commit."""
    return bool(run.provenance.dirty) and run.provenance.commit != BESIDE


def test_where_something_lay_beside_the_code_the_code_was_as_committed() -> None:
    tests = robustness.read_all(RESULTS / "robustness")
    sources = [each.provenance for each in tests if each.provenance.commit == BESIDE]
    there = [each for each in sources if each.versions["torch"].startswith("2.11")]
    assert there
    assert not any(each.dirty for each in there)


def test_committed_runs_that_are_counted_together_differ_in_their_seed_only() -> None:
    def shared(runs: Group) -> list[tuple[object, ...]]:
        return [
            (each.split_digest, each.provenance.data_sha256, is_unlike_its_commit(each))
            for each in runs.records
        ]

    for runs in groups(read_all(RESULTS)):
        assert all(each == (*each[:2], False) == shared(runs)[0] for each in shared(runs))
        first = identity(runs.first.config)  # without settings that change no result
        for each in runs.records:
            own = identity(each.config)
            # Keys that are younger than a record have their neutral value in it.
            changed = {key for key in first.keys() & own if first[key] != own[key]}
            assert changed <= {"seed"}, each.provenance.command
