// What every page that runs a script shares: the script, its interpreter, and where its output goes.

// `python -m pyws serve` says what to run in the page, a page of the project's own in its address.
const { dataset } = document.body;
const parameters = new URLSearchParams(location.search);
const script = dataset.script ?? parameters.get("script") ?? "examples/echo.py";
const argv = dataset.argv ? JSON.parse(dataset.argv) : [script, ...parameters.getAll("arg")];

// Run the script in Pyodide: its folder, and the address of the wheel of pyws.
export async function runPyodide(folder, wheel) {
  try {
    const text = source();
    const indexURL = new URL(folder, location).href;
    const { loadPyodide } = await import(`${indexURL}pyodide.mjs`);
    const pyodide = await loadPyodide({
      indexURL,
      stdout: (line) => write("stdout", line + "\n"),
      stderr: (line) => write("stderr", line + "\n"),
    });
    await pyodide.loadPackage(new URL(wheel, location).href, { messageCallback: () => {} });
    pyodide.pyimport("sys").argv = pyodide.toPy(argv);
    await run(text, (code) => pyodide.runPythonAsync(code, { filename: script }));
  } catch (error) {
    fail(error);
  }
}

// Run the script in Brython, which the page has loaded, and pyws with it.
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
    // An exception in a listener ends no script: only its traceback tells.
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

// Tell the reader, and a program that drives the page, how far it is: "loading", "running" or "error".
function announce(state, text) {
  if (document.body.dataset.state !== "error") {
    document.body.dataset.state = state;
    document.getElementById("status").textContent = text;
  }
}

// Fetch the script, and where somebody tells when it changes, load the page again then.
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

// Show an error, unless it is one that Python has shown.
function fail(error) {
  if (document.body.dataset.state !== "error") {
    announce("error", `${script} failed`);
    write("stderr", `${error?.message ?? error}\n`);
  }
}

addEventListener("error", (event) => fail(event.error ?? event.message));
addEventListener("unhandledrejection", (event) => fail(event.reason));

// The other runtime, asked to do the same.
for (const link of document.querySelectorAll("nav a")) {
  link.search = location.search;
}
