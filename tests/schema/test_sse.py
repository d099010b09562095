"""Frames out of bytes: any slicing, any line end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.schema.sse import DONE, FrameTooLargeError, Splitter, data_of, frames_of

PIECES = [b"data: a", b"\n", b"\r", b"\r\n", b"\n\n", b": p", b"\xef\xbb\xbf", b"x", b"id: 1"]


def frames(slices: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = Splitter()
    blocks = b"".join(splitter.feed(piece) for piece in slices)
    return list(frames_of(blocks)), splitter.rest()


@given(st.lists(st.sampled_from(PIECES)), st.lists(st.integers(1, 9)))
def test_any_slicing_gives_the_same_frames(parts: list[bytes], steps: list[int]) -> None:
    whole = b"".join(parts)
    slices = []
    start = 0
    for step in [*steps, len(whole)]:
        slices.append(whole[start : start + step])
        start += step

    in_one = frames([whole])

    assert frames(slices) == in_one
    assert frames([whole[i : i + 1] for i in range(len(whole))]) == in_one


@given(st.lists(st.text(min_size=1).filter(lambda text: not set(text) & set("\r\n"))))
def test_what_was_framed_comes_out_as_it_was(lines: list[str]) -> None:
    whole = b"".join(f"data: {line}\n\n".encode() for line in lines)

    split, rest = frames([whole])

    assert [data_of(frame).decode() for frame in split] == lines
    assert rest == b""


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_every_line_end_becomes_a_line_feed(end: bytes) -> None:
    split, _ = frames([b"data: a" + end])

    assert split == [b"data: a\n\n"]


def test_a_byte_order_mark_is_dropped_even_in_slices() -> None:
    split, _ = frames([b"\xef", b"\xbb", b"\xbfdata: a\n\n"])

    assert split == [b"data: a\n\n"]


def test_data_lines_of_one_frame_are_joined() -> None:
    assert data_of(b"data: a\nid: 3\ndata:b\n\n") == b"a\nb"
    assert data_of(b": a comment\n\n") == b""


def test_an_unfinished_event_is_dropped_but_a_last_done_counts() -> None:
    _, half = frames([b'data: {"a":'])
    _, done = frames([DONE.rstrip()])
    _, one_line_end = frames([b"data: a\n"])

    assert half == b""
    assert done == DONE
    assert one_line_end == b"data: a\n\n"


def test_a_frame_that_never_ends_is_refused() -> None:
    splitter = Splitter(max_frame_bytes=100)

    for _ in range(10):
        splitter.feed(b"x" * 10)

    with pytest.raises(FrameTooLargeError, match="100"):
        splitter.feed(b"x")
