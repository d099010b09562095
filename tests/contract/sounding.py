"""Sound that the contract's tests send and get, and the scripted upstream that hears and speaks."""

import base64
import json
import struct
from collections.abc import Sequence
from typing import Any

from gateway.testing.actions import Action, Answer
from gateway.testing.upstream import UpstreamRequest, body, reply
from tests.contract.asking import Reply

NOT_QUITE = base64.b64encode(b"RIFF not quite").decode()
HEARS = {"targets": [{"provider": "up", "model": "whisper-x"}]}
READS = {"provider": "up", "model": "reader", "card": {"input_modalities": ["text"]}}
SOUND = bytes(range(256)) * 40
PIPED = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 24000, 48000, 2, 16)
PIPED += b"data\xff\xff\xff\xff" + SOUND
SPEAKS = {"targets": [{"provider": "up", "model": "tts-x", "card": {"voices": ["nova", "alloy"]}}]}
WRITES = {"provider": "up", "model": "writer"}
BOTH = ["text", "audio"]


def sound(data: Any = NOT_QUITE, form: Any = "wav") -> dict[str, Any]:  # Any: may be wrong.
    """Return a part that is sound, or should be."""
    return {"type": "input_audio", "input_audio": {"data": data, "format": form}}


def turn(*parts: str | dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages of one turn; texts are text parts."""
    texts = [{"type": "text", "text": p} if isinstance(p, str) else p for p in parts]
    return [{"role": "user", "content": texts}]


def transcript(text: str) -> Answer:
    """Write down this."""
    return body(json.dumps({"text": text}).encode())


def speaking(sound: bytes = SOUND, text: str = "two words") -> Answer:
    """Answer speech with `sound`, and everything else with `text`."""

    def answer(request: UpstreamRequest) -> Sequence[Action]:
        if request.path.endswith("/audio/speech"):
            return body(sound, content_type="audio/wav")(request)
        return reply(text)(request)

    return answer


def heard(answer: Reply, index: int = 0) -> list[dict[str, Any]]:
    """Return the audio of a choice's chunks."""
    choices = [choice for chunk in answer.chunks for choice in chunk["choices"]]
    deltas = [choice["delta"] for choice in choices if choice["index"] == index]
    return [delta["audio"] for delta in deltas if "audio" in delta]


def joined(pieces: list[dict[str, Any]]) -> bytes:
    """Return their sound."""
    return b"".join(base64.b64decode(piece.get("data", "")) for piece in pieces)
