"""Servers of the Model Context Protocol, named in `mcp.json`: their processes, connections and tools.

Only `client.py` imports the package `mcp`, which is of the extra [mcp].
"""
