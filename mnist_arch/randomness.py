"""Where every random number comes from: a seed, a purpose and an epoch, and nothing else.

A run that is resumed at an epoch's start, or trained on another device, draws the same numbers,
because no draw depends on how many came before it.
"""

from typing import Literal, get_args

import numpy as np
import torch

# A purpose's place is mixed into its seeds: new ones come last.
Purpose = Literal[
    "initialization",
    "order",
    "augmentation",
    "dropout",
    "split",
    "curvature",
    "corruption",
    "bootstrap",
    "folds",
]


def derived_seed(seed: int, purpose: Purpose, epoch: int = 0) -> int:
    """Mix a seed (0 or more), a purpose and an epoch (from 0) into 63 well-spread bits."""
    mixed = np.random.SeedSequence((seed, get_args(Purpose).index(purpose), epoch))
    return int(mixed.generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(seed: int, purpose: Purpose, epoch: int = 0) -> torch.Generator:
    """Return a generator on the CPU, so that every device is given the same draws."""
    return torch.Generator().manual_seed(derived_seed(seed, purpose, epoch))
