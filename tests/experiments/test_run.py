"""`python -m experiments.run`, as a user types it, on 5,000 real digits."""

import os
import pty
import shlex
import shutil
import subprocess
import sys
import termios
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

import mnist_arch
from experiments.sweeps import draw_undrawn, once
from mnist_arch.data import sources
from mnist_arch.data.idx import FILES, encode
from mnist_arch.errors import UserError
from mnist_arch.reports import tensorboard
from mnist_arch.reports.tensorboard import FIGURES, figures
from mnist_arch.runs.config import compose
from mnist_arch.runs.metrics import METRICS
from mnist_arch.runs.records import read
from tests.data.test_sources import contents, write

Command = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ["model=mlp", "data=mnist_5k", "recipe.max_epochs=2"]
NAME = "mlp-mnist_5k-max_epochs=2-seed0"


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The same run twice in one folder, drawn once; returns the folder and the two outputs."""
    folder, lines = tmp_path_factory.mktemp("two"), []
    for again in ([], ["again=true", "figures=false"]):
        done = subprocess.run(
            [sys.executable, "-m", "experiments.run", *QUICK, *again],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        lines.append(done.stdout)
        assert [line.split(":")[0] for line in done.stderr.splitlines()] == [
            "mlp epoch 1/2",
            "mlp epoch 2/2",
        ]
    return folder / "runs", lines


def test_a_run_leaves_its_evidence(two_runs: tuple[Path, list[str]]) -> None:
    runs, _ = two_runs
    names = {path.name.split(".")[0] for path in (runs / NAME).iterdir()}
    tensorboards = {"events", "hparams", "projector_config", "00000"}
    ours = {"record", "predictions", "checkpoints", "config", "figures"}
    assert names == ours | tensorboards
    assert len(list((runs / NAME / "figures").iterdir())) == 5
    assert [path.name for path in (runs / NAME / "checkpoints").iterdir()] == ["last.ckpt"]


def test_the_last_line_says_the_result(two_runs: tuple[Path, list[str]]) -> None:
    runs, lines = two_runs
    scores = read(runs / NAME).scores["test"]
    assert lines[0].startswith(
        f"mlp seed=0: {100 - scores['errors'] / 5:.2f} % on MNIST-5k test "
        f"({scores['errors']} errors of 500), loss {scores['loss']:.4f}, 2 epochs in "
    )
    assert lines[0].endswith(f" s -> runs/{NAME}\n")


def test_trained_again_a_run_has_the_same_weights_in_another_folder(
    two_runs: tuple[Path, list[str]],
) -> None:
    runs, _ = two_runs
    states = [mnist_arch.load(runs / name).net.state_dict() for name in (NAME, f"{NAME}-2")]
    assert all(value.equal(states[1][key]) for key, value in states[0].items())


def test_a_finished_run_typed_again_says_so_and_trains_nothing(
    two_runs: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, lines = two_runs
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    done = subprocess.run(
        [sys.executable, "-m", "experiments.run", *QUICK, "trainer.threads=1"],
        cwd=runs.parent,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{lines[0][:-1]} (finished before; again=true trains another)\n"
    monkeypatch.chdir(runs.parent)
    run = mnist_arch.train("mlp", overrides=QUICK[1:])
    assert (run.folder, run.record) == (Path("runs") / NAME, read(runs / NAME))
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*")} == before


def test_figures_whose_drawing_was_broken_off_are_drawn_again(
    two_runs: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, _ = two_runs
    drawn = runs / NAME / "figures"
    before = {path.name: path.read_bytes() for path in drawn.iterdir()}
    drawn.rename(drawn.with_name("figures.part"))
    (drawn.with_name("figures.part") / "confusion.png").write_bytes(b"")
    monkeypatch.chdir(runs.parent)
    folders, finished_before = once(lambda: compose(QUICK), "command")()
    assert (folders, finished_before) == ([Path("runs") / NAME], True)
    assert {path.name: path.read_bytes() for path in drawn.iterdir()} == before
    assert not drawn.with_name("figures.part").exists()


def test_what_another_is_drawing_is_waited_for_and_not_drawn_again(
    two_runs: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, _ = two_runs
    drawn = runs / NAME / "figures"
    before = {path.name: path.read_bytes() for path in drawn.iterdir()}
    drawn.rename(runs.parent / "aside")
    monkeypatch.chdir(runs.parent)
    drawings = []
    monkeypatch.setattr(tensorboard, "figures", lambda *of: drawings.append(of) or figures(*of))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(draw_undrawn, [[Path("runs") / NAME]] * 3))
    assert len(drawings) == 1
    assert {path.name: path.read_bytes() for path in drawn.iterdir()} == before
    assert len([*drawn.parent.glob(f"events.out.tfevents.*{FIGURES}")]) == 1
    shutil.rmtree(runs.parent / "aside")


AWKWARD = ["a=b", "with blanks", "Läufe", "a, b", "[2024] {x}", "it's", 'a "quote"', "100%$"]


def test_a_folder_of_any_name_holds_data_and_runs(command: Command, tmp_path: Path) -> None:
    name = "/".join(AWKWARD)
    write(tmp_path / name, contents())
    words = ["model=dense", "data=idx", "recipe.max_epochs=1", f"data.root={name}"]
    done = command("experiments.run", *words, f"runs={name}/runs")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / name / "runs").iterdir()
    record = read(folder)
    assert (record.config["data.root"], record.config["runs"]) == (name, f"{name}/runs")
    assert len(list((folder / "figures").iterdir())) == 5
    assert {path.name for path in tmp_path.iterdir()} == {AWKWARD[0]}
    repeated = shlex.split(record.provenance.command)
    done = command(*repeated[2:])
    assert "(finished before; again=true trains another)" in done.stdout, done.stderr


@pytest.mark.parametrize("name", AWKWARD)
def test_a_path_among_words_is_what_was_typed(name: str) -> None:
    for path in (name, f"{name}\\", f"\\{name}'", "\\\\'"):
        config = compose([f"runs={path}", f"data.root={path}"])
        assert (config.runs, config.data.root) == (path, path)
    assert compose(["data.root=null", "runs='a b'"]).data.root is None
    assert compose(["runs='a b'"]).runs == "a b"
    assert compose(["runs=${label}x", "label=y"]).runs == "yx"


def test_a_setting_with_dashes_is_refused_with_the_right_words(command: Command) -> None:
    for words, say in ((["--seed", "3"], "seed=3"), (["--model=mlp"], "model=mlp")):
        done = command("experiments.run", *words)
        assert done.returncode == 2
        assert done.stderr == f"error: {words[0]}: settings have no dashes; say {say}\n"


def test_an_empty_class_survives_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels 1 to 9, as of letters cut to nine: no 0 in either split."""
    draws = np.random.default_rng(0)
    files = {}
    for (images, labels), count in zip(FILES, (90, 45), strict=True):
        pixels = draws.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        files[images] = encode(pixels)
        files[labels] = encode((1 + np.arange(count) % 9).astype(np.uint8))
    write(tmp_path / "own", files)
    monkeypatch.chdir(tmp_path)
    words = ["data=idx", "data.root=own", "recipe.max_epochs=1", "recipe.validation=0.3"]
    for model in ("dense", "mlp"):
        record = mnist_arch.train(model, overrides=words).record
        assert [sum(row) for row in record.confusion or []] == [0] + [5] * 9
        assert sum(record.errors_by_label) == record.score("test", "errors")
    folds = ["data.fold=3", "figures=false", "runs=folds"]
    mnist_arch.train("dense", overrides=[*words, *folds])
    own = ("--data", "idx", "--root", "own")
    for module, *rest in (
        ("compare", "runs/*", "--html", "page.html"),
        ("ensemble", "runs/*"),
        ("explore", *own),
        ("distortions", *own),
        ("robustness", "--sheet", "--docs", ".", *own),
    ):
        monkeypatch.setattr(sys, "argv", [module, *rest])
        import_module(f"experiments.{module}").main()


def test_the_record_follows_from_the_predictions(two_runs: tuple[Path, list[str]]) -> None:
    folder = two_runs[0] / NAME
    record, saved = read(folder), np.load(folder / "predictions.npz")
    test = sources.load("mnist_5k", Path("unused")).test
    assert saved["scores"].shape == (500, 10)
    np.testing.assert_array_equal(saved["labels"], test.labels.numpy())
    wrong = saved["scores"].argmax(1) != saved["labels"]
    errors = record.score("test", "errors")
    assert errors == wrong.sum() == sum(record.errors_by_label)
    assert record.errors_by_label[7] == wrong[saved["labels"] == 7].sum()
    assert np.trace(record.confusion) == 500 - errors
    scores = torch.from_numpy(saved["scores"]).double()
    loss = mnist_arch.build("mlp").head.loss(scores, test.labels)
    assert record.score("test", "loss") == pytest.approx(loss.item())


def test_the_kept_weights_give_the_recorded_errors(two_runs: tuple[Path, list[str]]) -> None:
    record, net = read(two_runs[0] / NAME), mnist_arch.load(two_runs[0] / NAME).net
    dataset = sources.load("mnist_5k", Path("unused"))
    for name in ("train", "validation", "test"):
        split = getattr(dataset, name)
        errors = int((net(split.images).argmax(1) != split.labels).sum())
        assert errors == record.score(name, "errors")
        assert record.images[name] == len(split.labels)


def test_the_record_says_what_was_run(two_runs: tuple[Path, list[str]]) -> None:
    record = read(two_runs[0] / NAME)
    assert record.provenance.command == "python -m experiments.run " + " ".join(QUICK)
    assert record.variant == {"recipe.max_epochs": 2}
    assert (record.architecture, record.recipe, record.data) == ("mlp", "mlp", "mnist_5k")
    assert record.images == {"train": 4000, "validation": 500, "test": 500}
    assert record.parameters == 79_510
    assert record.config["recipe.optimizer.lr"] == 1e-3
    assert record.provenance.versions["torch"] == torch.__version__.partition("+")[0]
    assert {name: len(figures) for name, figures in record.history.items()} == {
        **{f"{s}/{f}": 2 for s in ("train", "validation") for f in ("loss", "errors", "accuracy")},
        "learning_rate": 2,
    }
    scores = record.scores["test"]
    assert scores["accuracy"] == 100 * (500 - scores["errors"]) / 500


def test_checkpoints_are_plain_data_and_say_what_they_are(
    two_runs: tuple[Path, list[str]],
) -> None:
    path = two_runs[0] / NAME / "checkpoints/last.ckpt"
    metadata = torch.load(path, weights_only=True)["mnist_arch"]
    record = read(two_runs[0] / NAME)
    assert metadata["architecture"] == metadata["recipe"] == "mlp"
    assert metadata["split_digest"] == record.split_digest
    assert metadata["provenance"] == asdict(record.provenance)
    assert metadata["config"] == record.config


def test_tensorboard_shows_curves_by_epoch_and_the_final_test(
    two_runs: tuple[Path, list[str]],
) -> None:
    folder = two_runs[0] / NAME
    record, events = read(folder), EventAccumulator(str(folder)).Reload()
    figures = ["loss", "errors", "accuracy"]
    curves = {f"{split}/{figure}" for split in ("train", "validation") for figure in figures}
    curves |= {f"error_percent/{split}" for split in ("train", "validation")}
    finals = {"error_percent/test"} | {f"test/{name}" for name in METRICS}
    assert set(events.Tags()["scalars"]) == curves | finals | {"learning_rate"}
    for tag in curves:
        assert [event.step for event in events.Scalars(tag)] == [1, 2]
        split = tag.partition("/")[2]
        values = record.history.get(tag) or [100 - v for v in record.history[f"{split}/accuracy"]]
        assert [event.value for event in events.Scalars(tag)] == pytest.approx(values)
    (errors,) = events.Scalars("test/errors")
    assert (errors.step, errors.value) == (2, record.score("test", "errors"))


def test_the_hparams_tab_has_real_metrics_and_full_columns(
    two_runs: tuple[Path, list[str]],
) -> None:
    folder = two_runs[0] / NAME
    # no folder of its own for them, which would double the list of runs
    assert len(list(folder.rglob("events.*"))) == len(list(folder.glob("events.*")))
    events = EventAccumulator(str(folder)).Reload()
    content = {
        tag: plugin_data_pb2.HParamsPluginData.FromString(
            events.SummaryMetadata(tag).plugin_data.content
        )
        for tag in events.PluginTagToContent("hparams")
    }
    experiment = content["_hparams_/experiment"].experiment
    metrics = {metric.name.tag for metric in experiment.metric_infos}
    assert metrics == {f"test/{name}" for name in METRICS}
    session = content["_hparams_/session_start_info"].session_start_info
    assert session.group_name == "mlp seed 0: mnist_5k, max_epochs=2"
    # The tab sorts its columns by their internal names, and shows five at first.
    columns = sorted(experiment.hparam_infos, key=lambda column: column.name)
    titles = [column.display_name for column in columns]
    assert titles[:3] == ["test accuracy, %", "test errors", "network"]
    values = {column.display_name: session.hparams[column.name] for column in columns}
    assert values["test errors"].number_value == read(folder).score("test", "errors")
    assert values["network"].string_value == "mlp"
    assert values["learning rate"].number_value == 1e-3
    assert values["seed"].number_value == 0
    assert all(value.WhichOneof("kind") != "null_value" for value in values.values())


def test_a_sweep_trains_every_combination(command: Command, tmp_path: Path) -> None:
    words = ["model=dense,lenet5_1998", "seed=0,1", "recipe=modern", "data=mnist_5k"]
    words.append("figures=false")
    done = command("experiments.run", *words, "-m", "recipe.max_epochs=1", "recipe.batch_size=500")
    assert done.returncode == 0, done.stderr
    end = "modern-mnist_5k-batch_size=500-max_epochs=1-seed"
    names = [f"{model}-{end}{seed}" for model in ("dense", "lenet5_1998") for seed in (0, 1)]
    assert sorted(path.name for path in (tmp_path / "runs").glob("*-seed*")) == names
    records = [read(tmp_path / "runs" / name) for name in names]
    assert [record.seed for record in records] == [0, 1, 0, 1]
    assert {record.kept_epoch for record in records} == {1}
    assert {record.checkpoint for record in records} == {"checkpoints/last.ckpt"}
    results, table, written = done.stdout.split("\n\n")
    means = [f"{model}-{end.removesuffix('-seed')}-mean" for model in ("dense", "lenet5_1998")]
    shown = [f"runs/{name} (for TensorBoard)" for name in (*means, "comparison")]
    assert written.splitlines()[1:] == shown
    assert [line.split()[0] for line in results.splitlines()] == ["dense"] * 2 + [
        "lenet5_1998"
    ] * 2
    firsts = [line.split()[0] for line in table.splitlines() if not line.startswith(" ")]
    assert firsts == ["network", "dense", "lenet5_1998"]
    tuned = ("recipe.augmentation", "recipe.loss")  # of each network
    keys = {tuple(k for k in sorted(each.config) if not k.startswith(tuned)) for each in records}
    assert len(keys) == 1
    weights = [mnist_arch.load(tmp_path / "runs" / name).net.state_dict() for name in names[:2]]
    assert not weights[0]["output.weight"].equal(weights[1]["output.weight"])


def test_a_killed_run_goes_on_where_it_was_and_ends_bit_identical(tmp_path: Path) -> None:
    words = ["model=mlp", "recipe=modern", "data=mnist_5k", "recipe.max_epochs=5"]
    words = [sys.executable, "-m", "experiments.run", *words, "recipe.batch_size=16"]
    words += ["recipe.keep=best", "figures=false"]

    def started(folder: str) -> subprocess.Popen[str]:
        (tmp_path / folder).mkdir(exist_ok=True)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(words, cwd=tmp_path / folder, text=True, **pipes)

    with started("straight") as process:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0
    with started("killed") as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("mlp epoch 1/5")
        assert process.stderr.readline().startswith("mlp epoch 2/5")
        process.kill()
    with started("killed") as process:
        resumed, told = process.communicate(timeout=300)
        assert process.returncode == 0, told
    name = "mlp-modern-mnist_5k-batch_size=16-keep=best-max_epochs=5-seed0"
    (folder,) = (tmp_path / "killed/runs").iterdir()
    assert folder.name == name
    record, straight = read(folder), read(tmp_path / "straight/runs" / name)
    (parted,) = record.interrupted
    assert parted["epochs"] in (1, 2, 3)
    assert parted["commit"] == straight.provenance.commit
    assert told.startswith(f"runs/{name}/checkpoints/last.ckpt: resuming after epoch ")
    assert f"mlp epoch {parted['epochs'] + 1}/5" in told
    assert f"mlp epoch {parted['epochs']}/5" not in told
    assert output.partition(" in ")[0] == resumed.partition(" in ")[0]
    assert record.history == straight.history
    events = EventAccumulator(str(folder)).Reload()
    for tag in record.history:  # each epoch once, those before the kill included
        assert [event.step for event in events.Scalars(tag)] == [1, 2, 3, 4, 5]
    assert record.kept_epoch == straight.kept_epoch
    for kept in ("last", "best"):
        nets = [
            torch.load(tmp_path / place / "runs" / name / f"checkpoints/{kept}.ckpt")["state_dict"]
            for place in ("straight", "killed")
        ]
        assert all(value.equal(nets[1][key]) for key, value in nets[0].items())
    assert not straight.interrupted


def test_a_run_that_is_not_to_read_the_test_digits_does_not(
    command: Command, tmp_path: Path
) -> None:
    done = command("experiments.run", *QUICK, "test=false")
    assert done.stdout.startswith("mlp seed=0: ")
    assert " % on MNIST-5k validation (" in done.stdout
    folder = tmp_path / "runs/mlp-mnist_5k-test=false-max_epochs=2-seed0"
    record = read(folder)
    assert record.scores.keys() == record.images.keys() == {"train", "validation"}
    assert record.confusion is None
    saved = np.load(folder / "predictions.npz")  # of the validation images
    wrong = (saved["scores"].argmax(1) != saved["labels"]).sum()
    assert len(saved["labels"]) == record.images["validation"]
    assert wrong == record.scores["validation"]["errors"]
    assert not (folder / "figures").exists()
    tags = EventAccumulator(str(folder)).Reload().Tags()["scalars"]
    assert not [tag for tag in tags if tag.startswith("test")]


def test_on_a_terminal_there_is_one_bar_for_the_whole_training(tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 120))
    done = subprocess.run(
        [sys.executable, "-m", "experiments.run", *QUICK, "model=dense", "figures=false"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=terminal,
        check=True,
    )
    os.close(terminal)
    drawn = b""
    while True:
        try:
            drawn += os.read(screen, 65536)
        except OSError:  # Linux says so when the terminal's other end is closed
            break
    os.close(screen)
    last = drawn.decode().strip().rpartition("\r")[2]
    assert "dense epoch 2/2 |" in last
    assert "validation" in last
    assert "loss" in last
    assert drawn.count(b"\n") == 1
    assert b"dense seed=0" in done.stdout


MISTAKES = {
    "model=lenet6": "model=lenet6: no such choice; did you mean lenet5?",
    "modle=mlp": "no setting 'modle'; did you mean model?",
    "sede=1": "no setting 'sede'; did you mean seed?",
    "+sede=1": "no setting 'sede'; did you mean seed?",
    "precision=bf16-mixed": "no setting 'precision'; did you mean trainer.precision?",
    "+lr=1": "no setting 'lr'; did you mean recipe.optimizer.lr?",
    "recipe.max_epoch=3": "no setting 'recipe.max_epoch'; did you mean max_epochs?",
    "+recipe.max_epoch=3": "no setting 'recipe.max_epoch'; did you mean max_epochs?",
    "+recipe.claim=x": "no setting 'recipe.claim'; valid are ",
    "recipe/optimizer=adamm": "recipe/optimizer=adamm: no such choice; did you mean adamw?",
    "recipe/optimiser=adamw": "no setting 'recipe/optimiser'",
    "logger=tensorbord": "logger=tensorbord: no such choice; did you mean tensorboard?",
    "trainer.acelerator=cpu": "no setting 'trainer.acelerator'; did you mean accelerator?",
    "recipe=modrn": "recipe=modrn: no such choice; did you mean modern?",
    "data=mnist5k": "data=mnist5k: no such choice; did you mean mnist_5k?",
    "recipe.max_epochs=-1": "recipe.max_epochs=-1: must be 1 or more",
    "recipe.batch_size=0": "recipe.batch_size=0: must be 1 or more",
    "recipe.validation=1.2": "recipe.validation=1.2: must be a share of the training set",
    "recipe.max_epochs=three": "recipe.max_epochs: Value 'three'",
    "data.size=0": "data.size=0: must be 1 or more",
    "seed=-1": "seed=-1: must be 0 or more",
    "seed=zero": "seed: Value 'zero'",
    "seed=0,1": "Ambiguous value for argument 'seed=0,1'",
    "seed": "Error parsing override 'seed'",
    "trainer.accelerator=gpo": "trainer.accelerator=gpo: did you mean gpu?",
    "recipe.augmentation={_target_:x}": "a word sets a part of a setting that is null",
    "+recipe.augmentation._target_=x": "a word sets a part of a setting that is null",
    "trainer.threads=0": "trainer.threads=0: must be 1 or more",
    "trainer.threads=100000": "trainer.threads=100000: must be at most 1,024",
    f"seed={2**63}": f"seed={2**63}: must be less than 2^63",
    f"recipe.batch_size={2**63}": f"recipe.batch_size={2**63}: must be less than 2^63",
    "=5": "a word without a name before its '='",
    "recipe.batch_size=${recipe.nope}": "recipe.batch_size: Interpolation key 'recipe.nope' not",
    "label=${oc.env:NOPE_NOT_SET}": "label: KeyError raised while resolving interpolation",
    "recipe.schedule._target_=builtins.exec": "recipe.schedule._target_=builtins.exec: only torch",
}
LATE_MISTAKES = {  # noticed once torch is imported
    "recipe.optimizer._target_=torch.optim.Adm": "recipe.optimizer._target_: no 'torch.optim.Adm'",
    "+recipe.optimizer.lrr=1": "no setting 'recipe.optimizer.lrr'; did you mean lr?",
    "recipe.optimizer.lr=-1": "recipe.optimizer: Invalid learning rate: -1",
    "recipe.schedule.T_max=0": "recipe.schedule: ",
    "recipe.keep=best": "recipe.keep=best: nothing is held out",
    "data=idx": "IDX files: not to be had. (1) local files: no IDX files in",
    "data.size=9000": "data.size=9000: there are ",
    "runs=/dev/null": "runs=/dev/null: cannot make a folder in it",
    "+trainer.fast_dev_rum=true": "no setting 'trainer.fast_dev_rum'; did you mean fast_dev_run?",
    "callbacks=early_stopping": "callbacks.early_stopping.monitor=validation/errors: nothing is",
}


TYPED = ["seed=0,1", "seed", "model=lenet6", "recipe.optimizer.lr=-1", "runs=/dev/null"]
TYPED += ["=5", "recipe.batch_size=${recipe.nope}"]


def own_data(folder: Path, word: str) -> list[str]:
    """A few images as IDX files, unless the word is about the data."""
    write(folder / "own", contents())
    root = [] if word == "data=idx" else [f"data.root={folder / 'own'}"]
    return root + (["data=idx"] if not word.startswith("data=") else [])


@pytest.mark.parametrize(
    "word", [word for word in MISTAKES | LATE_MISTAKES if word not in TYPED[:2]]
)
def test_a_mistake_is_named_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_ARCH_DATA", str(tmp_path / "cache"))
    with pytest.raises(UserError) as error:
        mnist_arch.train("lenet5", overrides=[*own_data(tmp_path, word), word])
    assert str(error.value).startswith((MISTAKES | LATE_MISTAKES)[word])
    assert "\n" not in str(error.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"own", "cache"}


@pytest.mark.parametrize("word", TYPED)
def test_a_typed_mistake_is_one_line_code_2_and_leaves_nothing(
    command: Command, tmp_path: Path, word: str
) -> None:
    done = command("experiments.run", *own_data(tmp_path, word), word)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("error: " + (MISTAKES | LATE_MISTAKES)[word])
    assert done.stdout == ""
    assert {path.name for path in tmp_path.iterdir()} <= {"own", "cache"}


def test_a_bug_shows_its_traceback_and_exits_1(tmp_path: Path) -> None:
    code = "from experiments.command import run_command\nrun_command(lambda: {}['bug'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "KeyError: 'bug'" in done.stderr


def test_the_full_error_can_be_asked_for(command: Command) -> None:
    done = command("experiments.run", "seed=-1", HYDRA_FULL_ERROR="1")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_help_shows_how_to_use_it(command: Command) -> None:
    done = command("experiments.run", "--help")
    assert done.returncode == 0
    for words in ("model=lenet5 seed=1", "lenet5_1998", "modern", "max_epochs"):
        assert words in done.stdout
