"""Picture files -> pixel values; whatever is wrong with a file is one clear line."""

import struct
import warnings
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_arch import files
from mnist_arch.errors import UserError

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
MOST_PIXELS = 50_000_000  # of one picture: a decompression bomb is rejected before decoding
MOST_BYTES = 100_000_000  # of one file
HEIF = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif")  # brands, in an ISO container
OPAQUE = 128  # least alpha of what is seen
AT_ONCE = 1_000_000  # pixels with transparency that are worked on at a time
SHADES = 64  # range of values that ink of one colour has

Source = str | Path | bytes | Image.Image


def read(source: Source, name: str | None = None) -> NDArray[np.generic]:
    """Read a file, its bytes or a Pillow image: (H, W) pixel values, uint8, or uint16 of 16 bits.

    The picture is turned upright by its EXIF orientation, transparent parts become white, or black
    under light ink, and of several frames the first is taken. ``name`` stands for it in errors.

    Raises:
        UserError: There is no such file, or it is of no known format, broken or huge.
    """
    name = name or (str(source) if isinstance(source, (str, Path)) else "picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; the size is checked here
            return _grey(_opened(source, name), name)
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{name}: no such file") from error
    except UnidentifiedImageError as error:
        formats = ", ".join(FORMATS)
        raise UserError(
            f"{name}: no picture of the formats {formats}{_foreign(source)}"
        ) from error
    # What Pillow's decoders raise for broken files; it differs between versions.
    except (
        *(OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError),
        *(SyntaxError, RuntimeError, OverflowError, ZeroDivisionError, AssertionError),
        *(MemoryError, struct.error, zlib.error, Image.DecompressionBombError),
    ) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
        raise UserError(f"{name}: not a readable picture ({reason})") from error


def is_picture(path: Path) -> bool:
    """Tell by its first bytes whether a file is a picture of a known format; it may be broken."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS):
            return True
    except Exception:  # noqa: BLE001 whatever Pillow makes of a stranger's file
        return False


def _foreign(source: Source) -> str:
    """Say of a picture that is of no known format which it is, if that is known."""
    if isinstance(source, Image.Image):
        return ""
    with BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
        start = file.read(12)
    if start[4:8] == b"ftyp" and start[8:] in HEIF:
        return "; it is HEIC or AVIF, as phones write it: export it as JPEG"
    return "; it is a PDF: export the page as PNG" if start.startswith(b"%PDF") else ""


def _opened(source: Source, name: str) -> Image.Image:
    """Open a picture without decoding it."""
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, (str, Path)):
        source = files.read(Path(source), MOST_BYTES)
    if len(source) > MOST_BYTES:
        raise UserError(f"{name}: larger than {MOST_BYTES // 1_000_000} MB")
    if not source:
        raise UserError(f"{name}: empty")
    return Image.open(BytesIO(source), formats=FORMATS)


def _grey(picture: Image.Image, name: str) -> NDArray[np.generic]:
    """Decode a picture: upright, on white, in grey."""
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise UserError(f"{name}: {width} x {height} pixels, more than {MOST_PIXELS:,}")
    if width * height == 0:
        raise UserError(f"{name}: has no pixels")
    picture.load()
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16)
    if picture.mode in ("I", "F"):  # 16 bits, as some decoders return them; or any number at all
        values = np.asarray(picture, dtype=np.float64)
        most = 65535 if picture.mode == "I" else 255
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > most:
            raise UserError(f"{name}: pixel values that are not between 0 and {most:,}")
        return values.astype(np.uint16 if picture.mode == "I" else np.float64)
    if picture.has_transparency_data:
        paper = _paper(picture)
        return np.concatenate([_on(paper, strip) for strip in _strips(picture)])
    return np.asarray(picture.convert("L"))


def _strips(picture: Image.Image) -> Iterator[Image.Image]:
    """Yield a picture with transparency in strips: a huge one several times over is too much."""
    high = max(1, AT_ONCE // picture.width)
    for top in range(0, picture.height, high):
        bottom = min(top + high, picture.height)
        yield picture.crop((0, top, picture.width, bottom)).convert("RGBA")


def _on(paper: str, strip: Image.Image) -> NDArray[np.uint8]:
    behind = Image.new("RGBA", strip.size, paper)
    return np.asarray(Image.alpha_composite(behind, strip).convert("L"))


def _paper(picture: Image.Image) -> str:
    """Name the paper behind a transparent picture: that which its ink, or its paper, needs."""
    counts = np.zeros(256, np.int64)  # of the grey values that are seen
    for strip in _strips(picture):
        grey, alpha = (np.asarray(each) for each in (strip.convert("L"), strip.getchannel("A")))
        counts += np.bincount(grey[alpha >= OPAQUE], minlength=256)
    if not counts.any():
        return "white"
    least, median, most = (_quantile(counts, share) for share in (0.02, 0.5, 0.98))
    # With two shades it has paper of its own, which is the commoner one.
    return "white" if (median > 127) == (most - least > SHADES) else "black"


def _quantile(counts: NDArray[np.int64], share: float) -> float:
    """Return a quantile of values 0, 1, ... that occur so many times, as `numpy.quantile` does."""
    place = share * (counts.sum() - 1)
    below, above = np.searchsorted(np.cumsum(counts), [np.floor(place), np.ceil(place)], "right")
    return float(below + (above - below) * (place % 1))
