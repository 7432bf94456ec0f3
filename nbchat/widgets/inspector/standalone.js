// The inspector as a page of its own: what a kernel would say stands in the page, and is all there is.

/**
 * What anywidget's model is to the panel, with nobody at its other end.
 *
 * @implements {Model}
 */
class StillModel {
  /** @param {Traits} traits */
  constructor(traits) {
    this.traits = traits;
    /** @type {Map<string, (() => void)[]>} */
    this.listeners = new Map();
  }

  /**
   * @template {keyof Traits} Name
   * @param {Name} name
   */
  get(name) {
    return this.traits[name];
  }

  /**
   * @template {keyof Traits} Name
   * @param {Name} name
   * @param {Traits[Name]} value
   */
  set(name, value) {
    this.traits[name] = value;
    for (const take of this.listeners.get(`change:${name}`) ?? []) take();
  }

  save_changes() {}

  send() {}

  /**
   * @param {string} event
   * @param {any} take
   */
  on(event, take) {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), take]);
  }

  off() {}
}

/**
 * Read what is packed in the page: base64 of zlib of the size of some JSON, the JSON, and bytes. A
 * stretch of the bytes is {at, size} in the JSON.
 *
 * @param {string} text
 * @returns {Promise<Traits>}
 */
async function unpacked(text) {
  const letters = atob(text);
  const packed = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) packed[i] = letters.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  const start = 4 + new DataView(buffer).getUint32(0, true);
  const json = new TextDecoder().decode(new Uint8Array(buffer, 4, start - 4));
  return JSON.parse(json, (_, value) =>
    value && value.size !== undefined && value.at !== undefined
      ? new DataView(buffer, start + value.at, value.size)
      : value,
  );
}

const place = document.getElementById("nbchat-page");
const data = document.getElementById("nbchat-data");
if (place && data) {
  unpacked(data.textContent ?? "").then(
    (traits) => {
      new View(new Page(new StillModel(traits), true), place);
      data.remove();
    },
    (error) => {
      place.textContent = `This browser cannot read the page: ${error}`;
    },
  );
}
