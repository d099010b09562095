"""One webui: pictures out of words, pictures out of pictures."""

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import orjson

from gateway.schema.failure import Failure
from gateway.schema.images import ImageAnswer, ImageEditRequest, ImageRequest, MadeImage
from gateway.schema.json import JsonObject
from gateway.sdk import Attempt, Deps, HttpError, ListedModel, ModelCard, UpstreamError
from gateway_sdwebui.answers import pictures_of
from gateway_sdwebui.documents import CURRENT, Run, edit_document, runs_of, text_document
from gateway_sdwebui.host import Host, interrupt
from gateway_sdwebui.settings import WebuiSettings

_PICTURE_BYTES = 32 * 1024 * 1024  # More than a 2048 x 2048 PNG in base64 can need.
_REST_BYTES = 1024 * 1024


class Webui:
    """Draws and changes pictures; asks first whether the checkpoint is there.

    The webui itself would go on in silence with whichever one is loaded.
    """

    def __init__(self, settings: WebuiSettings, deps: Deps) -> None:
        self._settings = settings
        self._host = Host(deps.http, settings)
        self._background = deps.background
        self._log = deps.log
        self._known: frozenset[str] = frozenset()

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        """Return the pictures."""
        return await self._made(
            "/sdapi/v1/txt2img",
            request,
            ((run, text_document(request, run, self._settings)) for run in _runs(request)),
            attempt,
        )

    async def edit(self, request: ImageEditRequest, attempt: Attempt) -> ImageAnswer:
        """Return the changed pictures."""
        return await self._made(
            "/sdapi/v1/img2img",
            request,
            ((run, edit_document(request, run, self._settings)) for run in _runs(request)),
            attempt,
        )

    def card(self, model: str) -> ModelCard:
        """Return what every checkpoint can do."""
        return ModelCard(
            input_modalities=("text", "image"),
            output_modalities=("image",),
            deterministic=self._settings.deterministic,
        )

    async def models(self) -> Sequence[ListedModel]:
        """Ask which checkpoints there are, and name the one that needs no name."""
        rows = await self._checkpoints()
        names = [CURRENT, *(str(row["model_name"]) for row in rows if row.get("model_name"))]
        return [ListedModel(name, self.card(name)) for name in dict.fromkeys(names)]

    async def _made(
        self,
        path: str,
        request: ImageRequest | ImageEditRequest,
        asked: Iterable[tuple[Run, JsonObject]],
        attempt: Attempt,
    ) -> ImageAnswer:
        asked = list(asked)  # What cannot be asked is refused before the webui is.
        await self._require(request.model)
        made: list[MadeImage] = []
        for run, document in asked:
            body = await self._drawn(path, document, run, attempt)
            made += await asyncio.to_thread(pictures_of, body, run)
        if request.seed is not None:
            made = [replace(image, seed=request.seed + index) for index, image in enumerate(made)]
        return ImageAnswer(tuple(made))

    async def _drawn(self, path: str, document: JsonObject, run: Run, attempt: Attempt) -> bytes:
        """Return the answer; when nobody waits for it any more, have the webui told."""
        task = f"task(dynagate-{os.urandom(8).hex()})"
        limit = run.n * _PICTURE_BYTES + _REST_BYTES
        try:
            return await self._host.send(
                path, document | {"force_task_id": task}, limit, attempt.deadline
            )
        except asyncio.CancelledError:
            self._give_up(task)
            raise
        except UpstreamError as error:
            if isinstance(error.__cause__, HttpError) and not error.__cause__.unsent:
                self._give_up(task)
            raise

    def _give_up(self, task: str) -> None:
        try:
            self._background.start(f"interrupt {task}", interrupt(self._host, task))
        except RuntimeError as error:  # Too much runs already: the picture is drawn for nobody.
            self._log.warning("%s is not interrupted: %s", task, error)

    async def _require(self, model: str) -> None:
        if model == CURRENT or model in self._known:
            return
        self._known = frozenset(name for row in await self._checkpoints() for name in _names(row))
        if model not in self._known:
            raise UpstreamError(Failure.MODEL_GONE, "the webui has no checkpoint of this name")

    async def _checkpoints(self) -> list[JsonObject]:
        try:
            rows = orjson.loads(  # noqa: TID251 - an upstream's bytes, and a list.
                await self._host.look("/sdapi/v1/sd-models")
            )
        except orjson.JSONDecodeError:
            rows = None
        if not isinstance(rows, list):
            raise UpstreamError(Failure.TRANSIENT, "the webui's list of checkpoints is none")
        return [row for row in rows if isinstance(row, dict)]


def _runs(request: ImageRequest | ImageEditRequest) -> Iterator[Run]:
    return runs_of(request.seed, request.n)


def _names(row: JsonObject) -> Iterator[str]:
    """Yield the names by which the webui knows a checkpoint (`CheckpointInfo.ids`)."""
    for key in ("title", "model_name", "hash", "sha256"):
        if isinstance(name := row.get(key), str) and name:
            yield name
    if isinstance(title := row.get("title"), str):
        yield title.partition(" [")[0]  # "name.safetensors [short hash]"
