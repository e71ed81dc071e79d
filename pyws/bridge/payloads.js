// The functions of JavaScript for `payloads.py`, which makes them by `Function`. Nothing of this file becomes a name of
// the page.

// Return a function that makes, of the `send` of a connection (see codec.js), one for payloads, and a function that
// puts a mask on bytes of the memory. `sent` returns the memory of sent messages.
function createPayloads(sent) {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  // Put a mask on bytes, or take it off, four words of four bytes at a time:
  // https://www.rfc-editor.org/rfc/rfc6455#section-5.3
  function mask(bytes, key) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    const end = words.length & ~3;
    for (let i = 0; i < end; i += 4) {
      words[i] ^= key;
      words[i + 1] ^= key;
      words[i + 2] ^= key;
      words[i + 3] ^= key;
    }
    for (let i = end * 4; i < bytes.length; i++) bytes[i] ^= key >>> (8 * (i % 4));
  }

  // Send an array, or as many bytes of the memory as a number says; return whether that was possible: text must be
  // UTF-8.
  const link = (send) => (data, key, isText) => {
    const bytes = typeof data === "number" ? sent().subarray(0, data) : data;
    if (key) mask(bytes, key);
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

  return { link, mask: (size, key) => mask(sent().subarray(0, size), key) };
}
