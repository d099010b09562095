"""A conversation to continue, in no provider's words.

Lossless: what one wire says and the others cannot travels in `extra`, keyed by that wire.
"""

from dataclasses import dataclass, field
from typing import Literal

from gateway.schema.audio import AudioFormat
from gateway.schema.json import NO_EXTRA, Extra, JsonObject, Wire

Role = Literal["system", "developer", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """Words."""

    text: str
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class RefusalPart:
    """An assistant's earlier refusal, kept apart from what it said."""

    text: str
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture by URL: `http`, `https` or `data`."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class AudioPart:
    """Sound, base64 as it came, and its container (`wav`, `mp3`, `flac`, `ogg`, `m4a`)."""

    data: str
    format: str
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class OpaquePart:
    """A part that only `wire` understands, as it came."""

    wire: Wire
    document: JsonObject


Part = TextPart | RefusalPart | ImagePart | AudioPart | OpaquePart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the assistant asked to have called; `arguments` is the JSON text it wrote."""

    id: str
    name: str
    arguments: str
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. A `tool` turn answers the call whose id is `tool_call_id`."""

    role: Role
    parts: tuple[Part, ...] = ()
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    extra: Extra = NO_EXTRA

    @property
    def text(self) -> str:
        """The words of the turn, parts joined by a line break."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may ask for; `parameters` is a JSON schema."""

    name: str
    description: str | None = None
    parameters: JsonObject = field(default_factory=dict)
    is_strict: bool | None = None
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class NamedTool:
    """A tool choice: this tool and no other."""

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """The answer must be one JSON object; with a `schema`, one that satisfies it."""

    schema: JsonObject | None = None
    name: str = "answer"
    is_strict: bool | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class AudioOutput:
    """The answer is to be spoken, too; `is_alone` when its words were not asked for beside it."""

    voice: str
    format: AudioFormat
    is_alone: bool = False
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class Sampling:
    """Tuning knobs; None leaves the choice to the provider.

    `temperature` 0-3, `top_p` 0-1, the penalties -2 to 2, `seed` a signed 64-bit integer.
    """

    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    top_logprobs: int | None = None
    """How many alternatives to report a token; 0 is the chosen token's own, None is no report."""
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Everything a provider needs to continue a conversation.

    `model` is the upstream's own name once the request has reached a provider.
    """

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool | None = None
    response_format: JsonFormat | None = None
    audio: AudioOutput | None = None
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """Text to go on from, for models without turns.

    Several prompts give choices numbered prompt by prompt, `sampling.n` each.
    """

    model: str
    prompts: tuple[str, ...]
    sampling: Sampling = Sampling()
    suffix: str | None = None
    is_echoed: bool = False
    extra: Extra = NO_EXTRA
