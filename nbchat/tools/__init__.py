"""Python functions as tools of a model: described, checked, run side by side, recorded."""

from nbchat.tools.calls import Call, Round
from nbchat.tools.function_schema import Tool, custom, read_tools, tool

__all__ = ["Call", "Round", "Tool", "custom", "read_tools", "tool"]
