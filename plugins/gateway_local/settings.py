"""The `settings:` of a provider whose `kind:` is `local`."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway_local.catalogue import DEFAULT_ID, catalogue

_LEAST_CONTEXT = 256


class LocalSettings(BaseModel):
    """Which model runs here, and how much of the machine it may take.

    `model` is an id of the catalogue (`dynagate models`); `path`, any GGUF file of the operator's,
    replaces it. `context` tokens are shared by `parallel` slots, so one conversation may have
    `context // parallel`. `threads` write answers (None: all cores but one), `prompt_threads` read
    prompts (None: all cores). A worker that dies is started again after `restart_min_s`, then
    twice as long each time up to `restart_max_s`. The other engines (vectors, speech) are processes
    that start with their first call, end after `engine_idle_s` without one, may hold `engine_bytes`
    and use `engine_threads` each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = DEFAULT_ID
    path: Path | None = None
    context: Annotated[int, Field(ge=_LEAST_CONTEXT, le=1_048_576)] = 8192
    parallel: Annotated[int, Field(ge=1, le=64)] = 2
    threads: Annotated[int, Field(ge=1, le=512)] | None = None
    prompt_threads: Annotated[int, Field(ge=1, le=512)] | None = None
    start_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    restart_min_s: Annotated[float, Field(gt=0, le=3600)] = 0.5
    restart_max_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    engine_idle_s: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    engine_bytes: Annotated[int, Field(ge=64 * 1024 * 1024)] = 1024 * 1024 * 1024
    engine_threads: Annotated[int, Field(ge=1, le=512)] = 1

    @field_validator("model")
    @classmethod
    def _model(cls, value: str) -> str:
        known = catalogue().for_chat()
        if value not in known:
            msg = f"unknown weights; known are {', '.join(known)}; any other GGUF file needs path"
            raise ValueError(msg)
        return value

    @field_validator("path")
    @classmethod
    def _path(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.slot_context < _LEAST_CONTEXT:
            msg = f"context // parallel is {self.slot_context}; a slot needs {_LEAST_CONTEXT}"
            raise ValueError(msg)
        if self.restart_max_s < self.restart_min_s:
            msg = "restart_max_s is less than restart_min_s"
            raise ValueError(msg)
        return self

    @property
    def slot_context(self) -> int:
        """Tokens that one conversation may have, answer included."""
        return self.context // self.parallel

    @property
    def decode_threads(self) -> int:
        """Threads that write answers.

        One core is left to everything else: on a busy two-core machine two decoding threads fell
        from 20 to 2-4 tokens a second waiting for each other, one stayed at 11-13 (2026-11).
        """
        return self.threads or max(1, (os.cpu_count() or 1) - 1)

    @property
    def read_threads(self) -> int:
        """Threads that read prompts."""
        return self.prompt_threads or max(self.decode_threads, os.cpu_count() or 1)

    def missing(self) -> str | None:
        """Return why no worker can start with this installation, if so."""
        if find_spec("xllamacpp") is None:
            return "the model library is not installed: install dynagate[local]"
        return None
