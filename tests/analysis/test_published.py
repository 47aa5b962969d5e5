"""What mnist_arch/claims.yaml holds, checked by arithmetic; and what no such file may hold."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mnist_arch.analysis.published import Number, Trial, published
from mnist_arch.errors import UserError
from mnist_arch.models import ARCHITECTURES

TEST_DIGITS = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)  # of MNIST, by digit


def trial(source: str, network: str, condition: str | None = None) -> Trial:
    trials = published().sources[source].trials
    (only,) = [t for t in trials if (t.network, t.condition) == (network, condition)]
    return only


@pytest.mark.parametrize(
    ("network", "source", "split", "percent", "decimals"),
    [
        ("dense", "soorya-2021", "test", 92.41, 2),
        ("mlp", "soorya-2021", "test", 97.59, 2),
        ("dropout_cnn", "ann-vs-cnn", "test", 99.2, 1),
        ("lenet5", "lecun-1998", "test", 99.05, 2),
        ("lenet5_1998", "lecun-1998", "test", 99.05, 2),
        ("tanh_cnn", "yadati-2017", "test", 97.86, 2),
        ("regularized_cnn", "msbaoptim-10", "test", 99.36, 2),
        ("augmented_cnn", "stamkav-2022", "validation", 97.93, 2),
    ],
)
def test_the_headline_of_a_network_is_its_main_accuracy(
    network: str, source: str, split: str, percent: float, decimals: int
) -> None:
    claim = published().headline(network)
    assert claim is not None
    assert (claim.source, claim.split, claim.value) == (source, split, percent)
    assert (claim.decimals, claim.rounding) == (decimals, pytest.approx(0.5 / 10**decimals))
    assert claim.condition is None


def test_a_network_without_a_source_has_no_headline() -> None:
    assert published().headline("unheard_of") is None
    assert published().claims_of("unheard_of") == ()


def test_each_source_gives_as_many_numbers_as_it_prints() -> None:
    """soorya-2021: two curves of five epochs for each of three runs, two runs tested twice."""
    sources = published().sources
    assert {key: len(list(source.claims)) for key, source in sources.items()} == {
        "lecun-1998": 3 + 1 + 1,  # without distortions, with them, and as lenet5's
        "soorya-2021": 3 * 2 * 5 + 2 * 2,
        "ann-vs-cnn": 2,
        "msbaoptim-10": 4 + 1,  # with validation, without
        "yadati-2017": 2,
        "stamkav-2022": 5,
    }
    words = {key for source in sources.values() for t in source.trials for key in t.statements}
    assert words == {
        *("stable-after-10", "effective-rates", "hidden-layer", "sudden-drops"),
        *("most-errors-on-9", "fewest-errors-on-0-and-1", "inverted-or-reoriented"),
        *("own-drawings", "most-errors-on-9-and-6", "overfits"),
    }


def test_two_sources_have_no_known_address_and_the_other_programs_a_commit() -> None:
    sources = published().sources.values()
    assert {s.key for s in sources if not s.address} == {"ann-vs-cnn", "msbaoptim-10"}
    assert {s.key: s.commit for s in sources if s.commit} == {
        "stamkav-2022": "1c60e8c",
        "yadati-2017": "eff8c70",
        "soorya-2021": "a800063",
    }


@pytest.mark.parametrize(("network", "correct"), [("dense", 9_241), ("mlp", 9_759)])
def test_a_test_confusion_counts_the_test_digits_of_mnist(network: str, correct: int) -> None:
    counts = trial("soorya-2021", network).confusion
    assert counts is not None
    assert tuple(map(sum, counts.rows)) == TEST_DIGITS
    assert (counts.split, counts.images, counts.correct) == ("test", 10_000, correct)
    assert published().headline(network).value == pytest.approx(correct / 100)


def test_the_validation_confusion_agrees_with_all_else_that_its_notebook_prints() -> None:
    """Support and precision of each digit, and the accuracy 0.979286 of a last evaluation."""
    counts = trial("stamkav-2022", "augmented_cnn").confusion
    assert counts is not None
    assert [*map(sum, counts.rows)] == [411, 485, 403, 418, 461, 372, 413, 446, 382, 409]
    predicted = map(sum, zip(*counts.rows, strict=True))
    precision = [round(counts.rows[d][d] / images, 2) for d, images in enumerate(predicted)]
    assert precision == [0.99, 0.99, 0.96, 0.99, 0.99, 0.99, 0.99, 0.98, 0.96, 0.95]
    assert round(counts.correct / counts.images, 6) == 0.979286


def test_the_first_source_without_address_errs_as_often_as_its_accuracy_says() -> None:
    claims = {(c.metric, c.split): c for c in published().claims_of("regularized_cnn")[:4]}
    errors, accuracy = claims["errors", "test"], claims["accuracy", "test"]
    assert errors.images == 10_000
    assert 100 - 100 * errors.value / errors.images == pytest.approx(accuracy.value)


def test_the_digits_of_kaggle_are_42_000_and_an_epoch_has_590_batches_of_64_of_them() -> None:
    images = trial("stamkav-2022", "augmented_cnn").images
    assert 42_000 - images["validation"] == 37_800
    assert images["train"] == 590 * 64 == 37_800 // 64 * 64


@pytest.mark.parametrize("network", ["lenet5_1998", "regularized_cnn", "augmented_cnn"])
def test_a_network_has_the_parameters_that_its_source_prints(network: str) -> None:
    (printed,) = [c.value for c in published().claims_of(network) if c.metric == "parameters"]
    assert sum(p.numel() for p in ARCHITECTURES[network]().parameters()) == printed


@pytest.mark.parametrize(
    ("network", "condition"),
    [("dense", None), ("mlp", None), ("mlp", "second run, with a Flatten layer in front")],
)
def test_a_network_learns_in_every_one_of_five_epochs(network: str, condition: str | None) -> None:
    numbers = [n for n in trial("soorya-2021", network, condition).numbers if n.split == "train"]
    for metric, sign in (("accuracy", 1), ("loss", -1)):
        curve = [(n.epoch, sign * n.value) for n in numbers if n.metric == metric]
        assert curve == sorted(curve, key=lambda point: point[1])
        assert [epoch for epoch, _ in curve] == [1, 2, 3, 4, 5]


def test_a_claim_knows_its_images_and_what_was_special() -> None:
    (distorted,) = [c for c in published().claims if c.condition == "with distortions"]
    assert (distorted.printed, distorted.value, distorted.images) == ("0.8 % error", 99.2, 10_000)
    (training,) = [c for c in published().claims_of("lenet5_1998") if c.split == "train"]
    assert (training.epoch, training.value, training.images) == (19, 99.65, 60_000)


@given(st.decimals(0, 100, places=2))
def test_three_ways_to_print_an_accuracy_mean_the_same(percent: Decimal) -> None:
    ways = (f"{percent} %", f"{percent / 100:.4f}", f"{100 - percent} % error", f"{percent}%")
    for printed in ways:
        number = Number(metric="accuracy", split="test", value=float(percent), printed=printed)
        assert (number.decimals, number.rounding) == (2, pytest.approx(0.005))
        with pytest.raises(UserError, match="means"):
            Number(
                metric="accuracy", split="test", value=float(percent) / 2 + 0.001, printed=printed
            )


SOME = """
some-2020:
  title: Some title
  published: README
  trials:
    - network: mlp
      images: {train: 60000, test: 10}
      numbers:
        - {metric: accuracy, split: test, epoch: 2, value: 90, printed: "0.90"}
        - {metric: loss, split: test, value: 0.3, printed: "0.30"}
        - {metric: parameters, value: 7850, printed: "7,850"}
      confusion:
        split: test
        rows: [[2,0,0,0,0,0,0,0,0,0], [0,1,0,0,0,0,0,0,0,0], [0,0,1,0,0,0,0,0,0,0],
               [0,0,0,1,0,0,0,0,0,0], [0,0,0,0,1,0,0,0,0,0], [0,0,0,0,0,1,0,0,0,0],
               [0,0,0,0,0,0,1,0,0,0], [0,0,0,0,0,0,0,1,0,0], [1,0,0,0,0,0,0,0,0,0],
               [0,0,0,0,0,0,0,0,0,0]]
"""


def read(folder: Path, text: str) -> Any:
    path = folder / "claims.yaml"
    path.write_text(text)
    published.cache_clear()
    return published(path)


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    accuracy, loss, parameters = read(tmp_path, SOME).claims_of("mlp")
    assert (accuracy.source, accuracy.images, accuracy.epoch) == ("some-2020", 10, 2)
    assert (loss.decimals, loss.epoch) == (2, None)
    assert (parameters.value, parameters.images, parameters.decimals) == (7850, None, 0)


def test_a_trial_under_another_condition_is_no_headline(tmp_path: Path) -> None:
    special = "    - {network: mlp, condition: special, numbers: [{metric: accuracy, split: test, "
    special += 'value: 95, printed: "95 %"}]}\n'
    sound = SOME.replace("  trials:\n", f"  trials:\n{special}")
    assert [c.value for c in read(tmp_path, sound).claims_of("mlp")][:2] == [95, 90]
    assert read(tmp_path, sound).headline("mlp").value == 90


NUMBER = r"some-2020\.trials\[0\]\.numbers\[0\]"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("network: mlp", "network: mpl", r"some-2020\.trials\[0\]: no network 'mpl'; .* mlp\?"),
        (
            "network: mlp",
            "network: mlp\n      recipe: our",
            r"trials\[0\]: no recipe 'our'; .* ours\?",
        ),
        ("metric: accuracy", "metric: acuracy", f"{NUMBER}: no metric 'acuracy'; .* accuracy\\?"),
        ("metric: accuracy", "metrik: accuracy", f"{NUMBER}: no key 'metrik'; .* metric\\?"),
        ("metric: accuracy, ", "", f"{NUMBER}: metric is missing"),
        ("split: test, epoch", "split: tset, epoch", f"{NUMBER}: no split 'tset'; .* test\\?"),
        ("split: test, epoch: 2", "epoch: 2", f"{NUMBER}: split is missing; valid are test"),
        ("parameters,", "parameters, split: test,", "split 'test': parameters have none"),
        ("epoch: 2", "epoch: 0", f"{NUMBER}: epoch 0: must be 1 or more"),
        ("epoch: 2", "epoch: two", f"{NUMBER}.epoch: 'two' is not a whole number"),
        ("value: 90", "value: many", f"{NUMBER}.value: 'many' is not a number"),
        ("value: 90", "value: true", f"{NUMBER}.value: True is not a number"),
        ("value: 90", "value: .nan", f"{NUMBER}: value nan: must be a finite number"),
        ("value: 90", "value: .inf", f"{NUMBER}: value inf: must be a finite number"),
        ("value: 90", "value: 91", f"{NUMBER}: value 91: printed '0.90' means 90$"),
        ("value: 90", "value: 110", f"{NUMBER}: value 110: .* at most 100"),
        ('"0.90"', '"nine in ten"', f"{NUMBER}: printed 'nine in ten': cannot be understood"),
        ('"0.90"', "0.90", f"{NUMBER}.printed: 0.9 is not text in quotes"),
        ('"0.30"', '"30 %"', "printed '30 %': cannot be understood as loss"),
        ("metric: loss,", "metric: accuracy, epoch: 2,", "printed '0.30' means 30"),
        ("7,850", "7,840", "value 7850: printed '7,840' means 7840"),
        ("{train: 60000,", "{trian: 60000,", "images: no split 'trian'; .* train"),
        ("{train: 60000,", "{train: 0,", "images: train 0: must be 1 or more"),
        ("test: 10}", "test: 11}", "confusion: counts 10 images, but test has 11"),
        ("[[2,", "[[3,", "confusion: counts 11 images, but test has 10"),
        ("[[2,0", "[[1,1", "confusion: 8 of 10 are correct, 80.00 %, but the accuracy is '0.90'"),
        ("[[2,", "[[", "confusion: rows: must be ten rows of ten counts"),
        ("[[2,", "[[-2,", "confusion: rows: must be ten rows of ten counts"),
        ("[[2,", "[[2.0,", r"rows\[0\]\[0\]: 2.0 is not a whole number"),
        ("split: test\n", "split: some\n", "confusion: no split 'some'"),
        ("published: README", "publisher: README", "some-2020: no key 'publisher'; .* published"),
        ("title: Some title\n", "year: 2020\n", "some-2020: title is missing"),
        ("title: Some title\n", "title: [Some]\n", r"title: \['Some'\] is not text"),
        ("  trials:", "  title: Other\n  trials:", ":5: found duplicate key title"),
        ("some-2020:\n", "some-2020: {}\nsome-2020:\n", ":3: found duplicate key some-2020"),
        ("some-2020:\n", "some-2020: text\nother:\n", "some-2020: 'text' is not a mapping"),
        ("some-2020:", "- some-2020:", "is not a mapping"),
        ("title: Some", "title: Some: ", "claims.yaml:3: mapping values are not allowed"),
        (
            "trials:\n",
            "trials:\n    - network: mlp\n",
            "trials: mlp, condition None: is given twice",
        ),
        ("trials:", "trials: some\n  note:", "trials: 'some' is not a list"),
    ],
)
def test_a_mistake_is_answered_with_file_and_entry(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in SOME
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path, SOME.replace(old, new, 1))
    assert str(error.value).startswith(f"{tmp_path}/claims.yaml:")
    assert "\n" not in str(error.value)


def test_a_number_is_given_once(tmp_path: Path) -> None:
    line = '        - {metric: loss, split: test, value: 0.3, printed: "0.30"}\n'
    with pytest.raises(UserError, match="numbers: test loss is given twice"):
        read(tmp_path, SOME.replace(line, 2 * line))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a readable file of claims"):
        published(tmp_path / "none.yaml")
    (tmp_path / "some.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UserError, match=r"some.yaml: not a readable file of claims"):
        published(tmp_path / "some.yaml")


WORDS = ["title", "published", "trials", "network", "mlp", "numbers", "metric", "loss", "split"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
ANYTHING = st.recursive(
    SCALARS | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["title", "published"]), st.just("text")), ANYTHING)
def test_whatever_a_file_holds_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, source: dict[str, Any], anything: object
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for content in (anything, {"some": anything}, {"some": source | {"trials": anything}}):
        message = ""
        try:
            read(folder, yaml.safe_dump(content))
        except UserError as error:
            message = str(error)
        assert "\n" not in message
