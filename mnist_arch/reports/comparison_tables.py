"""A comparison as tables and sentences, for a screen and for Markdown."""

from collections.abc import Callable, Iterable, Sequence
from html import escape
from statistics import stdev
from textwrap import wrap

from mnist_arch.analysis.comparison import TESTS, Comparison, Net, Pair
from mnist_arch.analysis.statistics import BINS, calibration_error
from mnist_arch.reports.results import Table, markdown

SHOWN = 12  # test images named for each net of a pair
CELL = 30  # characters of a cell on a screen, after which it goes on in the next line


def nets(comparison: Comparison) -> Table:
    """A row for each net: accuracy in percent, and what its interval covers."""
    header = ("", "net", "seeds", "accuracy", "sd", "95 % interval", "over", "ECE")
    return header, [_net(net) for net in comparison.nets]


def pairs(comparison: Comparison) -> Table:
    """A row for each pair: the difference of accuracies in percentage points, and its worth."""
    corrected = ("Holm",) if comparison.pairs[1:] else ()
    header = ("pair", "points", "95 % interval", "p", *corrected, "test", "over", "alone")
    rows: list[Sequence[str]] = []
    for pair in comparison.pairs:
        found = pair.difference
        cells = (
            (f"{found.value:+.2f}", f"{found.low:.2f} to {found.high:.2f}", probability(found.p))
            if found
            else ("", "", "")
        )
        holm = (probability(pair.adjusted) if pair.adjusted is not None else "",)
        rows.append((named(pair), *cells, *(holm if corrected else ()), *_judged(pair)))
    return (*header, "verdict"), rows


def by_digit(comparison: Comparison) -> Table:
    """Test images of each digit that a net misreads, the mean over its runs."""
    rows: list[Sequence[str]] = []
    for net in comparison.nets:
        counts = net.errors_by_digit
        digits = 1 if net.runs[1:] else 0
        rows.append((net.letter, *(f"{each:.{digits}f}" for each in (*counts, sum(counts)))))
    return ("errors at", *map(str, range(10)), "all"), rows


def runs(comparison: Comparison) -> Table:
    """A row for each run: its accuracy in percent with Wilson's interval, over other digits."""
    header = ("net", "seed", "errors", "accuracy", "95 % interval", "loss", "ECE")
    rows: list[Sequence[str]] = [
        (
            net.letter,
            str(run.record.seed),
            f"{run.errors:,}",
            f"{run.accuracy:.2f}",
            "{:.2f} to {:.2f}".format(*run.over_digits),
            f"{run.record.test_loss:.4f}",
            f"{calibration_error(run.bins):.4f}" if run.predictions else "",
        )
        for net in comparison.nets
        for run in net.runs
    ]
    return header, rows


def summary(comparison: Comparison) -> str:
    """Say in a sentence or two which nets differ."""
    if len(comparison.pairs) == 1:
        return _sentence(comparison.pairs[0])
    kinds = ("different", "not distinguishable", "not tested")
    by_verdict: dict[str, list[str]] = {kind: [] for kind in kinds}
    for pair in comparison.pairs:
        by_verdict["different" if pair.better else pair.verdict].append(named(pair))
    said = [
        f"{verdict.capitalize()} ({len(names)} of {len(comparison.pairs)}): {', '.join(names)}."
        for verdict, names in by_verdict.items()
        if names
    ]
    return " ".join(said)


def notes(comparison: Comparison) -> list[str]:
    """Say what the figures mean, what the tests cover, and what could not be given."""
    said = ["over: what an interval or test covers, other seeds or other digits of the kind."]
    said += [
        f"{name}: {meaning}"
        for name, (_, meaning) in TESTS.items()
        if name in {pair.test for pair in comparison.pairs}
    ]
    said += filter(None, map(_unpaired, comparison.pairs))
    if comparison.pairs[1:]:
        said.append(
            "Holm: p corrected for there being many pairs; an interval is of its pair alone."
        )
    if any(pair.verdict == "not distinguishable" for pair in comparison.pairs):
        said.append("Not distinguishable is not equal: more seeds or digits may tell them apart.")
    without = [net.letter for net in comparison.nets if len(net.with_predictions) < len(net.runs)]
    if comparison.truth is not None:
        said.append(
            f"ECE: expected calibration error, {BINS} equal bins of the probability that the net "
            "reports for the digit it reads, mean over runs. Sigmoids need not sum to 1, and "
            "smoothed labels ask for less than certainty: either shows here."
        )
        said.append(
            "alone: test images that every run of the first misreads and no run of the second / "
            "the reverse. They are numbered from 0, in file order."
        )
    if without:
        said.append(
            f"Left out for {', '.join(without)}, whose records have no predictions.npz beside "
            "them: calibration, and whatever compares digit by digit."
        )
    return said


def alone(comparison: Comparison, pair: Pair) -> list[str]:
    """Name the test images that only one net of a pair misreads, and what it reads in them."""
    truth, said = comparison.truth, []
    if truth is None:
        return []
    for net, places in zip((pair.first, pair.second), pair.alone, strict=False):
        named = [
            f"no. {place:,} ({truth[place]} as {net.reading(place)})" for place in places[:SHOWN]
        ]
        named += [f"{len(places) - SHOWN:,} more"] if len(places) > SHOWN else []
        listed = f": {', '.join(named)}" if named else ""
        said.append(f"Only {net.letter} misreads {len(places):,}{listed}.")
    return said


def screen(comparison: Comparison) -> str:
    """Lay everything out as plain text."""
    parts = [title(comparison)]
    parts += [_text(table(comparison)) for table in (nets, by_digit, pairs)]
    parts.append(_line(summary(comparison)))
    if len(comparison.pairs) == 1 and comparison.pairs[0].alone:
        parts.append("\n".join(map(_line, alone(comparison, comparison.pairs[0]))))
    parts.append("\n".join(map(_line, notes(comparison))))
    return "\n\n".join(parts)


def page(comparison: Comparison) -> str:
    """Lay everything out as Markdown."""
    parts = [
        f"# {escape(title(comparison), quote=False)}",
        escape(summary(comparison), quote=False),
    ]
    parts += [markdown(_escaped(table(comparison))) for table in (nets, pairs, by_digit, runs)]
    said = notes(comparison) + [
        f"{named(pair)}: {line}" for pair in comparison.pairs for line in alone(comparison, pair)
    ]
    parts.append("\n".join(f"* {escape(line, quote=False)}" for line in said))
    return "\n\n".join(parts) + "\n"


def title(comparison: Comparison) -> str:
    """Name the test digits and count what was compared on them."""
    record, count = comparison.record, sum(len(net.runs) for net in comparison.nets)
    return (
        f"{count} runs of {len(comparison.nets)} nets on the {record.test_images:,} test digits "
        f"of {record.data_title}"
    )


def named(pair: Pair) -> str:
    """Name a pair by the letters of its nets."""
    return f"{pair.first.letter}-{pair.second.letter}"


def probability(p: float) -> str:
    """Write a p value, of which four places are enough."""
    return f"{p:.4f}" if p >= 0.0001 else "<0.0001"


def ranges(seeds: Sequence[int]) -> str:
    """Write ascending seeds, runs of them by their ends: 0-3, 7."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)


def _net(net: Net) -> Sequence[str]:
    several, error = len(net.runs) > 1, net.calibration_error
    return (
        net.letter,
        net.name,
        ranges([run.record.seed for run in net.runs]),
        f"{net.accuracy:.2f}",
        f"{stdev(net.accuracies):.2f}" if several else "",
        "{:.2f} to {:.2f}".format(*net.interval),
        "seeds" if several else "digits",
        f"{error:.4f}" if error is not None else "",
    )


def _judged(pair: Pair) -> Sequence[str]:
    test = f"{pair.test}, {len(pair.seeds)}" if pair.seeds else pair.test
    over, _ = TESTS[pair.test]
    return test, over, " / ".join(str(len(each)) for each in pair.alone), pair.verdict


def _sentence(pair: Pair) -> str:
    first, second = (f"{net.name} ({net.letter})" for net in (pair.first, pair.second))
    found = pair.difference
    if found is None:
        return f"Not tested: {first} and {second}."
    worth = (
        f"{named(pair)} is {found.value:+.2f} points of accuracy (95 % interval {found.low:.2f} "
        f"to {found.high:.2f}, p {probability(found.p)})"
    )
    if pair.better is None:
        return f"Not distinguishable: {first} and {second}; {worth}."
    better, worse = (first, second) if pair.better is pair.first else (second, first)
    return f"{better} reads more test digits right than {worse}: {worth}."


def _unpaired(pair: Pair) -> str:
    """Say which seeds the bootstrap had no partner for; nothing where all were used."""
    if not pair.seeds:
        return ""
    left = [
        f"{net.letter}'s {ranges(alone)}"
        for net in (pair.first, pair.second)
        if (alone := sorted({run.record.seed for run in net.runs} - {*pair.seeds}))
    ]
    return f"{named(pair)}: seeds without a partner, unused: {', '.join(left)}." if left else ""


def _escaped(table: Table) -> Table:
    header, rows = table
    return header, [
        [escape(cell, quote=False).replace("|", "\\|") for cell in row] for row in rows
    ]


def _text(table: Table) -> str:
    """Lay a table out in columns: figures to the right, words to the left and wrapped."""
    header, rows = table
    lines = [line for row in (header, *rows) for line in _wrapped(row)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [_alignment(column[1:]) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            align(cell, width) for align, cell, width in zip(aligned, line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _wrapped(row: Sequence[str]) -> Iterable[Sequence[str]]:
    cells = [wrap(cell, CELL, break_on_hyphens=False) or [""] for cell in row]
    return [
        [each[n] if n < len(each) else "" for each in cells] for n in range(max(map(len, cells)))
    ]


def _alignment(cells: Iterable[str]) -> Callable[[str, int], str]:
    words = any(cell[:1].isalpha() for cell in cells)
    return str.ljust if words else str.rjust


def _line(said: str) -> str:
    return "\n".join(wrap(said, 98, subsequent_indent="  ", break_on_hyphens=False))
