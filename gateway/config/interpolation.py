"""`${NAME}` in the texts of the configuration.

`${NAME}` is the environment variable NAME; `${NAME:-default}` is `default` when NAME is unset or
empty; `$${` is a `${` that is meant. When NAME is unset or empty and NAME_FILE is set, the value is
that file's text, stripped, as containers hand over secrets. A value is never looked into again, and
keys are left alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config.problems import Finding, Loc
from gateway.config.stamps import Stamp, stamp_of
from gateway.config.tree import Node, Scalar

MAX_SECRET_FILE_BYTES = 64 * 1024

Plain = Scalar | list["Plain"] | dict[str, "Plain"]

_REFERENCE = re.compile(
    r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?"
)
_SECRET_NAME = re.compile(r"key|secret|token|passw|credential|dsn", re.IGNORECASE)


@dataclass(slots=True)
class Interpolation:
    """Reads one environment.

    `findings` are what could not be resolved, `secrets` the values that must not be shown, `files`
    those that were read.
    """

    environ: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    files: dict[Path, Stamp] = field(default_factory=dict)

    def data(self, node: Node, loc: Loc = ()) -> Plain:
        """Return `node` as plain values, every text in it interpolated."""
        match node.content:
            case dict() as entries:
                return {key: self.data(entry.node, (*loc, key)) for key, entry in entries.items()}
            case list() as items:
                return [self.data(item, (*loc, index)) for index, item in enumerate(items)]
            case str() as text if "${" in text:
                return self.text(text, loc)
            case plain:
                return plain

    def text(self, text: str, loc: Loc = ()) -> str:
        """Return `text` interpolated; what cannot be resolved becomes a finding at `loc`."""

        def value(found: re.Match[str]) -> str:
            if found[0] == "$${":
                return "${"
            if found["name"] is None:
                message = "write ${NAME} or ${NAME:-default}, or $${ for a ${ that is meant"
                self.findings.append(Finding(loc, message))
                return ""
            return self._value(found["name"], found["default"], loc)

        return _REFERENCE.sub(value, text)

    def _value(self, name: str, default: str | None, loc: Loc) -> str:
        value = self.environ.get(name)
        from_file = None
        if not value and (file := self.environ.get(f"{name}_FILE")):
            value = from_file = self._file_text(f"{name}_FILE", file, loc)
        if value and (from_file is not None or _SECRET_NAME.search(name)):
            self.secrets.append(value)
        if default is not None:
            return value or default
        if value is None:
            message = (
                f"the environment variable {name} is not set: export it, "
                f"or let {name}_FILE name a file that holds it, or write ${{{name}:-}}"
            )
            self.findings.append(Finding(loc, message))
        return value or ""

    def _file_text(self, name: str, file: str, loc: Loc) -> str:
        try:
            with Path(file).open("rb") as opened:
                self.files[Path(file)] = stamp_of(opened.fileno())
                text = opened.read(MAX_SECRET_FILE_BYTES + 1)
            if len(text) <= MAX_SECRET_FILE_BYTES:
                return text.decode().strip()
            why = f"it has more than {MAX_SECRET_FILE_BYTES} bytes"
        except UnicodeDecodeError:
            why = "it is not UTF-8"
        except OSError as error:
            why = error.strerror or type(error).__name__
        message = f"{name} names {file}, which cannot be read: {why}"
        self.findings.append(Finding(loc, message))
        return ""
