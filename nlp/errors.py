"""Errors that the package raises.

Every leaf has the one root :class:`NlpError` and the built-in that it specialises, so that a caller may catch either.
A message is in Chinese, because the person at the command line reads it, and says what was expected, what came and
what to do.
"""


class NlpError(Exception):
    """Root of all errors of this package."""


class UnreadableFileError(NlpError, ValueError):
    """A file is empty, damaged, encrypted, too large or not what it claims to be."""


class UnsupportedFormatError(UnreadableFileError):
    """A file is sound, but of a kind that is not read (yet)."""


class EncoderError(NlpError, RuntimeError):
    """An encoder is missing, damaged or not the one that a library was built with."""


class LibraryError(NlpError, RuntimeError):
    """A library cannot be opened, is busy, or does not fit this version."""


class NotFoundError(NlpError, LookupError):
    """A report, passage or corpus that was asked for does not exist."""


class TaggerError(NlpError, RuntimeError):
    """A tagger's files are missing or damaged, or its training data cannot be used."""


class InvalidInputError(NlpError, ValueError):
    """An option, a query or a table of the user's cannot be understood."""
