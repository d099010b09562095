"""Texts to vectors: all-MiniLM-L6-v2 with 8-bit weights, on onnxruntime.

English, 384 dimensions, 256 word pieces a text. Orders: `path` of the ONNX file, and `threads`
(default 1, which on a machine with two busy cores was quicker than 2).
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from gateway.schema.json import JsonObject
from gateway.sdk.workshop import EngineRefusal

DIMENSIONS = 384
MAX_TOKENS = 256  # What the model was trained with; the first and the last are marks.
_MAX_CHARACTERS = 16_384  # 64 a token: a longer text is cut before, not after, all of it is split.
_BATCH = 8  # More gains nothing without a GPU: 4 to 8 was best, 32 half as quick (2026-11).
_BATCH_TOKENS = 512  # Long texts gain nothing at all together, and take up 40 MB each.
_LEAST_FILLED = 0.75
_STEP = 32

_Vectors = npt.NDArray[np.float32]


def load(orders: JsonObject) -> "Embedder":
    """Load the model: about 0.3 s, and 250 MB, 300 MB at work (2026-11)."""
    path = Path(orders["path"])
    if not path.is_file():
        raise EngineRefusal(
            "not_ready",
            "the weights for vectors are not on this machine: run `dynagate models pull`",
        )
    return Embedder(path, threads=orders.get("threads", 1))


class Embedder:
    """Makes vectors of length 1, so that a product of two is their cosine."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # Waiting threads would burn the cores that other engines need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = _tokenizer()

    def embed(
        self, arguments: JsonObject, blobs: list[bytes]
    ) -> Iterator[tuple[JsonObject, bytes] | None]:
        """Embed `texts`, none of them empty; `dimensions` (1 to 384) keeps the first so many.

        One answer: `dimensions`, `tokens` read of each text, `truncated` (positions of the texts
        that were longer), and the vectors in order, 32-bit little-endian floats. This model was not
        trained to be shortened: fewer dimensions are worse ones.
        """
        texts: list[str] = arguments["texts"]
        dimensions = _dimensions(arguments.get("dimensions"))
        pieces: list[list[int]] = []
        truncated: list[int] = []
        for position, text in enumerate(texts):
            ids, is_truncated = self._pieces(text)
            pieces.append(ids)
            if is_truncated:
                truncated.append(position)
            if position % _STEP == 0:
                yield None
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for batch in batches([len(ids) for ids in pieces]):
            vectors[batch] = self._vectors([pieces[position] for position in batch])
            yield None
        facts: JsonObject = {
            "dimensions": dimensions,
            "tokens": [len(ids) for ids in pieces],
            "truncated": truncated,
        }
        yield facts, _unit(vectors[:, :dimensions]).astype("<f4").tobytes()

    def _pieces(self, text: str) -> tuple[list[int], bool]:
        """Return the ids that the model reads, and whether the text has more."""
        ids: list[int] = self._tokenizer.encode(text[:_MAX_CHARACTERS]).ids
        is_truncated = len(ids) > MAX_TOKENS
        if is_truncated:
            ids = [*ids[: MAX_TOKENS - 1], ids[-1]]
        return ids, is_truncated or len(text) > _MAX_CHARACTERS

    def _vectors(self, pieces: Sequence[list[int]]) -> _Vectors:
        """Return the mean over each text's tokens, padding left out."""
        shape = (len(pieces), max(map(len, pieces)))
        ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row, text in enumerate(pieces):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states: _Vectors = self._session.run(["last_hidden_state"], inputs)[0]
        weights = mask.astype(np.float32)[..., None]
        means: _Vectors = (states * weights).sum(axis=1) / weights.sum(axis=1)
        return means


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield positions of texts to run together, every one once: up to 8 short ones of like length.

    The shortest fills at least three quarters of the longest, so that little padding is computed.
    """
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[position]
        is_full = len(batch) == _BATCH or (len(batch) + 1) * length > _BATCH_TOKENS
        if batch and (is_full or lengths[batch[0]] < _LEAST_FILLED * length):
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def _dimensions(wanted: int | None) -> int:
    if wanted is None:
        return DIMENSIONS
    if wanted > DIMENSIONS:
        raise EngineRefusal(
            "unsupported",
            f"local: this model has {DIMENSIONS} dimensions, not {wanted}",
            "dimensions",
        )
    if wanted < 1:
        raise EngineRefusal("caller_fault", "dimensions must be at least 1", "dimensions")
    return wanted


def _unit(vectors: _Vectors) -> _Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: _Vectors = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return units


def _tokenizer() -> Tokenizer:
    """Return BERT's uncased tokenizer, in which marks like `[SEP]` are no more than words.

    The publisher's own would let callers write such marks into their texts.
    """
    text = files("gateway_local").joinpath("bert", "vocab.txt").read_text("utf-8")
    vocabulary = {piece: number for number, piece in enumerate(text.rstrip("\n").split("\n"))}
    tokenizer = Tokenizer(
        WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100)  # noqa: S106
    )
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(mark, vocabulary[mark]) for mark in ("[CLS]", "[SEP]")],
    )
    return tokenizer
