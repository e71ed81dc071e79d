// MicroPython under Node with files in it, as PyScript would have it: with no more memory than that gives it.
import { readFile } from "node:fs/promises";
import { dirname } from "node:path/posix";

import { loadMicroPython } from "../../web/node_modules/@micropython/micropython-webassembly-pyscript/micropython.mjs";

// Each of `files` is a file's path here, "=", and its path there.
export async function load(files, options) {
  const python = await loadMicroPython({ linebuffer: true, ...options });
  for (const file of files) {
    const [from, to] = file.split("=");
    python.FS.mkdirTree(dirname(to));
    python.FS.writeFile(to, await readFile(from));
  }
  python.runPython('import sys\nsys.path.append("/")');
  return python;
}
