"""Files of every kind in, pixel values out; whatever is broken is one line."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_arch.errors import UserError
from mnist_arch.inference import pictures
from mnist_arch.inference.pictures import MOST_PIXELS, _quantile, read
from tests.factories import png, written

VALUES = np.tile(np.arange(0, 240, 10, dtype=np.uint8), (16, 1))  # 16 high, 24 wide


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_gives_the_same_values(kind: str, mode: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{kind.lower()}"
    path.write_bytes(written(Image.fromarray(VALUES).convert(mode), kind, quality=100))
    for source in (path, str(path), path.read_bytes()):
        values = read(source)
        assert values.dtype == np.uint8
        np.testing.assert_allclose(values.astype(int), VALUES, atol=4)  # JPEG and WebP lose some


def test_colours_weigh_as_the_eye_does() -> None:
    """ITU-R 601: 0.299 red, 0.587 green, 0.114 blue."""
    for colour, value in (("red", 76), ("lime", 150), ("blue", 29)):
        assert read(Image.new("RGB", (3, 3), colour)).tolist() == [[value] * 3] * 3


def test_transparency_shows_white_paper() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    half = Image.new("LA", (4, 4), (0, 128))
    palette = Image.new("P", (4, 4))
    palette.info["transparency"] = 0
    assert read(written(clear, "PNG")).min() == 255
    assert read(written(half, "PNG")).tolist() == [[127] * 4] * 4
    assert read(written(palette, "PNG", transparency=0)).min() == 255


def test_light_ink_on_nothing_shows_black_paper_and_a_sheet_its_own() -> None:
    for ink, paper in ((255, 0), (0, 255), (200, 0)):
        strokes = Image.new("LA", (6, 6), (128, 0))
        strokes.paste((ink, 255), (2, 2, 4, 4))
        values = read(written(strokes, "PNG"))
        assert (values[0, 0], values[3, 3]) == (paper, ink)
    sheet = Image.new("LA", (6, 6), (0, 0))  # with a transparent corner
    sheet.paste((250, 255), (1, 0, 6, 6))
    sheet.paste((0, 255), (3, 3, 5, 5))
    assert read(written(sheet, "PNG"))[0].tolist() == [255, *5 * [250]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_stay(kind: str) -> None:
    values = np.array([[0, 1000], [30000, 65535]], dtype=np.uint16)
    picture = read(written(Image.fromarray(values), kind))
    assert picture.dtype == np.uint16
    np.testing.assert_array_equal(picture, values)


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr"])
def test_other_modes_are_read(mode: str) -> None:
    picture = Image.new("L", (8, 8), 255).convert(mode)
    assert read(picture).min() >= 253


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(1, VALUES), (3, VALUES[::-1, ::-1]), (6, np.rot90(VALUES, -1)), (8, np.rot90(VALUES))],
)
def test_a_camera_held_otherwise_is_turned_back(orientation: int, turned: np.ndarray) -> None:
    """EXIF 2.3, tag 274: 3 is half a turn; 6 and 8 need a quarter clockwise or back."""
    exif = Image.Exif()
    exif[274] = orientation
    np.testing.assert_array_equal(read(written(Image.fromarray(VALUES), "PNG", exif=exif)), turned)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"GIF89a", "readable|no picture"),
        (b"hello, this is text" * 100, "no picture of the formats PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture of the formats"),
        (png(30_000, 30_000), "not a readable|more than"),
        (png(8_000, 8_000), f"more than {MOST_PIXELS:,}"),
        (png(100, 100), "not a readable picture"),
    ],
)
def test_hostile_files_are_named_in_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none.png", "no such file"), (tmp_path, "not a file")):
        with pytest.raises(UserError, match=message):
            read(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_broken_files_are_read_or_refused_in_one_line(kind: str) -> None:
    """Forty of each: cut off, or with bytes changed; nothing else than UserError comes out."""
    draws = np.random.default_rng(0)
    whole = written(Image.fromarray(VALUES).convert("RGB"), kind)
    refused = []
    for number in range(40):
        broken = bytearray(whole[: int(draws.integers(1, len(whole)))] if number % 2 else whole)
        for place in draws.integers(0, len(broken), 6):
            broken[place] = draws.integers(256)
        try:
            values = read(bytes(broken), f"{number}.{kind}")
        except UserError as error:
            refused.append(str(error))
        else:
            assert values.ndim == 2
    assert len(refused) >= 15
    assert all(re.fullmatch(rf"\d+\.{kind}: .+", line) for line in refused)


def test_quantiles_of_counted_values_are_numpys() -> None:
    draws = np.random.default_rng(0)
    for _ in range(50):
        values = draws.integers(0, 256, draws.integers(1, 40))
        counts = np.bincount(values, minlength=256)
        for share in (0.02, 0.5, 0.98):
            assert _quantile(counts, share) == pytest.approx(np.quantile(values, share))


def test_strips_of_a_picture_with_transparency_are_the_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draws = np.random.default_rng(0)
    for channels, mode in ((2, "LA"), (4, "RGBA")):
        picture = Image.fromarray(draws.integers(0, 256, (9, 7, channels), dtype=np.uint8), mode)
        monkeypatch.setattr(pictures, "AT_ONCE", 63)
        whole = read(picture)
        monkeypatch.setattr(pictures, "AT_ONCE", 20)
        assert (read(picture) == whole).all()


def test_a_huge_picture_in_colour_and_transparency_takes_less_than_a_gibibyte() -> None:
    code = (
        "import re; from PIL import Image; from mnist_arch.inference.pictures import read;"
        "picture = Image.new('RGBA', (7000, 7000), (200, 200, 200, 255));"
        "picture.paste((0, 0, 0, 255), (3000, 1000, 3500, 6000)); read(picture);"
        # Not ru_maxrss, which begins with that of the process that started this one.
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1 << 20  # KiB
