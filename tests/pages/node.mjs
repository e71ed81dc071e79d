// The scenarios in Pyodide under Node, Deno or Bun: a line of JSON for each script asked for, and one for what it gave.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { runInThisContext } from "node:vm";

import { loadPyodide, version } from "../../web/node_modules/pyodide/pyodide.mjs";
import { play } from "./pyodide.js";

const base = fileURLToPath(new URL("../../", import.meta.url));
const answer = (line) => process.stdout.write(JSON.stringify(line) + "\n");
// Deno reads the place of pyodide.mjs off its source map, so that Pyodide would look for its files in another folder.
const indexURL = `${base}web/node_modules/pyodide`;
const say = (text) => console.error(text);

// As on a page, an error that nobody catches is one line in the log and ends nothing.
process.on("uncaughtException", (error) => console.error(error));

await play(loadPyodide({ indexURL, stdout: say, stderr: say }), base, (path) => readFile(path, "utf-8"), process.argv.slice(2));
answer({ value: { ...process.versions, pyodide: version } });
for await (const line of createInterface({ input: process.stdin })) {
  const { script, given } = JSON.parse(line);
  try {
    // Not by `Function`: one runtime forbids it.
    answer({ value: await runInThisContext(`(async (given) => {${script}\n})`)(given) });
  } catch (error) {
    answer({ error: String(error) });
  }
}
process.exit();
