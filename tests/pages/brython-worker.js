// The scenarios in Brython in a classic worker.
importScripts(
  "worker.js",
  "/node_modules/brython/brython.min.js",
  "/node_modules/brython/brython_stdlib.js",
  "/dist/pyws.brython.js",
);
brython();
fetch("brython.py")
  .then((answer) => answer.text())
  .then((source) => __BRYTHON__.runPythonSource(source, "__main__"));
