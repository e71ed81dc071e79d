// The limit of a page: the same work as in work.py, in JavaScript.
globalThis.javascript = (url, kind, size, n, inFlight) =>
  new Promise((resolve, reject) => {
    const message = kind == "text" ? "a".repeat(size) : new Uint8Array(size).fill(0xaa);
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    let start, received = 0, sent = inFlight;
    socket.onopen = () => {
      start = performance.now();
      for (let i = 0; i < inFlight; i++) socket.send(message);
    };
    socket.onmessage = ({ data }) => {
      if ((kind == "text" ? data.length : data.byteLength) != size) reject(new Error("a message is not whole"));
      received++;
      if (received == n) {
        resolve((performance.now() - start) / 1000);
        socket.close();
      } else if (sent < n) {
        sent++;
        socket.send(message);
      }
    };
    socket.onerror = () => reject(new Error(`${url} failed`));
  });
