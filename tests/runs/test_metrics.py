"""Each metric against arithmetic, and against an independent implementation."""

import math
from pathlib import Path

import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

import mnist_arch
from mnist_arch.data.batches import EVALUATION_BATCH
from mnist_arch.data.splits import Split
from mnist_arch.models import ARCHITECTURES
from mnist_arch.models.heads import Softmax
from mnist_arch.models.network import Network
from mnist_arch.runs import checkpoint, scoring
from mnist_arch.runs.metrics import METRICS, measure
from mnist_arch.runs.scoring import score, scores_of
from tests.factories import finished_run


class Three(Network):
    """Always the same scores: those of a 3."""

    head = Softmax()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.eye(10)[3].repeat(len(images), 1)


def test_a_split_is_counted_in_integers_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that always says 3: every other digit is an error."""
    monkeypatch.setattr(scoring, "EVALUATION_BATCH", 4)  # the second batch is short
    labels = torch.tensor([3, 3, 1, 9, 9, 9])
    images = torch.zeros(6, 1, 28, 28, dtype=torch.uint8)
    scored = score(Three(), Split(images, labels))
    assert scored.errors == 4
    assert scored.confusion[9] == [0, 0, 0, 3, 0, 0, 0, 0, 0, 0]
    assert sum(map(sum, scored.confusion)) == 6
    assert scored.labels.equal(labels)
    values = measure(scored)
    assert list(values) == ["accuracy", "errors", "loss", "nll", "brier", "ece"] == [*METRICS]
    assert values["accuracy"] == 100 * 2 / 6
    # Softmax of one 1 and nine 0s.
    three, other = math.e / (math.e + 9), 1 / (math.e + 9)
    assert values["nll"] == pytest.approx(-(2 * math.log(three) + 4 * math.log(other)) / 6)
    assert values["loss"] == pytest.approx(values["nll"])
    right = (1 - three) ** 2 + 9 * other**2
    wrong = three**2 + (1 - other) ** 2 + 8 * other**2
    assert values["brier"] == pytest.approx((2 * right + 4 * wrong) / 6)
    assert values["ece"] == pytest.approx(abs(three - 2 / 6))


def test_ece_is_that_of_torchmetrics() -> None:
    class Given(Network):
        head = Softmax()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images[:, 0, 0, :10].float() / 8

    torch.manual_seed(1)
    images = torch.randint(0, 40, (500, 1, 28, 28), dtype=torch.uint8)
    labels = torch.randint(0, 10, (500,))
    scored = score(Given(), Split(images, labels))
    expected = multiclass_calibration_error(
        scored.log_probabilities.exp(), labels, num_classes=10, n_bins=15, norm="l1"
    )
    assert METRICS["ece"].compute(scored) == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_network_has_every_metric(name: str) -> None:
    """Of random weights, too; a proper score of ten classes is finite."""
    images = torch.randint(0, 256, (20, 1, 28, 28), dtype=torch.uint8)
    scored = score(mnist_arch.build(name), Split(images, torch.arange(20) % 10))
    assert scored.log_probabilities.exp().sum(1) == pytest.approx(torch.ones(20), abs=1e-9)
    values = measure(scored)
    assert all(math.isfinite(value) for value in values.values())
    assert 0 <= values["brier"] <= 2
    assert 0 <= values["ece"] <= 1


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_neither_batches_nor_layout_change_a_score_by_more_than_rounding(name: str) -> None:
    torch.manual_seed(1)
    images = torch.randint(0, 256, (2 * EVALUATION_BATCH + 7, 1, 28, 28), dtype=torch.uint8)
    net = mnist_arch.build(name).eval()
    one_by_one = torch.cat([net(images[[place]]) for place in range(0, len(images), 11)])
    ours = scores_of(net.to(memory_format=torch.channels_last), images)
    rounding = 1e-5 * one_by_one.abs().max().item()
    torch.testing.assert_close(ours[::11], one_by_one, rtol=0, atol=rounding)
    assert not ours.requires_grad


@pytest.mark.parametrize("name", ["tanh_cnn", "dropout_cnn"])
def test_a_loaded_network_has_the_layout_that_it_was_trained_in(name: str, tmp_path: Path) -> None:
    for _, weights in checkpoint.load(finished_run(tmp_path, name)).named_parameters():
        if weights.dim() == 4:
            assert weights.is_contiguous(memory_format=torch.channels_last)
