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
 * Put text in the place of what is selected, as if it were typed, so that it can be undone.
 *
 * @param {HTMLTextAreaElement} area
 * @param {string} text
 */
function typeIn(area, text) {
  if (document.execCommand("insertText", false, text)) return;
  area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

/**
 * The keys of an editor of JSON: Tab indents, a new line begins as deep as the one above, or deeper.
 *
 * @param {KeyboardEvent} event
 * @param {HTMLTextAreaElement} area
 */
function indentJson(event, area) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
  if (event.key === "Tab") {
    event.preventDefault();
    typeIn(area, "  ");
  } else if (event.key === "Enter") {
    event.preventDefault();
    const line = area.value.slice(0, area.selectionStart).split("\n").pop() ?? "";
    const opens = /[[{]\s*$/.test(line);
    typeIn(area, `\n${line.match(/^\s*/)?.[0] ?? ""}${opens ? "  " : ""}`);
  }
}

/**
 * Gives `{el, open}`: `open(title, area, isJson)` shows the text of a box large; what is typed is
 * typed into that box.
 */
function largeEditor() {
  const title = h("h3", {});
  const gutter = h("pre", { class: "nbx-gutter", "aria-hidden": "true" });
  const behind = h("pre", { class: "nbx-behind", "aria-hidden": "true" });
  const area = h("textarea", { class: "nbx-largetext", spellcheck: "false",
    onkeydown: (event) => { if (isJson) indentJson(event, area); } });
  const shut = iconButton("close", "close the large editor", close);
  const frame = h("div", { class: "nbx-largeframe" }, gutter, h("div", { class: "nbx-stack" }, behind, area));
  const el = h("div", { class: "nbx-large", role: "dialog", "aria-modal": "true", hidden: true,
    onkeydown: press, onfocusout: keepFocus },
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
    if (!isJson) area.dir = directionFor(area.value);
    putText(source, area.value);
    source.dispatchEvent(new Event("input", { bubbles: true }));
  });
  /** @param {KeyboardEvent} event */
  function press(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Tab" && !event.defaultPrevented) { // there are two places to go
      event.preventDefault();
      (event.target === area ? shut : area).focus();
    }
  }
  /**
   * What is below is covered: the focus does not go there while this is open.
   *
   * @param {FocusEvent} event
   */
  function keepFocus(event) {
    const to = /** @type {Node | null} */ (event.relatedTarget);
    if (!el.hidden && to && !el.contains(to) && el.parentElement?.contains(to)) area.focus();
  }
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
      // the colours lie below from left to right, and so does what is typed in JSON
      area.dir = asJson ? "ltr" : directionFor(from.value);
      area.value = from.value;
      el.hidden = false;
      paint();
      area.focus();
      if (asJson) {
        area.setSelectionRange(0, 0);
        area.scrollTop = 0;
      }
    },
  };
}
