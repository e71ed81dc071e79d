// Pyodide under Node, as a host has it that gives Python its own `js`, or memory that was saved before.
// Told in an argument, as JSON: the `script` of Python's to run, the names of the `globals` that its `js` has besides a
// mock of WebSocket, or a script to run before a `snapshot` is made; says what the script prints, or how it failed.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { loadPyodide } from "../../web/node_modules/pyodide/pyodide.mjs";

const base = fileURLToPath(new URL("../../", import.meta.url));
const { script, globals, snapshot } = JSON.parse(process.argv[2]);
const index = JSON.parse(await readFile(`${base}dist/index.json`, "utf-8"));
const options = { stdout: (text) => console.log(text), stderr: (text) => console.log(text) };
const asked = [];

// A server is in it: it echoes, and keeps what it is given, as it is.
class Mock {
  constructor(url, protocols) {
    asked.push(url);
    Object.assign(this, { url, protocol: protocols[0] ?? "", readyState: 0, kept: [] });
    Mock.last = this;
    setTimeout(() => { this.readyState = 1; this.onopen(); });
  }
  send(data) {
    this.kept.push(data);
    setTimeout(() => this.onmessage({ data: typeof data === "string" ? data : data.slice().buffer }));
  }
  close(code, reason) {
    this.readyState = 2;
    setTimeout(() => { this.readyState = 3; this.onclose({ wasClean: true, code: code ?? 1005, reason: reason ?? "" }); });
  }
}

// The least that a mock may be.
class Bare {
  constructor(url) {
    asked.push(url);
    Object.assign(this, { url, readyState: 0 });
  }
}

const all = {
  ...Object.fromEntries(Object.getOwnPropertyNames(globalThis).map((name) => [name, globalThis[name]])),
  WebSocket: Mock,
  Bare,
  forbidden: function () { throw new EvalError("No code may be made of strings here."); },
};
const given = { asked, Mock };
for (const name of globals ?? []) given[{ forbidden: "Function", Bare: "WebSocket" }[name] ?? name] = all[name];

// Pyodide after its start: tests of a host need not wait for one.
const memory = async () => ({ _loadSnapshot: await readFile(`${base}dist/${index.snapshot}`) });

async function load(more) {
  const pyodide = await loadPyodide({ ...options, ...more });
  pyodide.unpackArchive(new Uint8Array(await readFile(`${base}dist/${index.wheel}`)), "wheel", { extractDir: "/wheel" });
  pyodide.runPython("import sys; sys.path.append('/wheel')");
  return pyodide;
}

try {
  let pyodide;
  if (snapshot) {
    const saved = await load({ _makeSnapshot: true });
    saved.runPython(snapshot);
    pyodide = await loadPyodide({ ...options, _loadSnapshot: saved.makeMemorySnapshot() });
  } else {
    pyodide = await load({ ...(await memory()), ...(globals ? { jsglobals: given } : {}) });
  }
  await pyodide.runPythonAsync(script);
} catch (error) {
  console.log(String(error));
}
process.exit();
