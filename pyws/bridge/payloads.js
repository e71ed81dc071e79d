// The functions of JavaScript for `payloads.py`, which makes them by `Function`. Nothing of this file becomes a name of
// the page.

// Return a function that makes, of the `send` of a connection (see codec.js), one for payloads. `sent` returns the memory
// of sent messages.
function createPayloads(sent) {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  // Take the mask off bytes, by words of four bytes: https://www.rfc-editor.org/rfc/rfc6455#section-5.3
  function unmask(bytes, mask) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    for (let i = 0; i < words.length; i++) words[i] ^= mask;
    for (let i = words.length * 4; i < bytes.length; i++) bytes[i] ^= mask >>> (8 * (i % 4));
  }

  // Send an array, or as many bytes of the memory as a number says; return whether that was possible: text must be
  // UTF-8.
  return (send) => (data, mask, isText) => {
    const bytes = typeof data === "number" ? sent().subarray(0, data) : data;
    unmask(bytes, mask);
    if (!isText) {
      send(data);
      return true;
    }
    let text;
    try {
      text = decoder.decode(bytes);
    } catch {
      return false;
    }
    send(text);
    return true;
  };
}
