"""Errors that a user can cause and mend."""

__all__ = ['ConfigError', 'DataError', 'TrainingError', 'UserError']


class UserError(ValueError):
    """A mistake in what the user gave: one sentence, shown without traceback.

    The message names the argument or file, what was expected and what came.
    """


class DataError(UserError):
    """A file of a data set is missing, broken, or holds a wrong value."""


class ConfigError(UserError):
    """A config or a command line asks for what cannot be built."""


class TrainingError(UserError):
    """A training came to where it makes no sense to go on."""
