"""How a command says that it cannot do its work."""


class CannotRun(Exception):
    """A command cannot go on; the text is one line for a person, and says what to do where that is known."""
