"""The figure of all runs beside the claims."""

import pytest

from mnist_arch.analysis.judgements import claims
from mnist_arch.reports.figures.seeds import beside_claims
from tests.factories import group


def test_each_run_is_a_point_as_far_from_the_line_as_from_the_claim() -> None:
    """241, 251 errors: 97.59 and 97.49 %, which is the claim and 0.1 less."""
    accuracy, _ = claims([group([241, 251])])
    (axes,) = beside_claims([accuracy], "title").axes
    reach, points, middle, claim = axes.lines
    assert points.get_xdata() == pytest.approx([0, -0.1], abs=1e-9)
    assert middle.get_xdata() == pytest.approx([-0.05])
    assert list(claim.get_xdata()) == [0, 0]
    low, high = reach.get_xdata()
    assert (low + high) / 2 == pytest.approx(-0.05)
    (margin,) = axes.patches
    assert margin.get_x() == pytest.approx(-accuracy.verdict.margin)
    assert margin.get_width() == pytest.approx(2 * accuracy.verdict.margin)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mlp (2 runs)"]


def test_one_run_is_a_point_without_a_reach() -> None:
    accuracy, _ = claims([group([241])])
    (axes,) = beside_claims([accuracy], "title").axes
    assert len(axes.lines) == 3
