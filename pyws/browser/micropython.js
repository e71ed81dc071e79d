// The functions of JavaScript that micropython.py calls. No exception may leave one of them: Python could not catch it.
// Bytes cross the border as text, two digits of base 16 for each: byte by byte takes ten times as long.
const functions = {
  now: () => performance.now() / 1000, // as a number of milliseconds it may be an integer, of which 32 bits cross

  setTimeout: (callback, milliseconds) => setTimeout(callback, milliseconds),
  clearTimeout: (number) => clearTimeout(number),

  // Call `callback` each time that the page is online, visible or shown again, as `on_wake` in page.py does. Return a
  // function that ends that.
  onWake(callback) {
    const page = globalThis.document;
    const onEvent = ({ type, persisted }) => {
      if (type === "visibilitychange" ? page.visibilityState === "visible" : type !== "pageshow" || persisted) callback();
    };
    const pairs = [[globalThis, "online"], [globalThis, "pageshow"], [page, "visibilitychange"]];
    for (const [target, type] of pairs) target?.addEventListener?.(type, onEvent);
    return () => {
      for (const [target, type] of pairs) target?.removeEventListener?.(type, onEvent);
    };
  },

  newSocket(url, protocols) {
    try {
      return { socket: new WebSocket(url, protocols ? protocols.split(",") : []) };
    } catch (error) {
      return { failure: error.name, message: error.message };
    }
  },

  href(URL, url, base) {
    try {
      return (base ? new URL(url, base) : new URL(url)).href;
    } catch {
      return "";
    }
  },

  // Have `received(seconds, isText, size, message)` called with each message; a message of more than 16 KiB is `take`n
  // inside that. `send` returns the state; it takes text, digits, or what a WebSocket takes.
  link(socket, received) {
    const { fromHex, toHex } = functions;
    let taken;
    socket.onmessage = ({ data, timeStamp }) => {
      const isText = typeof data === "string";
      const size = isText ? data.length * 3 : data.byteLength * 2;
      taken = isText ? data : toHex(data);
      received((timeStamp || performance.now()) / 1000, isText, size, size > 2 ** 14 ? null : taken);
      taken = null;
    };
    return {
      take: () => taken,
      // Let go of Python: the collector of neither language would find that both refer to each other.
      release() {
        received = null;
      },
      send(data, isHex) {
        const state = socket.readyState;
        if (state === 1) socket.send(isHex ? fromHex(data) : data instanceof String ? data.valueOf() : data);
        return state;
      },
    };
  },

  fromHex(digits) {
    if (Uint8Array.fromHex) return Uint8Array.fromHex(digits);
    const array = new Uint8Array(digits.length / 2);
    const value = (place) => (digits.charCodeAt(place) & 15) + (digits.charCodeAt(place) > 57 ? 9 : 0);
    for (let i = 0; i < array.length; i++) array[i] = value(2 * i) * 16 + value(2 * i + 1);
    return array;
  },

  toHex(data) {
    const array = functions.copy(data);
    if (array.toHex) return array.toHex();
    const digit = (value) => value + (value < 10 ? 48 : 87); // its code: "0" or "a" and so on
    const codes = new Uint8Array(array.length * 2);
    for (let i = 0; i < array.length; i++) {
      codes[2 * i] = digit(array[i] >> 4);
      codes[2 * i + 1] = digit(array[i] & 15);
    }
    return new TextDecoder().decode(codes);
  },

  decode(digits) {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(functions.fromHex(digits));
  },

  // Return text as an object, which crosses the border unchanged.
  text(digits) {
    return new String(functions.decode(digits));
  },

  // Copy an ArrayBuffer, or the part of it that a view shows. Of a transferred buffer no view can be made.
  copy(value) {
    if (!value.byteLength) return new Uint8Array(0);
    const { buffer, byteOffset, byteLength } = value;
    return (buffer ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(value)).slice();
  },

  blob(digits, type) {
    return new Blob([functions.fromHex(digits)], { type });
  },

  className(value) {
    return Object.prototype.toString.call(value).slice(8, -1);
  },

  isIterable(value) {
    return Symbol.iterator in Object(value);
  },
};
