"""What was fetched, in place of its URL."""

import base64

from gateway.pipeline.paths.links import data_url, inlined
from gateway.schema.chat import ChatRequest, ImagePart, Message, TextPart
from gateway.schema.images import Picture
from gateway.schema.wires import inline

PICTURE = Picture(b"bytes", "image/png")
URL = f"data:image/png;base64,{base64.b64encode(b'bytes').decode()}"


def test_a_canonical_request_holds_the_picture_and_keeps_the_rest() -> None:
    kept = ImagePart("data:image/gif;base64,AA")
    turn = Message("user", (TextPart("what?"), ImagePart("http://a/1", "low"), kept))
    request = ChatRequest("m", (Message("system", (TextPart("s"),)), turn))

    changed = inlined(request, {"http://a/1": PICTURE})

    assert data_url(PICTURE) == URL
    assert changed.messages[0] == request.messages[0]
    assert changed.messages[1].parts == (turn.parts[0], ImagePart(URL, "low"), kept)


def test_a_document_holds_the_picture_and_stays_the_callers() -> None:
    part = {"type": "image_url", "image_url": {"url": "http://a/1", "detail": "low"}}
    other = {"type": "text", "text": "http://a/1"}
    turns = [{"role": "user", "content": "hi"}, {"role": "user", "content": [other, part]}]
    document = {"model": "m", "messages": turns, "x": 1}

    changed = inline(document, {"http://a/1": URL})

    shown = changed["messages"][1]["content"]
    assert shown == [other, {"type": "image_url", "image_url": {"url": URL, "detail": "low"}}]
    assert changed["messages"][0] is turns[0]
    assert part["image_url"] == {"url": "http://a/1", "detail": "low"}
    assert changed["x"] == 1
