"""curl, run with a command line as people copy it: without a shell, and with its answer's head."""

import os
import shlex
import subprocess
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `headers` are read in any case."""

    status: int
    headers: Message
    body: str


def run_curl(command: str, folder: Path) -> Answer:
    """Run `command` to its end; blocks. Not a word is added to it.

    What the test needs besides is in a `.curlrc` in `folder`: no meter, no proxy, the head in a
    file.
    """
    head = folder / "head"
    (folder / ".curlrc").write_text(f'silent\nshow-error\nnoproxy = "*"\ndump-header = "{head}"\n')
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "curl"
    done = subprocess.run(
        words,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "CURL_HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    status_line, _, fields = head.read_text("latin-1").partition("\n")
    return Answer(int(status_line.split()[1]), Parser().parsestr(fields), done.stdout.decode())
