// Pyodide in a worker, for one run: it says when it is ready, takes a script, and posts each row.
import { loadPyodide, version } from "/node_modules/pyodide/pyodide.mjs";

import { start } from "../start.js";

const RUN = `
import ast
import inspect
import sys
from types import ModuleType

async def run(source, arguments):
    sys.argv = ["script.py", *arguments]
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__file__ = "script.py"
    code = None
    try:
        code = compile(source, "script.py", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        result = eval(code, main.__dict__)
        if inspect.iscoroutine(result):
            await result
    except SystemExit:
        pass
    except BaseException as error:
        # Without the frames before the script's own.
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_frame.f_code is not code:
            traceback = traceback.tb_next
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
    finish()
`;

try {
  const stray = (text) => postMessage(JSON.stringify({ kind: "stderr", text }));
  const { wheel, snapshot } = await fetch("/dist/index.json").then((answer) => answer.json());
  const [pyodide, instrument] = await Promise.all([
    start(loadPyodide, { stdout: stray, stderr: stray }, snapshot),
    fetch("instrument.py").then((answer) => answer.text()),
  ]);
  await pyodide.loadPackage(`/dist/${wheel}`, { messageCallback: () => {} });
  globalThis.tell = (line) => postMessage(line);
  const globals = pyodide.toPy({ __name__: "instrument" });
  pyodide.runPython(`${instrument}\n${RUN}\nfrom js import tell`, { globals, filename: "instrument.py" });
  onmessage = async ({ data: { script, args } }) => {
    pyodide.FS.writeFile("script.py", script); // for the lines in tracebacks
    pyodide.runPython("finish = install(tell)", { globals });
    await globals.get("run")(script, pyodide.toPy(args));
    postMessage(JSON.stringify({ kind: "end" }));
  };
  postMessage(JSON.stringify({ kind: "ready", version }));
} catch (error) {
  postMessage(JSON.stringify({ kind: "failed", text: String(error) }));
}
