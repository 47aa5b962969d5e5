"""Every file in conf/ composes, and what it composes to can be built."""

import inspect
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_module

import mnist_arch
from experiments.command import typed
from mnist_arch.errors import UserError
from mnist_arch.runs import assemble
from mnist_arch.runs import config as conf
from mnist_arch.training.curvature import diagonal, random_signs
from mnist_arch.training.optimizers import SDLM

FOLDER = Path(__file__).parents[2] / "conf"
MODELS = mnist_arch.architectures()


def composed(*overrides: str) -> conf.Config:
    with initialize_config_module("conf", version_base="1.3"):
        config: conf.Config = typed(compose("config", list(overrides)))
    return config


def test_with_no_word_lenet5_trains_by_its_own_recipe() -> None:
    config = composed()
    assert (config.model.name, config.data.name, config.seed) == ("lenet5", "mnist", 0)
    assert config.recipe == composed("model=lenet5", "recipe=lenet5").recipe


@pytest.mark.parametrize("name", MODELS)
def test_the_recipe_is_the_models_own_unless_another_is_named(name: str) -> None:
    own = composed(f"model={name}")
    assert own.model.name == name
    assert own.recipe == composed("model=dense", f"recipe={name}").recipe
    assert (own.recipe.claim is None) == (name == "batchnorm_cnn")
    assert composed(f"model={name}", "recipe=modern").recipe.claim is None


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.yaml")), ids=lambda path: path.stem)
def test_every_choice_composes(path: Path) -> None:
    config = composed(f"{path.parent.name}={path.stem}")
    assert config.recipe.max_epochs >= 1


def test_the_paper_of_1998_trains_with_five_global_rates_by_single_patterns() -> None:
    """Section III-B: 0.0005 for two passes, 0.0002 for three, 0.0001 for three, 0.00005 for four
    and 0.00001 thereafter; mu 0.02; h measured on 500 patterns before each of 20 passes."""
    recipe = composed("model=lenet5_1998").recipe
    assert (recipe.max_epochs, recipe.batch_size) == (20, 1)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = assemble.partial_of(recipe.optimizer, "")([weight])
    schedule = assemble.partial_of(recipe.schedule, "")(optimizer)
    (group,) = optimizer.param_groups
    assert (group["mu"], optimizer.patterns) == (0.02, 500)
    rates = []
    for _ in range(20):
        rates.append(group["lr"])
        optimizer.step()
        schedule.step()
    assert rates == [5e-4] * 2 + [2e-4] * 3 + [1e-4] * 3 + [5e-5] * 4 + [1e-5] * 8


@pytest.mark.parametrize("size", [15_000, 30_000, 60_000, 600_000])
def test_the_learning_curve_of_1998_is_its_own_recipe_on_more_or_fewer_digits(size: int) -> None:
    config, own = composed(f"experiment=learning_curve_{size}"), composed("model=lenet5_1998")
    assert config.data.size == size
    augmented = config.recipe.augmentation is not None
    assert augmented == (size == 600_000)
    config.recipe.augmentation, config.data.size = None, None
    assert config == own


@pytest.mark.parametrize("model", MODELS)
def test_distorted_changes_nothing_but_the_distortions(model: str) -> None:
    distorted, own = composed(f"model={model}", "experiment=distorted"), composed(f"model={model}")
    source = composed("model=augmented_cnn").recipe.augmentation
    assert distorted.recipe.augmentation == source
    own.recipe.augmentation, own.recipe.claim = source, None
    assert distorted == own


def test_a_recipe_may_give_other_starting_weights() -> None:
    """F6 has 120 inputs: 2.4 / 120 as printed, 2.4 / sqrt(120) by the recipe."""
    printed = assemble.network(composed("model=lenet5_1998", "recipe.initialization=null"))
    chosen = assemble.network(composed("model=lenet5_1998"))
    for net, bound in ((printed, 2.4 / 120), (chosen, 2.4 / 120**0.5)):
        assert 0.99 * bound < net.f6.weight.abs().max() <= bound


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("recipe/*.yaml")))
@pytest.mark.parametrize("model", ["mlp", "lenet5_1998"])
def test_every_recipe_trains_a_step(name: str, model: str) -> None:
    config = composed(f"model={model}", f"recipe={name}")
    net = assemble.network(config)
    classifier = assemble.classifier(config, net)
    optimizer = classifier.optimizer(assemble.parameter_groups(net, config.recipe.l2))
    images = torch.randint(0, 256, (4, 1, 28, 28), dtype=torch.uint8)
    augmentation = assemble.data_module(config).augmentation
    shown = augmentation(images, torch.Generator()) if augmentation else images
    before = [parameter.detach().clone() for parameter in net.parameters()]
    net.head.loss(net(shown), torch.arange(4)).backward()
    if isinstance(optimizer, SDLM):
        signs = random_signs(net, shown, torch.Generator())
        optimizer.set_curvature(diagonal(net, shown, torch.arange(4), signs))
    optimizer.step()
    assert not all(p.equal(q) for p, q in zip(net.parameters(), before, strict=True))


# Epochs, batch size, optimiser, rate, l2, validation share: as the sources state them.
STATED = {
    "dense": (5, 32, "KerasAdam", 1e-3, 0, 0),
    "mlp": (5, 32, "KerasAdam", 1e-3, 0, 0),
    "dropout_cnn": (10, 32, "KerasAdam", 1e-3, 0, 0),
    "lenet5": (20, None, None, None, None, 0),
    "tanh_cnn": (5, 50, "SGD", 3e-3, 0.04, 0),
    "regularized_cnn": (None, None, None, None, 0, 0.2),
    "augmented_cnn": (None, 64, "KerasAdam", 1e-3, 0, 0.1),
}


@pytest.mark.parametrize("name", STATED)
def test_recipe_is_what_its_source_states(name: str) -> None:
    recipe = composed(f"model={name}").recipe
    ours = (
        recipe.max_epochs,
        recipe.batch_size,
        recipe.optimizer["_target_"].rpartition(".")[2],
        recipe.optimizer["lr"],
        recipe.l2,
        recipe.validation,
    )
    for stated, value in zip(STATED[name], ours, strict=True):
        assert stated is None or stated == value


def test_augmented_cnn_decays_by_0_95_an_epoch_and_distorts_by_ten() -> None:
    recipe = composed("model=augmented_cnn").recipe
    assert recipe.schedule == {
        "_target_": "torch.optim.lr_scheduler.ExponentialLR",
        "gamma": 0.95,
    }
    assert recipe.augmentation is not None
    strengths = {key: recipe.augmentation[key] for key in ("rotation", "zoom", "shift")}
    assert strengths == {"rotation": 10, "zoom": 0.1, "shift": 0.1}


CLAIMED = {
    "dense": (92.41, 0.2702),
    "mlp": (97.59, 0.0769),
    "dropout_cnn": (99.2, 0.025),
    "lenet5": (99.05, None),
    "lenet5_1998": (99.05, None),
    "tanh_cnn": (97.86, None),
    "regularized_cnn": (99.36, None),
    "augmented_cnn": (None, None),
}


@pytest.mark.parametrize("name", CLAIMED)
def test_claim_is_the_sources(name: str) -> None:
    claim = composed(f"model={name}").recipe.claim
    assert claim is not None
    assert (claim.test_accuracy, claim.test_loss) == CLAIMED[name]


def test_no_number_has_two_homes() -> None:
    """What a recipe sets for a distortion, the class has no default for, and the reverse."""
    for name in (path.stem for path in FOLDER.glob("recipe/*.yaml")):
        augmentation = composed("model=mlp", f"recipe={name}").recipe.augmentation
        if augmentation:
            parameters = inspect.signature(
                assemble.partial_of(augmentation, "").func  # type: ignore[union-attr]
            ).parameters
            assert set(augmentation) - {"_target_"} == {
                key for key, p in parameters.items() if p.default is p.empty
            }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"_target_": "torch.optim.Adm"}, "torch.optim has no 'Adm'; did you mean Adam"),
        ({"_target_": "torhc.optim.Adam"}, "No module named 'torhc'"),
        ({"_target_": "torch.optim.SGD", "lrr": 1}, "no setting 'here.lrr'; did you mean lr"),
        ({}, r"here\._target_"),
    ],
)
def test_a_mistyped_target_is_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        assemble.partial_of(settings, "here")


def test_an_impossible_distortion_is_one_line() -> None:
    config = composed("model=augmented_cnn", "recipe.augmentation.zoom=1.5")
    with pytest.raises(UserError) as error:
        assemble.data_module(config)
    assert str(error.value) == "recipe.augmentation: zoom=1.5: must be 0 or more and below 1"
