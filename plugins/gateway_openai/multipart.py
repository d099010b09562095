"""Forms with files, as RFC 7578 writes them."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class File(NamedTuple):
    """A file of a form; whatever could break out of `filename` is left out of it."""

    field: str
    filename: str
    data: bytes
    media_type: str = "application/octet-stream"


def form(
    fields: Sequence[tuple[str, str]], files: Sequence[File]
) -> tuple[bytes, Mapping[str, str]]:
    """Return a multipart body and its headers: the fields first, in order."""
    boundary = f"dynagate-{os.urandom(16).hex()}"
    pieces: list[bytes] = []
    for name, value in fields:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        pieces.append(f"{head}{value}\r\n".encode())
    for file in files:
        filename = "".join(c for c in file.filename if c.isalnum() or c in "._-")[-64:]
        head = f'form-data; name="{file.field}"; filename="{filename or "file"}"'
        pieces += [
            f"--{boundary}\r\nContent-Disposition: {head}\r\n"
            f"Content-Type: {file.media_type}\r\n\r\n".encode(),
            file.data,
            b"\r\n",
        ]
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces), {"content-type": f"multipart/form-data; boundary={boundary}"}
