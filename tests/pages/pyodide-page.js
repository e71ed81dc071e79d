// The scenarios in Pyodide on a page; no script stands in the page itself, so that a policy may forbid that.
import { loadPyodide } from "/node_modules/pyodide/pyodide.mjs";
import { playHere } from "./pyodide.js";

await playHere(loadPyodide);
