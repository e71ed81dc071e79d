// A program in MicroPython under Node, in the first argument; the others are files for `load`. It ends by `js.done()`.
import { load } from "./micropython-files.mjs";

globalThis.done = () => setTimeout(() => process.exit(), 0);
process.on("uncaughtException", (error) => {
  for (const line of String(error.message).trim().split("\n")) console.log(`uncaught: ${line}`);
});
const [program, ...files] = process.argv.slice(2);
const python = await load(files, { stdout: (text) => console.log(text), stderr: (text) => console.log(`stderr: ${text}`) });
python.runPython(program);
