"""docs/learn.md and its notebook are made from the records; its pictures show what they say."""

import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.signal import correlate2d

import mnist_arch
from mnist_arch.data import sources
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.models.lenet5_1998 import LeNet5Original, digit_codes
from mnist_arch.reports import tour
from mnist_arch.reports.figures.explained import codes, convolution, evidence, votes
from mnist_arch.reports.figures.network import misclassified
from tests.reports.test_results import RESULTS

DOCS = RESULTS.parent / "docs"


@pytest.fixture(scope="module")
def test_digits() -> Split:
    return sources.load("mnist", sources.default_root()).test


def shown(axes: Axes) -> NDArray[np.float64]:
    return np.asarray(axes.images[0].get_array(), dtype=float)


def test_the_committed_page_and_notebook_are_what_the_committed_records_make() -> None:
    page = tour.page(RESULTS)
    assert (DOCS / "learn.md").read_text(encoding="utf-8") == page
    assert (DOCS / "learn.ipynb").read_text(encoding="utf-8") == tour.notebook(page)


def test_every_picture_and_link_of_the_page_leads_to_a_file() -> None:
    page = tour.page(RESULTS)
    links = re.findall(r"\]\(([^)#]+)(#[^)]*)?\)", page)
    assert len(links) > 15
    for path, _ in links:
        assert (DOCS / path).exists(), path
    anchors = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.+)$", page, re.MULTILINE)
    }
    assert {place for place, _ in tour.STATIONS.values()} <= anchors
    drawn = {path.stem for path in (DOCS / "learn").iterdir()}
    assert drawn == set(re.findall(r"\(learn/(\w+)\.png\)", page))


def test_a_block_of_python_is_a_cell_and_so_is_what_stands_between() -> None:
    page = '# Title\n\n```\nshell\n```\n\n```python\na = "ä"\n\nb = a\n```\n\n## End\n\nlast\n'
    text = tour.notebook(page)
    notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        ("markdown", "# Title\n\n```\nshell\n```"),
        ("code", "%matplotlib inline"),
        ("code", 'a = "ä"\n\nb = a'),
        ("markdown", "## End\n\nlast"),
    ]
    assert not any(cell.get("outputs") for cell in notebook.cells)
    assert len({cell["id"] for cell in json.loads(text)["cells"]}) == 4


def test_without_runs_of_a_station_it_says_which(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no runs of dense, mlp, lenet5, lenet5_1998, dropout"):
        tour.page(tmp_path)


def test_the_evidence_for_a_digit_adds_up_to_its_score(test_digits: Split) -> None:
    net, image = mnist_arch.load("dense").net, test_digits.images[:1]
    axes = evidence(net, image).axes
    lower = axes[12:]
    sums = [shown(each).sum() for each in lower] + net.output.bias.detach().double().numpy()
    scores = net(image)[0].detach().numpy()
    np.testing.assert_allclose(sums, scores, atol=1e-4)
    assert [each.get_xlabel() for each in lower] == [f"{score:+.1f}" for score in scores]
    winner = [each.get_title() for each in axes[1:11] if each.title.get_fontweight() == "bold"]
    assert winner == [str(scores.argmax())] == ["7"]


def test_a_map_is_what_its_window_finds_at_each_place(test_digits: Split) -> None:
    """Fig. 2 of LeCun et al.: 32x32 to 28x28, by scipy's correlation and a tanh."""
    net, image = mnist_arch.load("lenet5").net, test_digits.images[:1]
    axes = convolution(net, image).axes
    padded = np.pad(image[0, 0].numpy() / 255, 2)
    for number in range(6):
        window, found = shown(axes[1 + number]), shown(axes[8 + number])
        sums = correlate2d(padded, window, mode="valid") + net.c1.bias[number].item()
        np.testing.assert_allclose(found, np.tanh(sums), atol=1e-5)


def test_the_nearest_code_is_the_one_by_euclidean_distance(test_digits: Split) -> None:
    net, images = mnist_arch.load("lenet5_1998").net, test_digits.images[:10]
    axes = codes(net, images).axes
    printed = digit_codes().view(10, 12, 7).numpy()
    for number in range(10):
        drawn, code = shown(axes[12 + number]), shown(axes[23 + number])
        nearest = int(np.square(printed - drawn).sum((1, 2)).argmin())
        np.testing.assert_array_equal(code, printed[nearest])
        assert axes[23 + number].get_xlabel() == str(nearest)


def test_all_together_is_the_mean() -> None:
    image = torch.zeros(1, 1, 28, 28)
    one, other = torch.tensor([0.9, 0.1] + [0.0] * 8), torch.tensor([0.2, 0.8] + [0.0] * 8)
    last = votes(image, {"one": one, "other": other}).axes[-1]
    assert last.get_title() == "all together"
    np.testing.assert_allclose(
        [bar.get_width() for bar in last.patches], [0.55, 0.45] + [0.0] * 8, rtol=1e-6
    )


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (11, 2), (40, 4), (41, 4)])
def test_misclassified_digits_fill_their_picture(count: int, rows: int) -> None:
    probabilities = torch.eye(10)[[1] * count]
    images, labels = torch.zeros(count, 1, 28, 28), torch.zeros(count, dtype=torch.int64)
    figure = misclassified(images, labels, probabilities, "some")
    assert len(figure.axes) == min(count, 40)
    assert figure.axes[0].get_gridspec().nrows == rows
    assert figure.axes[-1].get_position().y0 < 0.06


def test_what_the_page_says_of_single_digits_and_units_is_so(test_digits: Split) -> None:
    images, labels = test_digits.images[:10], test_digits.labels[:10].long()
    assert labels[8] == 5
    assert int(mnist_arch.load("dense")(images[8:9]).argmax()) == 6
    alike = []
    for name in ("lenet5_1998", "lenet5_1998-modern"):
        net = mnist_arch.load(name).net
        assert isinstance(net, LeNet5Original)
        pictures, right = net.features(images), digit_codes()[labels]
        assert torch.cdist(pictures, digit_codes()).argmin(1).equal(labels)
        alike.append(float(((pictures > 0) == (right > 0)).double().mean()))
    assert alike[0] < 0.75  # of unrelated pictures half of the pixels agree
    assert alike[1] > 0.9
    silent = mnist_arch.load("mlp").net.activations(test_digits.images)["hidden"].amax(0) == 0
    assert silent[:40].sum() == 2
    example = test_digits.images[tour.EXAMPLE, None]
    answers = [mnist_arch.load(name).net.probabilities(example)[0] for name in tour.VOTERS]
    assert test_digits.labels[tour.EXAMPLE] == 5
    assert [int(answer.argmax()) for answer in [*answers, sum(answers)]] == [5, 5, 3, 5]
    assert tour.VOTERS[2] == "lenet5"
