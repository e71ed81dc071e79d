// The functions of the fast codec for Pyodide: see `codec.py`, which makes them by `Function`. They may not be there
// for a page whose policy forbids that. Nothing of this file becomes a name of the page.

// Return a function `link`, and a function that returns the memory of sent messages. The arguments are Pyodide's proxies
// of two bytearrays: the memory for messages that Python receives, and the memory for messages that Python sends.
function createLink(receivedProxy, sentProxy) {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const received = memoryOf(receivedProxy);
  const sent = memoryOf(sentProxy);
  let occupied = false; // whether a message is in the memory of received messages

  // Return a function that returns the bytes of a Python buffer.
  function memoryOf(proxy) {
    let buffer = proxy.getBuffer();
    return () => {
      if (!buffer.data.length) { // the memory of WebAssembly has grown: its old buffer is detached
        buffer.release();
        buffer = proxy.getBuffer();
      }
      return buffer.data;
    };
  }

  // Return a message as a Uint8Array, or, if it is text, as an Array of one.
  function packAsArray(data) {
    if (typeof data !== "string") return new Uint8Array(data);
    const array = new Uint8Array(data.length * 3); // `encode` would take three times as long
    return [array.subarray(0, encoder.encodeInto(data, array).written)];
  }

  // Copy a message into the memory and return its size in bytes, or, if it is binary, `~size`; return an array if the
  // memory is too small.
  function pack(data) {
    const memory = received();
    if (typeof data === "string") {
      return data.length * 3 > memory.length ? packAsArray(data) : encoder.encodeInto(data, memory).written;
    }
    const array = new Uint8Array(data);
    if (array.length > memory.length) return array;
    memory.set(array);
    return ~array.length;
  }

  // The `send` of an engine has copied the data when it returns. Any other one (of a host, or of a page that has
  // replaced it) may keep the data, and gets a copy.
  const nativeSend = /^function send\(\)\s*\{\s*\[native code\]\s*\}$/;

  // Have `unpack(packed, timeStamp)` called with each message of a WebSocket. Return a function that sends, if the
  // socket is open, and returns its `readyState`. It takes text, an array, a Blob, or the size of a message in the
  // memory; of text in UTF-8, an Array of one array, or `~size`.
  function link(socket, unpack) {
    const { send } = socket;
    const copies = typeof send === "function" && nativeSend.test(Function.prototype.toString.call(send));

    socket.onmessage = ({ data, timeStamp }) => {
      if (occupied) return unpack(packAsArray(data), timeStamp);
      occupied = true;
      try {
        unpack(pack(data), timeStamp);
      } finally {
        occupied = false;
      }
    };

    return (data) => {
      const state = socket.readyState;
      if (state !== 1) return state;
      if (typeof data !== "number") socket.send(data instanceof Array ? decoder.decode(data[0]) : data);
      else if (data < 0) socket.send(decoder.decode(sent().subarray(0, ~data)));
      else if (copies && socket.send === send) socket.send(sent().subarray(0, data));
      else socket.send(sent().slice(0, data));
      return state;
    };
  }

  return { link, sent };
}
