"""Reading a caller's multipart form: text fields into memory, its one file to disk."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web

from gateway.schema.failure import CallError
from gateway.web.body import check_head, last_answer

_FIELD_BYTES = 64 * 1024
_MAX_PARTS = 64
_PIECE_BYTES = 256 * 1024


@dataclass(slots=True)
class Form:
    """The fields of a form (a name that ends in `[]` gives a tuple) and its file's own name."""

    fields: dict[str, Any] = field(default_factory=dict)  # Any: text, or a tuple of it.
    filename: str = ""


async def read_form(request: web.Request, path: Path, limit: int, timeout_s: float) -> Form:
    """Return the form, its part `file` written to `path`.

    Raises `CallError`: `unsupported_media_type`, `too_large`, `request_timeout`, `bad_request`,
    `missing_parameter` when there is no file.
    """
    if request.content_type != "multipart/form-data":
        raise CallError("unsupported_media_type", "send multipart/form-data with a part named file")
    try:
        check_head(request, limit)
        async with asyncio.timeout(timeout_s):
            return await _read(request, path, limit)
    except TimeoutError:
        message = f"the body was not complete after {timeout_s:g} s"
        raise last_answer(request, CallError("request_timeout", message)) from None
    except ValueError:
        raise last_answer(request, CallError("bad_request", "the form is malformed")) from None
    except CallError as error:
        raise last_answer(request, error) from None


async def _read(request: web.Request, path: Path, limit: int) -> Form:
    form, size, count = Form(), 0, 0
    reader = await request.multipart()
    has_file = False
    while (part := await reader.next()) is not None:
        count += 1
        if count > _MAX_PARTS or not isinstance(part, BodyPartReader) or part.name is None:
            raise CallError("bad_request", "the form has a part without a name, or too many")
        if part.name == "file":
            has_file = True
            form.filename = (part.filename or "file")[:255]
            size += await _to_disk(part, path, limit - size)
        else:
            size += await _to_memory(part, form)
        if size > limit:
            raise CallError("too_large", f"the form is larger than {limit} bytes")
    if not has_file:
        raise CallError("missing_parameter", "file is missing: give it as a part", param="file")
    return form


async def _to_disk(part: BodyPartReader, path: Path, limit: int) -> int:
    size = 0
    with path.open("wb") as file:
        while piece := await part.read_chunk(_PIECE_BYTES):
            size += len(piece)
            if size > limit:
                return size
            # A thread for each quarter of a megabyte: a disk may be slow, the loop must not be.
            await asyncio.to_thread(file.write, piece)
    return size


async def _to_memory(part: BodyPartReader, form: Form) -> int:
    name = (part.name or "")[:64]
    data = b""
    while piece := await part.read_chunk(_FIELD_BYTES):
        data += piece
        if len(data) > _FIELD_BYTES:
            raise CallError("too_large", f"{name} is larger than {_FIELD_BYTES} bytes", param=name)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        message = f"{name} is not UTF-8"
        raise CallError("invalid_parameter", message, param=name) from None
    if name.endswith("[]"):
        form.fields[name[:-2]] = (*form.fields.get(name[:-2], ()), text)
    else:
        form.fields[name] = text
    return len(data)
