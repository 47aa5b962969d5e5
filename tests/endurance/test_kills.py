"""The short form of `make endurance`: a few kills of real processes."""

from pathlib import Path

from tests.endurance import kills


def test_a_run_that_is_killed_again_and_again_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    words = ("model=mlp", "recipe.keep=best", "recipe.batch_size=4", "figures=false")
    kind = kills.Kind("mlp", words)
    straight = kills.Straight(kind, tmp_path / "straight")
    moments = [kills.WITHIN, kills.LAST, kills.TERMINATED, kills.BEST, kills.PREDICTIONS]
    died = kills.endure(kind, straight, tmp_path / "killed", moments, 0, rounds=1)
    assert kills.WITHIN.name in died
