"""Tables: every cell follows from the records."""

import csv
from pathlib import Path

import pytest

import mnist_arch
from experiments.report import tables
from mnist_arch.analysis.ensembles import Ensemble
from mnist_arch.errors import UserError
from mnist_arch.reports import results
from mnist_arch.runs.records import read_all
from tests.runs.test_records import record

RESULTS = Path(mnist_arch.__file__).parent.parent / "results"
BF16 = {"precision": "bf16-mixed", "overrides": ["trainer.precision=bf16-mixed"]}


def test_a_claim_is_judged_over_seeds() -> None:
    """200, 220, 240 errors: mean 97.8 %, sd 0.2, interval 97.8 +- 4.3027 * 0.2 / sqrt 3."""
    records = [record(seed=n, test_errors=200 + 20 * n, test_loss=0.08) for n in range(3)]
    header, rows = results.claims(records)
    assert len(header) == len(rows[0])
    assert rows == [
        (
            *("`mlp`", "own", "test accuracy", "97.59 %", "3", "97.80", "0.20"),
            *("97.30 to 98.30", "97.60 to 98.00", "reproduced"),
        ),
        (
            *("`mlp`", "own", "test loss", "0.0769", "3", "0.0800", "0.0000"),
            *("0.0800 to 0.0800", "0.0800 to 0.0800", "not reached"),
        ),
    ]


def test_one_run_is_shown_and_not_judged() -> None:
    _, rows = results.claims([record(claim={"test_accuracy": 97.0})])
    expected = ("`mlp`", "own", "test accuracy", "97.00 %", "1", "97.59", "", "", "")
    assert rows == [(*expected, "one run judges nothing")]


def test_training_accuracy_is_compared_as_the_network_learned_at_the_claims_epoch() -> None:
    curves = {"train/accuracy": [90.0, 95.0, 99.0], "validation/accuracy": [80.0, 81.0, 82.0]}
    claim = {"epochs": 2, "train_accuracy": 95.0, "validation_accuracy": 81.5}
    held_out = {"validation_images": 1000, "validation_errors": 180}
    runs = [record(seed=n, claim=claim, history=curves, **held_out) for n in (0, 1)]
    _, (validation, train) = results.claims(runs)
    assert validation[2:6] == ("validation accuracy, 2 epochs", "81.50 %", "2", "81.00")
    assert train[2:6] == ("training accuracy, 2 epochs", "95.00 %", "2", "95.00")


def test_validation_accuracy_is_that_of_the_kept_weights_where_no_epoch_is_claimed() -> None:
    claim = {"epochs": None, "validation_accuracy": 99.18}
    _, ((*_, name, claimed, _, mean, _, _, _, _),) = results.claims(
        [record(claim=claim, validation_images=1000, validation_errors=9)]
    )
    assert (name, claimed, mean) == ("validation accuracy", "99.18 %", "99.10")


def test_a_claim_of_held_out_digits_says_nothing_of_a_run_without() -> None:
    claim = {"epochs": None, "test_accuracy": 99.36, "validation_accuracy": 99.18}
    _, rows = results.claims([record(claim=claim)])
    assert [row[2] for row in rows] == ["test accuracy"]


def test_only_runs_by_the_sources_own_recipe_and_data_judge_its_claim() -> None:
    others = [
        record(recipe="modern"),
        record(data="mnist_5k"),
        record(overrides=["recipe.max_epochs=9"]),
    ]
    assert results.claims(others)[1] == []
    assert len(results.claims([record(), record(**BF16)])[1]) == 4


def test_other_ways_to_a_claim_are_shown_apart() -> None:
    ways = [
        record(recipe="mlp_on_tensorflow", overrides=["recipe=mlp_on_tensorflow"]),
        record(overrides=["recipe.max_epochs=9"]),
    ]
    others = [record(), record(recipe="modern", claim=None), record(recipe="dense")]
    assert [row[1] for row in results.tried([*ways, *others])[1][::2]] == [
        "own, recipe.max_epochs=9",
        "mlp_on_tensorflow",
    ]


def test_runs_with_other_distortions_are_no_way_to_a_claim() -> None:
    for word in ("recipe.augmentation=null", "experiment=distorted"):
        assert results.tried([record(overrides=[word])])[1] == []


def test_a_run_that_is_shorter_than_its_claim_judges_its_test_figures_only() -> None:
    curves = {"train/accuracy": [90.0], "validation/accuracy": [91.0]}
    claim = {"epochs": 5, "train_accuracy": 98.0, "validation_accuracy": 97.0}
    short = {"epochs": 1, "history": curves, "overrides": ["recipe.max_epochs=1"]}
    held_out = {"validation_images": 1000, "validation_errors": 90}
    runs = [record(claim=claim | {"test_accuracy": 97.59}, **short, **held_out)]
    assert [row[2] for row in results.tried(runs)[1]] == ["test accuracy"]


def test_a_run_that_left_the_test_digits_unread_is_counted_apart() -> None:
    unread = {"test_images": None, "test_errors": None, "test_loss": None}
    unread |= {"validation_images": 6_000, "validation_errors": 60}
    runs = [record(), record(seed=1), record(**unread)]
    assert [len(group.records) for group in results.groups(runs)] == [2, 1]
    assert [row[3:5] for row in results.results(runs)[1]] == [
        ("2", "10,000 test"),
        ("1", "6,000 held-out"),
    ]
    with pytest.raises(UserError, match="two records of the same run"):
        results.groups([*runs, record(**unread)])


def test_a_run_is_counted_once() -> None:
    with pytest.raises(UserError, match="two records of the same run: python -m"):
        results.groups([record(), record()])


def test_every_kind_of_run_has_a_row_of_its_own_that_says_so() -> None:
    records = [
        record(),
        record(seed=1, test_errors=261),
        record(recipe="modern", overrides=["recipe=modern"], claim=None),
        record(data="mnist_5k", data_title="MNIST-5k", test_images=500, test_errors=50),
        record(architecture="dense", recipe="dense"),
        record(**BF16),
        record(overrides=["recipe.max_epochs=9"], epochs=9),
        record(overrides=["recipe.l2=0.1"], test_images=None, test_errors=None),  # test=false
    ]
    header, rows = results.results(records)
    assert {len(row) for row in rows} == {len(header)}
    assert [(row[0], row[2]) for row in rows] == [
        ("`dense`", "own"),
        ("`mlp`", "own"),
        ("`mlp`", "own, recipe.l2=0.1"),
        ("`mlp`", "own, recipe.max_epochs=9"),
        ("`mlp`", "own, bf16-mixed"),
        ("`mlp`", "own, on MNIST-5k"),
        ("`mlp`", "modern"),
    ]
    # 241 and 261 errors: mean 251, sd 20 / sqrt 2, t of one degree of freedom 12.706.
    assert rows[1][3:] == (
        *("2", "10,000 test", "97.49 %", "0.14", "96.22 to 98.76", "251.0 ± 14.1"),
        *("5", "20 s, cpu, 2 threads"),
    )
    assert rows[2][3:7] == ("1", "60,000 training", "99.00 %", "")
    table = list(csv.DictReader(results.results_csv(records).splitlines()))
    assert [row["network"] for row in table] == [row[0].strip("`") for row in rows]
    numbers = [float(table[1][name]) for name in ("accuracy", "errors", "seconds")]
    assert numbers == pytest.approx([97.49, 251, 20])
    assert table[2]["variant"] == "recipe.l2=0.1"
    assert table[2]["low"] == ""


def test_both_recipes_of_a_network_stand_side_by_side() -> None:
    records = [
        record(),
        record(seed=1, test_errors=261),
        record(recipe="modern", overrides=["recipe=modern"], test_errors=151),
        record(architecture="dense", recipe="dense"),
    ]
    (row,) = results.modern(records)[1]
    # One degree of freedom, 12.7062, and Student's error of one run beside two: 0.1414 sqrt(1.5).
    span = "-1.20 to +3.20"
    assert row == ("`mlp`", "79,510", "97.49 ± 0.14 %", "2", "98.49 %", "1", "+1.00", span)


def test_a_table_is_markdown() -> None:
    assert results.markdown((("a", "bc"), [("1", "2")])) == "| a | bc |\n| - | -- |\n| 1 | 2 |"
    assert results.markdown((("a", "bc"), [])) == "None yet."


def test_a_table_on_a_screen_has_words_left_and_numbers_right() -> None:
    table = (("network", "runs"), [("`mlp`", "3"), ("`dense`", "10")])
    assert results.aligned(table) == "network  runs\nmlp         3\ndense      10"


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


def test_what_was_compared_is_shown_by_held_out_errors() -> None:
    unread = {"test_images": None, "test_errors": None, "test_loss": None}
    held_out = {"validation_images": 6_000, "validation_loss": 0.25}
    runs = [
        record(validation_errors=40, **held_out, **unread),
        record(validation_errors=50, seed=1, **held_out, **unread),
    ]
    (row,) = results.choices(runs)[1]
    assert row == ("`mlp`", "own", "5", "2", "45.0 ± 7.1 of 6,000", "0.2500 ± 0.0000")


def test_no_choice_was_made_by_test_digits() -> None:
    for each in read_all(RESULTS / "search"):
        assert each.test_errors is None, each.command


def test_an_ensemble_stands_beside_its_best_member() -> None:
    members = [
        {"architecture": name, "recipe": recipe, "test_errors": errors}
        for name, recipe, errors in [("mlp", "mlp", 270), ("mlp", "mlp", 240), ("dense", "x", 760)]
    ]
    ensemble = Ensemble(
        command="",
        data="mnist",
        members=members,
        test_images=10_000,
        test_errors=200,
        test_loss=0.1,
        test_errors_by_digit=[20] * 10,
    )
    assert results.ensembles([ensemble])[1] == [
        (
            *("2 `mlp` and 1 `dense`, x", "240, 270, 760", "240"),
            *("200 of 10,000: 98.00 %", "-40"),
        )
    ]


def test_the_committed_pages_hold_every_table_as_the_committed_records_make_it() -> None:
    root = RESULTS.parent
    pages = [(root / name).read_text() for name in ("README.md", "docs/results.md")]
    for name, table in tables(RESULTS).items():
        (page,) = (page for page in pages if results.BEGIN.format(name) in page)
        assert results.with_table(page, name, table) == page


def test_committed_runs_that_are_counted_together_differ_in_their_seed_only() -> None:
    for group in results.groups(read_all(RESULTS)):
        first = group.records[0].config
        for each in group.records:
            assert not each.dirty, each.command
            # Keys that are younger than a record have their neutral value in it.
            changed = {key for key in first.keys() & each.config if first[key] != each.config[key]}
            assert changed <= {"seed"}, each.command
            assert each.claim == group.records[0].claim
            assert each.data_sha256 == group.records[0].data_sha256
            assert each.split_digest == group.records[0].split_digest
