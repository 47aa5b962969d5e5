"""The signs in pictures, read on every core."""

import asyncio
import multiprocessing
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from mnist_arch.inference import pictures
from mnist_arch.inference.preprocess import BLANK, Prepared, prepare, prepare_each

# Arrays of a picture come and go. By itself glibc hands their memory back to the system each time,
# and gets it again a page at a time, a thousand times for a picture.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**27)}

Found = tuple[list[Prepared], tuple[int, int]]


def find_signs(picture: bytes, *, number: bool) -> Found:
    """Find the signs in a picture file; returns them from left to right, and its (H, W).

    Without ``number`` the picture counts as one sign. A blank picture has none.

    Raises:
        UserError: It is no readable picture.
    """
    pixels = pictures.read(picture, "this file")
    signs = prepare_each(pixels) if number else [prepare(pixels)]
    height, width = pixels.shape
    return [sign for sign in signs if BLANK not in sign.doubts], (height, width)


class Readers:
    """Read as many pictures at once as there are cores.

    Reading is many short calls of numpy and scipy, between which a thread holds Python's lock, so
    that two threads read little more than one. So one picture is read by a thread, and what comes
    meanwhile by processes, which are started when they are first needed and end with this one.
    """

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self._free = asyncio.Semaphore(cores)
        self._thread = asyncio.Lock()
        self._processes: Executor | None = None

    async def find(self, picture: bytes, *, number: bool) -> Found:
        """Return what `find_signs` does."""
        async with self._free:
            if not self._thread.locked():
                async with self._thread:
                    return await asyncio.to_thread(find_signs, picture, number=number)
            if self._processes is None:
                os.environ |= KEEP_MEMORY  # read when a process starts; others do not mind
                self._processes = ProcessPoolExecutor(
                    self.cores - 1,
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=_follow,
                )
            started, loop = self._processes, asyncio.get_running_loop()
            try:
                return await loop.run_in_executor(started, _find, picture, number)
            except BrokenProcessPool:  # one was killed, which ends them all
                if self._processes is started:
                    self._processes = None
                return await asyncio.to_thread(find_signs, picture, number=number)

    def close(self) -> None:
        """End the processes when they have read what they are reading."""
        if self._processes is not None:
            self._processes.shutdown(wait=False, cancel_futures=True)


def _find(picture: bytes, number: bool) -> Found:
    return find_signs(picture, number=number)


def _follow() -> None:
    """Leave Ctrl-C to the parent, and end when it does, however that was."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent

    def end() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=end, daemon=True).start()
