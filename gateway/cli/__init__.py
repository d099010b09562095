"""The command line: one file a verb. Importing it imports nothing of the server."""

from gateway.cli.command import main

__all__ = ["main"]
