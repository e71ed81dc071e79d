// The scenarios in MicroPython under Node: a line of JSON for each script asked for, and one for what it gave.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { runInThisContext } from "node:vm";

import "./micropython.js";
import { load } from "./micropython-files.mjs";

const answer = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const say = (text) => console.error(text);

// As on a page, an error that nobody catches is one line in the log and ends nothing.
process.on("uncaughtException", (error) => console.error(error));

const python = await load(process.argv.slice(2), { stdout: say, stderr: say });
globalThis.begin = () => answer({ value: process.versions });
globalThis.fail = (reason) => {
  throw new Error(reason);
};
python.runPython(await readFile(new URL("micropython.py", import.meta.url), "utf-8"));
for await (const line of createInterface({ input: process.stdin })) {
  const { script, given } = JSON.parse(line);
  try {
    answer({ value: await runInThisContext(`(async (given) => {${script}\n})`)(given) });
  } catch (error) {
    answer({ error: String(error) });
  }
}
process.exit();
