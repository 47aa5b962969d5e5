"""The page docs/speed.md and its figure, from the record of a benchmark."""

from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.figure import Figure

from mnist_arch import files
from mnist_arch.analysis.speed import OTHER, WORK, Speed, ratio
from mnist_arch.reports.figures.style import DPI, color, marker, plain, write_png
from mnist_arch.reports.speedrun import SPEEDRUN
from mnist_arch.reports.table import Column, Table
from mnist_arch.reports.templates import render
from mnist_arch.runs.records import read_as

MNIST = 60_000  # images of an epoch


def write(record: Path, page: Path) -> None:
    """Write the page, and beside it a figure of the same name, atomically.

    Raises:
        UserError: The record is not readable.
    """
    speed = read_as(Speed, record)
    write_png(figure(speed), page.with_suffix(".png"))
    files.write(page, text(speed))


def text(speed: Speed) -> str:
    """Return the page as Markdown."""
    return render(
        "speed.md.j2",
        speed=speed,
        training=training(speed),
        scoring=scoring(speed),
        starts=Table(
            (Column("command"), Column("seconds", "{:.1f}"), Column("range", "{:.1f} to {:.1f}")),
            [(name, median(each), (min(each), max(each))) for name, each in speed.starts.items()],
        ),
        seeds=seeds(speed),
        processes=processes(speed),
        profile=profile(speed),
        speedrun=Table(SPEEDRUN, [tuple(each.values()) for each in speed.speedrun]),
        sdlm={name: median(each) for name, each in speed.sdlm.items()},
        least_bare=min((ratio(row["ours"], row["bare"]) for row in speed.training), default=None),
        peaks=[median(row["peak"]) for row in speed.training],
    )


def training(speed: Speed) -> Table:
    """A row for each network: the images/s of each side, and the ratios."""
    columns = [
        *(Column("network"), Column("batch", "{:,}"), Column("bare loop, images/s", "{:,.0f}")),
        *(Column("ours, images/s", "{:,.0f}"), Column("ours / bare", "{:.2f}")),
        *(Column("Keras, images/s", "{:,.0f}"), Column("ours / Keras", "{:.2f}")),
        *(Column("GFLOP/s", "{:.1f}"), Column("of the peak", "{:.0f} %")),
    ]
    rows = []
    for row in speed.training:
        keras = [each for each in row["keras"] if each]
        gflop = row["flops"] / 1e9
        rows.append(
            (
                f"`{row['network']}`",
                row["batch"],
                median(row["bare"]),
                median(row["ours"]),
                ratio(row["ours"], row["bare"]),
                median(keras) if keras else None,
                ratio(row["ours"], keras) if keras else None,
                gflop * median(row["ours"]),
                100 * gflop * ratio(row["ours"], row["peak"]),
            )
        )
    return Table(columns, rows)


def scoring(speed: Speed) -> Table:
    """A row for each network: scoring beside training, images/s."""
    columns = [
        *(Column("network"), Column("scoring, images/s", "{:,.0f}")),
        *(Column("training, images/s", "{:,.0f}"), Column("scoring / training", "{:.1f}")),
    ]
    rows = [
        (
            f"`{row['network']}`",
            median(row["scoring"]),
            median(row["training"]),
            ratio(row["scoring"], row["training"]),
        )
        for row in speed.scoring
    ]
    return Table(columns, rows)


def seeds(speed: Speed) -> Table:
    """A row for each number of copies of each network: how many times as long as one they take."""
    columns = [
        *(Column("network"), Column("copies"), Column("a step of all, ms", "{:.2f}")),
        *(Column("of one in a bare loop, ms", "{:.2f}"), Column("times as long", "{:.1f}")),
    ]
    rows = [
        (
            f"`{row['network']}`",
            row["copies"],
            1e3 * median(row["together"]),
            1e3 * median(row["alone"]),
            ratio(row["together"], row["alone"]),
        )
        for row in speed.seeds
    ]
    return Table(columns, rows)


def processes(speed: Speed) -> Table:
    """A row for each network: one run at a time beside as many as there are cores, images/s."""
    columns = [
        *(Column("network"), Column("one run, all threads", "{:,.0f}")),
        *(Column("one run, one thread", "{:,.0f}"), Column("a run on each core", "{:,.0f}")),
        *(Column("of all threads", "{:.2f}"), Column("of one thread", "{:.2f}")),
    ]
    rows = [
        (
            f"`{row['network']}`",
            *(median(row[each]) for each in ("alone", "alone_thread", "together")),
            *(ratio(row["together"], row[each]) for each in ("alone", "alone_thread")),
        )
        for row in speed.processes
    ]
    return Table(columns, rows)


def profile(speed: Speed) -> Table:
    """A row for each network: how torch's time in a step is shared out, in percent."""
    columns = [Column("network"), *(Column(kind, "{:.0f} %") for kind in (*WORK, OTHER))]
    rows = [
        (f"`{row['network']}`", *(100 * row["shares"][kind] for kind in (*WORK, OTHER)))
        for row in speed.profile
    ]
    return Table(columns, rows)


def figure(speed: Speed) -> Figure:
    """Draw what training costs against images, epochs, seeds and width, and the share of peak."""
    drawn = Figure(figsize=(11, 8), dpi=DPI, layout="constrained")
    (images, seeds), (width, share) = drawn.subplots(2, 2)
    for number, row in enumerate(speed.training):
        style: dict[str, Any] = {"color": color(number), "label": row["network"]}
        epochs = (0.1, 1, 10, 100)
        seconds = [MNIST * each / median(row["ours"]) for each in epochs]
        images.loglog([MNIST * each for each in epochs], seconds, marker=marker(number), **style)
        share.bar(
            row["network"],
            100 * row["flops"] / 1e9 * ratio(row["ours"], row["peak"]),
            color=color(number),
        )
    plain(images, "Time grows with images times epochs", "images x epochs", "seconds")
    images.legend(frameon=False)
    for number, name in enumerate(dict.fromkeys(row["network"] for row in speed.seeds)):
        rows = [row for row in speed.seeds if row["network"] == name]
        copies = [row["copies"] for row in rows]
        times = [ratio(row["together"], row["alone"]) for row in rows]
        seeds.loglog(copies, times, marker=marker(number), color=color(number), label=name)
    if speed.seeds:
        seeds.loglog(copies, copies, color="0.6", linestyle="--", label="one after the other")
        seeds.set_xticks(copies, [str(each) for each in copies])
        seeds.legend(frameon=False)
    plain(seeds, "Seeds trained together", "seeds", "times as long as one")
    hidden = [row["hidden"] for row in speed.widths]
    rates = [MNIST / median(row["rates"]) for row in speed.widths]
    width.loglog(hidden, rates, marker="o", color=color(0))
    plain(width, "An mlp of another width", "hidden units", "seconds an epoch")
    plain(share, "Share of the processor's peak", "", "% of a large matrix product's GFLOP/s")
    return drawn
