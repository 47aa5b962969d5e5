"""The long form: every kind of network, killed at every kind of moment. Some half an hour.

    python -m tests.endurance            (all kinds)
    python -m tests.endurance seeds ddp  (some)

Prints a line for each kind, and the tally: how many kills there were, and after how many of them
the runs ended as those that nothing happened to. What was found of each kind last is kept in
results/endurance/kills.json. The exit code is 1 if these differ, and if a
kind was never killed because its runs were too short for the moments.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.endurance.kept import keep
from tests.endurance.kills import (
    BEST,
    CONFIG,
    EVENTS,
    FIGURES,
    INTERRUPTED,
    LAST,
    MEANS,
    PREDICTIONS,
    RECORD,
    SCORING,
    START,
    TERMINATED,
    WITHIN,
    Kind,
    Moment,
    Straight,
    endure,
)

COMMAND = "python -m tests.endurance"
NO_FIGURES = "figures=false"
FEW = (START, WITHIN, LAST, WITHIN, TERMINATED, RECORD)
KINDS: dict[str, tuple[tuple[str, ...], tuple[Moment, ...]]] = {
    "adam": (
        ("model=mlp", "recipe.keep=best", "recipe.batch_size=4", "recipe.max_epochs=6"),
        (
            CONFIG,
            START,
            WITHIN,
            LAST,
            BEST,
            WITHIN,
            INTERRUPTED,
            EVENTS,
            PREDICTIONS,
            RECORD,
            FIGURES,
        ),
    ),
    "momentum": (
        (
            *("model=lenet5", "recipe/optimizer=sgd", "+recipe.optimizer.momentum=0.9"),
            *("recipe/schedule=cosine", "recipe.batch_size=20", NO_FIGURES),
        ),
        (WITHIN, LAST, TERMINATED, WITHIN, SCORING),
    ),
    "warm-up": (
        (
            *("model=mlp", "recipe/schedule=warmup_cosine", "recipe.batch_size=4"),
            *("recipe.max_epochs=6", NO_FIGURES),
        ),
        (WITHIN, WITHIN, LAST, INTERRUPTED, PREDICTIONS),
    ),
    "dropout": (("model=dropout_cnn", "data.size=800", "recipe.batch_size=10", NO_FIGURES), FEW),
    "augmentation": (
        ("model=augmented_cnn", "data.size=400", "recipe.batch_size=10", NO_FIGURES),
        FEW,
    ),
    "tanh-head": (("model=tanh_cnn", "data.size=200", "recipe.batch_size=10", NO_FIGURES), FEW),
    "regularized": (
        ("model=regularized_cnn", "data.size=400", "recipe.batch_size=10", NO_FIGURES),
        FEW,
    ),
    "batch-norm": (
        ("model=batchnorm_cnn", "data.size=1200", "recipe.batch_size=10", NO_FIGURES),
        FEW,
    ),
    "single-patterns": (("model=lenet5_1998", "data.size=1500", NO_FIGURES), FEW),
    # 20,000 steps: worth compiling.
    "compiled": (
        ("model=lenet5_1998", "recipe.max_epochs=5", NO_FIGURES),
        (WITHIN, LAST, TERMINATED, WITHIN),
    ),
    "best-of-modern": (
        ("model=mlp", "recipe=modern", "recipe.keep=best", "recipe.batch_size=8", NO_FIGURES),
        (WITHIN, BEST, LAST, EVENTS, SCORING, PREDICTIONS),
    ),
    "seeds": (
        ("model=mlp", "seeds=[0,1]", "recipe.keep=best", "recipe.batch_size=10", NO_FIGURES),
        (START, WITHIN, LAST, LAST, BEST, TERMINATED, RECORD),
    ),
    "sweep": (
        ("-m", "model=dense,mlp", "recipe.batch_size=4", NO_FIGURES),
        (WITHIN, LAST, RECORD, WITHIN, TERMINATED),
    ),
    "joblib": (
        (
            *("-m", "model=dense,mlp", "launcher=joblib", "hydra.launcher.n_jobs=2"),
            *("recipe.batch_size=4", NO_FIGURES),
        ),
        (WITHIN, LAST, WITHIN, RECORD),
    ),
    "submitit": (
        ("-m", "model=dense,mlp", "launcher=submitit_local", "recipe.batch_size=4", NO_FIGURES),
        (WITHIN, LAST, WITHIN, RECORD),
    ),
    "drawn": (
        ("model=dense", "data.size=200", "recipe.max_epochs=2"),
        (PREDICTIONS, RECORD, FIGURES),
    ),
    "means": (
        ("-m", "model=mlp", "seed=0,1", "recipe.batch_size=20", NO_FIGURES),
        (EVENTS, RECORD, MEANS),
    ),
    "ddp": (
        (
            *("model=lenet5", "trainer.devices=2", "+trainer.strategy=ddp"),
            *("data.size=400", "recipe.batch_size=20", "recipe.max_epochs=20", NO_FIGURES),
        ),  # saved only after whole epochs
        (WITHIN, LAST, WITHIN, LAST, RECORD),
    ),
}


def main(names: list[str]) -> int:
    kinds: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as home:
        for name in names or KINDS:
            words, moments = KINDS[name]
            began, kind, folder = time.monotonic(), Kind(name, words), Path(home) / name
            seed = [*KINDS].index(name)
            try:
                straight = Straight(kind, folder / "straight")
                died = endure(kind, straight, folder / "killed", moments, seed)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                kinds[name] = {"words": words, "kills": len(moments), "equal": 0, "at": {}}
                keep("kills", name, kinds[name], COMMAND, [*KINDS])
                print(f"{name}: NOT EQUAL\n{error}", flush=True)
                continue
            count = len(died)
            kinds[name] = {"words": words, "kills": count, "equal": count, "at": Counter(died)}
            keep("kills", name, kinds[name], COMMAND, [*KINDS])
            seconds = time.monotonic() - began
            print(f"{name}: {count} of {count} equal ({seconds:.0f} s): {', '.join(died)}")
            sys.stdout.flush()
    at = sum((Counter(each["at"]) for each in kinds.values()), Counter())
    kills, equal = (sum(each[key] for each in kinds.values()) for key in ("kills", "equal"))
    print("\n" + "\n".join(f"{count:4}  {moment}" for moment, count in sorted(at.items())))
    print(f"{equal} of {kills} kills: nothing lost, nothing changed")
    return int(equal < kills or not all(each["kills"] for each in kinds.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
