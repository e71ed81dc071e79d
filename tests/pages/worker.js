// report.js, for a worker of worker.html: in a message each what it answers, that it is ready, or why not.
self.begin = () => postMessage({ ready: true });
self.fail = (failure) => postMessage({ failure });
addEventListener("error", (event) => fail(event.message));
addEventListener("unhandledrejection", (event) => fail(String(event.reason)));

const AsyncFunction = (async () => {}).constructor;
addEventListener("message", async ({ data: { number, script, given } }) => {
  if (number === undefined) return; // somebody else's message
  try {
    postMessage({ number, value: await new AsyncFunction("given", script)(given) });
  } catch (error) {
    postMessage({ number, error: String(error) });
  }
});
