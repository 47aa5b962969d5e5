"""The weights that come with the package are what their records say."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import mnist_arch
from mnist_arch.data import sources
from mnist_arch.errors import UserError
from mnist_arch.inference.predictor import measured
from mnist_arch.inference.shipping import ship
from mnist_arch.models.heads import SoftmaxOrNone
from mnist_arch.runs import checkpoint, shipped
from mnist_arch.runs.scoring import score
from mnist_arch.runs.shipped import FILE, READER, Shipped
from tests.factories import finished_run
from tests.reports.test_results import is_unlike_its_commit

SETS = shipped.shipped()


def test_there_is_a_set_by_its_own_recipe_of_each_small_network() -> None:
    names = {each.name for each in SETS}
    assert names >= {"dense", "mlp", "lenet5", "lenet5_1998", "tanh_cnn"}
    assert names <= {READER} | {
        shipped.name(each, kind) for each in mnist_arch.architectures() for kind in shipped.KINDS
    }


@pytest.mark.parametrize("each", SETS, ids=lambda each: each.name)
def test_a_set_misclassifies_the_test_digits_that_its_record_counts(each: Shipped) -> None:
    test = sources.load("mnist", sources.default_root()).test
    scored = score(mnist_arch.load(each.name).net, test)
    best, second = scored.scores.topk(2).values.unbind(1)
    ties = int((best - second < 1e-4).sum())  # another processor's rounding may decide otherwise
    moved = torch.tensor(scored.confusion) - torch.tensor(each.record.confusion)
    assert moved.abs().sum() <= 2 * ties
    assert ties < 2


@pytest.mark.parametrize("each", SETS, ids=lambda each: each.name)
def test_a_set_has_the_checksum_of_its_record_and_of_its_card(each: Shipped) -> None:
    net = mnist_arch.load(each.name).net
    assert checkpoint.weights_sha256(net.state_dict()) == each.record.weights_sha256
    card = (each.folder / "README.md").read_text()
    assert hashlib.sha256((each.folder / FILE).read_bytes()).hexdigest() in card
    assert each.record.variant == ({"model.rejecting": True} if each.name == READER else {})
    assert not is_unlike_its_commit(each.record)


def test_a_set_is_known_by_its_name_and_a_run_by_its_path(tmp_path: Path) -> None:
    """In what records say of the command that made them, on whatever machine."""
    assert [shipped.known_as(shipped.located(each.name)) for each in SETS] == [
        each.name for each in SETS
    ]
    assert shipped.known_as(tmp_path) == str(tmp_path)


def test_the_reader_is_the_set_of_that_name_with_its_measured_doubt() -> None:
    reader, loaded = mnist_arch.Reader(), mnist_arch.load(READER)
    images = torch.randint(0, 256, (5, 1, 28, 28)).byte()
    torch.testing.assert_close(reader(images), loaded(images), rtol=0, atol=0)
    assert reader.net.head == SoftmaxOrNone()
    assert reader.least_score == measured("batchnorm_cnn", "reader") is not None


def test_the_reader_ships_by_its_name_and_others_with_arguments_do_not(tmp_path: Path) -> None:
    data, rejecting = sources.load("mnist_5k", tmp_path), {"model.rejecting": True}
    folders = [
        finished_run(tmp_path / recipe, "batchnorm_cnn", recipe=recipe, variant=rejecting)
        for recipe in ("reader", "batchnorm_cnn")
    ]
    assert ship(folders[0], data, tmp_path / "weights")[0].name == READER
    with pytest.raises(UserError, match="by a recipe as it stands"):
        ship(folders[1], data, tmp_path / "weights")


def test_a_network_is_built_with_them() -> None:
    net, images = (
        mnist_arch.build("mlp", weights="own"),
        torch.randint(0, 256, (5, 1, 28, 28)).byte(),
    )
    torch.testing.assert_close(net(images), mnist_arch.load("mlp")(images), rtol=0, atol=0)
    assert not net.training


def test_what_exists_in_the_folder_goes_before_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished_run(tmp_path / "mlp", "mlp")
    own = mnist_arch.load(tmp_path / "mlp").net.state_dict()
    found = mnist_arch.load("mlp").net.state_dict()
    assert all(found[key].equal(value) for key, value in own.items())


def test_a_set_is_the_network_of_its_run(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", "lenet5")
    data = sources.load("mnist_5k", tmp_path)
    folder, exported = ship(run, data, tmp_path / "weights")
    assert (folder.name, exported.name) == ("lenet5", FILE)
    assert max(exported.probabilities, exported.scores) < 1e-6  # by the size of a batch
    images = data.test.images[:100]
    expected = mnist_arch.load(run)(images)
    torch.testing.assert_close(mnist_arch.load(folder)(images), expected, rtol=0, atol=0)
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:-1])
    with pytest.raises(UserError, match="no readable file of weights"):
        mnist_arch.load(folder)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: mnist_arch.load("lenet"),
            "no weights of that name come with the package",
        ),
        (lambda: mnist_arch.load("runs/lenet5"), "no such checkpoint"),
        (lambda: mnist_arch.build("mlp", weights="best"), "weights='best': valid are modern, own"),
        (lambda: mnist_arch.build("lenet5", {"activation": "relu"}, weights="own"), "without arg"),
    ],
)
def test_a_set_that_is_not_there_is_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        call()


def test_only_a_tested_run_by_a_recipe_as_it_stands_is_shipped(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", "mlp", variant={"recipe.l2": 0.1})
    data = sources.load("mnist_5k", tmp_path)
    with pytest.raises(UserError, match="by a recipe as it stands"):
        ship(run, data, tmp_path / "weights")
    assert not (tmp_path / "weights").exists()
