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

  // Have `received` called with each message; return a function that sends, and returns the state. Bytes are an object
  // with a list of numbers in Brython.
  link(socket, received) {
    socket.onmessage = ({ data, timeStamp }) =>
      received(typeof data === "string" ? data : new Uint8Array(data), timeStamp);
    return (data) => {
      const state = socket.readyState;
      if (state === 1) socket.send(data.source ? Uint8Array.from(data.source) : data);
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

  decode(data) {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(data.source));
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
