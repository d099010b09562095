"""What asks for a transcript, and what asks for something else."""

import time

import pytest

from gateway.pipeline.paths.dictation import asks_for_transcript


@pytest.mark.parametrize(
    "text",
    [
        "Transcribe this",
        "Please transcribe the following audio.",
        "transcribe the whole recording",
        "I need a transcription of this voice note.",
        "Give me the transcript",
        "Write down what is said, please.",
        "write it down",
        "Write what you hear",
        "What is said in this recording?",
        "What's being said here?",
        "What\N{RIGHT SINGLE QUOTATION MARK}s said?",
        "What does the audio say?",
        "what does this audio clip say",
        "What is the person saying?",
        "what did I say?",
        "What do you hear?",
        "speech to text",
        "Convert this audio to text",
        "Listen to it and transcribe it.",
    ],
)
def test_a_request_for_a_transcript_is_one(text: str) -> None:
    assert asks_for_transcript(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Answer the question",
        "What is this?",
        "Transcribe this and translate it to French",
        "Summarise the recording",
        "Transcribe it as JSON",
        "What does the person say about dogs?",
        "Who is speaking?",
        "Don't transcribe it, answer it",
        "Do not write it down.",
        "What does this say? Explain it.",
        "How long is the audio?",
        "Is the transcript of the audio polite? " + "Think of every word. " * 20,
    ],
)
def test_anything_else_is_the_models_to_answer(text: str) -> None:
    assert not asks_for_transcript(text)


@pytest.mark.parametrize("piece", ["what ", "write it ", "what does the audio ", "transcrib", " "])
def test_a_long_text_takes_no_longer(piece: str) -> None:
    text = piece * 1_000_000

    begun = time.perf_counter()
    asks_for_transcript(text)
    asks_for_transcript(text[:300])

    assert time.perf_counter() - begun < 0.05
