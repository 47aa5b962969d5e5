"""Which digits are hard, counted by hand."""

from pathlib import Path

import pytest

from mnist_arch.analysis import audit as analysis
from mnist_arch.analysis.audit import Opinion, audit, gain
from mnist_arch.errors import UserError
from tests.analysis.test_ensembles import run

ZERO, ONE, TWO = [9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]  # scores of three classes


def test_a_network_counts_once_whatever_the_number_of_its_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Truth 0, 1, 2. mlp: the 1 is wrong in both runs, the 2 in one; lenet5: the 1 only."""
    monkeypatch.setattr(analysis, "DOUBTED", {1: Opinion(0, 5, 0), 2: Opinion(0, 5, 0)})
    runs = [
        run(tmp_path / "a", "mlp", [ZERO, ZERO, TWO]),
        run(tmp_path / "b", "mlp", [ZERO, TWO, ZERO], seed=1),
        run(tmp_path / "c", "lenet5", [ZERO, ZERO, TWO]),
    ]
    record = audit(runs, "a command")
    assert record.runs == {"mlp": 2, "lenet5": 1}
    assert record.hard == [{"place": 1, "label": 1, "share": 1.0, "votes": {"0": 2, "2": 1}}]
    assert record.doubted == {"1": 1.0, "2": 0.25}  # half of mlp's runs, none of lenet5's
    assert record.doubted_hard == 1
    assert record.accuracy == {"mlp": pytest.approx(50), "lenet5": pytest.approx(200 / 3)}
    assert record.accuracy_without == {"mlp": pytest.approx(75), "lenet5": pytest.approx(100)}
    assert gain(record) == pytest.approx((25 + 100 / 3) / 2)


def test_runs_on_other_images_are_refused(tmp_path: Path) -> None:
    one = run(tmp_path / "a", "mlp", [ZERO])
    other = run(tmp_path / "b", "mlp", [ZERO], provenance={"data_sha256": {"t10k": "b"}})
    with pytest.raises(UserError, match=r"b: not tested on the images of"):
        audit([one, other], "")
    with pytest.raises(UserError, match="an audit needs finished runs"):
        audit([], "")


def test_the_digits_that_people_doubt_were_read_by_five_each() -> None:
    """Fifteen label errors of MNIST, as the paper's table 2 counts them."""
    assert len(analysis.DOUBTED) == 15
    assert all(sum(opinion) == 5 and opinion.label < 3 for opinion in analysis.DOUBTED.values())
