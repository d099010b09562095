"""`chat`: one question, a pipe, a conversation."""

import os
import pty
import select
import signal
import subprocess
import termios
from collections.abc import Iterator

import pytest

from gateway.cli.client import ChatError, Client
from gateway.cli.conversation import Conversation
from tests.cli.command_line import CommandLine
from tests.cli.fake_gateway import FakeGateway, fake_gateway


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """A gateway to talk to."""
    with fake_gateway() as started:
        yield started


class Terminal:
    """A conversation with the command, on a terminal of its own."""

    def __init__(self, dynagate: CommandLine, *arguments: str) -> None:
        self._unread = ""
        self._fd, theirs = pty.openpty()
        # Without the echo, what is read is what the command wrote.
        settings = termios.tcgetattr(theirs)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        self.process = subprocess.Popen(
            dynagate.command("chat", *arguments),
            cwd=dynagate.folder,
            env=dynagate.variables(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=lambda: _own_terminal(theirs),  # noqa: PLW1509 - no threads hold locks here.
        )
        os.close(theirs)

    def type(self, text: str) -> None:
        """Type `text`; control characters are keys."""
        os.write(self._fd, text.encode())

    def press_until(self, key: str, wanted: str) -> None:
        """Press `key` until `wanted` is written.

        A signal that comes after the prompt is printed and before readline waits for a key is heard
        at the next key only.
        """
        for _ in range(20):
            self.type(key)
            if select.select([self._fd], [], [], 1)[0]:
                break
        self.read_until(wanted)

    def read_until(self, wanted: str) -> str:
        """Return what was written up to `wanted`; what comes after it is for the next read."""
        while wanted not in self._unread:
            ready, _, _ = select.select([self._fd], [], [], 20)
            assert ready, f"no {wanted!r} after {self._unread!r}"
            self._unread += os.read(self._fd, 4096).decode()
        seen, _, self._unread = self._unread.partition(wanted)
        return seen

    def end(self) -> int:
        """Return the exit code."""
        try:
            return self.process.wait(20)
        finally:
            os.close(self._fd)


def _hear_interrupts() -> None:
    """Undo what tests that run in the background have inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _own_terminal(fd: int) -> None:
    _hear_interrupts()
    os.setsid()
    import fcntl  # noqa: PLC0415 - in the child.

    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


def test_a_prompt_is_answered_as_it_comes(dynagate: CommandLine, gateway: FakeGateway) -> None:
    gateway.answers = [["Hel", "lo"]]

    done = dynagate(
        "chat", "hi", "--url", gateway.url, "--model", "m", "--system", "be kind", "--key", "dg-1"
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello\n", "")
    assert gateway.keys == ["Bearer dg-1"]
    assert gateway.heard == [
        {
            "path": "/v1/chat/completions",
            "model": "m",
            "messages": [
                {"role": "system", "content": "be kind"},
                {"role": "user", "content": "hi"},
            ],
            "stream": True,
        }
    ]


def test_the_address_comes_from_the_configuration(
    dynagate: CommandLine, gateway: FakeGateway
) -> None:
    gateway.answers = [["yes"]]
    port = gateway.url.rpartition(":")[2]
    dynagate.write(
        f"server: {{host: 0.0.0.0, port: {port}}}\nauth: {{open_to: world}}\n"
        "providers: {p: {kind: k}}\nmodels: {m: {targets: [{provider: p, model: m}]}}\n"
    )

    done = dynagate("chat", "hi", environ={"http_proxy": "http://127.0.0.1:1"})

    assert done.stdout == "yes\n"


def test_what_is_piped_in_is_the_prompt(dynagate: CommandLine, gateway: FakeGateway) -> None:
    gateway.answers = [["ok"]]

    done = dynagate("chat", stdin="two\nlines\n", environ={"DYNAGATE_URL": f"{gateway.url}/v1/"})

    assert done.returncode == 0
    assert gateway.heard[0]["messages"][0]["content"] == "two\nlines\n"
    assert gateway.heard[0]["path"] == "/v1/chat/completions"


def test_an_empty_pipe_is_no_prompt(dynagate: CommandLine) -> None:
    done = dynagate("chat", stdin="")

    assert done.returncode == 1
    assert "standard input is empty" in done.stderr


def test_a_gateway_that_does_not_run_names_the_command_that_starts_one(
    dynagate: CommandLine,
) -> None:
    done = dynagate("chat", "hi", "--url", "http://127.0.0.1:1")

    assert done.returncode == 1
    assert done.stderr.startswith("no gateway answers at http://127.0.0.1:1 (")
    assert "`dynagate serve`" in done.stderr


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "http://"])
def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(ChatError, match="write http://host:port"):
        Client(url)


def test_an_error_is_said_with_its_status(dynagate: CommandLine, gateway: FakeGateway) -> None:
    gateway.answers = [(404, "no model is called m")]

    done = dynagate("chat", "hi", "--url", gateway.url)

    assert (done.returncode, done.stderr) == (1, "404: no model is called m\n")


def test_an_answer_that_breaks_off_is_a_failure_and_kept(
    dynagate: CommandLine, gateway: FakeGateway
) -> None:
    gateway.answers, gateway.cut = [["half"]], True

    done = dynagate("chat", "hi", "--url", gateway.url)

    assert (done.returncode, done.stdout) == (1, "half\n")
    assert done.stderr == "the answer broke off\n"


def test_what_is_no_openai_stream_is_said(gateway: FakeGateway) -> None:
    gateway.answers = [[{"not": "a text"}]]  # type: ignore[list-item]

    with pytest.raises(ChatError, match="is this a gateway"):
        list(Client(gateway.url).ask("m", []))


def test_a_turn_is_sent_with_everything_before_it(gateway: FakeGateway) -> None:
    gateway.answers = [["one"], (500, "no"), ["two"]]
    written: list[str] = []
    talk = Conversation(Client(gateway.url), "m", None, written.append)

    talk.say("a")
    with pytest.raises(ChatError, match="500: no"):
        talk.say("forgotten")
    talk.say("b")

    assert gateway.heard[-1]["messages"] == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "b"},
    ]
    assert len(talk.messages) == 4
    assert "".join(written) == "one\ntwo\n"


def test_a_conversation_remembers_and_ctrl_d_leaves(
    dynagate: CommandLine, gateway: FakeGateway
) -> None:
    gateway.answers = [["blue\x1b]0;owned\x07"], ["as I said"]]
    terminal = Terminal(dynagate, "--url", gateway.url)

    terminal.read_until("> ")
    terminal.type("which?\n")
    first = terminal.read_until("> ")
    terminal.type("\nreally?\n")
    terminal.read_until("as I said")
    terminal.read_until("> ")
    terminal.type("\x04")

    assert "blue]0;owned" in first
    assert terminal.end() == 0
    assert [message["content"] for message in gateway.heard[1]["messages"]] == [
        "which?",
        "blue\x1b]0;owned\x07",
        "really?",
    ]


def test_ctrl_c_stops_an_answer_and_the_conversation_goes_on(
    dynagate: CommandLine, gateway: FakeGateway
) -> None:
    gateway.answers = [["part", None], ["whole"]]
    terminal = Terminal(dynagate, "--url", gateway.url)

    terminal.read_until("> ")
    terminal.type("long?\n")
    terminal.read_until("part")
    terminal.type("\x03")
    terminal.read_until("(stopped)")
    terminal.read_until("> ")
    assert gateway.hung_up.wait(20)
    terminal.type("short?\n")
    terminal.read_until("whole")
    terminal.read_until("> ")
    terminal.press_until("\x03", "> ")
    terminal.type("\x04")

    assert terminal.end() == 0
    assert gateway.heard[1]["messages"][1] == {"role": "assistant", "content": "part"}


def test_ctrl_c_ends_a_single_question_with_1(dynagate: CommandLine, gateway: FakeGateway) -> None:
    gateway.answers = [["part", None]]
    process = subprocess.Popen(
        dynagate.command("chat", "hi", "--url", gateway.url),
        cwd=dynagate.folder,
        env=dynagate.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_hear_interrupts,  # noqa: PLW1509 - no threads hold locks here.
    )

    with process:
        assert process.stdout is not None
        part = os.read(process.stdout.fileno(), 100)
        process.send_signal(signal.SIGINT)
        code = process.wait(20)

    assert (part, code) == (b"part", 1)
