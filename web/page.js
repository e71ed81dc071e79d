// What the page of every runtime shares: what to run, and where its output goes.

const parameters = new URLSearchParams(location.search);
export const script = parameters.get("script") ?? "examples/echo.py";
export const argv = [script, ...parameters.getAll("arg")];

const output = document.getElementById("output");
const rows = { stdout: null, stderr: null };

// Write text, which may end within a line, to one of Python's two streams.
export function write(stream, text) {
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
export function announce(state, text) {
  if (document.body.dataset.state !== "error") {
    document.body.dataset.state = state;
    document.getElementById("status").textContent = text;
  }
}

export async function source() {
  const response = await fetch(script);
  if (!response.ok) {
    throw new Error(`${script}: ${response.status} ${response.statusText}`);
  }
  return response.text();
}

// Show an error, unless it is one that Python has shown.
export function fail(error) {
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
