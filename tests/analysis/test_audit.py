"""Which digits are hard, counted by hand."""

from pathlib import Path

import pytest

from mnist_arch.analysis import audit as analysis
from mnist_arch.analysis.audit import audit
from mnist_arch.errors import UserError
from mnist_arch.runs.records import Record, mask
from tests.factories import record


def with_errors(architecture: str, wrong: list[int], **changes: object) -> Record:
    """A record of three test images, of which those at these places are misclassified."""
    flags = mask([place in wrong for place in range(3)])
    return record(len(wrong), 3, architecture=architecture, misclassified=flags, **changes)


def test_a_network_counts_once_whatever_the_number_of_its_runs() -> None:
    """mlp: the second is wrong in both runs, the third in one; lenet5: the second only."""
    found = audit(
        {
            Path("a"): with_errors("mlp", [1]),
            Path("b"): with_errors("mlp", [1, 2], seed=1),
            Path("c"): with_errors("lenet5", [1]),
        }
    )
    assert found.runs == {"lenet5": 1, "mlp": 2}
    assert found.share.tolist() == [0, 1, 0.25]  # the third: half of mlp's runs, none of lenet5's
    assert found.hard == [1]
    assert found.accuracy == {"mlp": pytest.approx(50), "lenet5": pytest.approx(200 / 3)}
    assert found.accuracy_without == {"mlp": pytest.approx(75), "lenet5": pytest.approx(100)}
    assert found.gain == pytest.approx((25 + 100 / 3) / 2)


def test_what_cannot_be_counted_is_refused() -> None:
    one = with_errors("mlp", [0])
    other = with_errors("mlp", [0], provenance={"data_sha256": {"t10k": "b"}})
    with pytest.raises(UserError, match="b: not tested on the images of a"):
        audit({Path("a"): one, Path("b"): other})
    with pytest.raises(UserError, match="b: does not say which test images it misclassified"):
        audit({Path("a"): one, Path("b"): record()})
    with pytest.raises(UserError, match="an audit needs tested runs"):
        audit({})


def test_the_digits_that_people_doubt_were_read_by_five_each() -> None:
    """Fifteen label errors of MNIST, as the paper's table 2 counts them."""
    assert len(analysis.DOUBTED) == 15
    assert all(sum(opinion) == 5 and opinion.label < 3 for opinion in analysis.DOUBTED.values())
