"""Reads `config.yaml`: YAML with line numbers, `${ENV}`, and errors that say where."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.config.checks import contradictions
from gateway.config.database import PostgresPlace, place_of
from gateway.config.document import Document
from gateway.config.interpolation import Interpolation
from gateway.config.problems import ConfigError, Finding, Loc, Problem, dotted
from gateway.config.stamps import Stamp, Stamps, stamp_of
from gateway.config.tree import Node, find, parse
from gateway.config.validation import complaints
from gateway.config.valkey import valkey_secrets

MAX_FILE_BYTES = 1024 * 1024
_REDACT_FROM = 4
"""Shorter secrets are not taken out of messages: `a` would leave nothing to read."""


@dataclass(frozen=True, slots=True)
class Override:
    """A value that wins over the file's. `origin` is where it came from, for errors: `--port`."""

    loc: tuple[str, ...]
    value: str | int | None
    origin: str


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read, and how its places are told.

    `stamps` are its own, and those of files that variables of the environment name.
    """

    path: Path
    root: Node
    overrides: tuple[Override, ...] = ()
    secrets: tuple[str, ...] = ()
    stamps: Stamps = field(default_factory=dict)

    def place(self, loc: Loc) -> str:
        """Return `file:line:column` of the value at `loc`, or of the nearest key above that exists.

        A value that an override gave is where the override came from.
        """
        for override in self.overrides:
            if override.loc == loc:
                return override.origin
        line, column = self._position(Finding(loc, ""))
        return f"{self.path}:{line}:{column}"

    def problem(self, finding: Finding) -> Problem:
        """Return `finding` with its place, and without the secrets that were interpolated."""
        if finding.is_about_key:
            line, column = self._position(finding)
            place = f"{self.path}:{line}:{column}"
        else:
            place = self.place(finding.loc)
        message = finding.message
        for secret in self.secrets:
            if len(secret) >= _REDACT_FROM:
                message = message.replace(secret, "***")
        return Problem(place, dotted(finding.loc), message)

    def error(self, findings: Iterable[Finding]) -> ConfigError:
        """Return the error that says all `findings`, in the order of the file."""
        return ConfigError(map(self.problem, sorted(findings, key=self._position)))

    def _position(self, finding: Finding) -> tuple[int, int]:
        steps, node, key = find(self.root, finding.loc)
        is_value = steps == len(finding.loc) and not finding.is_about_key
        return (node.line, node.column) if is_value else key


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that holds together; the registry has yet to validate providers' settings.

    `source.overrides` is what a reload has to be given again. `secrets` must never reach a log: the
    admin secret, passwords of databases and state servers, what a `*_FILE` held, variables named
    like a secret. Providers add theirs.
    """

    path: Path
    document: Document
    source: Source
    secrets: tuple[str, ...]

    def place(self, loc: Loc) -> str:
        """Return `file:line:column` of the value at `loc`, or of the nearest key above."""
        return self.source.place(loc)

    def error(self, findings: Iterable[Finding]) -> ConfigError:
        """Return the error that says all `findings`, each with its place and without secrets."""
        return self.source.error(findings)


def load(path: Path, environ: Mapping[str, str], *, overrides: Sequence[Override] = ()) -> Loaded:
    """Read, interpolate and validate `path`; blocks.

    Raises `ConfigError` with everything that is wrong.
    """
    text, stamp = _text(path)
    root = parse(text, str(path))
    interpolation = Interpolation(environ)
    data = interpolation.data(root)
    secrets = tuple(dict.fromkeys(interpolation.secrets))
    stamps = {path: stamp, **interpolation.files}
    source = Source(path, root, tuple(overrides), secrets, stamps)
    if interpolation.findings:
        raise source.error(interpolation.findings)
    if not isinstance(data, dict):
        message = "should be keys with values: `dynagate init` writes an example"
        raise source.error([Finding((), message)])
    for override in overrides:
        _put(data, override)
    try:
        document = Document.model_validate(data)
    except ValidationError as error:
        raise source.error(complaints(error, Document, data)) from None
    if found := list(contradictions(document)):
        raise source.error(found)
    return Loaded(path, document, source, (*secrets, *_own_secrets(document, environ)))


def _own_secrets(document: Document, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what is secret wherever the file has it from."""
    if admin := document.admin.secret.get_secret_value():
        yield admin
    place = place_of(document.state.url, environ)
    if isinstance(place, PostgresPlace):
        yield from place.secrets
    if document.state.valkey is not None:
        yield from valkey_secrets(document.state.valkey.get_secret_value())


def _text(path: Path) -> tuple[str, Stamp]:
    try:
        with path.open("rb") as file:
            stamp = stamp_of(file.fileno())
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        message = "there is no such file: `dynagate init` writes one, --config names another"
        raise ConfigError([Problem(str(path), "", message)]) from None
    except OSError as error:
        message = f"cannot be read: {error.strerror or type(error).__name__}"
        raise ConfigError([Problem(str(path), "", message)]) from None
    if len(content) > MAX_FILE_BYTES:
        message = f"a configuration may have {MAX_FILE_BYTES} bytes"
        raise ConfigError([Problem(str(path), "", message)])
    try:
        return content.decode("utf-8-sig"), stamp
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem(f"{path}:{line}:1", "", "this line is not UTF-8")
        raise ConfigError([problem]) from None


def _put(data: dict[str, Any], override: Override) -> None:  # Any: whatever YAML holds.
    """Set the value in `data`, unless what is above it is no mapping: validation says that."""
    here: Any = data
    for step in override.loc[:-1]:
        if here.get(step) is None:
            here[step] = {}
        here = here[step]
        if not isinstance(here, dict):
            return
    here[override.loc[-1]] = override.value
