"""Impossible recipes are refused, each in one line that names the setting."""

import pytest

from mnist_arch.errors import UserError
from mnist_arch.training.recipe import Recipe

POSSIBLE = {
    "max_epochs": 1,
    "batch_size": 1,
    "initialization": None,
    "optimizer": {"_target_": "torch.optim.SGD"},
    "schedule": None,
    "loss": None,
    "l2": 0.0,
    "validation": 0.0,
    "keep": "last",
    "augmentation": None,
}


def test_a_possible_recipe_is_accepted() -> None:
    assert Recipe(**POSSIBLE).keep == "last"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_epochs": -1}, "recipe.max_epochs=-1: must be 1 or more"),
        ({"max_epochs": 0}, "recipe.max_epochs=0: must be 1 or more"),
        ({"batch_size": 0}, "recipe.batch_size=0: must be 1 or more"),
        ({"validation": 1.2}, "recipe.validation=1.2: must be a share"),
        ({"validation": 1.0}, "recipe.validation=1.0: must be a share"),
        ({"validation": -0.1}, "recipe.validation=-0.1: must be a share"),
        ({"validation": float("nan")}, "recipe.validation=nan: must be a share"),
        ({"l2": -1.0}, "recipe.l2=-1.0: must be 0 or more"),
        ({"l2": float("nan")}, "recipe.l2=nan: must be 0 or more"),
        ({"optimizer": {"lr": float("inf")}}, "recipe.optimizer.lr=inf: must be finite"),
        ({"loss": {"label_smoothing": float("nan")}}, "recipe.loss.label_smoothing=nan: must be"),
        ({"keep": "bets"}, "recipe.keep=bets: did you mean best"),
        ({"l2": 0.1, "optimizer": {"weight_decay": 0.1}}, "set one of them to 0"),
    ],
)
def test_an_impossible_one_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        Recipe(**POSSIBLE | change)  # type: ignore[arg-type]
    assert message in str(caught.value)
