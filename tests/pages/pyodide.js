// The scenarios in Pyodide, on a page, in a worker or in Node: defines `runScenario` and `importedByPyws`.

// `loaded` is what `loadPyodide` gave, `base` where the project's files are, `read` fetches the text of one of them.
export async function play(loaded, base, read, files) {
  const pyodide = await loaded;
  const { wheel } = JSON.parse(await read(`${base}dist/index.json`));
  await pyodide.loadPackage(`${base}dist/${wheel}`, { messageCallback: () => {} });
  for (const folder of new Set(files.map((file) => file.replace(/[^/]+$/, "")))) {
    pyodide.FS.mkdirTree(`/tests/${folder}`);
  }
  for (const file of files) {
    pyodide.FS.writeFile(`/tests/${file}`, await read(`${base}tests/${file}`));
  }
  const perform = pyodide.runPython(`
    import json, sys
    before = set(sys.modules)
    import pyws
    imported = sorted(set(sys.modules) - before)
    sys.path += ['/tests', '/tests/kit']
    import scenarios, stage

    async def perform(*arguments):
        return json.dumps(await stage.perform(*arguments))

    perform
  `);
  globalThis.pyodide = pyodide;
  globalThis.runScenario = (...details) => perform(...details);
  globalThis.importedByPyws = () => pyodide.globals.get("imported").toJs();
}

// The same where there is a `location` that says which files, and a server that has them. With `start=saved` Pyodide
// starts from the memory of one that has started (see tools/bundle.py), in a fraction of the time.
export async function playHere(loadPyodide) {
  const parameters = new URL(location).searchParams;
  const read = async (url) => (await fetch(url)).text();
  const { snapshot } = JSON.parse(await read("/dist/index.json"));
  const saved = snapshot && parameters.get("start") === "saved";
  const memory = saved ? { _loadSnapshot: fetch(`/dist/${snapshot}`).then((answer) => answer.arrayBuffer()) } : {};
  await play(loadPyodide(memory), "/", read, parameters.get("files").split(" "));
  begin();
}
