"""The page in Chromium: ten digits written by hand, pictures, and keys."""

import json
import math
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from experiments.page import listen
from mnist_arch.page.app import application
from mnist_arch.page.nets import Net, load_nets
from mnist_arch.page.server import Server
from mnist_arch.runs.shipped import located
from tests.factories import FIVE, SEVEN
from tests.page.factories import picture, untrained

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
expect.set_options(timeout=20_000)
NOTHING = "\N{EN DASH}"
CLIPBOARD = "navigator.clipboard.read().then((items) => items[0])"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
SIZES: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1280, "height": 800}},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
}


def arc(x: float, y: float, rx: float, ry: float, start: int, end: int) -> list[Any]:
    """Points of an ellipse, by degrees clockwise from the right."""
    turns = [math.radians(start + (end - start) * step / 16) for step in range(17)]
    return [(x + rx * math.cos(turn), y + ry * math.sin(turn)) for turn in turns]


DIGITS = [  # strokes, in sides of the pad
    [arc(0.5, 0.5, 0.2, 0.3, -80, 290)],
    [[(0.55, 0.2), (0.5, 0.5), (0.46, 0.8)]],
    [[*arc(0.5, 0.36, 0.19, 0.16, 190, 395), (0.55, 0.6), (0.3, 0.79), (0.72, 0.78)]],
    [arc(0.47, 0.35, 0.18, 0.15, 200, 440) + arc(0.47, 0.65, 0.2, 0.16, -80, 155)],
    [[(0.36, 0.2), (0.3, 0.52), (0.7, 0.5)], [(0.64, 0.22), (0.62, 0.5), (0.58, 0.82)]],
    [[(0.66, 0.2), (0.38, 0.21), (0.35, 0.46), *arc(0.47, 0.62, 0.19, 0.18, -115, 150)]],
    [[(0.62, 0.18), (0.46, 0.32), (0.37, 0.52), *arc(0.49, 0.64, 0.14, 0.16, 180, 540)]],
    [[(0.28, 0.24), (0.7, 0.22), (0.58, 0.5), (0.48, 0.82)]],
    [arc(0.5, 0.35, 0.14, 0.15, 90, -270) + arc(0.5, 0.66, 0.17, 0.16, -90, 270)],
    [[*arc(0.5, 0.36, 0.16, 0.16, 0, -360), (0.65, 0.5), (0.6, 0.82)]],
]


@pytest.fixture(scope="module")
def nets() -> list[Net]:
    """LeNet-5 as it comes with the package, and an MLP that knows nothing."""
    torch.manual_seed(0)
    return [*load_nets([located("lenet5")]), *untrained("mlp")]


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application from a thread; gives its address."""
    bound = listen("127.0.0.1", 0)
    server = Server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


@pytest.fixture(scope="module")
def address(nets: list[Net]) -> Iterator[str]:
    with served(application(nets)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium to see the page in: apt install chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, address: str, size: str) -> Iterator[Page]:
    """Open the page; no request may leave this machine, and no error reach the console."""
    context = browser.new_context(**SIZES[size])
    addresses, errors = [], []
    page = context.new_page()
    page.on("request", lambda request: addresses.append(request.url))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    expect(page.locator(".net").first).to_be_visible()
    yield page
    context.close()
    assert [url for url in addresses if not url.startswith((address, "blob:", "data:"))] == []
    # A refused upload is no error of the page's.
    assert [text for text in errors if "status of 400" not in text] == []


def write(page: Page, strokes: list[list[Any]]) -> None:
    """Draw with the mouse on an empty pad."""
    page.keyboard.press("Escape")
    box = page.locator("#pad").bounding_box()
    assert box
    for stroke in strokes:
        for place, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            if place == 0:
                page.mouse.down()
        page.mouse.up()
    expect(page.locator(".answers")).to_have_attribute("aria-busy", "false")


def box_of(page: Page, selector: str) -> Any:
    box = page.locator(selector).bounding_box()
    assert box
    return box


def of_lenet5(page: Page) -> Any:
    return page.locator(".net", has_text="LeNet-5")


@pytest.mark.parametrize("size", SIZES)
def test_ten_written_digits_are_classified(browser: Browser, address: str, size: str) -> None:
    with opened(browser, address, size) as page:
        for digit, strokes in enumerate(DIGITS):
            write(page, strokes)
            expect(of_lenet5(page).locator(".digit")).to_have_text(str(digit))
            vote = re.compile(rf"(LeNet-5|Both networks) predicts? {digit}\b")
            expect(page.locator("#summary")).to_contain_text(vote)
            winner = of_lenet5(page).locator(".winner")
            chance = of_lenet5(page).locator(".chance").inner_text()
            expect(winner).to_have_text(f"{digit}: {chance}")
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wider) == 0
        if size == "phone":  # the pad, the buttons and the first answers at one glance
            assert box_of(page, "#summary")["y"] < box_of(page, "#undo")["y"]  # next to the pad
            for part in ("#pad", "#undo", "#upload", "#summary", ".net .digit"):
                expect(page.locator(part).first).to_be_in_viewport(ratio=1)
        else:  # side by side over most of a desk's width, at one glance
            pad, answers = box_of(page, "#pad"), box_of(page, ".answers")
            assert pad["x"] + pad["width"] < answers["x"]
            assert answers["x"] + answers["width"] - pad["x"] > 0.8 * 1280
            for part in ("#pad", "#undo", "#summary", ".bars >> nth=0", ".bars >> nth=1"):
                expect(page.locator(part).first).to_be_in_viewport(ratio=1)
        for control in page.locator("button:visible, label:visible, summary:visible").all():
            box = control.bounding_box()
            assert box is None or box["height"] >= 44, control.inner_text()


def test_a_finger_writes_too(browser: Browser, address: str) -> None:
    with opened(browser, address, "phone") as page:
        box = page.locator("#pad").bounding_box()
        assert box
        touch = page.context.new_cdp_session(page)
        for place, (x, y) in enumerate(DIGITS[7][0]):
            point = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
            kind = "touchMove" if place else "touchStart"
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(of_lenet5(page).locator(".digit")).to_have_text("7")
        assert page.evaluate("scrollY") == 0


def test_keys_write_undo_and_clear(browser: Browser, address: str) -> None:
    with opened(browser, address, "desk") as page:
        page.keyboard.press("Tab")
        expect(page.locator("#pad")).to_be_focused()
        for key, times in (("ArrowUp", 3), (" ", 1), ("ArrowDown", 6), (" ", 1)):
            for _ in range(times):
                page.keyboard.press(f"Shift+{key}" if key.startswith("Arrow") else key)
        expect(of_lenet5(page).locator(".digit")).to_have_text("1")
        page.keyboard.press("Control+z")
        expect(page.locator("#summary")).to_have_text("Nothing written.")
        write(page, DIGITS[3])
        expect(of_lenet5(page).locator(".digit")).to_have_text("3")
        page.keyboard.press("Delete")
        expect(of_lenet5(page).locator(".digit")).to_have_text(NOTHING)
        page.click("#undo")
        expect(of_lenet5(page).locator(".digit")).to_have_text("3")


def test_pictures_are_classified_and_other_files_refused(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    (tmp_path / "seven.png").write_bytes(picture(SEVEN))
    (tmp_path / "white.png").write_bytes(picture())
    (tmp_path / "none.png").write_bytes(b"no picture")
    (tmp_path / "huge.png").write_bytes(bytes(10_000_001))
    with opened(browser, address, "desk") as page:
        page.set_input_files("#upload", tmp_path / "seven.png")
        expect(of_lenet5(page).locator(".digit")).to_have_text("7")
        expect(page.locator("#photo i")).to_be_visible()  # where the digit is
        page.set_input_files("#upload", tmp_path / "white.png")
        expect(page.locator("#summary")).to_have_text("Nothing written.")
        expect(of_lenet5(page).locator(".digit")).to_have_text(NOTHING)
        expect(page.locator(".winner")).to_have_count(0)
        expect(page.locator(".inside canvas, #signs canvas")).to_have_count(0)
        page.set_input_files("#upload", tmp_path / "none.png")
        expect(page.get_by_role("alert")).to_contain_text("PNG")
        page.set_input_files("#upload", tmp_path / "huge.png")
        expect(page.get_by_role("alert")).to_contain_text("10 MB")
        page.click("#undo")  # of the last picture that was one
        expect(of_lenet5(page).locator(".digit")).to_have_text("7")
        write(page, DIGITS[2])
        expect(of_lenet5(page).locator(".digit")).to_have_text("2")
        expect(page.get_by_role("alert")).to_be_hidden()


def test_a_wrong_upload_leaves_no_trace(browser: Browser, address: str, tmp_path: Path) -> None:
    (tmp_path / "none.png").write_bytes(b"no picture")
    alert = "document.querySelector('#error')"
    with opened(browser, address, "desk") as page:
        write(page, DIGITS[7])
        page.click("#sample")
        expect(of_lenet5(page).locator(".digit")).to_have_text("0")
        for digit in ("7", NOTHING):  # there is something to bring back, and to undo, or not
            page.click("#undo")
            expect(of_lenet5(page).locator(".digit")).to_have_text(digit)
            before = page.inner_html("main")
            page.set_input_files("#upload", tmp_path / "none.png")
            expect(page.get_by_role("alert")).to_contain_text("PNG")
            expect(page.locator(".answers")).to_have_attribute("aria-busy", "false")
            page.evaluate(f"() => {{ {alert}.replaceChildren(); {alert}.hidden = true; }}")
            assert page.inner_html("main") == before


def test_what_was_answered_once_is_not_asked_again(browser: Browser, address: str) -> None:
    with opened(browser, address, "desk") as page:
        write(page, DIGITS[7])
        expect(of_lenet5(page).locator(".digit")).to_have_text("7")
        page.click("#sample")
        expect(of_lenet5(page).locator(".digit")).to_have_text("0")
        page.route("**/classify*", lambda route: route.abort())
        for keys, digit in (("z", "7"), ("z", NOTHING), ("y", "7"), ("y", "0")):
            page.keyboard.press(f"Control+{keys}")
            expect(of_lenet5(page).locator(".digit")).to_have_text(digit)
        expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("size", SIZES)
def test_nothing_moves_while_one_draws(browser: Browser, address: str, size: str) -> None:
    with opened(browser, address, size) as page:
        parts = ("#pad", "#undo", "#look", "#summary", ".net .digit >> nth=0")
        before = [box_of(page, part)["y"] for part in parts]
        two = [[(0.2, 0.2), (0.2, 0.8)], [(0.7, 0.2), (0.7, 0.8)]]
        for strokes in (DIGITS[4], two):
            write(page, strokes)
            assert [box_of(page, part)["y"] for part in parts] == before
        expect(page.locator("#several")).to_be_in_viewport(ratio=1)  # and is offered


def test_a_picture_may_be_dropped_or_pasted(browser: Browser, address: str) -> None:
    with opened(browser, address, "desk") as page:
        transfer = page.evaluate_handle(
            """(bytes) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], "7.png", {type: "image/png"}));
                return data;
            }""",
            [*picture(SEVEN)],
        )
        words = page.evaluate_handle(
            "() => { const data = new DataTransfer(); data.setData('text/plain', '7');"
            " return data; }"
        )
        page.dispatch_event("#pad", "dragover", {"dataTransfer": transfer})
        expect(page.locator(".pad")).to_have_class(re.compile("dropping"))
        page.dispatch_event("#pad", "drop", {"dataTransfer": transfer})
        expect(page.locator(".pad")).not_to_have_class(re.compile("dropping"))
        expect(of_lenet5(page).locator(".digit")).to_have_text("7")
        write(page, DIGITS[2])
        expect(of_lenet5(page).locator(".digit")).to_have_text("2")
        page.dispatch_event("#pad", "drop", {"dataTransfer": words})  # no picture: nothing changes
        paste = (
            "data => document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))"
        )
        page.evaluate(paste, words)
        expect(of_lenet5(page).locator(".digit")).to_have_text("2")
        page.evaluate(paste, transfer)
        expect(of_lenet5(page).locator(".digit")).to_have_text("7")
        page.click("#undo")
        expect(of_lenet5(page).locator(".digit")).to_have_text("2")


def test_a_number_and_the_feature_maps_of_a_digit_of_it(browser: Browser, address: str) -> None:
    with opened(browser, address, "desk") as page:
        page.check("#number")
        narrow = [
            [(0.4 * x + 0.6 * place, y) for x, y in DIGITS[digit][0]]
            for place, digit in enumerate((2, 3))
        ]
        write(page, narrow)
        expect(of_lenet5(page).locator(".digit")).to_have_text("23")
        page.get_by_label("Digit 2").click()
        expect(of_lenet5(page).locator(".winner")).to_contain_text("3")
        of_lenet5(page).get_by_text("Look inside").click()
        expect(page.get_by_role("img", name="C3: 16 by 10 by 10").locator("canvas")).to_have_count(
            16
        )
        expect(page.locator(".inside h3")).to_have_count(9)  # saliency, and eight layers


def test_answers_come_while_one_draws(browser: Browser, address: str) -> None:
    with opened(browser, address, "desk") as page:
        box = box_of(page, "#pad")
        for place, (x, y) in enumerate(DIGITS[7][0]):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)
            if place == 0:
                page.mouse.down()
        expect(of_lenet5(page).locator(".digit")).to_have_text("7")  # the pen is still down
        expect(page.locator(".answers")).to_have_attribute("aria-busy", "false")
        page.mouse.up()
        page.click("#pad")  # and by keys
        page.keyboard.press("Delete")
        page.keyboard.press("Shift+ArrowUp")
        page.keyboard.press(" ")
        for _ in range(4):
            page.keyboard.press("Shift+ArrowDown")
        expect(of_lenet5(page).locator(".digit")).to_have_text("1")


def held(page: Page) -> tuple[list[Route], Callable[[], None]]:
    """Let the server seem slow; returns the questions that wait, and what lets them through."""
    waiting: list[Route] = []
    released: list[bool] = []

    def hold(route: Route) -> None:
        if released:
            route.continue_()
        else:
            waiting.append(route)

    def release() -> None:
        released.append(True)
        for route in waiting:
            route.continue_()

    page.route("**/classify*", hold)
    return waiting, release


def test_an_answer_that_is_not_to_what_is_written_is_marked_and_a_late_one_dropped(
    browser: Browser, address: str
) -> None:
    with opened(browser, address, "desk") as page:
        write(page, DIGITS[3])
        expect(of_lenet5(page).locator(".digit")).to_have_text("3")
        busy = page.locator(".answers[aria-busy=true]")
        expect(busy).to_have_count(0)
        waiting, release = held(page)
        box = box_of(page, "#pad")
        page.mouse.move(box["x"] + 40, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + 60, box["y"] + 300, steps=20)
        page.mouse.up()
        expect(busy).to_have_count(1)
        assert len(waiting) == 1  # twenty movements, one question at a time
        page.keyboard.press("Delete")
        expect(page.locator("#summary")).to_have_text("Nothing written.")
        expect(busy).to_have_count(0)
        with page.expect_response("**/classify*"):
            release()
        page.evaluate("() => new Promise(requestAnimationFrame)")
        expect(of_lenet5(page).locator(".digit")).to_have_text(NOTHING)
        page.click("#undo")
        expect(page.locator("#summary")).not_to_have_text("Nothing written.")


def test_what_was_undone_comes_back_and_the_eraser_erases(browser: Browser, address: str) -> None:
    with opened(browser, address, "desk") as page:
        write(page, DIGITS[7])
        page.keyboard.press("Control+z")
        expect(page.locator("#summary")).to_have_text("Nothing written.")
        page.click("#redo")
        expect(of_lenet5(page).locator(".digit")).to_have_text("7")
        expect(page.locator("#redo")).to_be_disabled()
        page.click("#eraser")
        page.locator("#stroke").fill("6")
        box = box_of(page, "#pad")
        page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.23 * box["height"])
        page.mouse.down()  # the bar of the seven: a slash is left, which is a one
        page.mouse.move(box["x"] + 0.62 * box["width"], box["y"] + 0.2 * box["height"], steps=9)
        page.mouse.up()
        expect(of_lenet5(page).locator(".digit")).to_have_text("1")
        page.keyboard.press("Control+z")
        expect(of_lenet5(page).locator(".digit")).to_have_text("7")


def test_samples_of_all_digits_are_what_they_should_be(browser: Browser, address: str) -> None:
    with opened(browser, address, "phone") as page:
        for digit in range(10):
            page.click("#sample")
            expect(of_lenet5(page).locator(".digit")).to_have_text(str(digit))


def test_a_picture_of_several_digits_offers_to_read_them(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    both = picture(FIVE, [(x + 150, y) for x, y in SEVEN])
    (tmp_path / "57.png").write_bytes(both)
    with opened(browser, address, "desk") as page:
        page.set_input_files("#upload", tmp_path / "57.png")
        page.click("#several")
        expect(of_lenet5(page).locator(".digit")).to_have_text("57")
        expect(page.locator("#several")).to_be_hidden()
        expect(page.locator("#photo i")).to_have_count(2)


def test_all_networks_are_looked_into_at_once_and_layers_enlarged(
    browser: Browser, address: str
) -> None:
    with opened(browser, address, "desk") as page:
        write(page, DIGITS[2])
        page.click("#look")
        c3 = page.get_by_role("img", name="C3: 16 by 10 by 10").locator("canvas").first
        expect(c3).to_be_visible()
        expect(page.get_by_role("img", name="Saliency")).to_have_count(2)
        before = c3.bounding_box()
        page.get_by_role("button", name="C3").click()
        after = c3.bounding_box()
        assert before
        assert after
        assert after["width"] >= 3 * before["width"]
        write(page, DIGITS[3])  # they follow what is written
        expect(page.get_by_role("img", name=re.compile("Saliency.* 3 "))).not_to_have_count(0)
        page.click("#look")
        expect(page.locator(".inside canvas")).to_have_count(0)


def test_what_was_answered_can_be_taken_away(browser: Browser, address: str) -> None:
    with opened(browser, address, "desk") as page:
        page.check("#number")
        page.click("#sample")
        expect(of_lenet5(page).locator(".digit")).to_have_text("012")
        saved = {}
        for kind in ("picture", "pixels", "answers"):
            page.click("#save > summary")
            with page.expect_download() as download:
                page.click(f"#save-{kind}")
            saved[kind] = download.value.path()
        answers = json.loads(saved["answers"].read_text())
        names = [(net["architecture"], net["text"]) for net in answers["nets"]]
        assert names[0] == ("lenet5", "012")
        pixels = np.asarray(Image.open(saved["pixels"]).convert("L"))
        assert pixels.shape == (28, 3 * 28)
        seen = np.concatenate([sign["image"] for sign in answers["signs"]], axis=1)
        assert (255 - pixels == seen).all()
        with Image.open(saved["picture"]) as sent:
            assert sent.size == ((2.5 * 28 + 4) * 6, (28 + 4) * 6)
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        copied = {}
        for kind, mime in (("pixels", "image/png"), ("answers", "text/plain")):
            page.click("#save > summary")
            page.click(f"#copy-{kind}")
            page.wait_for_function(f"async () => (await {CLIPBOARD}).types.includes('{mime}')")
            copied[kind] = bytes(
                page.evaluate(
                    f"async () => [...await (await (await {CLIPBOARD}).getType('{mime}')).bytes()]"
                )
            )
        assert copied["answers"] == saved["answers"].read_bytes()
        with Image.open(BytesIO(copied["pixels"])) as image:
            assert (np.asarray(image.convert("L")) == pixels).all()


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_no_barrier(browser: Browser, address: str, size: str) -> None:
    with opened(browser, address, size) as page:
        assert barriers(page) == []
        page.click("#sample")
        expect(of_lenet5(page).locator(".digit")).to_have_text("0")
        expect(page.locator(".answers")).to_have_attribute("aria-busy", "false")
        page.click("#look")
        expect(page.get_by_role("img", name="Saliency")).to_have_count(2)
        page.click("#save > summary")
        assert barriers(page) == []


def barriers(page: Page) -> list[str]:
    """What axe-core finds, each with where it is."""
    # Its script is evaluated, not loaded: the page's own rules allow no script from elsewhere.
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found]
