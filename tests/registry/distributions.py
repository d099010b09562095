"""Distributions made on the spot: a module and the metadata that an installer would leave."""

from collections.abc import Mapping
from pathlib import Path

GOOD_KIND = """\
from contextlib import asynccontextmanager
from pydantic import BaseModel, ConfigDict
from gateway.sdk import ProviderKind, hookimpl

class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    api_key: str = ""
    size: int = 1

@asynccontextmanager
async def connect(settings, deps):
    yield object()

@hookimpl
def gateway_provider_kinds():
    return [ProviderKind(
        name="KIND", settings=Settings, connect=connect,
        missing=lambda settings: None if settings.api_key else "api_key is empty",
        secrets=lambda settings: [settings.api_key],
    )]
"""
"""A module that offers a kind; write its name for KIND."""


def install(
    folder: Path,
    distribution: str,
    kinds: Mapping[str, str],
    version: str = "1.0",
    group: str = "dynagate",
) -> Path:
    """Write a distribution whose entry points are the names in `kinds`, each a module's source."""
    name = distribution.replace("-", "_")
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata)
    lines = [f"[{group}]"]
    for kind, source in kinds.items():
        module = f"fake_{name}_{kind}"
        (folder / f"{module}.py").write_text(source.replace("KIND", kind))
        lines.append(f"{kind} = {module}")
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder
