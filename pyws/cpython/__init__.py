"""What only CPython loads: the WebSocket protocol over sockets, and what a browser, not a page, decides."""
