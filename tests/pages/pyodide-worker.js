// The scenarios in Pyodide in a module worker.
import "./worker.js";
import { loadPyodide } from "/node_modules/pyodide/pyodide.mjs";
import { playHere } from "./pyodide.js";

try {
  await playHere(loadPyodide);
} catch (error) {
  fail(String(error));
}
