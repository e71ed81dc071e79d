// Start Pyodide under Node, and write its memory to a file: node tools/snapshot.mjs FILE
import { writeFile } from "node:fs/promises";

import { loadPyodide } from "../web/node_modules/pyodide/pyodide.mjs";

const pyodide = await loadPyodide({ _makeSnapshot: true });
await writeFile(process.argv[2], pyodide.makeMemorySnapshot());
