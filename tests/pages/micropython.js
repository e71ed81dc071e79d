// The scenarios in MicroPython: `runScenario` and `importedByPyws`, by what micropython.py defines.

// Python calls `resolve`, and returns nothing: an object of JavaScript that it returned might be collected on its way.
globalThis.runScenario = (...details) => new Promise((resolve, reject) => { perform(resolve, reject, ...details); });
globalThis.importedByPyws = () => JSON.parse(imported);
