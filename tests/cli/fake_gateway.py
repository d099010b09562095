"""A gateway that answers `/v1/chat/completions` as it is told, on a real socket."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FakeGateway:
    """`answers` are given in order: a list of pieces, or a status with an error's message.

    A piece that is None holds the stream open until the caller hangs up; `cut` ends streams without
    `[DONE]`. `heard` are the requests' documents, `keys` their Authorization headers.
    """

    url: str = ""
    answers: list[list[str | None] | tuple[int, str]] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    cut: bool = False
    hung_up: threading.Event = field(default_factory=threading.Event)


@contextmanager
def fake_gateway() -> Iterator[FakeGateway]:
    """Listen on loopback until left."""
    gateway = FakeGateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            gateway.heard.append({"path": self.path, **json.loads(body)})
            gateway.keys.append(self.headers["Authorization"])
            answer = gateway.answers.pop(0)
            if isinstance(answer, tuple):
                status, message = answer
                self._whole(status, json.dumps({"error": {"message": message}}).encode())
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b": ping\n\n")
            for piece in answer:
                if piece is None:
                    self._hold()
                    return
                self._event({"choices": [{"index": 0, "delta": {"content": piece}}]})
            if not gateway.cut:
                self.wfile.write(b"data: [DONE]\n\n")

        def _event(self, value: object) -> None:
            self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
            self.wfile.flush()

        def _hold(self) -> None:
            # A caller that hangs up is read as the end.
            self.connection.recv(1)
            gateway.hung_up.set()

        def _whole(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    gateway.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
