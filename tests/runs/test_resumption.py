"""Broken off within an epoch and resumed, a run ends as if nothing had happened: bit for bit."""

import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import mnist_arch
from mnist_arch.errors import UserError
from mnist_arch.runs import assemble
from mnist_arch.runs.config import compose
from mnist_arch.runs.resumption import newest
from mnist_arch.runs.train import Run
from mnist_arch.training import classifier, stopping
from mnist_arch.training.update import PlainUpdate

pytestmark = pytest.mark.usefixtures("few_to_evaluate")

QUICK = ["data=mnist_5k", "figures=false", "trainer.threads=1", "recipe.max_epochs=3"]
OFTEN = "trainer.save_every=1e-9"  # after each chunk
KINDS = {
    "adam": ["model=mlp", "recipe.keep=best", "data.size=800", "recipe.batch_size=20"],
    "momentum": [
        *("model=lenet5", "recipe/optimizer=sgd", "+recipe.optimizer.momentum=0.9"),
        *("recipe/schedule=cosine", "data.size=300", "recipe.batch_size=20"),
    ],
    "warm-up": [
        "model=mlp",
        "recipe/schedule=warmup_cosine",
        "data.size=410",
        "recipe.batch_size=20",
    ],
    "dropout": ["model=dropout_cnn", "data.size=120", "recipe.batch_size=10"],
    "augmentation": ["model=augmented_cnn", "data.size=90", "recipe.batch_size=10"],
    "batch norm": ["model=batchnorm_cnn", "data.size=120", "recipe.batch_size=10"],
    "single patterns": ["model=lenet5_1998", "data.size=30"],
}


class BrokenOffError(Exception):
    pass


class Break(pl.Callback):
    """Breaks a training off in an epoch, from 0, at the end of a chunk that is not yet saved."""

    def __init__(self, epoch: int, chunk: int) -> None:
        self.at = epoch, chunk

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: object,  # noqa: ARG002
        batch: object,
        batch_idx: int,
    ) -> None:
        if batch and (trainer.current_epoch, batch_idx) >= self.at:
            raise BrokenOffError


@pytest.fixture(autouse=True)
def _small_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(assemble, "CHUNK", 4)
    monkeypatch.setattr(assemble, "CHUNK_OF_A_SLOW_NETWORK", 3)


def train(words: Sequence[str], *callbacks: pl.Callback) -> list[Run]:
    config = compose([*QUICK, *words])
    if config.seeds:
        return mnist_arch.train_together(config, callbacks=callbacks)
    return [mnist_arch.train(config, callbacks=callbacks)]


def broken_off(words: Sequence[str], *places: tuple[int, int]) -> None:
    for place in places:
        with pytest.raises(BrokenOffError):
            train([*words, OFTEN], Break(*place))


def assert_same(run: Run, straight: Run) -> None:
    assert run.record.history == straight.record.history
    assert run.record.scores == straight.record.scores
    assert run.record.kept_epoch == straight.record.kept_epoch
    weights = straight.network().state_dict()
    for name, value in run.network().state_dict().items():
        assert value.equal(weights[name]), name
    ours, theirs = (np.load(each.folder / "predictions.npz") for each in (run, straight))
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    ours, theirs = (EventAccumulator(str(each.folder)).Reload() for each in (run, straight))
    assert sorted(ours.Tags()["scalars"]) == sorted(theirs.Tags()["scalars"])
    for tag in theirs.Tags()["scalars"]:
        assert [(each.step, each.value) for each in ours.Scalars(tag)] == [
            (each.step, each.value) for each in theirs.Scalars(tag)
        ], tag


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_broken_off_within_epochs_ends_as_an_uninterrupted_one(kind: str) -> None:
    words = KINDS[kind]
    (straight,) = train([*words, "runs=straight"])
    broken_off(words, (0, 2), (1, 1), (1, 2), (2, 1))
    (run,) = train(words)
    assert [each["epochs"] for each in run.record.interrupted] == [0, 1, 1, 2]
    assert_same(run, straight)


def test_so_does_one_whose_steps_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a step that is not compiled")

    monkeypatch.setattr(classifier, "WORTH_COMPILING", 1)
    monkeypatch.setattr(PlainUpdate, "__call__", refuse)
    words = KINDS["single patterns"]
    (straight,) = train([*words, "runs=straight"])
    broken_off(words, (0, 2), (1, 1))
    (run,) = train(words)
    assert [each["epochs"] for each in run.record.interrupted] == [0, 1]
    assert_same(run, straight)


@pytest.mark.parametrize("kind", ["adam", "dropout", "single patterns"])
def test_so_do_seeds_that_train_together(kind: str) -> None:
    words = [*KINDS[kind], "seeds=[0,1]"]
    straight = train([*words, "runs=straight"])
    broken_off(words, (0, 2), (1, 2))
    for run, one in zip(train(words), straight, strict=True):
        assert [each["epochs"] for each in run.record.interrupted] == [0, 1]
        assert_same(run, one)


def test_copies_that_were_killed_between_their_checkpoints_go_on_together() -> None:
    words = [*KINDS["adam"], "seeds=[0,1]"]
    straight = train([*words, "runs=straight"])
    broken_off(words, (1, 2))
    behind = next(Path("runs").glob("*-seed1")) / "checkpoints"
    shutil.move(behind / "previous.ckpt", behind / "last.ckpt")
    for run, one in zip(train(words), straight, strict=True):
        assert_same(run, one)


def test_a_first_checkpoint_that_only_one_copy_has_is_no_start() -> None:
    words = [*KINDS["adam"], "seeds=[0,1]"]
    straight = train([*words, "runs=straight"])
    broken_off(words, (0, 1))
    shutil.rmtree(next(Path("runs").glob("*-seed1")) / "checkpoints")
    for run, one in zip(train(words), straight, strict=True):
        assert_same(run, one)


def test_copies_go_on_alone_though_their_chunks_are_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = KINDS["dropout"]
    (straight,) = train([*words, "seed=1", "runs=straight"])
    broken_off([*words, "seeds=[0,1]"], (1, 2))
    monkeypatch.setattr(assemble, "CHUNK_OF_A_SLOW_NETWORK", 5)
    (run,) = train([*words, "seed=1"])
    assert run.record.interrupted[0]["epochs"] == 1
    for name, values in straight.record.history.items():
        assert run.record.history[name] == pytest.approx(values, rel=1e-4), name
    weights = straight.network().state_dict()
    for name, value in run.network().state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=1e-3, atol=1e-4)


def test_what_is_saved_within_an_epoch_says_so() -> None:
    broken_off(KINDS["adam"], (1, 2))
    (folder,) = Path("runs").iterdir()
    saved = newest(folder)
    assert saved
    assert saved.place == (1, 2 * 4)  # one finished epoch, and two chunks of four steps
    assert saved.content["epoch"] == 0  # the last one that is finished
    assert saved.content["global_step"] == 40 + 8


def test_an_epoch_is_saved_when_so_many_seconds_have_passed_and_not_before() -> None:
    with pytest.raises(BrokenOffError):
        train([*KINDS["adam"], "trainer.save_every=1e9"], Break(1, 2))
    (folder,) = Path("runs").iterdir()
    saved = newest(folder)
    assert saved
    assert saved.place == (1, 0)


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "inf"])
def test_a_time_that_is_none_is_refused(seconds: str) -> None:
    with pytest.raises(UserError, match=f"^trainer.save_every={seconds}: must be a number"):
        compose([f"trainer.save_every={seconds}"])


def test_a_folder_is_resumed_wherever_it_lies() -> None:
    words = KINDS["adam"]
    (straight,) = train([*words, "runs=straight"])
    broken_off(words, (1, 2))
    (folder,) = Path("runs").iterdir()
    shutil.move(folder, "moved")
    run = mnist_arch.resume("moved", overrides=["trainer.save_every=5", "logger=tensorboard"])
    assert run.folder == Path("moved")
    assert_same(run, straight)
    assert run.record.config["trainer.save_every"] == 5
    assert not [*Path("runs").iterdir()]
    with pytest.raises(UserError, match=r"^moved: this run is finished"):
        mnist_arch.resume("moved")


def test_a_copy_is_resumed_by_its_folder() -> None:
    words = [*KINDS["adam"], "seeds=[0,1]"]
    broken_off(words, (1, 2))
    (folder,) = Path("runs").glob("*-seed1")
    run = mnist_arch.resume(folder)
    assert (run.folder, run.record.seed, run.record.epochs) == (folder, 1, 3)


@pytest.mark.parametrize(
    "word", ["recipe.max_epochs=4", "seed=1", "+x=1", "trainer.precision=bf16-mixed", "figuress=1"]
)
def test_a_run_that_is_resumed_stays_the_run_that_it_was(word: str) -> None:
    broken_off(KINDS["adam"], (0, 1))
    (folder,) = Path("runs").iterdir()
    before = (folder / "config.yaml").read_bytes()
    with pytest.raises(UserError) as error:
        mnist_arch.resume(folder, overrides=[word])
    assert str(error.value).startswith(f"{word}: an interrupted run goes on as it was begun")
    assert (folder / "config.yaml").read_bytes() == before


@pytest.mark.parametrize("content", [None, "", "[1, 2]", "a: [", "a: 1", "seed: x", "{1: {}}"])
def test_a_folder_that_is_no_run_is_named(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "other").mkdir()
    if content is not None:
        (tmp_path / "other/config.yaml").write_text(content)
    with pytest.raises(UserError) as error:
        mnist_arch.resume("other")
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("other")
    assert [each.name for each in (tmp_path / "other").iterdir()] == ["config.yaml"] * (
        content is not None
    )


def test_the_settings_of_a_folder_do_not_say_whom_to_trust() -> None:
    broken_off(KINDS["adam"], (0, 1))
    (folder,) = Path("runs").iterdir()
    path = folder / "config.yaml"
    hostile = path.read_text().replace("trust: []", "trust: [os]")
    path.write_text(hostile.replace("callbacks: {}", "callbacks: {x: {_target_: os.mkdir}}"))
    assert "os.mkdir" in path.read_text()
    with pytest.raises(UserError, match=r"callbacks\.x\._target_=os\.mkdir: only"):
        mnist_arch.resume(folder)


class Press(pl.Callback):
    """Sends this process a signal at the end of a chunk, and again while there are more."""

    def __init__(self, epoch: int, chunk: int, *numbers: signal.Signals) -> None:
        self.at, self.numbers = (epoch, chunk), numbers

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: object,  # noqa: ARG002
        batch: object,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        if (trainer.current_epoch, batch_idx) == self.at:
            for number in self.numbers:
                signal.raise_signal(number)


@pytest.fixture
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in stopping.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers")
def test_ctrl_c_saves_and_is_a_keyboard_interrupt_to_a_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = KINDS["dropout"]
    (straight,) = train([*words, "runs=straight"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        train(words, Press(1, 1, signal.SIGINT))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    (folder,) = Path("runs").iterdir()
    saved = newest(folder)
    assert saved
    assert saved.place == (1, 2 * 3)
    assert "1.5 of 3 epochs are saved: the same command resumes" in capsys.readouterr().err
    (run,) = train(words)
    assert_same(run, straight)


@pytest.mark.usefixtures("_handlers")
def test_a_second_ctrl_c_is_obeyed_at_once() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        train(KINDS["adam"], Press(1, 1, signal.SIGINT, signal.SIGINT))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    (folder,) = Path("runs").iterdir()
    saved = newest(folder)
    assert saved
    assert saved.place == (1, 0)  # not saved again


@pytest.mark.usefixtures("_handlers")
def test_sigterm_saves_and_is_then_handled_as_the_program_says() -> None:
    came = []
    signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    with pytest.raises(KeyboardInterrupt):
        train(KINDS["adam"], Press(1, 1, signal.SIGTERM))
    assert came == [signal.SIGTERM]
    (folder,) = Path("runs").iterdir()
    saved = newest(folder)
    assert saved
    assert saved.place == (1, 2 * 4)


@pytest.mark.usefixtures("_handlers")
def test_a_signal_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    (run,) = train(KINDS["adam"], Press(1, 1, signal.SIGINT))
    assert run.record.epochs == 3
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
