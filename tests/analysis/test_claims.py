"""Claims in prose: every sentence follows from made-up records by hand, and the page from ours."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from experiments.robustness import figures
from mnist_arch.analysis.claims import (
    by_digit,
    distorted,
    overfitting,
    page,
    ranked,
    set_apart,
    turned,
)
from mnist_arch.analysis.corruptions import CORRUPTIONS
from mnist_arch.analysis.robustness import Averaged, averaged, read_all
from mnist_arch.reports.figures.style import curves_digest
from mnist_arch.reports.results import Group, groups
from mnist_arch.runs.records import Record
from tests.reports.test_results import RESULTS
from tests.runs.test_records import record

ALL_DIGITS = {
    "overrides": ["model=regularized_cnn", "recipe.validation=0", "recipe.keep=last"],
    "config": {"recipe.validation": 0.0, "recipe.keep": "last"},
    "train_errors": 60,
}


def regularized(errors: list[int], **changes: Any) -> list[Record]:
    name = {"architecture": "regularized_cnn", "recipe": "regularized_cnn"}
    return [
        record(seed=seed, test_errors=each, **name | changes) for seed, each in enumerate(errors)
    ]


def test_a_loss_as_large_as_the_sources_holds() -> None:
    """99.3 and 98.4, sd 0.1 each: -0.9 +- 2.7764 * sqrt(0.01 / 3 + 0.01 / 3), 4 degrees."""
    runs = regularized([60, 70, 80]) + regularized([150, 160, 170], **ALL_DIGITS)
    told = overfitting(groups(runs))
    assert "reads 99.30 % (3 runs, 99.05 to 99.55) of the test digits" in told
    assert "98.40 % (3 runs, 98.15 to 98.65), and 99.90 % of those 60,000." in told
    assert "by -0.90 points (95 % interval -1.13 to -0.67); the source's change is -0.83" in told
    assert told.endswith("**Holds**: it reads fewer right, by as much as the source says.")


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ([90, 100, 110], "**Holds**: it reads fewer right, by less than the source says."),
        ([350, 360, 370], "**Holds**: it reads fewer right, by more than the source says."),
        ([55, 65, 75], "**Does not hold**: a loss as large as the source's is ruled out."),
        ([20, 30, 40], "**Does not hold**: a loss as large as the source's is ruled out."),
        ([50, 150, 250], "**Cannot be judged** with so few runs."),
        ([160], "**Cannot be judged**: one run of a kind judges nothing."),
    ],
)
def test_overfitting_is_judged_by_the_interval_of_the_difference(
    errors: list[int], verdict: str
) -> None:
    runs = regularized([60, 70, 80]) + regularized(errors, **ALL_DIGITS)
    assert overfitting(groups(runs)).endswith(verdict)


def test_overfitting_is_not_judged_by_other_runs() -> None:
    own = regularized([60, 70])
    bf16 = {"precision": "bf16-mixed"}
    longer = {"overrides": [*ALL_DIGITS["overrides"], "recipe.max_epochs=50"]}
    best = {"config": {"recipe.validation": 0.0, "recipe.keep": "best"}}
    for others in (
        [],
        regularized([60, 70], **ALL_DIGITS | bf16),
        regularized([60, 70], **ALL_DIGITS | longer),
        regularized([60, 70], **ALL_DIGITS | best),
        regularized([60, 70], **ALL_DIGITS | {"architecture": "mlp"}),
    ):
        assert overfitting(groups([*own, *others])).startswith("**Not measured yet**")


def misread(errors: list[list[int]], images: int = 1000) -> Group:
    """Runs of dropout_cnn that misread so many of each digit; each is read as the next one."""
    runs = []
    for seed, counts in enumerate(errors):
        confusion = [[0] * 10 for _ in range(10)]
        for digit, count in enumerate(counts):
            confusion[digit][digit] = images - count
            confusion[digit][(digit + 1) % 10] = count
        runs.append(
            record(
                architecture="dropout_cnn",
                recipe="dropout_cnn",
                seed=seed,
                test_images=10 * images,
                test_errors=sum(counts),
                test_errors_by_digit=counts,
                test_confusion=confusion,
            )
        )
    (group,) = groups(runs)
    return group


def test_a_digit_that_leads_in_every_run_by_more_than_chance_has_the_most_errors() -> None:
    """Leads of 1.0, 1.2 and 1.4 points: 1.2 +- 4.3027 * 0.2 / sqrt 3."""
    told = set_apart(misread([[10] * 9 + [nines] for nines in (20, 22, 24)]), (9,), "most")
    assert "misreads 2.20 % of the 9s (66 of 3,000)" in told
    assert "on 9 in 3 of 3. **Holds** with 3 runs" in told
    assert "by +1.20 points, 95 % interval +0.70 to +1.70." in told
    chance = sum(math.comb(32, k) for k in range(22, 33)) / 2**32
    assert f"22 and 10 errors would have p = {chance:.2f}" in told


def test_only_runs_that_read_the_test_digits_judge(tmp_path: Path) -> None:
    (tested,) = misread([[10] * 9 + [20]]).records
    unread = dict.fromkeys(("test_images", "test_errors", "test_confusion"))
    for seed in range(3):
        (tmp_path / str(seed)).mkdir()
        (tested if seed == 0 else replace(tested, seed=seed, **unread)).write(tmp_path / str(seed))
    assert "In 1 run by its own recipe `dropout_cnn` misreads 2.00 % of the 9s" in page(tmp_path)


def test_one_rival_that_is_not_told_apart_is_enough_to_judge_nothing() -> None:
    """Leads over 0 of -0.2, 0.5 and 1.2 points; over 1 always 0.1, and over the others far."""
    runs = [[zeros, 19] + [1] * 7 + [20] for zeros in (22, 15, 8)]
    told = set_apart(misread(runs), (9,), "most")
    assert "on 9 in 2 of 3. **Cannot be judged** with 3 runs: 9 leads 0 by +0.50 points" in told
    half = 4.302653 * 0.7 / math.sqrt(3)
    assert f"95 % interval {0.5 - half:+.2f} to {0.5 + half:+.2f}." in told


def test_a_digit_that_is_led_has_not_the_most_errors() -> None:
    """6 is named with 9, but 7 leads it by 0.9, 1.0 and 1.1 points; 8 may be anywhere."""
    runs = [[1] * 6 + [5, sevens, eights, 30] for sevens, eights in ((14, 1), (15, 60), (16, 1))]
    told = set_apart(misread(runs), (9, 6), "most")
    assert "3.00 % of the 9s (90 of 3,000) and 0.50 % of the 6s (15 of 3,000)" in told
    assert "against it: 1.50 % of the 7s (45 of 3,000)" in told
    assert "**Does not hold** with 3 runs: 6 leads 7 by -1.00 points, 95 % interval -1.25" in told


def test_the_rival_that_leads_surely_counts_more_than_one_that_varies() -> None:
    """9 leads 7 by -1, 1 and 2.4 points, t = 0.81; 6 trails 5 by 0.2, 0.3 and 0.1, t = -3.5."""
    runs = [[1] * 5 + [fives, 6, sevens, 1, 40] for fives, sevens in ((8, 50), (9, 30), (7, 16))]
    told = set_apart(misread(runs), (9, 6), "most")
    assert "against it: 0.80 % of the 5s (24 of 3,000)" in told
    assert "on 9 and 6 in 0 of 3. **Cannot be judged** with 3 runs: 6 leads 5 by -0.20" in told
    assert "may rank 6 and 7 otherwise" in set_apart(misread(runs[:1]), (9, 6), "most")


def test_fewest_is_most_turned_round() -> None:
    few = [[1, 2] + [10] * 8, [2, 1] + [10] * 8, [1, 1] + [10] * 8]
    told = set_apart(misread(few), (0, 1), "fewest")
    assert "fewest errors are on 0 and 1 in 3 of 3. **Holds** with 3 runs" in told
    assert "1 and 10 errors would have p = 0.01" in told  # 12 / 2^11
    assert "**Does not hold**" in set_apart(misread(few), (2, 3), "fewest")


def test_digits_are_compared_by_rate_and_one_run_judges_nothing() -> None:
    """12 errors of 500 are more than 20 of 1,000."""
    group = misread([[20] + [1] * 9])
    confusion = group.records[0].test_confusion
    assert confusion
    confusion[9] = [12] + [0] * 8 + [488]
    told = set_apart(group, (9,), "most")
    assert "2.40 % of the 9s (12 of 500)" in told
    assert "on 9 in 1 of 1. **Cannot be judged**: one run judges nothing." in told
    chance = sum(math.comb(32, k) * (1 / 3) ** k * (2 / 3) ** (32 - k) for k in range(12, 33))
    assert f"p = {chance:.2f} (exact" in told
    assert set_apart(None, (9,), "most").startswith("**Not measured yet**")


def test_the_table_has_a_row_for_each_network_by_its_own_recipe() -> None:
    own = misread([[10] * 9 + [20], [20] * 9 + [60]])
    confusion = own.records[0].test_confusion
    others = [
        record(),  # without its confusion
        record(recipe="modern", claim=None, test_confusion=confusion),
    ]
    header, rows = by_digit([own, *groups(others)])
    assert rows == [("`dropout_cnn`", "2", *["1.50"] * 9, "**4.00**")]
    assert len(header) == len(rows[0])


def test_the_digits_of_the_claims_are_counted_where_they_come_first_or_last() -> None:
    rows = [
        misread([[1, 2, 3, 3, 3, 3, 8, 3, 3, 9]]),  # as the sources say
        misread([[1, 2, 3, 3, 3, 3, 3, 8, 3, 9]]),  # not 6
        misread([[2, 3, 1, 3, 3, 3, 9, 3, 3, 8]]),  # 2 before 0 and 1, and 6 after 9
        *groups([record()]),
    ]
    assert ranked(rows) == (
        "Of these 3 rows, 9 is the most misread in 2, 9 and 6 are the two most misread in 2, "
        "0 and 1 the two least misread in 2."
    )


def net(name: str, inverted: float) -> Averaged:
    accuracies = {
        "inversion": {0: 99.0, 1: inverted},
        "rotation": {0: 99.0, 30: 80.0, 90: inverted, 180: inverted},
        "shift": {0: 99.0, 3: 45.0},
    }
    return Averaged(name, name, (), augmented=name == "mlp", runs=1, accuracies=accuracies)


@pytest.mark.parametrize(
    ("nets", "verdict"),
    [
        ((10, 60, 70), "**Holds**: on digits inverted, turned by 90°, turned by 180° every dense"),
        ((10, 60, 70), "every dense network fails, and no CNN does, where"),
        ((10, 20, 30), "**Does not hold**"),
        ((10, 20, 30), "every dense network fails, and so does every CNN, where"),
        ((10, 20, 70), "every dense network fails, and so do some CNNs, where"),
        ((50, 60, 70), "some dense network does not fail, and no CNN does, where"),
        ((50, 60, 70), "**Does not hold**"),
    ],
)
def test_a_network_fails_that_reads_less_than_half(nets: tuple[int, ...], verdict: str) -> None:
    names = ("mlp", "lenet5", "tanh_cnn")
    found = [net(*each) for each in zip(names, nets, strict=True)]
    assert verdict in turned(found).splitlines()[0]


def test_every_network_has_its_row_and_every_corruption_its_line() -> None:
    told = turned([net("dense", 12), net("mlp", 8.5), net("lenet5", 49)])
    assert (
        "| mlp | dense | yes | 1 | 99.00 % | 45.00 % | 80.00 % | 8.50 % | 8.50 % | 8.50 % |"
        in told
    )
    assert "| lenet5 | CNN | no | 1 |" in told
    line = "* Digits inverted: 2 of 2 trained dense networks fail (8.5 to 12.0 %), 1 of 1 trained"
    assert line in told
    assert "* Digits turned by 30°: 0 of 2 trained dense networks fail" in told
    told = turned([net("mlp", 8.5), net("dropout_cnn", 45)])
    own = (
        "`dropout_cnn`, reads 45.00 % inverted, 45.00 % turned by 90°, 45.00 % turned by 180° (1 "
    )
    assert own in told
    assert turned([net("mlp", 5)]).startswith("**Not measured yet**")


def test_a_network_that_learnt_nothing_is_shown_and_not_counted() -> None:
    blind = net("tanh_cnn", 60)
    blind.accuracies["rotation"][0] = 11.35
    told = turned([net("mlp", 10), net("lenet5", 10), blind])
    assert "so does every CNN" in told
    assert "1 of 1 trained CNNs" in told
    assert "| tanh_cnn | CNN | no | 1 | 11.35 % |" in told


def everywhere(
    name: str, right: float, *variant: str, augmented: bool, **others: float
) -> Averaged:
    """A network that reads ``right`` percent of all digits, but of some kinds what is said."""
    accuracies = {
        kind: {corruption.neutral: 98.0}
        | {strength: others.get(kind, right) for strength in corruption.strengths}
        for kind, corruption in CORRUPTIONS.items()
    }
    return Averaged(name, name, variant, augmented, runs=1, accuracies=accuracies)


def test_what_distortions_change_is_told_of_networks_that_were_trained_both_ways() -> None:
    """Shift: 70 and 60 become 80 and 90, +10 and +30; noise: 50 and 50 become 40 and 60."""
    nets = [
        everywhere("lenet5", 70, augmented=False, noise=50),
        everywhere("lenet5", 80, "experiment=distorted", augmented=True, noise=40, blur=70),
        everywhere("augmented_cnn", 60, "recipe.augmentation=null", augmented=False, noise=50),
        everywhere("augmented_cnn", 90, augmented=True, noise=60, blur=59),
        everywhere("mlp", 1, augmented=False),
        everywhere("mlp", 99, "experiment=distorted", "recipe.l2=0.1", augmented=True),
        everywhere("dense", 1, augmented=False)._replace(accuracies={}),
        everywhere("dense", 99, "experiment=distorted", augmented=True),
    ]
    told = distorted(nets)
    assert told.startswith(
        "At least 1 run with and without of each: `lenet5`, `augmented_cnn, recipe.augmentation="
    )
    assert "| shift | 65.00 % | 85.00 % | +20.00 | +10.00 to +30.00 | 2 of 2 |" in told
    assert "| Gaussian noise | 50.00 % | 50.00 % | +0.00 | -10.00 to +10.00 | 1 of 2 |" in told
    assert "| as they are | 98.00 % | 98.00 % | +0.00 | +0.00 to +0.00 | 0 of 2 |" in told
    assert "* Every network gains on: rotation, shift, scale, occlusion, inversion," in told
    assert "* No network gains on: as they are, Gaussian blur.\n" in told
    assert distorted(nets[:1]).startswith("**Not measured yet**")


def test_the_committed_page_is_what_the_committed_records_make() -> None:
    docs = RESULTS.parent / "docs"
    assert (docs / "claims.md").read_text() == page(RESULTS)
    for name in ("robustness.png", "robustness_mnist_c.png", "corruptions.png"):
        assert f"({name})" in page(RESULTS)
        assert (docs / name).is_file()
    for name, figure in figures(averaged(read_all(RESULTS / "robustness"))).items():
        with Image.open(docs / f"{name}.png") as drawn:
            assert drawn.info["Description"] == f"curves {curves_digest(figure)}"
