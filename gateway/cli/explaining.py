"""Who explains a request to the command line: the running gateway, or the configuration alone.

Not urllib: it would send loopback calls through the proxy of the environment.
"""

import asyncio
import http.client
import json
from dataclasses import replace
from http import HTTPStatus

from pydantic_core import from_json

from gateway.app import open_gateway
from gateway.cli.preparation import load_providers
from gateway.config.document import Logs, State
from gateway.config.listeners import Admin
from gateway.config.load import Loaded
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.web.explaining import explained, wish_of

_ANSWER_S = 30.0
_MOST_BYTES = 16 * 1024 * 1024


class ExplainError(Exception):
    """Why nothing could be explained; the message is for the user."""


class NotRunningError(Exception):
    """Why no running gateway was asked."""


def by_running(wish: JsonObject, admin: Admin) -> JsonObject:
    """Return what the running gateway says. Raises `NotRunningError` and `ExplainError`."""
    secret = admin.secret.get_secret_value()
    if admin.listen is None or not secret:
        raise NotRunningError("without admin.listen and admin.secret no gateway can be asked")
    host, _, port = admin.listen.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=_ANSWER_S)
    try:
        try:
            connection.connect()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            message = f"no gateway answers at {admin.listen} ({reason})"
            raise NotRunningError(message) from None
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        connection.request("POST", "/admin/explain", json.dumps(wish).encode(), headers)
        response = connection.getresponse()
        told = from_json(response.read(_MOST_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        message = f"what answers at {admin.listen} is no gateway: {type(error).__name__}"
        raise ExplainError(message) from None
    finally:
        connection.close()
    if not isinstance(told, dict) or "error" not in told:
        raise ExplainError(f"what answers at {admin.listen} is no gateway")
    if response.status != HTTPStatus.OK:
        raise ExplainError(f"{response.status}: {told['error']['message']}")
    return told


def by_configuration(wish: JsonObject, loaded: Loaded) -> JsonObject:
    """Return what the configuration says: nothing has been counted, and no target rests.

    Raises `ConfigError` and `ExplainError`. Nothing is written, and no database opened.
    """
    if "key_id" in wish:
        raise ExplainError("keys are known to a running gateway alone: name a plan instead")
    quiet = {"state": State(), "logs": Logs(level="error")}
    loaded = replace(loaded, document=loaded.document.model_copy(update=quiet))
    return asyncio.run(_explained(wish, loaded))


async def _explained(wish: JsonObject, loaded: Loaded) -> JsonObject:
    async with open_gateway(loaded, load_providers(loaded)) as gateway:
        try:
            return await explained(wish_of(wish, gateway.serving.services), gateway.serving)
        except CallError as error:
            raise ExplainError(error.message) from None
