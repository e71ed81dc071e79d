// What the test asks of a page: `ready`, or why not in `failures`; then `evaluate`.
window.failures = [];
window.ready = false;
addEventListener("error", (event) => failures.push(event.message ?? `cannot load ${event.target.src}`), true);
addEventListener("unhandledrejection", (event) => failures.push(String(event.reason)));

// Told by what plays the scenarios, here or in a worker.
window.begin = () => { ready = true; };
window.fail = (reason) => { failures.push(reason); };

// Run JavaScript where the scenarios are played, with the array `given`.
const AsyncFunction = (async () => {}).constructor;
window.evaluate = (script, given) => new AsyncFunction("given", script)(given);
