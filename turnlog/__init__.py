"""turnlog: a server for conversations with AI agents whose log is the record."""

__version__ = "0.1.0"
