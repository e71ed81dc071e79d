// Start Pyodide from the memory of one that has started, in a fraction of the time.

// WebKit fails in such memory: "call_indirect to a signature that does not match". It need not load it first.
const isWebKit = /^(?!.*Chrom).*Safari/.test(navigator.userAgent);

// Where there is no such memory, or a browser cannot use it, it starts afresh. `snapshot` is what dist/index.json says.
export async function start(loadPyodide, options, snapshot) {
  if (snapshot && !isWebKit) {
    try {
      const memory = fetch(`/dist/${snapshot}`).then((answer) => answer.arrayBuffer());
      return await loadPyodide({ ...options, _loadSnapshot: memory });
    } catch (error) {
      console.warn(`Pyodide starts without ${snapshot}: ${error}`);
    }
  }
  return loadPyodide(options);
}
