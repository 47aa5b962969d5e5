"""What is measured of a split, each metric once: one entry here brings it into every record,
table, CSV file and TensorBoard.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from mnist_arch.runs.calibration import calibration_error, reliability
from mnist_arch.runs.scoring import Scored


@dataclass(frozen=True)
class Metric:
    """One number about a scored split.

    Attributes:
        name: In records and TensorBoard.
        title: In tables.
        unit: Written behind the number, "" for none.
        higher_is_better: Which way is up.
        decimals: Shown of a single run.
        compute: The metric itself.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    decimals: int
    compute: Callable[[Scored], float]

    def format(self, value: float | None) -> str:
        """Write a value with its unit; "" where there is none."""
        if value is None:
            return ""
        return f"{value:,.{self.decimals}f}" + (f" {self.unit}" if self.unit else "")


def accuracy(scored: Scored) -> float:
    """Percent of the images that are classified correctly."""
    images = len(scored.labels)
    return 100 * (images - scored.errors) / images


def nll(scored: Scored) -> float:
    """Mean negative log-likelihood of the true class, in nats: a proper score of probabilities.

    It equals the loss where that is the cross-entropy of the head's own probabilities.
    """
    return -scored.log_probabilities.gather(1, scored.labels[:, None]).mean().item()


def brier(scored: Scored) -> float:
    """Mean squared distance of the ten probabilities from the truth, 0 to 2 (Brier 1950)."""
    truth = torch.nn.functional.one_hot(scored.labels, 10)
    return (scored.log_probabilities.exp() - truth).square().sum(1).mean().item()


def ece(scored: Scored) -> float:
    """Expected calibration error in 15 equal bins, see `calibration_error`."""
    confidence, predicted = scored.log_probabilities.exp().max(1)
    right = predicted == scored.labels
    return calibration_error(reliability(confidence.nan_to_num().numpy(), right.numpy()))


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", "%", True, 2, accuracy),
        Metric("errors", "errors", "", False, 0, lambda scored: scored.errors),
        Metric("loss", "loss", "", False, 4, lambda scored: scored.loss),
        Metric("nll", "NLL", "", False, 4, nll),
        Metric("brier", "Brier", "", False, 4, brier),
        Metric("ece", "ECE", "", False, 4, ece),
    )
}


def measure(scored: Scored) -> dict[str, float]:
    """Compute every metric of a scored split."""
    return {name: metric.compute(scored) for name, metric in METRICS.items()}
