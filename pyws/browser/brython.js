// The functions of JavaScript that brython.py calls, because Python cannot do the same.
const functions = {
  // Make a WebSocket. Brython itself would lose the name of an exception, and would keep the class, which a page may
  // replace.
  newSocket(url, protocols) {
    try {
      return { socket: new WebSocket(url, protocols) };
    } catch (error) {
      return { failure: error.name, message: error.message };
    }
  },

  // Bytes of Brython are an object with an Array of numbers, `source`. Return a copy of the object `bytes` that has the
  // numbers of an ArrayBuffer or a Uint8Array. In Chromium `Array.from` takes ten times as long, and a longer Array is
  // slow while it is empty.
  toBytes(bytes, data) {
    const array = new Uint8Array(data);
    const source = new Array(Math.min(array.length, 2 ** 24));
    for (let i = 0; i < array.length; i++) source[i] = array[i];
    return { ...bytes, source };
  },

  toArray(bytes) {
    return new Uint8Array(bytes.source);
  },

  join(bytes, parts) {
    const source = [];
    for (const part of parts) for (const byte of part.source) source.push(byte);
    return { ...bytes, source };
  },

  // Return an object that Brython takes for the text itself. Text that comes from JavaScript it searches for surrogates,
  // one character after the other.
  hold(text) {
    return /[\ud800-\udfff]/.test(text) ? text : { [__BRYTHON__.PYOBJ]: text };
  },

  // Have `received` called with each message; return a function that sends, and returns the state. If there are no
  // `bytes` for `toBytes`, a binary message is a Uint8Array.
  link(socket, received, bytes) {
    const { hold, toArray, toBytes } = functions;
    socket.onmessage = ({ data, timeStamp }) => {
      if (typeof data === "string") received(bytes ? hold(data) : data, timeStamp);
      else received(bytes ? toBytes(bytes, data) : new Uint8Array(data), timeStamp);
    };
    return (data) => {
      const state = socket.readyState;
      if (state === 1) socket.send(bytes && data.source ? toArray(data) : data);
      return state;
    };
  },

  newRegistry() {
    return new FinalizationRegistry((callback) => callback());
  },

  markHandled(promise) {
    promise.catch(() => {});
  },

  // Where a function ends that has called an `async def`, Brython warns unless this is set.
  markStarted(coroutine) {
    coroutine.$sent = true;
  },

  decode(array) {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(array);
  },

  // If Python asks an object for a method, Brython stores the bound method in the object that defines the method, here
  // in `Object.prototype`. Then every object gets a method that is bound to the first object.
  className(value) {
    return Object.prototype.toString.call(value).slice(8, -1);
  },

  // Copy an ArrayBuffer, or the part of it that a view shows. Of a transferred buffer no view can be made.
  copy(value) {
    if (!value.byteLength) return new Uint8Array(0);
    const { buffer, byteOffset, byteLength } = value;
    return (buffer ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(value)).slice();
  },
};
