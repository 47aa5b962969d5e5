"""Every file in conf/ composes, and what it composes to can be built; words that are no settings
are named."""

import inspect
import sys
from pathlib import Path

import pytest
import torch
from hydra.utils import get_object, instantiate

import mnist_arch
from mnist_arch.data import sources
from mnist_arch.data.augment import RandomAffine
from mnist_arch.errors import UserError
from mnist_arch.models.heads import RadialBasis
from mnist_arch.runs import assemble
from mnist_arch.runs.config import compose
from mnist_arch.training.classifier import Classifier
from mnist_arch.training.curvature import appendix_c, diagonal, random_signs
from mnist_arch.training.optimizers import SDLM

FOLDER = Path(__file__).parents[2] / "conf"
MODELS = mnist_arch.architectures()
GROUPS = sorted(FOLDER.glob("*/**/*.yaml"))


def test_with_no_word_lenet5_trains_by_its_own_recipe() -> None:
    config = compose([])
    assert (config.model.name, config.data.name, config.seed) == ("lenet5", "mnist", 0)
    assert config.recipe == compose(["model=lenet5", "recipe=lenet5"]).recipe


@pytest.mark.parametrize("name", MODELS)
def test_the_recipe_is_the_models_own_unless_another_is_named(name: str) -> None:
    own = compose([f"model={name}"])
    assert own.model.name == name
    assert own.recipe == compose(["model=dense", f"recipe={name}"]).recipe
    assert own.recipe.name == name


@pytest.mark.parametrize("path", GROUPS, ids=lambda path: f"{path.parent.name}={path.stem}")
def test_every_choice_composes(path: Path) -> None:
    group = path.parent.relative_to(FOLDER).as_posix()
    words = ["recipe=modern"] if path.parent.name == "tuned" else []
    assert compose([*words, f"{group}={path.stem}"]).recipe.max_epochs >= 1


@pytest.mark.parametrize("name", MODELS)
def test_the_modern_recipe_takes_each_network_as_it_was_tuned_for_it(name: str) -> None:
    recipe = compose([f"model={name}", "recipe=modern"]).recipe
    tuned = (FOLDER / f"recipe/tuned/{name}.yaml").read_text()
    assert f"lr: {recipe.optimizer['lr'] * 1000:g}e-3" in tuned
    assert ("augmentation: affine" in tuned) == (recipe.augmentation is not None)
    words = [f"model={name}", "recipe=modern", "recipe/augmentation=paper_1998"]
    assert compose(words).recipe.augmentation != recipe.augmentation


def test_the_paper_of_1998_trains_with_five_global_rates_by_single_patterns() -> None:
    """Section III-B: 0.0005 for two passes, 0.0002 for three, 0.0001 for three, 0.00005 for four
    and 0.00001 thereafter; mu 0.02; h measured on 500 patterns before each of 20 passes."""
    recipe = compose(["model=lenet5_1998"]).recipe
    assert (recipe.max_epochs, recipe.batch_size) == (20, 1)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = instantiate(recipe.optimizer, [weight])
    schedule = instantiate(recipe.schedule, optimizer)
    (group,) = optimizer.param_groups
    assert (group["mu"], optimizer.patterns) == (0.02, 500)
    rates = []
    for _ in range(20):
        rates.append(group["lr"])
        optimizer.step()
        schedule.step()
    assert rates == [5e-4] * 2 + [2e-4] * 3 + [1e-4] * 3 + [5e-5] * 4 + [1e-5] * 8


def test_the_first_effective_rates_of_1998_are_those_that_the_paper_prints() -> None:
    """Section III-B: in the first pass eta / (mu + h) "varied between approximately 7e-5 and
    0.016". Extremes of 60,000 parameters depend on the seed: of seven, the median is compared."""
    images = sources.load("mnist_5k", Path("unused")).train.images[:500]
    extremes = []
    for seed in range(7):
        config = compose(["model=lenet5_1998", f"seed={seed}"])
        net, optimizer = assemble.network(config), config.recipe.optimizer
        h = appendix_c(net, images)
        rates = torch.cat([5e-4 / (optimizer["mu"] + each).flatten() for each in h.values()])
        extremes.append(torch.stack([rates.min(), rates.max()]))
    smallest, greatest = torch.stack(extremes).median(0).values.tolist()
    assert 7e-5 / 1.5 < smallest < 7e-5 * 1.5
    assert 0.016 / 1.5 < greatest < 0.016 * 1.5


def test_one_random_order_can_be_shown_again_and_again() -> None:
    """Appendix C: "presented in a constant random order"."""
    for words, again in (([], True), (["recipe.reshuffle=false"], False)):
        data = assemble.data_module(compose(["model=lenet5_1998", "data=mnist_5k", *words]))
        data.setup()
        sampler = data.train_dataloader().sampler
        assert sampler is not None
        assert sampler.reshuffle is again


def test_the_loss_of_1998_is_that_of_its_head() -> None:
    settings = compose(["model=lenet5_1998"]).recipe.loss
    assert settings is not None
    assert RadialBasis(settings["j"], settings["factor"]) == mnist_arch.build("lenet5_1998").head


def test_the_distortions_of_1998_come_beside_its_60_000_digits() -> None:
    """Fig. 6's 0.8 %: 540,000 distorted images and the 60,000; else the paper's own training."""
    config, own = compose(["experiment=distorted_1998"]), compose(["model=lenet5_1998"])
    assert config.data.size == 600_000
    assert config.recipe.augmentation is not None
    config.recipe.augmentation, config.data.size = None, None
    assert (config.recipe, config.data, config.model) == (own.recipe, own.data, own.model)


@pytest.mark.parametrize("model", MODELS)
def test_distorted_changes_nothing_but_the_augmentation(model: str) -> None:
    distorted, own = (
        compose([f"model={model}", "experiment=distorted"]),
        compose([f"model={model}"]),
    )
    own.recipe.augmentation = compose(["model=augmented_cnn"]).recipe.augmentation
    assert distorted.recipe == own.recipe
    before = own.settings
    changes = {key: value for key, value in distorted.settings.items() if before[key] != value}
    assert changes == {"label": "distorted", "experiment": "distorted"}


def test_the_speedrun_spends_its_schedule_on_all_images_whatever_its_length() -> None:
    for words, epochs in (([], None), (["recipe.max_epochs=3"], 3)):
        config = compose(["experiment=speedrun", *words])
        assert (config.recipe.validation, config.data.size, config.test) == (0, None, True)
        assert config.recipe.schedule is not None
        assert config.recipe.schedule["epochs"] == config.recipe.max_epochs
        assert epochs in (None, config.recipe.max_epochs)


def test_a_recipe_may_give_other_starting_weights() -> None:
    """F6 has 120 inputs: 2.4 / 120 as printed, 1.4 / sqrt(120) by the recipe."""
    printed = assemble.network(compose(["model=lenet5_1998", "recipe.initialization=null"]))
    chosen = assemble.network(compose(["model=lenet5_1998"]))
    for net, bound in ((printed, 2.4 / 120), (chosen, 1.4 / 120**0.5)):
        assert 0.99 * bound < net.f6.weight.abs().max() <= bound


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("recipe/*.yaml")))
@pytest.mark.parametrize("model", ["mlp", "lenet5_1998"])
def test_every_recipe_trains_a_step(name: str, model: str) -> None:
    config = compose([f"model={model}", f"recipe={name}"])
    net = assemble.network(config)
    classifier = assemble.classifier(config, net)
    assert type(classifier) is Classifier
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
    recipe = compose([f"model={name}"]).recipe
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
    recipe = compose(["model=augmented_cnn"]).recipe
    assert recipe.schedule == {
        "_target_": "torch.optim.lr_scheduler.ExponentialLR",
        "gamma": 0.95,
    }
    assert recipe.augmentation is not None
    strengths = {key: recipe.augmentation[key] for key in ("rotation", "zoom", "shift")}
    assert strengths == {"rotation": 10, "zoom": 0.1, "shift": 0.1}


def test_no_number_has_two_homes() -> None:
    """What a setting gives an augmentation, the class has no default for, and the reverse."""
    for path in FOLDER.glob("recipe/augmentation/*.yaml"):
        settings = compose([f"recipe/augmentation={path.stem}"]).recipe.augmentation
        if settings:
            parameters = inspect.signature(get_object(settings["_target_"])).parameters
            required = {key for key, each in parameters.items() if each.default is each.empty}
            assert settings.keys() - {"_target_"} == required


TARGET = "recipe.optimizer._target_"
MISTYPED = [
    (f"{TARGET}=torch.optim.Adm", f"{TARGET}: no 'torch.optim.Adm' in torch.optim; did you mean"),
    (f"{TARGET}=torch.nn.functional.importlib.reload", f"{TARGET}: 'torch.nn.functional.importl"),
    ("+recipe.optimizer.lrr=1", "no setting 'recipe.optimizer.lrr'; did you mean lr?"),
    (f"~{TARGET}", "recipe.optimizer: needs a _target_"),
    ("recipe.optimizer.lr=-1", "recipe.optimizer: Invalid learning rate: -1"),
    ("recipe.schedule.T_max=0", "recipe.schedule: "),
]


@pytest.mark.parametrize(("word", "message"), MISTYPED, ids=[word for word, _ in MISTYPED])
def test_a_part_that_cannot_be_built_is_named(word: str, message: str) -> None:
    config = compose([word])
    with pytest.raises(UserError) as error:
        assemble.classifier(config, assemble.network(config))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    "word",
    [
        f"{TARGET}=torhc.optim.Adam",
        f"{TARGET}=Adam",
        f"{TARGET}=builtins.exec",
        f"{TARGET}=torch.hub.load",
        f"{TARGET}=torch.optimism.Adam",
        "recipe.schedule._target_=os.abort",
        "+callbacks.mine._target_=antigravity.fly",
        "+logger.mine._target_=this.s",
    ],
)
def test_nothing_is_imported_but_what_is_trusted(word: str) -> None:
    """Python prints a poem when it imports `this`, and opens a browser for `antigravity`."""
    with pytest.raises(UserError) as error:
        compose([word])
    assert "_target_=" in str(error.value)
    assert ": only torch.optim, torch.nn, pytorch_lightning.callbacks, " in str(error.value)
    assert not {"this", "antigravity"} & sys.modules.keys()


def test_a_package_of_ones_own_is_trusted_by_a_word() -> None:
    config = compose([f"{TARGET}=statistics.mean", "trust=[statistics]"])
    with pytest.raises(UserError, match=r"no setting 'recipe\.optimizer"):  # it is no optimiser
        assemble.classifier(config, assemble.network(config))


def test_an_impossible_loss_is_one_line() -> None:
    config = compose(["recipe/loss=label_smoothing", "recipe.loss.label_smoothing=2"])
    with pytest.raises(UserError, match=r"^recipe\.loss: label_smoothing must be between 0"):
        assemble.classifier(config, assemble.network(config))


def test_an_impossible_augmentation_is_one_line() -> None:
    config = compose(["model=augmented_cnn", "recipe.augmentation.zoom=1.5"])
    with pytest.raises(UserError) as error:
        assemble.data_module(config)
    assert str(error.value) == "recipe.augmentation: zoom=1.5: must be 0 or more and below 1"


# What a user can say with words alone.


def test_another_optimizer_comes_with_its_own_arguments_and_none_of_the_old_ones() -> None:
    config = compose(["recipe/optimizer=adamw", "recipe.optimizer.lr=5e-4"])
    (optimizer,), _ = assemble.classifier(config, assemble.network(config)).configure_optimizers()
    assert type(optimizer) is torch.optim.AdamW
    assert optimizer.defaults["lr"] == 5e-4
    assert "momentum" not in optimizer.defaults
    kernels, vectors = optimizer.param_groups
    # AdamW's own weight decay, in place of the recipe's l2.
    assert (kernels["weight_decay"], vectors["weight_decay"], config.recipe.l2) == (0.01, 0, 0)


def test_schedule_and_augmentation_can_be_left_out_or_exchanged() -> None:
    assert compose(["recipe/schedule=none"]).recipe.schedule is None
    assert compose(["recipe.schedule=null"]).recipe.schedule is None
    without = compose(["model=augmented_cnn", "recipe/augmentation=none"])
    assert assemble.data_module(without).augmentation is None
    other = assemble.data_module(compose(["model=dense", "recipe/augmentation=affine"]))
    assert isinstance(other.augmentation, RandomAffine)


def test_loggers_go_beside_or_instead_of_each_other(tmp_path: Path) -> None:
    for word, kinds in (
        ("logger=csv", ["CSVLogger"]),
        ("logger=[tensorboard,csv]", ["TensorBoardLogger", "CSVLogger"]),
        ("logger=none", []),
    ):
        loggers = assemble.loggers(compose([word]), tmp_path)
        assert [type(logger).__name__ for logger in loggers] == kinds
        assert all(Path(logger.save_dir or "") == tmp_path for logger in loggers)


def test_any_argument_of_lightnings_trainer_can_be_given(tmp_path: Path) -> None:
    words = ["+trainer.detect_anomaly=true", "+trainer.limit_train_batches=3"]
    trainer = assemble.trainer(compose(words), tmp_path, [], validate=False)
    assert (trainer._detect_anomaly, trainer.limit_train_batches) == (True, 3)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("+trainer.fast_dev_rum=true", "no setting 'trainer.fast_dev_rum'; did you mean fast_dev"),
        ("+trainer.max_epochs=3", "trainer.max_epochs=3: set recipe.max_epochs"),
        ("trainer.devices=1000", "trainer.devices=1000: there are "),
        ("trainer.devices=two", "trainer.devices=two: must be a number"),
        ("+trainer.num_nodes=2", "trainer.num_nodes=2: "),
        ("+trainer.limit_train_batches=-1", "trainer: "),
        (
            "+logger.other._target_=pytorch_lightning.loggers.CSVLoger",
            "logger.other._target_: no 'pytorch_lightning.loggers.CSVLoger'",
        ),
        (
            "callbacks=early_stopping",
            "callbacks.early_stopping.monitor=validation/errors: nothing",
        ),
    ],
)
def test_a_trainer_that_cannot_be_built_is_one_line(
    tmp_path: Path, word: str, message: str
) -> None:
    with pytest.raises(UserError) as error:
        assemble.trainer(compose([word]), tmp_path, [], validate=False)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_an_experiment_file_wins_over_every_group(tmp_path: Path) -> None:
    """One key of each, in a folder that the user names."""
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text(
        """\
# @package _global_
defaults:
  - override /model: mlp
  - override /recipe/optimizer: sgd
  - override /logger: csv
  - override /callbacks: early_stopping
seed: 7
figures: false
test: false
label: mine
trainer:
  precision: bf16-mixed
recipe:
  max_epochs: 3
  validation: 0.1
data:
  size: 1000
callbacks:
  early_stopping:
    patience: 1
"""
    )
    config = compose(["experiment=mine", f"hydra.searchpath=[file://{tmp_path}]"])
    assert (config.seed, config.figures, config.test, config.label) == (7, False, False, "mine")
    assert (config.model.name, config.recipe.name) == ("mlp", "mlp")
    assert (config.recipe.max_epochs, config.recipe.validation) == (3, 0.1)
    assert config.recipe.optimizer["_target_"] == "torch.optim.SGD"
    assert config.trainer["precision"] == "bf16-mixed"
    assert config.data.size == 1000
    assert [*config.logger] == ["csv"]
    assert config.callbacks["early_stopping"]["patience"] == 1


@pytest.mark.parametrize("word", ["recipe/loss=[1,2]", "model=[[1]]", "trust.x=[mnist_arch]"])
def test_words_that_hydra_itself_stumbles_over_are_one_line(word: str) -> None:
    with pytest.raises(UserError, match=r"^no settings can be made of these words \(.+\)$"):
        compose([word])


@pytest.mark.parametrize("content", [b"lr: caf\xe9\n", b"[" * 5_000, b"a: b: c\n"])
def test_an_own_file_of_settings_that_is_none_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe/mine.yaml").write_bytes(content)
    with pytest.raises(UserError) as error:
        compose(["recipe=mine", f"hydra.searchpath=[file://{tmp_path}]"])
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


def test_what_is_composed_does_not_change_what_is_composed_next() -> None:
    """Hydra's store of settings is never copied as a whole; what comes from it must be."""
    first = compose(["model=mlp"])
    first.trainer["threads"] = first.recipe.optimizer["lr"] = 7
    compose(["model=mlp", "recipe.optimizer.lr=3", "+trainer.limit_train_batches=9", "seed=5"])
    second = compose(["model=mlp"])
    assert second != first
    assert (second.seed, second.trainer["threads"], second.recipe.optimizer["lr"]) == (
        0,
        None,
        1e-3,
    )
    assert "limit_train_batches" not in second.trainer
