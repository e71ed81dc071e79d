"""What the lab sees of a script: one line of JSON for each thing that happens, the same on every runtime.

The script itself stays as it is. `install` puts a class in the place of `pyws.WebSocket` that does what that one does,
and tells; and streams in the place of `sys.stdout` and `sys.stderr` that tell line by line.

Its law: only pyws' public interface is used, and nothing is told before it is so. A call is told when it has returned,
or raised; nothing comes up from inside one. An event is told before the script's own listeners get it: this one is the
first, and captures.

What it cannot see: attributes that are read or set; what leaves a `WebSocketStream`; more than ROWS rows. What it
changes: a socket that is listened to is not collected as garbage, and the lab listens to all.
"""

import json
import sys

import pyws

ROWS = 1000
SHOWN = 100  # bytes or characters of a value that are told whole

FIELDS = {
    "open": (),  # what it brings are attributes of the socket
    "message": ("data", "origin"),
    "error": (),
    "close": ("wasClean", "code", "reason"),
}


def install(sink):
    """Tell `sink`, a function, each line from here on; the function that is returned tells what has no line end."""
    told = []

    def tell(kind, **details):
        # An event of pyws' own knows the time, in milliseconds of one clock, in every runtime.
        row = {"kind": kind, "at": pyws.Event("row").timeStamp}
        row.update(details)
        if len(told) > ROWS:  # the first of them is only the beginning
            row = {"kind": "limit", "at": row["at"], "text": f"The lab shows {ROWS} rows; the script goes on."}
        if len(told) <= ROWS + 1:
            told.append(kind)
            sink(json.dumps(row, ensure_ascii=False))  # Brython's escapes only the first plane right

    streams = [Lines(tell, "print"), Lines(tell, "stderr")]
    sys.stdout, sys.stderr = streams
    pyws.WebSocket = observed(pyws.WebSocket, tell)
    tell("begin")

    def finish():
        for stream in streams:
            stream.finish()

    return finish


class Lines:
    """A stream of text that is told line by line."""

    encoding = "utf-8"
    errors = "strict"
    closed = False

    def __init__(self, tell, kind):
        self._tell = tell
        self._kind = kind
        self._rest = ""

    def write(self, text):
        if self._kind == "stderr" and text.count("\n") > 1 and text[-1] != "\n":
            text += "\n"  # Brython writes a traceback at once, and without its last line end
        lines = (self._rest + text).split("\n")
        self._rest = lines.pop()
        for line in lines:
            self._tell(self._kind, text=line)
        return len(text)

    def finish(self):
        if self._rest:
            self.write("\n")

    def flush(self):
        pass

    def writable(self):
        return True

    def isatty(self):
        return False


def observed(Original, tell):  # noqa: N803 - a class
    """Make the class that does what `Original` does, and tells."""
    made = []

    class WebSocket(Original):
        __doc__ = Original.__doc__
        __module__ = Original.__module__
        __qualname__ = Original.__qualname__

        def __init__(self, url, protocols=None):
            # The number goes up before there is a socket: a failure to make one has its own, too.
            number = len(made) + 1
            made.append(number)
            fields = {"url": brief(url)}
            if protocols is not None:
                fields["protocols"] = brief(protocols)
            try:
                super().__init__(url, protocols)
            except Exception as error:
                tell("call", socket=number, name="WebSocket", fields=fields, raised=brief_error(error))
                raise
            self._lab_number = number
            self._lab_tell("call", "WebSocket", {**fields, "url": brief(self.url)})
            for type in FIELDS:
                self.addEventListener(type, self._lab_event, capture=True)

        def send(self, data):
            try:
                size = pyws.Blob([data]).size
            except TypeError:
                size = None  # it cannot be sent
            self._lab_call("send", {"data": brief(data)}, super().send, [data], size)

        def close(self, code=None, reason=None):
            fields = {"code": code, "reason": reason}
            fields = {name: brief(value) for name, value in fields.items() if value is not None}
            self._lab_call("close", fields, super().close, [code, reason])

        def _lab_call(self, name, fields, method, arguments, size=None):
            try:
                method(*arguments)
            except Exception as error:
                self._lab_tell("call", name, fields, raised=brief_error(error))
                raise
            self._lab_tell("call", name, fields, size=size)

        def _lab_event(self, event):
            if not event.isTrusted:  # the script's own, and perhaps of any class
                return self._lab_tell("event", event.type, {"isTrusted": "False"})
            fields = {name: brief(getattr(event, name)) for name in FIELDS[event.type]}
            size = None
            if event.type == "open":
                fields = {"protocol": brief(self.protocol), "extensions": brief(self.extensions)}
            elif event.type == "message":
                size = pyws.Blob([event.data]).size
            self._lab_tell("event", event.type, fields, size=size)

        def _lab_tell(self, kind, name, fields, size=None, raised=None):
            details = {"socket": self._lab_number, "name": name, "fields": fields}
            details.update(state=self.readyState, buffered=self.bufferedAmount, size=size, raised=raised)
            tell(kind, **details)

    return WebSocket


def brief(value):
    """Show a value as Python writes it; of long data its ends and its length."""
    if isinstance(value, pyws.Blob):
        return f"<Blob of {value.size} bytes, type {value.type!r}>"
    if isinstance(value, (str, bytes)) and len(value) > SHOWN:
        unit = "characters" if isinstance(value, str) else "bytes"
        return f"{value[:8]!r} … {value[-4:]!r} <{len(value)} {unit}>"
    return repr(value)


def brief_error(error):
    """Show an exception as the last line of its traceback does."""
    return f"{type(error).__name__}: {error}"


if sys.platform not in ("emscripten", "brython") and __name__ == "__main__":
    # On CPython this is a program: it takes what `python -m pyws run` takes, and the rows go to standard output.
    # What others write there, such as a library in C, goes to standard error.
    import logging
    import os

    import pyws.__main__

    rows = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", newline="\n", buffering=1)
    os.dup2(2, 1)

    def write(line):
        rows.write(line + "\n")

    class Reasons(logging.Handler):
        """Why a connection failed, which the events hide: in a page the browser's console has it."""

        def emit(self, record):
            write(json.dumps({"kind": "log", "at": pyws.Event("row").timeStamp, "text": record.getMessage()}))

    finish = install(write)
    logging.getLogger("pyws").addHandler(Reasons())
    sys.argv[1:1] = ["run"]
    try:
        status = pyws.__main__.main()
    finally:
        finish()
    sys.exit(status)
