"""The connection of CPython: the WebSocket protocol over sockets, and the settings that browsers decide for a page."""
