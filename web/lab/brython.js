// Brython in a worker, for one run: it says when it is ready, takes a script, and posts each row.
const say = (row) => postMessage(JSON.stringify(row));
// To Brython a script is a part of this file, whose address it cuts.
self.tell = (line) => postMessage(line.replaceAll(/[^"\\\s]*brython\.js#__main__/g, "script.py"));

async function start() {
  importScripts(
    "/node_modules/brython/brython.min.js",
    "/node_modules/brython/brython_stdlib.js",
    "/dist/pyws.brython.js",
  );
  brython();
  const instrument = await (await fetch("instrument.py")).text();
  const main = "from browser import self as page\npage.install = lambda: install(page.tell)\n";
  __BRYTHON__.runPythonSource(`${instrument}\n${main}`, "instrument");
  onmessage = async ({ data: { script, args } }) => {
    self.args = ["script.py", ...args];
    const finish = self.install();
    try {
      __BRYTHON__.runPythonSource("import sys\nfrom browser import self as page\nsys.argv = list(page.args)\n", "arguments");
      await __BRYTHON__.runPythonSource(script, "__main__");
    } catch (error) {
      // Brython has written the traceback of an exception of Python's.
      if (error instanceof Error) say({ kind: "stderr", text: String(error) });
    }
    finish();
    say({ kind: "end" });
  };
  const version = __BRYTHON__.version_info.slice(0, 2).join(".");
  say({ kind: "ready", version });
}

start().catch((error) => say({ kind: "failed", text: String(error) }));
