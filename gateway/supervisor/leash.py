"""A program that ends when its supervisor does: `python -m gateway.supervisor.leash WORDS… FD`.

On Linux this process becomes the program, which the kernel kills with its parent. Elsewhere it
stays beside it, and kills it when the socket FD is closed at the other end.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the program; return its exit code where this process is not the program itself."""
    *words, descriptor = sys.argv[1:]
    with socket.socket(fileno=int(descriptor)) as channel:
        if sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if _is_closed(channel):  # The parent died before the kernel was told.
                return 1
            os.execv(words[0], words)  # noqa: S606 - no shell is wanted.
        process = subprocess.Popen(words)  # noqa: S603 - the supervisor's own words.
        signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
        threading.Thread(target=_kill_with, args=(channel, process), daemon=True).start()
        return process.wait()


def _is_closed(channel: socket.socket) -> bool:
    channel.setblocking(False)
    try:
        return channel.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False


def _kill_with(channel: socket.socket, process: subprocess.Popen[bytes]) -> None:
    while channel.recv(4096):
        pass
    process.kill()


if __name__ == "__main__":
    sys.exit(main())
