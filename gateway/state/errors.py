"""What is wrong with where state is kept."""


class StateError(Exception):
    """A database that cannot be used; its text names the file and says what to do."""
