// The lab: an editor, and a column for each runtime that runs what is in it.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

import { Journal, align, bytes, count, draw, make, milliseconds, onlyMoved, peak, picture, verdict } from "./journal.js";

const REDRAW = 50; // milliseconds from one look of the table to the next, or more if it takes long to draw
const SETTLED = 300; // milliseconds without a row, after which a page's script counts as done
const TURN = 3000; // milliseconds after which the next runtime begins, if a script has not ended by then
const START = "Start the lab by python3 tools/demo.py";

const $ = (id) => document.getElementById(id);

// A runtime and its journal. `state` is "loading", "ready", "waiting" for its turn, "running", "done", "stopped",
// "failed" (the runtime, not the script) or "absent"; `told` says more than that, if there is more to say.
class Column {
  state = "loading";
  told = "";
  version = "";
  journal = new Journal();
  #over = Promise.withResolvers();

  constructor(name) {
    this.name = name;
  }

  get running() {
    return this.state === "running" || this.state === "waiting";
  }

  // A promise of the end of the run.
  get over() {
    return this.#over.promise;
  }

  get there() {
    return this.state !== "absent" && this.state !== "failed";
  }

  // Get ready for the next run.
  warm() {}

  // A run is to begin: nothing is left of the last one.
  wait() {
    this.stop();
    this.journal = new Journal();
    this.#over = Promise.withResolvers();
    this.change("waiting");
  }

  add(line) {
    const row = JSON.parse(line);
    if (!this.heard(row)) this.journal.add(row);
    redraw();
  }

  change(state, told = "") {
    [this.state, this.told] = [state, told];
    if (!this.running) this.#over.resolve();
    redraw();
  }
}

// CPython, by way of the server.
class Server extends Column {
  #abort = null;

  run(script, args) {
    this.change("running");
    this.#abort = new AbortController();
    this.#follow(script, args, this.#abort.signal);
  }

  stop() {
    this.#abort?.abort(); // the server ends a script whose reader is gone
    this.#abort = null;
    if (this.running) this.change("stopped");
  }

  async #follow(script, args, signal) {
    try {
      const answer = await fetch("lab/run", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ script, arguments: args }),
        signal,
      });
      if (!answer.ok) throw new Error(answer.statusText);
      let rest = "";
      for await (const text of chunks(answer.body.pipeThrough(new TextDecoderStream()))) {
        const lines = (rest + text).split("\n");
        rest = lines.pop();
        for (const line of lines) if (line && !signal.aborted) this.add(line);
      }
      if (!signal.aborted && this.running) throw new Error("it ended in the middle of an answer");
    } catch (error) {
      if (!signal.aborted) this.change("failed", `The lab’s server does not answer: ${error.message}. ${START}.`);
    }
  }

  heard({ kind, status, late }) {
    if (kind !== "exit") return false;
    this.change("done", late ? "stopped: its time is up" : status ? `exit status ${status}` : "");
    return true;
  }
}

// A stream's parts; WebKit's streams cannot be iterated.
async function* chunks(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

// An interpreter in a worker: each run has a new one, and the next one's is loaded before it is asked for.
class Page extends Column {
  #worker = null;
  #spare = null;
  #quiet = 0; // the timer of SETTLED
  #ended = false;

  constructor(name, script, type) {
    super(name);
    this.create = () => new Worker(new URL(script, import.meta.url), { type });
    this.warm();
  }

  // Load the next run's interpreter, unless it is there.
  warm() {
    if (this.#spare) return;
    const worker = this.create();
    this.#spare = { worker, ready: Promise.withResolvers() };
    const { ready } = this.#spare;
    const fail = (text) => {
      ready.reject(new Error(text));
      if (this.#spare?.worker === worker) this.#spare = null; // the next run tries again
      if (!this.running) this.change("failed", text);
    };
    ready.promise.catch(() => {});
    worker.onerror = (event) => fail(event.message ?? `${this.name} cannot be loaded`);
    worker.onmessage = ({ data }) => {
      const { kind, text, version } = JSON.parse(data);
      if (kind === "failed") return fail(text);
      if (kind !== "ready") return;
      this.version = version;
      ready.resolve();
      if (this.state === "loading") this.change("ready");
    };
  }

  async run(script, args) {
    this.change("running");
    this.warm();
    const { worker, ready } = this.#spare;
    [this.#worker, this.#spare, this.#ended] = [worker, null, false];
    try {
      await ready.promise;
    } catch (error) {
      if (this.#worker === worker) this.change("failed", error.message);
      return;
    }
    if (this.#worker !== worker) return; // stopped meanwhile
    const add = (line) => this.#worker === worker && this.add(line);
    worker.onmessage = ({ data }) => add(data);
    worker.onerror = (event) => add(JSON.stringify({ kind: "stderr", text: event.message }));
    worker.postMessage({ script, args });
  }

  stop() {
    this.#worker?.terminate();
    this.#worker = null;
    clearTimeout(this.#quiet);
    if (this.running) this.change("stopped");
  }

  // A page has no end: its script counts as done when its sockets are closed and it is quiet, until it goes on.
  heard({ kind }) {
    this.#ended ||= kind === "end";
    clearTimeout(this.#quiet);
    this.change("running");
    this.#quiet = setTimeout(() => {
      if (this.#ended && !this.journal.open) this.change("done");
    }, SETTLED);
    return kind === "end";
  }
}

// The editor

const editor = new EditorView({
  parent: $("editor"),
  extensions: [
    lineNumbers(),
    history(),
    indentOnInput(),
    indentUnit.of("    "),
    bracketMatching(),
    highlightActiveLine(),
    EditorView.lineWrapping,
    python(),
    syntaxHighlighting(classHighlighter),
    EditorState.tabSize.of(4),
    EditorView.contentAttributes.of({ "aria-label": "Script", "aria-describedby": "keys", spellcheck: "false" }),
    Prec.highest(keymap.of([{ key: "Mod-Enter", run: () => true }])), // the page's, below
    keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
  ],
});

async function choose(file) {
  const answer = await fetch(`examples/${file}`);
  const text = answer.ok ? await answer.text() : `# examples/${file}: ${answer.status} ${answer.statusText}\n`;
  editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: text }, selection: { anchor: 0 } });
  editor.scrollDOM.scrollTop = 0;
}

// The columns

const cpython = new Server("CPython");
const columns = [cpython, new Page("Pyodide", "pyodide.js", "module"), new Page("Brython", "brython.js", "classic")];
let [runs, ran, stopped] = [0, false, false];

const heads = columns.map(({ name }, index) => {
  const head = {
    version: make("span", { class: "version" }),
    state: make("p", { class: "state" }),
    picture: picture(new Journal()),
    scale: make("p", { class: "scale" }),
  };
  const title = make("h2", {}, name);
  const cell = make("th", { scope: "col", "data-column": index }, title, head.version, head.state, head.picture, head.scale);
  document.querySelector("thead tr").append(cell);
  return head;
});

let [due, took] = [0, 0];
function redraw() {
  due ||= setTimeout(redrawNow, Math.max(REDRAW, 3 * took));
}

function redrawNow() {
  clearTimeout(due);
  due = 0;
  const began = performance.now();
  drawHeads();
  announce(drawRows());
  took = performance.now() - began;
}

const WORDS = { loading: "loading …", ready: "ready", waiting: "its turn comes", running: "running", stopped: "stopped", done: "done" };

function drawHeads() {
  columns.forEach((column, index) => {
    const head = heads[index];
    const { journal } = column;
    head.version.textContent = column.version;
    head.state.dataset.state = column.state;
    const raised = journal.failed && column.state === "done" ? "raised an exception" : "";
    const words = raised || column.told || WORDS[column.state];
    head.state.textContent = column.there && journal.rows.length ? `${words} · ${count(journal.rows.length, "row")}` : words;
    const drawn = picture(journal);
    head.picture.replaceWith(drawn);
    head.picture = drawn;
    const buffered = peak(journal);
    head.scale.replaceChildren(
      make("span", {}, buffered ? `buffered ≤ ${bytes(buffered)}` : ""),
      make("span", {}, journal.rows.length ? milliseconds(journal.duration) : ""),
    );
  });
}

// Draw the rows that have changed; how many there are, and how many are unlike.
function drawRows() {
  const there = columns.filter((column) => column.there);
  const table = there.length ? align(there.map(({ journal }) => journal.rows)) : [];
  const verdicts = verdict(table, there.map(({ running }) => running));
  const body = document.querySelector("tbody");
  const several = there.some(({ journal }) => journal.rows.some(({ socket }) => socket > 1));
  const above = there.map(() => undefined);
  table.forEach((cells, index) => {
    const signature = JSON.stringify([several, verdicts[index], cells, above.map((row) => row?.band)]);
    if (body.rows[index]?.signature !== signature) {
      const mark = make("th", { scope: "row" });
      if (verdicts[index] === "unlike") mark.append(make("span", { "aria-label": "differs", role: "img" }, "≠"));
      const row = make("tr", { class: verdicts[index] }, mark);
      columns.forEach((column, number) => {
        const place = there.indexOf(column);
        const cell = make("td", { "data-column": number });
        const own = cells[place];
        const band = (own ?? above[place])?.band;
        if (band !== undefined) cell.dataset.state = band;
        if (own) cell.append(draw(own, above[place], column.journal.began, several));
        else cell.className = place < 0 ? "" : "none";
        row.append(cell);
      });
      row.signature = signature;
      if (body.rows[index]) body.rows[index].replaceWith(row);
      else body.append(row);
    }
    cells.forEach((cell, place) => (above[place] = cell ?? above[place]));
  });
  while (body.rows.length > table.length) body.lastChild.remove();
  return { rows: table.length, unlike: verdicts.filter((word) => word === "unlike").length };
}

// Say in one sentence how it stands.
function announce({ rows, unlike }) {
  const there = columns.filter((column) => column.there);
  const names = there.map(({ name }) => name);
  const list = new Intl.ListFormat("en").format(names);
  const running = there.some((column) => column.running);
  let [state, text] = ["ready", "Ready: choose a script and run it."];
  if (!there.length) [state, text] = ["failed", "No runtime can be had."];
  else if (running) [state, text] = ["running", `Running on ${list} …`];
  else if (stopped) [state, text] = ["stopped", `Stopped after ${count(rows, "row")}.`];
  else if (ran && unlike && onlyMoved(there.map(({ journal }) => journal.rows)))
    [state, text] = ["differ", "≠ The journals have the same rows, but not in the same order."];
  else if (ran && unlike) [state, text] = ["differ", `≠ The journals differ in ${unlike} of ${count(rows, "row")}.`];
  else if (ran && there.length === 1) [state, text] = ["done", `${list} alone: there is nothing to compare.`];
  else if (ran) [state, text] = ["agree", `✓ ${list} wrote the same journal: ${count(rows, "row")}.`];
  else if (there.some((column) => column.state === "loading")) [state, text] = ["loading", `Loading ${list} …`];
  const status = $("status");
  if (status.textContent !== text) status.textContent = text; // said aloud only when it changes
  status.dataset.state = state;
  $("stop").disabled = !running;
}

// One runtime after the other: none slows another down, and the server has done with the one before. The interpreters of
// the next run are loaded last, for the same reason.
async function run() {
  const [script, server] = [editor.state.doc.toString(), $("server").value.trim()];
  const mine = (runs += 1);
  [ran, stopped] = [true, false];
  document.querySelector("tbody").replaceChildren();
  const there = columns.filter((column) => column.state !== "absent");
  for (const column of there) {
    column.wait();
    column.warm(); // if a run that had not ended has used the interpreter
  }
  for (const column of there) {
    if (mine !== runs || stopped) return;
    column.run(script, server ? [server] : []);
    redrawNow();
    await Promise.race([column.over, new Promise((resolve) => setTimeout(resolve, TURN))]);
  }
  if (mine === runs && !stopped) for (const column of there) column.warm();
}

function stop() {
  stopped = true;
  for (const column of columns) column.stop();
  redrawNow();
}

// What the reader can do

document.querySelector("form").onsubmit = (event) => {
  event.preventDefault();
  run();
};
$("stop").onclick = () => {
  stop();
  for (const column of columns) column.warm();
  $("run").focus(); // a button that can do nothing loses the focus
};
addEventListener("pagehide", stop); // a browser may keep a page that was left, to come back to it
$("example").onchange = (event) => choose(event.target.value);
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat && !$("run").disabled) {
    event.preventDefault();
    run();
  }
});
$("columns").onchange = (event) => {
  document.querySelector("table").dataset.shown = event.target.value;
};

// What the server offers: without it, the lab is a page like any other and knows one example.
const answer = await fetch("lab.json").catch(() => null);
const offer = answer?.ok ? await answer.json() : { examples: [{ file: "echo.py", about: "Echo" }], echo: null };
if (offer.python) {
  cpython.version = offer.python;
  cpython.change("ready");
} else {
  cpython.change("absent", `No page can start CPython, and this server does not. ${START}.`);
}
for (const { file, about } of offer.examples) $("example").append(make("option", { value: file }, `${file} – ${about}`));
$("server").value = offer.echo ?? "";
await choose($("example").value);
$("run").disabled = false;
redraw();
