"""Training from the page, in a process of its own: the page answers meanwhile, and can end it."""

import shlex
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mnist_arch.errors import UserError

# page.html names them. Small networks gain little from more threads, and the page needs a core.
JOBS = (
    ("model=mlp", "trainer.threads=1"),
    ("model=lenet5", "recipe.max_epochs=3", "trainer.threads=1"),
)
DIED = "training stopped unexpectedly; the server's terminal says why"


@dataclass(frozen=True)
class Step:
    """The progress of one job.

    Attributes:
        architecture: What is trained.
        epoch: Finished epochs.
        epochs: All epochs; None until training has started.
        folder: Of the finished run; None until then.
    """

    architecture: str
    epoch: int = 0
    epochs: int | None = None
    folder: str | None = None


class Training:
    """Jobs that one process trains in turn, each given by its settings.

    Attributes:
        steps: The latest of each job that was started, by architecture.
        error: Why training failed, in one line; None if it did not.
    """

    def __init__(self, jobs: Sequence[Sequence[str]] = JOBS) -> None:
        self.jobs = jobs
        self.steps: dict[str, Step] = {}
        self.error: str | None = None
        self._reports: Connection | None = None  # open as long as the process runs

    @property
    def running(self) -> bool:
        """Whether the process is at work."""
        return self._reports is not None

    @property
    def folders(self) -> list[str]:
        """Of the finished runs."""
        return [step.folder for step in self.steps.values() if step.folder]

    def start(self) -> None:
        """Start training, unless it is under way."""
        if self.running:
            return
        self.steps, self.error = {}, None
        spawn = get_context("spawn")  # a forked process would inherit the server's sockets
        self._reports, reports = spawn.Pipe(duplex=False)
        self._process = spawn.Process(target=_work, args=(self.jobs, reports), daemon=True)
        self._process.start()
        reports.close()  # so that the process's end is the end of the reports

    def update(self) -> None:
        """Take in what the process has reported."""
        try:
            while self._reports and self._reports.poll():
                report = self._reports.recv()
                if isinstance(report, Step):
                    self.steps[report.architecture] = report
                else:
                    self.error = report
        except EOFError:
            self.stop()
            if not self.error and len(self.folders) < len(self.jobs):
                self.error = DIED

    def stop(self) -> None:
        """End the process. The run in progress can be resumed."""
        if self._reports:
            self._process.kill()
            self._process.join()
            self._reports.close()
            self._reports = None


def _work(jobs: Sequence[Sequence[str]], reports: Connection) -> None:
    """Train in this process; report steps, and a user's mistake in one line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server gets Ctrl-C, too, and ends us
    try:
        for settings in jobs:
            _train(settings, reports.send)
    except UserError as error:
        reports.send(str(error))
    except BrokenPipeError:  # the server was killed
        return


def _train(settings: Sequence[str], report: Callable[[Step], None]) -> None:
    from mnist_arch.runs.config import compose
    from mnist_arch.runs.folders import finished

    config = compose(settings)
    report(Step(config.model.name))
    folder = finished(Path(config.runs), config)  # by an attempt whose next job failed
    if folder is None:
        # Seconds of imports, for which neither the server nor a user's mistake waits.
        import pytorch_lightning as pl
        from pytorch_lightning.callbacks import LambdaCallback

        from mnist_arch.runs.train import train

        def epoch(trainer: pl.Trainer, *_: Any) -> None:
            report(Step(config.model.name, trainer.current_epoch, trainer.max_epochs))

        progress = LambdaCallback(on_train_epoch_start=epoch, on_train_end=epoch)
        command = shlex.join(["python", "-m", "experiments.run", *settings])
        folder = train(config, command=command, callbacks=[progress]).folder
    report(Step(config.model.name, folder=str(folder)))
