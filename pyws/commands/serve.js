// A page that runs a Python script: it loads the interpreter and the script, and shows the output.

// A page of `python -m pyws serve` names the script in its data attributes, another page in its query string.
const { dataset } = document.body;
const parameters = new URLSearchParams(location.search);
const script = dataset.script ?? parameters.get("script") ?? "examples/echo.py";
const argv = dataset.argv ? JSON.parse(dataset.argv) : [script, ...parameters.getAll("arg")];

const QUIET = { messageCallback: () => {} };

// Run the script in Pyodide, given the address of Pyodide's folder and of the wheel of pyws. `start` may call Pyodide's
// function `loadPyodide` in a way of its own.
export async function runPyodide(folder = dataset.interpreter, wheel = dataset.wheel, start = startAfresh) {
  try {
    const text = source();
    const indexURL = new URL(folder, location).href;
    const { loadPyodide } = await import(`${indexURL}pyodide.mjs`);
    const pyodide = await start(loadPyodide, {
      indexURL,
      stdout: (line) => write("stdout", line + "\n"),
      stderr: (line) => write("stderr", line + "\n"),
    });
    await pyodide.loadPackage(new URL(wheel, location).href, QUIET);
    pyodide.pyimport("sys").argv = pyodide.toPy(argv);
    if (dataset.libraries) {
      await loadLibraries(pyodide, new URL(dataset.libraries, location).href);
    }
    await run(text, (code) => pyodide.runPythonAsync(code, { filename: script }));
  } catch (error) {
    fail(error);
  }
}

function startAfresh(loadPyodide, options) {
  return loadPyodide(options);
}

// Install the bridge, and load what the script needs. The index at that address has what is installed in the Python of
// the server; if that or Pyodide lacks something, PyPI is asked too.
async function loadLibraries(pyodide, index) {
  const packages = Object.entries(pyodide.lockfile.packages).map(([name, { file_name }]) => [name, file_name]);
  const answer = await fetch(index, { method: "POST", body: JSON.stringify(Object.fromEntries(packages)) });
  if (!answer.ok) {
    throw new Error(`${script}: ${answer.statusText}`);
  }
  const { requirements, modules } = await answer.json();
  if (requirements.length > 0) {
    await pyodide.loadPackage("micropip", QUIET);
    const { install } = pyodide.pyimport("micropip");
    for (const requirement of requirements) {
      announce("loading", `loading ${requirement} …`);
      try {
        await install.callKwargs(requirement, { index_urls: pyodide.toPy([index]) });
      } catch {
        await install.callKwargs(requirement, { index_urls: pyodide.toPy([index, "PYPI"]) }).catch((error) => {
          const [, reason] = /^ValueError: (.+)/m.exec(error.message) ?? ["", error.message];
          write("stderr", `cannot load ${requirement}: ${reason}\n`);
        });
      }
    }
  }
  await pyodide.loadPackagesFromImports(modules.map((name) => `import ${name}`).join("\n"), QUIET);
  pyodide.pyimport("pyws.bridge").install();
}

// Run the script in Brython. The page has loaded Brython and pyws before.
export async function runBrython() {
  // Brython's streams write to the console until they are replaced.
  const streams = `
import sys
from browser import window
class Stream:
    def __init__(self, name):
        self.name = name
    def write(self, text):
        window.page.write(self.name, text)
    def flush(self):
        pass
sys.stdout = Stream("stdout")
sys.stderr = Stream("stderr")
sys.argv = list(window.page.argv)
`;
  window.page = { argv, write };
  try {
    const text = source();
    __BRYTHON__.runPythonSource(streams, "streams");
    await run(text, (code) => __BRYTHON__.runPythonSource(code, "__main__"));
  } catch (error) {
    fail(error);
  }
}

async function run(text, execute) {
  const code = await text;
  announce("running", `running ${script}`);
  await execute(code);
}

const output = document.getElementById("output");
const rows = { stdout: null, stderr: null };

// Write text, which may end within a line, to one of Python's two streams.
function write(stream, text) {
  for (const [index, part] of text.split("\n").entries()) {
    if (index > 0) {
      rows[stream] ??= newRow(stream);
      rows[stream] = null;
    }
    if (part) {
      rows[stream] ??= newRow(stream);
      rows[stream].append(part);
    }
    // An exception in a listener does not end the script: its traceback is the only sign of it.
    if (stream === "stderr" && part.startsWith("Traceback")) {
      announce("error", `${script} raised an exception`);
    }
  }
}

function newRow(stream) {
  const row = document.createElement("span");
  row.className = stream;
  output.append(row, "\n");
  return row;
}

// Show the state of the page, "loading", "running" or "error", to the reader and to a program that drives the page.
function announce(state, text) {
  if (document.body.dataset.state !== "error") {
    document.body.dataset.state = state;
    document.getElementById("status").textContent = text;
  }
}

// Fetch the script. If the server has a stream of changes, load the page again after the next change.
async function source() {
  const response = await fetch(dataset.source ?? script);
  if (dataset.changes) {
    const seen = encodeURIComponent(response.headers.get("ETag") ?? "");
    new EventSource(`${dataset.changes}?${seen}`).onmessage = () => location.reload();
  }
  if (!response.ok) {
    throw new Error(`${script}: ${response.status} ${response.statusText}`);
  }
  return response.text();
}

const MISSING =
  "install its package in the Python that runs this server, or name the package in the script's block # /// script, " +
  "then load the page again.";

// Show an error, unless Python has shown it already.
function fail(error) {
  if (document.body.dataset.state !== "error") {
    announce("error", `${script} failed`);
    const message = `${error?.message ?? error}\n`;
    write("stderr", message);
    const [, name] = /^ModuleNotFoundError: No module named '([^']+)'/m.exec(message) ?? [];
    if (name && dataset.libraries) {
      write("stderr", `${name} is in no library that this page has: ${MISSING}\n`);
    }
  }
}

addEventListener("error", (event) => fail(event.error ?? event.message));
addEventListener("unhandledrejection", (event) => fail(event.reason));

// Links to the page of another runtime run the same script there.
for (const link of document.querySelectorAll("nav a")) {
  link.search = location.search;
}
