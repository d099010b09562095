"""What is wrong with where state is kept."""


class StateError(Exception):
    """A database that cannot be used; its text names it, without secrets, and says what to do."""


class OutdatedError(StateError):
    """A database that another command has to bring up to date; its text ends with the command."""
