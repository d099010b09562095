"""The process that holds a model: an OpenAI server on loopback that lives as long as its stdin.

Run as a file by `engine.py`; imports nothing of ours. One line of JSON comes in: `path`,
`context`, `parallel`, `decode_threads`, `prompt_threads`, `api_key`. One goes out when the model is
loaded: `{"port": 40001}`. The key travels this way because arguments and environments can be read
by others. When standard input ends, however the parent died, the process ends: nothing is left
behind.
"""

import json
import os
import signal
import sys
import threading
from typing import Any
from urllib.parse import urlsplit

_PROMPT_CACHE_MIB = 256  # llama's default is 8 GiB of earlier conversations kept in memory.


def main() -> None:
    """Load the model, say where it listens, and wait for the parent to go."""
    # Ctrl-C reaches the whole terminal group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The library may print: the line that the parent reads must be ours alone.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    settings = json.loads(sys.stdin.readline())  # noqa: TID251 - our own parent's line
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server = _load(settings)
    answers.write(json.dumps({"port": urlsplit(server.listening_address).port}) + "\n")
    answers.flush()
    threading.Event().wait()


def _end_with_parent() -> None:
    while sys.stdin.read(4096):
        pass
    os._exit(0)  # The library's own threads would outlive an ordinary exit.


def _load(settings: dict[str, Any]) -> Any:  # Any: the library has no types.
    # Heavy, without types, and only for this process.
    import xllamacpp  # type: ignore[import-untyped]  # noqa: PLC0415

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.n_ctx = settings["context"]
    params.n_parallel = settings["parallel"]
    params.cpuparams.n_threads = settings["decode_threads"]
    params.cpuparams_batch.n_threads = settings["prompt_threads"]
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.use_jinja = True
    params.port = 0
    params.api_keys = [settings["api_key"]]
    # What other users of this machine could look at, or what nobody here needs.
    params.endpoint_slots = False
    params.ui = False
    params.verbosity = 0
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
