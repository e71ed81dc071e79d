"""The modules that only a page loads: the browser's own WebSocket, in Pyodide and in Brython."""
