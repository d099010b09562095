"""Reading a caller's multipart form (RFC 7578): text fields into memory, its files to disk."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import BodyPartReader, web

from gateway.schema.failure import CallError
from gateway.web.body import check_head, last_answer
from gateway.web.sameness import LATER, Parts, note_parts, parts_of
from gateway.web.serving import SERVING

_FIELD_BYTES = 64 * 1024
_MAX_PARTS = 64
_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file of a form, which lives as long as the form does."""

    path: Path
    filename: str


@dataclass(slots=True)
class Form:
    """What a form says, by name: text, what is sent as `name[]` in order, and files."""

    fields: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: dict[str, list[FormFile]] = field(default_factory=dict)


@asynccontextmanager
async def form_of(request: web.Request, *files: str) -> AsyncGenerator[Form]:
    """Give the form of a request, whose parts named in `files` are files, the first required.

    They lie in a folder that only this process's user can read, and are gone afterwards. Raises
    `CallError`: `unsupported_media_type`, `too_large`, `request_timeout`, `bad_request`,
    `missing_parameter`.
    """
    bounds = request.app[SERVING].bounds
    folder = await asyncio.to_thread(TemporaryDirectory, prefix="dynagate-")
    try:
        path = Path(folder.name)
        yield await _read_form(request, path, files, (bounds.body_bytes, bounds.body_s))
    finally:
        # Who goes on without its caller still reads the files.
        later = request.get(LATER)
        if later is None:
            folder.cleanup()
        else:
            later.append(folder.cleanup)


async def _read_form(
    request: web.Request, folder: Path, files: tuple[str, ...], bounds: tuple[int, float]
) -> Form:
    limit, timeout_s = bounds
    if request.content_type != "multipart/form-data":
        message = f"send multipart/form-data with a part named {files[0]}"
        raise CallError("unsupported_media_type", message)
    try:
        check_head(request, limit)
        async with asyncio.timeout(timeout_s):
            form = await _read(request, folder, files, limit)
    except TimeoutError:
        message = f"the body was not complete after {timeout_s:g} s"
        raise last_answer(request, CallError("request_timeout", message)) from None
    except ValueError:
        raise last_answer(request, CallError("bad_request", "the form is malformed")) from None
    except CallError as error:
        raise last_answer(request, error) from None
    if files[0] not in form.files:
        message = f"{files[0]} is missing: give it as a part"
        raise CallError("missing_parameter", message, param=files[0])
    return form


async def _read(request: web.Request, folder: Path, files: tuple[str, ...], limit: int) -> Form:
    form, size, count = Form(), 0, 0
    parts = parts_of(request)
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        count += 1
        if count > _MAX_PARTS or not isinstance(part, BodyPartReader) or part.name is None:
            raise CallError("bad_request", "the form has a part without a name, or too many")
        name = part.name.removesuffix("[]")
        if name in files:
            path = folder / str(count)
            size += await _to_disk(part, path, limit - size, parts)
            named = FormFile(path, (part.filename or name)[:255])
            form.files.setdefault(name, []).append(named)
        else:
            size += await _to_memory(part, form, parts)
        if size > limit:
            raise CallError("too_large", f"the form is larger than {limit} bytes")
    note_parts(request, parts)
    return form


async def _to_disk(part: BodyPartReader, path: Path, limit: int, parts: Parts | None) -> int:
    size = 0
    if parts is not None:
        parts.begin(part.name, part.filename)
    with path.open("wb") as file:
        while piece := await part.read_chunk(_PIECE_BYTES):
            size += len(piece)
            if size > limit:
                return size
            if parts is not None:
                parts.add(piece)
            # A thread for each quarter of a megabyte: a disk may be slow, the loop must not be.
            await asyncio.to_thread(file.write, piece)
    return size


async def _to_memory(part: BodyPartReader, form: Form, parts: Parts | None) -> int:
    name = (part.name or "")[:64]
    data = b""
    while piece := await part.read_chunk(_FIELD_BYTES):
        data += piece
        if len(data) > _FIELD_BYTES:
            raise CallError("too_large", f"{name} is larger than {_FIELD_BYTES} bytes", param=name)
    if parts is not None:
        parts.begin(part.name, None)
        parts.add(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        message = f"{name} is not UTF-8"
        raise CallError("invalid_parameter", message, param=name) from None
    if name.endswith("[]"):
        form.lists[name[:-2]] = (*form.lists.get(name[:-2], ()), text)
    else:
        form.fields[name] = text
    return len(data)
