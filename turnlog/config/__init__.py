"""What an operator may say, and where."""

from turnlog.config.faults import BadSettings
from turnlog.config.reading import VARIABLES, load_settings, load_tool_servers, make_settings
from turnlog.config.settings import Settings
from turnlog.config.tool_servers import HttpServer, StdioServer, ToolServerSettings

__all__ = [
    "VARIABLES",
    "BadSettings",
    "HttpServer",
    "Settings",
    "StdioServer",
    "ToolServerSettings",
    "load_settings",
    "load_tool_servers",
    "make_settings",
]
