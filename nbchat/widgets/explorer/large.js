// A text, large: over the whole panel, with line numbers and colours where it is JSON.

const JSON_PARTS = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * Give the pieces of a text that is JSON, or nearly.
 *
 * @param {string} text
 * @returns {(Node | string)[]}
 */
function colouredJson(text) {
  /** @type {(Node | string)[]} */
  const pieces = [];
  let end = 0;
  for (const found of text.matchAll(JSON_PARTS)) {
    pieces.push(text.slice(end, found.index));
    const [whole, quoted, colon, word] = found;
    const kind = quoted ? (colon ? "key" : "string") : word ? "word" : "number";
    const shown = quoted ?? whole;
    pieces.push(h("span", { class: `json-${kind}` }, shown), colon ?? "");
    end = found.index + whole.length;
  }
  return [...pieces, text.slice(end)];
}

/**
 * Gives `{el, open}`: `open(title, area, isJson)` shows the text of a box large; what is typed is
 * typed into that box.
 */
function largeEditor() {
  const title = h("h3", {});
  const gutter = h("pre", { class: "nbx-gutter", "aria-hidden": "true" });
  const behind = h("pre", { class: "nbx-behind", "aria-hidden": "true" });
  const area = h("textarea", { class: "nbx-largetext", spellcheck: "false", dir: "auto" });
  const shut = iconButton("close", "close the large editor", close);
  const frame = h("div", { class: "nbx-largeframe" }, gutter, h("div", { class: "nbx-stack" }, behind, area));
  const el = h("div", { class: "nbx-large", role: "dialog", "aria-modal": "true", hidden: true,
    onkeydown: (event) => { if (event.key === "Escape") { event.stopPropagation(); close(); } } },
  h("div", { class: "nbx-largehead" }, title, shut), frame);
  /** @type {HTMLTextAreaElement | null} */
  let source = null;
  let isJson = false;
  function paint() {
    frame.classList.toggle("json", isJson);
    if (!isJson) return;
    behind.replaceChildren(...colouredJson(area.value), "\n");
    gutter.textContent = Array.from({ length: area.value.split("\n").length }, (_, k) => k + 1).join("\n");
    scroll();
  }
  function scroll() {
    behind.scrollTop = gutter.scrollTop = area.scrollTop;
    behind.scrollLeft = area.scrollLeft;
  }
  area.addEventListener("scroll", scroll);
  area.addEventListener("input", () => {
    paint();
    if (!source) return;
    source.value = area.value;
    source.dispatchEvent(new Event("input", { bubbles: true }));
  });
  function close() {
    el.hidden = true;
    const back = source;
    source = null;
    if (back) { grow(back); back.focus(); }
  }
  return {
    el,
    /**
     * @param {string} name
     * @param {HTMLTextAreaElement} from
     * @param {boolean} asJson
     */
    open(name, from, asJson) {
      source = from;
      isJson = asJson;
      title.textContent = name;
      el.setAttribute("aria-label", name);
      area.setAttribute("aria-label", `${name}, large`);
      area.value = from.value;
      el.hidden = false;
      paint();
      area.focus();
    },
  };
}
