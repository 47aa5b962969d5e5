"""One data module for all architectures: raw pixels in, batches out."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from typing_extensions import override

from mnist_arch.data import extras, sources
from mnist_arch.data.batches import (
    EVALUATION_BATCH,
    Augmentation,
    Batches,
    Chunks,
    Shuffle,
    StackedChunks,
)
from mnist_arch.data.splits import Split, digest, fold_of, stratified
from mnist_arch.errors import UserError


class MNISTDataModule(pl.LightningDataModule):
    """Raw uint8 images (N, 1, 28, 28) and int64 labels (N,), in three splits.

    With nothing said it is MNIST in batches of 64, a tenth of the training set held out. It serves
    any LightningModule, whose batches are then pairs of images and labels; without a trainer,
    `setup` reads the data.

    Args:
        name: One of `sources.NAMES`; ``idx`` is for files of your own.
        root: Where the files are or will be put; by default the cache that all runs share.
        batch_size: Images of one training step.
        validation: Share of the training set held out, stratified, 0 for none. A data
            set that comes with a validation split (``mnist_5k``) keeps its own.
        size: Images of one epoch, None for the whole training split. If smaller, a stratified
            subset of it; if larger, all of it as it is, and augmented copies for the rest.
        split_seed: Draws the validation split, the subset, and the folds.
        fold: None for the splits as they are published. From 0 to 9: training, validation and test
            images are divided into ten stratified folds, of which this one is the test split.
        seed: Draws the order and the augmentation of each epoch; several seeds are for copies of
            a network that train together, each in an order of its own.
        augmentation: Changes the training images, each time one is drawn.
        chunk: Steps that training is handed at a time, in a list, as `Classifier` takes them; None
            for plain batches.
        reshuffle: Whether each epoch has an order of its own, or all have that of the first.
        extra: A folder of images that are trained on beside those of the data set, or its name
            in the cache of data.
    """

    def __init__(
        self,
        *,
        name: str = "mnist",
        root: str | Path | None = None,
        batch_size: int = 64,
        validation: float = 0.1,
        size: int | None = None,
        split_seed: int = 0,
        seed: int | Sequence[int] = 0,
        augmentation: Augmentation | None = None,
        chunk: int | None = None,
        reshuffle: bool = True,
        fold: int | None = None,
        extra: str | None = None,
    ) -> None:
        super().__init__()
        self.data_name = name
        self.root = sources.folder_of(root) if root else sources.default_root()
        self.batch_size, self.share, self.size = batch_size, validation, size
        self.split_seed, self.augmentation, self.chunk = split_seed, augmentation, chunk
        self.stacked = not isinstance(seed, int)
        self.seeds = [seed] if isinstance(seed, int) else list(seed)
        self.reshuffle, self.fold = reshuffle, fold
        self.extra_folder = extras.folder(extra) if extra else None
        self.loaded = False

    def setup(self, stage: str | None = None) -> None:  # noqa: ARG002 one setup serves all stages
        """Read, fetching if need be, and split.

        Raises:
            UserError: No source has the data, or it is too little for ``size``.
        """
        if self.loaded:
            return
        dataset = sources.load(self.data_name, self.root)
        self.title, self.sha256 = dataset.title, dataset.sha256
        self.train, self.validation, self.test = dataset.train, dataset.validation, dataset.test
        if self.fold is not None:
            self._divide(self.fold)
        if self.validation is None and self.share:
            kept, held_out = stratified(self.train.labels, self.share, self.split_seed)
            self.train, self.validation = (
                Split(self.train.images[part], self.train.labels[part])
                for part in (kept, held_out)
            )
        count = len(self.train.labels)
        if self.size and self.size > count and self.augmentation is None:
            raise UserError(
                f"data.size={self.size}: there are {count} images; "
                "more need recipe.augmentation for augmented copies"
            )
        if self.size and self.size < count:
            kept, _ = stratified(self.train.labels, 1 - self.size / count, self.split_seed)
            self.train = Split(self.train.images[kept], self.train.labels[kept])
        self.extra = extras.read(self.extra_folder) if self.extra_folder else None
        self.loaded = True

    def _divide(self, fold: int) -> None:
        """Make one fold of all images the test split, and the others the training split."""
        published = [each for each in (self.train, self.validation, self.test) if each]
        images, labels = (torch.cat(parts) for parts in zip(*published, strict=True))
        held_out = fold_of(labels, self.split_seed) == fold
        self.train = Split(images[~held_out], labels[~held_out])
        self.validation, self.test = None, Split(images[held_out], labels[held_out])
        self.title = f"{self.title}, fold {fold}"
        # Whoever compares a run's test images with others sees that these are not the published.
        self.sha256 = self.sha256 | {"test fold": digest(self.test)}

    @cached_property
    def split_digest(self) -> str:
        """A SHA-256 that two runs share when they train and validate on the same images."""
        return digest(self.train, *(each for each in (self.validation, self.extra) if each))

    def train_dataloader(self) -> Chunks | Batches:
        """Return the training batches, in the order of the epoch, by the chunk if there is one.

        Raises:
            UserError: Several processes would be handed the same plain batches.
        """
        split = self.train
        if self.extra:
            split = Split(*map(torch.cat, zip(split, self.extra, strict=True)))
        split = self._on_device(split)
        copies = [
            Batches(
                split,
                self.batch_size,
                Shuffle(seed, reshuffle=self.reshuffle),
                self.augmentation,
                self.size,
            )
            for seed in self.seeds
        ]
        if self.stacked:
            return StackedChunks(copies, self.chunk or 1)
        rank, world = (
            (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        )
        if self.chunk is None:
            if world > 1:
                raise UserError("plain batches are for one process; train on one device")
            return copies[0]
        return Chunks(copies[0], self.chunk, rank=rank, world=world)

    def val_dataloader(self) -> Batches | list[Batches]:
        """Return the validation batches, none when nothing is held out."""
        return self._in_order(self.validation) if self.validation else []

    def test_dataloader(self) -> Batches:
        """Return the test batches, in file order."""
        return self._in_order(self.test)

    def _in_order(self, split: Split) -> Batches:
        return Batches(self._on_device(split), EVALUATION_BATCH)

    @override
    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        return batch  # its whole split is there

    def _on_device(self, split: Split) -> Split:
        """Put a whole split, 47 MB for MNIST, where the network is."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        return Split(split.images.to(device), split.labels.to(device))
