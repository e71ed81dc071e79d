// Whatever goes wrong before the page is ready ends up in `failures`, which the test reads instead of waiting in vain.
window.failures = [];
addEventListener("error", (event) => failures.push(event.message ?? `cannot load ${event.target.src}`), true);
addEventListener("unhandledrejection", (event) => failures.push(String(event.reason)));
