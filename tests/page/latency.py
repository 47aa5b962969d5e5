"""How long after a stroke, a key or an undo is the answer on show? Measured in Chromium.

taskset -c 0 python -m tests.page.latency               (all of the package, on one core)
taskset -c 0 python -m tests.page.latency lenet5 mlp
"""

import sys
from statistics import median

import torch
from playwright.sync_api import sync_playwright

from mnist_arch.page.app import application
from mnist_arch.page.nets import first_seeds, load_nets
from mnist_arch.runs.shipped import FOLDER, located
from tests.page.test_page_in_chromium import CHROMIUM, DIGITS, FLAGS, box_of, opened, served

TIMES = 20
WATCH = """() => {
  window.waits = [];
  let changed = null;
  for (const kind of ["pointerup", "keydown"]) {
    addEventListener(kind, () => { changed = performance.now(); }, true);
  }
  new MutationObserver(() => {
    if (changed === null || document.querySelector(".answers").ariaBusy === "true") return;
    const since = changed;
    changed = null;
    requestAnimationFrame(() => waits.push(performance.now() - since));
  }).observe(document.querySelector(".answers"), {attributes: true});
}"""


def main() -> None:
    torch.set_num_threads(1)
    nets = load_nets(map(located, sys.argv[1:]) if sys.argv[1:] else first_seeds(FOLDER))
    with served(application(nets)) as address, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with opened(browser, address, "desk") as page:
            box = box_of(page, "#pad")
            points = [
                (box["x"] + x * box["width"], box["y"] + y * box["height"])
                for x, y in DIGITS[3][0]
            ]
            page.evaluate(WATCH)
            for kind in ("stroke", "undo", "key"):
                page.evaluate("waits.length = 0")
                for turn in range(TIMES):
                    if kind == "stroke":
                        page.mouse.move(*points[0])
                        page.mouse.down()
                        for point in points[1 : 10 + turn]:
                            page.mouse.move(*point)
                        page.mouse.up()
                    elif kind == "undo":
                        page.keyboard.press("Control+z" if turn < TIMES - 1 else "Control+y")
                    else:
                        if turn == 0:
                            page.focus("#pad")
                            page.keyboard.press(" ")
                        page.keyboard.press("ArrowRight" if turn % 2 else "ArrowDown")
                    page.wait_for_timeout(300)
                waits = sorted(page.evaluate("waits"))
                sys.stdout.write(
                    f"{kind}: {len(waits)} answers, median {median(waits):.0f} ms, "
                    f"longest {waits[-1]:.0f} ms\n"
                )
        browser.close()


if __name__ == "__main__":
    main()
