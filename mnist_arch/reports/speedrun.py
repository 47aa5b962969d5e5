"""The columns of the programs that train to 99 %, without the imports of the page."""

from mnist_arch.reports.table import Column

SPEEDRUN = (
    Column("program"),
    Column("runs"),
    Column("epochs", "{:g}"),
    Column("test accuracy", "{:.2f} %"),
    Column("least", "{:.2f} %"),
    Column("seconds from the first step", "{:.1f}"),
    Column("from the start of the process", "{:.1f}"),
)
