"""Splits and batches: laws that hold for any seed."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_arch.data.batches import Batches, Chunks, Shuffle
from mnist_arch.data.datamodule import MNISTDataModule
from mnist_arch.data.splits import FOLDS, Split, first_of_each, fold_of, stratified
from mnist_arch.randomness import derived_seed, generator


def numbered(count: int) -> Split:
    """Images whose every pixel is their number."""
    numbers = torch.arange(count)
    images = numbers.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 28, 28)
    return Split(images.clone(), numbers % 10)


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=200),
    st.floats(0, 0.99),
    st.integers(0, 2**40),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_stratified_split_is_disjoint_complete_and_fair(
    digits: list[int], share: float, seed: int
) -> None:
    truth = torch.tensor(digits)
    kept, held_out = stratified(truth, share, seed)
    assert sorted(kept.tolist() + held_out.tolist()) == list(range(len(digits)))
    assert len(held_out) == round(share * len(digits))
    for digit in range(10):
        fair = share * digits.count(digit)
        assert abs(int((truth[held_out] == digit).sum()) - fair) < 1 + 1e-9


def test_a_split_depends_on_its_seed_alone() -> None:
    digits = torch.arange(1_000) % 10
    assert stratified(digits, 0.1, 0)[1].equal(stratified(digits, 0.1, 0)[1])
    assert not stratified(digits, 0.1, 0)[1].equal(stratified(digits, 0.1, 1)[1])


def test_every_image_is_shown_once_an_epoch_and_the_short_batch_is_kept() -> None:
    batches = Batches(numbered(103), 10, Shuffle(seed=0))
    shown = [(images[:, 0, 0, 0].tolist(), digits.tolist()) for images, digits in batches]
    assert [len(digits) for _, digits in shown] == [10] * 10 + [3]
    assert len(batches) == 11
    assert sorted(n for numbers, _ in shown for n in numbers) == list(range(103))
    assert all(
        n % 10 == d for numbers, digits in shown for n, d in zip(numbers, digits, strict=True)
    )


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int, epochs_before: int = 0) -> list[int]:
        batches = Batches(numbered(50), 7, Shuffle(seed))
        for earlier in range(epochs_before):
            batches.sampler.set_epoch(earlier)  # type: ignore[union-attr]
            list(batches)
        batches.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        return torch.cat([images[:, 0, 0, 0] for images, _ in batches]).tolist()

    assert order(0, 3) == order(0, 3, epochs_before=3)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1, 2) for epoch in (0, 1, 2)}) == 9


def test_without_reshuffling_every_epoch_has_the_order_of_the_first() -> None:
    constant, fresh = Shuffle(seed=3, reshuffle=False), Shuffle(seed=3)
    first = fresh.order(50)
    for epoch in range(3):
        constant.set_epoch(epoch)
        assert constant.order(50).equal(first)


def test_without_a_sampler_the_order_is_the_files() -> None:
    batches = Batches(numbered(25), 10)
    assert torch.cat([digits for _, digits in batches]).equal(numbered(25).labels)


def test_a_sample_holds_different_images_with_their_digits() -> None:
    def drawn(count: int, seed: int) -> list[int]:
        images, digits = batches.sample(count, torch.Generator().manual_seed(seed))
        assert digits.equal(images[:, 0, 0, 0].long() % 10)
        return images[:, 0, 0, 0].tolist()

    batches = Batches(numbered(103), 10, Shuffle(seed=0))
    assert len(set(drawn(50, seed=0))) == 50
    assert drawn(50, seed=0) == drawn(50, seed=0) != drawn(50, seed=1)
    assert sorted(drawn(500, seed=0)) == list(range(103))


def test_distortions_are_a_function_of_seed_and_epoch() -> None:
    def distorted(seed: int, epoch: int) -> torch.Tensor:
        noise = lambda images, draws: images + torch.rand(images.shape, generator=draws)  # noqa: E731
        batches = Batches(numbered(20), 6, Shuffle(seed), noise)
        batches.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        return torch.cat([images for images, _ in batches])

    assert distorted(0, 1).equal(distorted(0, 1))
    assert not distorted(0, 1).equal(distorted(0, 2))
    assert not distorted(0, 1).equal(distorted(1, 1))


def test_a_grown_pass_shows_each_image_once_as_it_is_and_then_in_distorted_copies() -> None:
    def to_200(images: torch.Tensor, draws: torch.Generator) -> torch.Tensor:  # noqa: ARG001
        return torch.full_like(images, 200)

    batches = Batches(numbered(100), 32, Shuffle(seed=0), to_200, size=250)
    assert len(batches) == len(list(batches)) == 8
    shown = torch.cat([images[:, 0, 0, 0] for images, _ in batches])
    digits = torch.cat([digits for _, digits in batches])
    assert sorted(shown[shown < 200].tolist()) == list(range(100))
    assert int((shown == 200).sum()) == 150
    assert digits[shown < 200].equal(shown[shown < 200].long() % 10)
    assert torch.bincount(digits[shown == 200]).tolist() == [15] * 10


def test_the_data_module_takes_a_stratified_part_of_the_training_digits() -> None:
    whole, part = (
        MNISTDataModule(name="mnist_5k", batch_size=10, validation=0, size=size)
        for size in (None, 1000)
    )
    whole.setup()
    part.setup()
    assert torch.bincount(part.train.labels).tolist() == [100] * 10
    assert len(part.train_dataloader()) == 100
    images = {image.numpy().tobytes() for image in whole.train.images}
    assert {image.numpy().tobytes() for image in part.train.images} <= images
    assert part.test.images.equal(whole.test.images)
    assert part.split_digest != whole.split_digest


def test_streams_of_different_purposes_differ() -> None:
    purposes = ("initialization", "order", "augmentation", "dropout", "split")
    seeds = {derived_seed(s, p, e) for s in range(5) for p in purposes for e in range(5)}  # type: ignore[arg-type]
    assert len(seeds) == 5 * 5 * 5
    assert generator(0, "order").device.type == "cpu"


def test_the_data_module_cuts_validation_from_the_training_set_only() -> None:
    data = MNISTDataModule(name="mnist_5k", batch_size=64, validation=0.2)
    data.setup()
    assert data.validation is not None
    sizes = [len(split.labels) for split in (data.train, data.validation, data.test)]
    assert sizes == [4_000, 500, 500]  # mnist_5k keeps its own


def test_the_data_module_holds_out_the_recipes_share(tmp_path: Path) -> None:
    from tests.data.test_sources import contents, write

    write(tmp_path, contents(train=100))
    data = MNISTDataModule(name="idx", root=tmp_path, batch_size=8, validation=0.2)
    data.setup()
    assert data.validation is not None
    assert data.train.labels.bincount().tolist() == [8] * 10
    assert data.validation.labels.bincount().tolist() == [2] * 10
    assert len(data.test.labels) == 20
    shown = torch.cat([data.train.images, data.validation.images]).flatten(1)
    assert len(shown.unique(dim=0)) == 100

    without = MNISTDataModule(name="idx", root=tmp_path, batch_size=8, validation=0)
    without.setup()
    assert without.validation is None
    assert without.val_dataloader() == []
    assert len(without.train.labels) == 100
    assert data.split_digest != without.split_digest

    again = MNISTDataModule(name="idx", root=tmp_path, batch_size=32, validation=0.2, seed=5)
    again.setup()
    assert data.split_digest == again.split_digest  # the run's seed does not move the split
    other = MNISTDataModule(name="idx", root=tmp_path, batch_size=8, validation=0.2, split_seed=1)
    other.setup()
    assert data.split_digest != other.split_digest


def test_each_image_is_tested_by_one_fold_and_trained_on_by_the_other_nine(tmp_path: Path) -> None:
    """100 and 23 images: folds of 12 or 13, in each of which a class has a tenth of its own."""
    from tests.data.test_sources import contents, write

    write(tmp_path, contents(train=100, test=23))
    tested, digests = [], set()
    for fold in range(FOLDS):
        data = MNISTDataModule(name="idx", root=tmp_path, batch_size=8, validation=0.1, fold=fold)
        data.setup()
        assert data.validation is not None
        parts = [data.train, data.validation, data.test]
        assert len(torch.cat([part.images for part in parts]).flatten(1).unique(dim=0)) == 123
        assert len(data.test.labels) in (12, 13)
        assert data.test.labels.bincount(minlength=10).max() <= 2
        assert data.title.endswith(f", fold {fold}")
        tested.append(data.test.images)
        digests.add(data.sha256["test fold"])
    assert len(torch.cat(tested).flatten(1).unique(dim=0)) == 123
    assert len(digests) == FOLDS


def test_folds_have_of_each_class_a_tenth() -> None:
    """Of 97 and 103 images each fold has 9 or 10, and 10 or 11; another seed deals otherwise."""
    labels = torch.arange(200) % 2
    labels[:3] = 1
    folds = fold_of(labels, 0)
    for label in (0, 1):
        counts = folds[labels == label].bincount(minlength=FOLDS)
        assert counts.max() - counts.min() == 1
    assert folds.bincount().tolist() == [20] * FOLDS
    assert not folds.equal(fold_of(labels, 1))


def test_chunks_hold_every_batch_in_order() -> None:
    batches = Batches(numbered(103), 10, Shuffle(seed=0))
    chunks = [*Chunks(batches, 4)]
    assert [len(chunk) for chunk in chunks] == [4, 4, 3]
    assert len(Chunks(batches, 4)) == 3
    steps = [step for chunk in chunks for step in chunk]
    for (images, labels, weight), batch in zip(steps, batches, strict=True):
        assert images.equal(batch.images)
        assert labels.equal(batch.labels)
        assert weight == 1


@pytest.mark.parametrize("count", [100, 101, 103])
def test_processes_share_each_batch_and_their_weighted_means_make_the_mean(count: int) -> None:
    """The mean over processes of weight x mean of the share is the mean over the batch."""
    world = 4
    batches = Batches(numbered(count), 10, Shuffle(seed=0))
    shares = [Chunks(batches, 3, rank=rank, world=world) for rank in range(world)]
    steps = [[step for chunk in share for step in chunk] for share in shares]
    for batch, *parts in zip(batches, *steps, strict=True):
        counted = [part for part in parts if part.weight]
        labels = torch.cat([part.labels for part in counted])
        assert sorted(labels.tolist()) == sorted(batch.labels.tolist())
        means = [part.weight * part.images.double().mean() for part in parts]
        assert sum(means) / world == pytest.approx(batch.images.double().mean().item())


def test_alone_the_data_module_gives_pairs_of_images_and_labels(tmp_path: Path) -> None:
    """What any module of Lightning's or a plain loop takes; runs are handed theirs in lists."""
    from tests.data.test_sources import contents, write

    write(tmp_path, contents(train=100))
    data = MNISTDataModule(name="idx", root=tmp_path)
    data.setup()
    sizes = []
    for images, labels in data.train_dataloader():
        sizes.append(len(labels))
        assert images.shape == (len(labels), 1, 28, 28)
    assert sizes == [64, 26]
    assert [len(labels) for _, labels in data.val_dataloader()] == [10]

    class Other(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.losses = torch.nn.Linear(784, 10), list[float]()

        def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> torch.Tensor:
            images, labels = batch
            scores = self.layer(images.flatten(1) / 255)
            loss = torch.nn.functional.cross_entropy(scores, labels)
            self.losses += [loss.item()] * self.training
            return loss

        validation_step = training_step

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    other = Other()
    quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
    pl.Trainer(
        accelerator="cpu",
        max_epochs=20,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **quiet,
    ).fit(other, datamodule=data)
    assert len(other.losses) == 2 * 20
    assert sum(other.losses[-2:]) < sum(other.losses[:2])


def test_the_first_image_of_each_class_that_there_is() -> None:
    labels = torch.tensor([7, 2, 7, 2, 9])
    images = torch.arange(5, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28)
    assert first_of_each(Split(images, labels))[:, 0, 0, 0].tolist() == [1, 0, 4]
