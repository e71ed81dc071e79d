// A journal: the rows of one run, which of them are the same as another's, and how they are drawn.

const STATES = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];
const WIDTH = 1000; // of a picture, in units of its own
const HEIGHT = 100;

export class Journal {
  rows = [];
  began = 0; // milliseconds, of the runtime's own clock
  #states = new Map(); // of each socket, by its number
  #trace = null; // the traceback that is being written

  // Take what the instrument told. Some of it is no row of its own.
  add(told) {
    const { kind } = told;
    if (kind === "begin") {
      this.began = told.at;
      return;
    }
    if (kind === "log") {
      const last = this.rows.at(-1);
      if (last) (last.asides ??= []).push(told.text);
      return;
    }
    if (kind === "stderr") {
      if (!told.text && !this.#trace) return;
      this.#addError(told);
    } else {
      this.#trace = null;
      this.rows.push(told);
    }
    if (told.socket && told.state !== undefined) this.#states.set(told.socket, told.state);
    const row = this.rows.at(-1);
    row.at ??= this.rows.at(-2)?.at ?? this.began;
    // What has no socket of its own stands in the band of the last one that was heard of.
    row.band = told.state ?? this.rows.at(-2)?.band;
  }

  // A traceback is one row, though it comes line by line: its last line is the one that does not begin with a space.
  #addError(told) {
    const { text } = told;
    const inside = /^(Traceback|\s)/.test(text);
    if (this.#trace) {
      this.#trace.lines.push(text);
      if (!inside) {
        this.#trace.head = text;
        this.#trace = null;
      }
    } else if (inside) {
      this.#trace = { ...told, kind: "exception", lines: [text], head: "" };
      this.rows.push(this.#trace);
    } else {
      this.rows.push(told);
    }
  }

  // Whether a socket may still have something to say.
  get open() {
    return [...this.#states.values()].some((state) => state < 3);
  }

  get failed() {
    return this.rows.some(({ kind }) => kind === "exception");
  }

  // Milliseconds from the first row to the last.
  get duration() {
    return this.rows.length ? this.rows.at(-1).at - this.began : 0;
  }
}

// What two rows have in common if they are the same: neither time nor bufferedAmount, which is the network's affair.
export function key({ kind, socket, name, fields, state, size, raised, text, head }) {
  if (kind === "exception") return `exception ${named(head)}`;
  if (text !== undefined) return `${kind} ${text}`;
  return JSON.stringify([kind, socket, name, fields, state, size, raised && named(raised)]);
}

// Of an exception of the web platform only the name: what else it says is the browser's, and meant for people.
// https://webidl.spec.whatwg.org/#idl-DOMException
function named(error) {
  return /(?<=DOMException: )\w+/.exec(error)?.[0] ?? error;
}

// Rows of one row per journal, so that those which journals share stand side by side; null where one has none.
export function align(journals) {
  let table = journals[0].map((row) => [row]);
  for (const [done, journal] of journals.slice(1).entries()) {
    const known = table.map((cells) => key(cells.find(Boolean)));
    const merged = [];
    let [above, beside] = [0, 0];
    const take = (end, last) => {
      while (above < end || beside < last) {
        const cells = above < end ? table[above++] : Array(done + 1).fill(null);
        merged.push([...cells, beside < last ? journal[beside++] : null]);
      }
    };
    for (const [first, second] of common(known, journal.map(key))) {
      take(first, second);
      take(first + 1, second + 1);
    }
    take(table.length, journal.length);
    table = merged;
  }
  return table;
}

// The places of a longest common subsequence of two lists: [[place in the first, place in the second], …].
function common(first, second) {
  let start = 0;
  let [m, n] = [first.length, second.length];
  while (start < m && start < n && first[start] === second[start]) start++;
  while (m > start && n > start && first[m - 1] === second[n - 1]) [m, n] = [m - 1, n - 1];
  const pairs = Array.from({ length: start }, (_, place) => [place, place]);
  // How many of the rest, from a place in each on, are common.
  const width = n - start + 1;
  const counts = new Uint16Array((m - start + 1) * width);
  const at = (i, j) => (i - start) * width + j - start;
  for (let i = m - 1; i >= start; i--) {
    for (let j = n - 1; j >= start; j--) {
      counts[at(i, j)] =
        first[i] === second[j] ? counts[at(i + 1, j + 1)] + 1 : Math.max(counts[at(i + 1, j)], counts[at(i, j + 1)]);
    }
  }
  for (let i = start, j = start; i < m && j < n; ) {
    if (first[i] === second[j]) pairs.push([i++, j++]);
    else if (counts[at(i + 1, j)] >= counts[at(i, j + 1)]) i++;
    else j++;
  }
  for (let place = 0; m + place < first.length; place++) pairs.push([m + place, n + place]);
  return pairs;
}

// What a row of the aligned table says: "same", "unlike", or "open-ended" while somebody may still write what lacks.
export function verdict(table, running) {
  const lasts = running.map((_, column) => table.findLastIndex((cells) => cells[column]));
  return table.map((cells, index) => {
    const present = cells.filter(Boolean).map(key);
    if (new Set(present).size > 1) return "unlike";
    const missing = [...cells.keys()].filter((column) => !cells[column]);
    if (!missing.length) return "same";
    return missing.every((column) => running[column] && index > lasts[column]) ? "open-ended" : "unlike";
  });
}

// Whether journals that differ have the same rows all the same, in another order.
export function onlyMoved(journals) {
  const [first, ...others] = journals.map((rows) => JSON.stringify(rows.map(key).sort()));
  return others.every((other) => other === first);
}

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  element.append(...children);
  return element;
}

// One row as it stands in its column; `before` is the one above it, `several` whether sockets need their number.
export function draw(row, before, began, several) {
  const heard = (text) => make("span", { class: "heard" }, text);
  const words = make("span", { class: "words" });
  if (row.kind === "exception") {
    const rest = row.lines.slice(0, row.head ? -1 : undefined).join("\n");
    words.append(make("details", { class: "exception" }, make("summary", {}, row.head || "Traceback …"), make("pre", {}, rest)));
  } else if (row.text !== undefined) {
    words.append(make("span", { class: row.kind === "stderr" ? "stderr printed" : "printed" }, row.text || " "));
  } else {
    const name = row.kind === "call" ? `${row.name}(` : row.name;
    words.append(make("span", { class: "name" }, several ? `${row.socket}: ${name}` : name));
    const fields = Object.entries(row.fields);
    fields.forEach(([field, value], place) => {
      words.append(place && row.kind === "call" ? ", " : place || row.kind === "event" ? " " : "");
      // The only argument of `send` and the first of `WebSocket` need no name.
      if (row.kind === "event" || place) words.append(make("span", { class: "key" }, `${field}=`));
      words.append(value);
    });
    if (row.kind === "call") words.append(make("span", { class: "name" }, ")"));
    if (row.raised) words.append(" ", make("span", { class: "raised" }, row.raised));
  }
  const mark = row.kind === "call" && row.name === "close" ? "close()" : (row.name ?? row.kind);
  const meta = make("span", { class: "meta" });
  if (row.band !== undefined && row.band !== before?.band) {
    meta.append(make("b", { title: `readyState ${row.band}` }, STATES[row.band]), " ");
  }
  if (row.size !== undefined && row.size !== null) meta.append(`${bytes(row.size)} · `);
  meta.append(milliseconds(row.at - began));
  const drawn = make("div", { class: "row" }, make("i", { class: "glyph", "data-name": mark, "aria-hidden": "true" }), meta, words);
  drawn.title = row.buffered ? `bufferedAmount ${row.buffered.toLocaleString("en")}` : "";
  if (row.kind === "call" || row.kind === "event") words.prepend(heard(`${row.kind} `));
  for (const aside of row.asides ?? []) drawn.append(make("span", { class: "aside" }, aside));
  return drawn;
}

// A journal in one picture: states as bands, bufferedAmount as an area, messages as lines; a lane for each socket.
export function picture({ rows, began, duration }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const add = (name, attributes) => {
    const element = document.createElementNS(svg.namespaceURI, name);
    for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
    svg.append(element);
  };
  svg.setAttribute("class", "picture");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const x = (at) => ((at - began) / (duration || 1)) * (WIDTH - 4) + 2;
  const sockets = Map.groupBy(rows.filter(({ state }) => state !== undefined), ({ socket }) => socket);
  const lane = HEIGHT / Math.max(1, sockets.size);
  const told = [];
  [...sockets.values()].forEach((own, index) => {
    const [top, middle, bottom] = [index * lane, (index + 0.5) * lane, (index + 1) * lane];
    const end = own.at(-1).state === 3 ? own.at(-1).at : began + duration;
    const until = (place) => x(own[place + 1]?.at ?? end);
    own.forEach(({ at, state }, place) => {
      add("rect", { x: x(at), y: top, width: Math.max(0, until(place) - x(at)), height: lane, "data-state": state });
    });
    const peak = Math.max(...own.map(({ buffered }) => buffered));
    if (peak) {
      const level = ({ buffered }) => bottom - (buffered / peak) * lane * 0.9;
      const steps = own.map((row, place) => `L${x(row.at)} ${level(row)}H${until(place)}`).join("");
      add("path", { class: "buffered", d: `M${x(own[0].at)} ${bottom}${steps}V${bottom}Z` });
    }
    add("line", { class: "axis", x1: 0, x2: WIDTH, y1: middle, y2: middle });
    for (const { at, name, size } of own) {
      if (size === undefined || size === null) continue;
      const length = (0.15 + Math.min(0.8, Math.log2(1 + size) / 25)) * (lane / 2);
      const y2 = middle + (name === "send" ? -length : length);
      add("line", { class: name, x1: x(at), x2: x(at), y1: middle, y2 });
    }
    const states = own.map(({ state }) => STATES[state]).filter((name, place, all) => name !== all[place - 1]);
    told.push(`socket ${index + 1}: ${states.join(", ")}; bufferedAmount at most ${bytes(peak)}`);
  });
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", told.join(". ") || "no socket yet");
  return svg;
}

export function peak({ rows }) {
  return Math.max(0, ...rows.map(({ buffered }) => buffered ?? 0));
}

export function bytes(size) {
  const units = ["B", "KiB", "MiB", "GiB"];
  const unit = Math.min(3, Math.floor(Math.log2(Math.max(1, size)) / 10));
  const value = size / 1024 ** unit;
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function count(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

export function milliseconds(value) {
  return value < 9.95 ? `${value.toFixed(1)} ms` : value < 9950 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}
