"""Tools of other people's servers, by the Model Context Protocol and its official SDK."""

from turnlog.adapters.mcp.http import HttpWire
from turnlog.adapters.mcp.rules import Rules
from turnlog.adapters.mcp.server import McpServer
from turnlog.adapters.mcp.stdio import StdioWire

__all__ = ["HttpWire", "McpServer", "Rules", "StdioWire"]
