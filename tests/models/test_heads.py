"""Each head against plain arithmetic in float64."""

import math

import pytest
import torch

import mnist_arch
from mnist_arch.models.heads import (
    NONE,
    Head,
    KerasSigmoid,
    RadialBasis,
    Softmax,
    SoftmaxOrNone,
    keras_on_pytorch,
    misclassified,
    rejecting,
)

SCORES = torch.randn(6, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3
DIGITS = torch.tensor([0, 9, 4, 4, 7, 2])
HEADS = {
    "dense": KerasSigmoid(),
    "mlp": KerasSigmoid(),
    "dropout_cnn": Softmax(),
    "lenet5": Softmax(),
    "tanh_cnn": Softmax(),
    "regularized_cnn": Softmax(),
    "augmented_cnn": Softmax(),
    "batchnorm_cnn": Softmax(),
}
every_head = pytest.mark.parametrize(
    "head",
    [Softmax(), SoftmaxOrNone(), KerasSigmoid(), RadialBasis(1), RadialBasis(40, 0.5)],
    ids=str,
)


def mean_over_patterns(loss_of_one: object) -> float:
    losses = [
        loss_of_one(scores.tolist(), digit)  # type: ignore[operator]
        for scores, digit in zip(SCORES, DIGITS.tolist(), strict=True)
    ]
    return sum(losses) / len(losses)


@pytest.mark.parametrize("name", HEADS)
def test_architecture_has_the_head_of_its_source(name: str) -> None:
    assert mnist_arch.build(name).head == HEADS[name]


def test_lenet5_1998_has_the_papers_head_with_a_positive_j() -> None:
    head = mnist_arch.build("lenet5_1998").head
    assert isinstance(head, RadialBasis)
    assert head.j > 0


def test_softmax_loss_is_minus_the_log_of_the_softmax() -> None:
    def one(scores: list[float], digit: int) -> float:
        return -math.log(math.exp(scores[digit]) / sum(map(math.exp, scores)))

    assert Softmax().loss(SCORES, DIGITS).item() == pytest.approx(mean_over_patterns(one), 1e-12)


def test_keras_on_pytorch_takes_sigmoids_as_unnormalised_probabilities() -> None:
    def one(scores: list[float], digit: int) -> float:
        p = [1 / (1 + math.exp(-z)) for z in scores]
        return -math.log(p[digit] / sum(p))

    loss = keras_on_pytorch(SCORES, DIGITS).item()
    assert loss == pytest.approx(mean_over_patterns(one), 1e-12)


def test_keras_sigmoid_reports_ten_independent_sigmoids() -> None:
    sigmoids = KerasSigmoid().sigmoids(SCORES)
    assert sigmoids[2, 3].item() == pytest.approx(1 / (1 + math.exp(-SCORES[2, 3].item())))
    assert not torch.allclose(sigmoids.sum(1), torch.ones(6).double())


def test_keras_sigmoid_trains_by_the_softmax_of_its_logits() -> None:
    """As Keras does on TensorFlow, whose loss looks behind the sigmoids."""
    assert KerasSigmoid().loss(SCORES, DIGITS).equal(Softmax().loss(SCORES, DIGITS))
    assert KerasSigmoid().probabilities(SCORES).equal(Softmax().probabilities(SCORES))


@pytest.mark.parametrize("j", [0.1, 1.0, 40.0])
def test_rbf_loss_is_equation_9(j: float) -> None:
    def one(scores: list[float], digit: int) -> float:
        y = [-score for score in scores]
        return y[digit] + math.log(math.exp(-j) + sum(math.exp(-penalty) for penalty in y))

    penalties = -SCORES.abs()  # of squared distances: never negative
    losses = [
        one(scores.tolist(), digit)
        for scores, digit in zip(penalties, DIGITS.tolist(), strict=True)
    ]
    assert RadialBasis(j).loss(penalties, DIGITS).item() == pytest.approx(sum(losses) / 6, 1e-12)


def test_half_squares_are_equation_9_of_half_the_penalties() -> None:
    head = RadialBasis(j=3, factor=0.5)
    for of_halves, of_penalties in (
        (head.loss(SCORES, DIGITS), RadialBasis(3).loss(SCORES / 2, DIGITS)),
        (rejecting(SCORES, DIGITS, j=3, factor=0.5), RadialBasis(3).loss(SCORES / 2, DIGITS)),
        (head.probabilities(SCORES), RadialBasis(3).probabilities(SCORES / 2)),
    ):
        torch.testing.assert_close(of_halves, of_penalties, rtol=1e-12, atol=0)


def test_rbf_probabilities_leave_exp_minus_j_for_rejection() -> None:
    scores = torch.full((1, 10), -2.0, dtype=torch.float64)
    total = 10 * math.exp(-2) + math.exp(-3)
    probabilities = RadialBasis(j=3).probabilities(scores)
    assert probabilities.shape == (1, 10)
    assert 1 - probabilities.sum().item() == pytest.approx(math.exp(-3) / total)


def test_rbf_confidence_is_low_where_no_code_is_near_and_where_two_are() -> None:
    near, far, between = [-2.0] + [-90.0] * 9, [-50.0] + [-90.0] * 9, [-2.0] * 2 + [-90.0] * 8
    head, scores = RadialBasis(j=20, factor=0.5), torch.tensor([near, far, between]).double()
    top = head.probabilities(scores).amax(1)
    torch.testing.assert_close(head.confidence(scores), (top / (1 - top)).log())
    sure, *unsure = head.confidence(scores).tolist()
    assert sure > 10
    assert max(unsure) < 0.1


@every_head
def test_log_probabilities_are_the_probabilities_scaled_to_sum_to_one(head: Head) -> None:
    probabilities = head.probabilities(SCORES)
    expected = probabilities / probabilities.sum(1, keepdim=True)
    torch.testing.assert_close(head.log_probabilities(SCORES).exp(), expected)


@every_head
@pytest.mark.parametrize("size", [1e3, 1e4, 1e30])
def test_log_probabilities_of_extreme_scores_are_finite_and_sum_to_one(
    head: Head, size: float
) -> None:
    scores = size * torch.tensor([[-1.0] * 5 + [-0.5] * 5, [0.0] * 9 + [1.0], [-1.0] * 10])
    log_probabilities = head.log_probabilities(scores)
    assert log_probabilities.isfinite().all()
    torch.testing.assert_close(log_probabilities.exp().sum(1), torch.ones(3))


@every_head
def test_extreme_scores_give_finite_losses_and_gradients(head: Head) -> None:
    scores = torch.tensor([[-1e4] * 5 + [-1e3] * 5], requires_grad=True)
    loss = head.loss(scores, torch.tensor([0]))
    loss.backward()
    assert loss.isfinite()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_none_of_them_is_the_last_of_eleven_classes_whatever_is_subtracted_from_all() -> None:
    """A softmax does not change when the same number is taken from every logit."""
    eleven = torch.cat([SCORES, torch.tensor([[2.0]] * 6).double()], dim=1)
    labels = torch.tensor([0, NONE, 4, 4, NONE, 2])
    head, scores = SoftmaxOrNone(), SCORES - 2
    expected = eleven.softmax(1)
    torch.testing.assert_close(head.probabilities(scores), expected[:, :10])
    loss = -expected.log()[torch.arange(6), labels].mean()
    torch.testing.assert_close(head.loss(scores, labels), loss)
    top = expected[:, :10].amax(1)
    torch.testing.assert_close(head.confidence(scores), (top / (1 - top)).log())


def test_confidence_tells_answers_apart_that_float32_takes_for_certain() -> None:
    scores = torch.tensor([[-30.0] * 9 + [30.0], [-30.0] * 9 + [40.0]])
    head = SoftmaxOrNone()
    assert head.probabilities(scores)[:, 9].tolist() == [1, 1]
    assert head.confidence(scores).tolist() == [30, 40]


def test_what_is_no_digit_is_misclassified_where_a_digit_surpasses_none() -> None:
    scores = torch.full((4, 10), -1.0)
    scores[0, 3] = scores[1, 3] = scores[3, 7] = 0.5
    labels = torch.tensor([NONE, 3, NONE, 3])
    assert misclassified(scores, labels).tolist() == [True, False, False, True]


def test_a_network_that_may_reject_has_the_same_parameters() -> None:
    net = mnist_arch.build("batchnorm_cnn", {"rejecting": True})
    assert net.head == SoftmaxOrNone()
    assert net.parameter_count == mnist_arch.build("batchnorm_cnn").parameter_count
