"""What an operator may say, and where."""

from turnlog.config.reading import VARIABLES, BadSettings, load_settings, make_settings
from turnlog.config.settings import Settings

__all__ = ["VARIABLES", "BadSettings", "Settings", "load_settings", "make_settings"]
