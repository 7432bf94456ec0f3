// Elements, icons and small pieces that the parts of the panel share.

/**
 * @typedef {Node | string | null | undefined | false} Piece
 * @typedef {Piece | Piece[] | Piece[][]} Child
 * @typedef {{ [name: string]: unknown, onclick?: (event: MouseEvent) => unknown,
 *   onmousedown?: (event: MouseEvent) => void, onkeydown?: (event: KeyboardEvent) => void }} Props
 */
const AS_PROPERTY = new Set(["value", "checked", "disabled", "selected", "hidden", "textContent"]);

/**
 * Give an element. `props` are attributes, `on…` listeners, or one of the properties above;
 * children are elements and texts, and empty ones are left out. Nothing here reads HTML.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Props} props
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") el.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (AS_PROPERTY.has(name)) Object.assign(el, { [name]: value });
    else el.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(2)) if (child !== null && child !== undefined && child !== false) el.append(child);
  return el;
}

let ids = 0;
/** @param {string} stem */
function newId(stem) {
  ids += 1;
  return `nbx-${stem}-${ids}`;
}

const PATHS = {
  run: "M4 2.5v11l9-5.5z",
  stop: "M3.5 3.5h9v9h-9z",
  close: "M4 4l8 8M12 4l-8 8",
  up: "M8 12.5v-9M4.5 7L8 3.5 11.5 7",
  down: "M8 3.5v9M4.5 9L8 12.5 11.5 9",
  plus: "M8 3.5v9M3.5 8h9",
  fold: "M6 4l4 4-4 4",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5L14 14",
  pin: "M8 14.5V10M5 2.5h6l-.8 4L12 9.5H4l1.8-3z",
  vary: "M2.5 4.5h4M10 4.5h3.5M6.5 2.5v4M2.5 11.5H6M9.5 11.5h4M9.5 9.5v4",
  braces: "M6 2.5c-3 0-1 5-3.5 5.5C5 8.5 3 13.5 6 13.5M10 2.5c3 0 1 5 3.5 5.5-2.5.5-.5 5.5-3.5 5.5",
  open: "M4 6l4 4 4-4",
  good: "M3 8.5l3.5 3.5L13 4.5",
  bad: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  note: "M3.5 2.5h9v7l-3.5 4h-5.5zM12.5 9.5h-3.5v4",
  large: "M9.5 2.5h4v4M13.5 2.5l-5 5M6.5 13.5h-4v-4M2.5 13.5l5-5",
  attach: "M12.5 7.5l-5 5a3 3 0 0 1-4.2-4.2l6-6a2 2 0 0 1 2.8 2.8l-6 6a1 1 0 0 1-1.4-1.4l5.2-5.2",
};
const FILLED = new Set(["run", "stop"]);

/**
 * Give a drawing for sighted readers; its button carries the name.
 *
 * @param {keyof typeof PATHS} name
 */
function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `nbx-icon${FILLED.has(name) ? " filled" : ""}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/**
 * Give a small button that is only a drawing; `label` is its name and its tooltip.
 *
 * @param {keyof typeof PATHS} name
 * @param {string} label
 * @param {() => void} onclick
 */
function iconButton(name, label, onclick, props = {}) {
  return h("button", { type: "button", class: "nbx-mini", "aria-label": label, title: label, onclick, ...props }, icon(name));
}

/**
 * Give one of several that are there: the arrow keys, Home and End go round in `el`.
 *
 * @param {KeyboardEvent} event
 * @param {number} count
 * @param {number} now
 * @param {boolean} isVertical
 */
function moves(event, count, now, isVertical) {
  const [back, on] = isVertical ? ["ArrowUp", "ArrowDown"] : ["ArrowLeft", "ArrowRight"];
  const next = { [back]: now - 1, [on]: now + 1, Home: 0, End: count - 1 }[event.key];
  if (next === undefined || count === 0) return null;
  event.preventDefault();
  return (next + count) % count;
}

/**
 * Give what a table has for the key that was pressed.
 *
 * @template Value
 * @param {KeyboardEvent} event
 * @param {Record<string, Value>} table
 * @returns {Value | undefined}
 */
const forKey = (event, table) => (Object.hasOwn(table, event.key) ? table[event.key] : undefined);

/**
 * Let a text box be as tall as its text, between its CSS limits.
 *
 * @param {HTMLTextAreaElement} area
 */
function grow(area) {
  if (area.dataset.sized) return;
  if (area.value.length > MOST_BY_LINE) { // as high as it may be, without asking how high it is
    area.style.height = "100em";
    return;
  }
  area.style.height = "auto";
  if (area.scrollHeight) area.style.height = `${area.scrollHeight + 2}px`;
}

// of a longer text a browser takes seconds, and more, to find the direction of each line
const MOST_BY_LINE = 20_000;
const FROM_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/;

/**
 * Give what `dir` is for a text: each line by itself, or all of a long one as its first letter.
 *
 * @param {string} text
 */
function directionFor(text) {
  if (text.length <= MOST_BY_LINE) return "auto";
  return FROM_RIGHT.test(text.slice(0, MOST_BY_LINE).match(/\p{L}/u)?.[0] ?? "") ? "rtl" : "ltr";
}

/**
 * Put a text into a box, which then has its direction, also after what is typed and pasted.
 *
 * @param {HTMLTextAreaElement} area
 * @param {string} text
 */
function putText(area, text) {
  area.dir = directionFor(text);
  area.value = text;
}

/**
 * @param {HTMLTextAreaElement} area
 */
function directed(area) {
  const turn = (/** @type {string} */ text) => { if (area.dir !== directionFor(text)) area.dir = directionFor(text); };
  area.addEventListener("beforeinput", (event) => { if (event.data && event.data.length > 1) turn(area.value + event.data); });
  area.addEventListener("input", () => turn(area.value));
  return area;
}

/**
 * Let a text box be drawn to another height by hand, which it then keeps.
 *
 * @param {HTMLTextAreaElement} area
 */
function sizable(area) {
  let before = 0;
  area.addEventListener("pointerdown", () => { before = area.offsetHeight; });
  area.addEventListener("pointerup", () => { if (before && Math.abs(area.offsetHeight - before) > 3) area.dataset.sized = "by hand"; });
  return area;
}

/** Tell whether an element has the focus, in a shadow root too. */
const isFocused = (/** @type {Element} */ el) => /** @type {Document | ShadowRoot} */ (el.getRootNode()).activeElement === el;

/**
 * Give a small menu: a button and what it opens, which shuts when one is chosen.
 *
 * @param {string} label
 * @param {[label: string, act: () => void][]} entries
 */
function menu(label, entries) {
  const list = h("div", { class: "nbx-menulist", role: "menu" }, entries.map(([name, act]) => h("button", { type: "button", role: "menuitem", class: "nbx-quiet", onclick: () => { el.open = false; act(); } }, name)));
  const el = h("details", { class: "nbx-menu", onkeydown: (event) => { if (event.key === "Escape" && el.open) { event.stopPropagation(); el.open = false; el.querySelector("summary")?.focus(); } },
    onfocusout: (/** @type {FocusEvent} */ event) => { if (!el.contains(/** @type {Node | null} */ (event.relatedTarget))) el.open = false; } },
  h("summary", { "aria-haspopup": "menu" }, label), list);
  return el;
}

/** Tell whether two JSON values are the same. */
const same = (/** @type {unknown} */ a, /** @type {unknown} */ b) => a === b || JSON.stringify(a) === JSON.stringify(b);

/**
 * Put text on the clipboard; tell whether that went well. Plain http pages have the old way only.
 *
 * @param {string} text
 */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { value: text, style: "position:fixed;opacity:0" });
    document.body.append(area);
    area.select();
    try {
      return document.execCommand("copy");
    } finally {
      area.remove();
    }
  }
}

/**
 * Give a text box with a list of names to choose from, which takes any other text too.
 * `commit(text)` is called when a name is chosen or the text is left; `ask()` when the list opens.
 *
 * @param {string} label
 * @param {(text: string) => void} commit
 */
function combobox(label, commit, ask = () => {}) {
  const list = h("ul", { class: "nbx-options", role: "listbox", id: newId("options"), "aria-label": `names for ${label}`, hidden: true });
  const input = h("input", {
    type: "text", class: "nbx-input", role: "combobox", "aria-label": label, autocomplete: "off", spellcheck: "false",
    "aria-controls": list.id, "aria-expanded": "false", "aria-autocomplete": "list",
  });
  /** @type {string[]} */
  let names = [];
  /** @type {string[]} */
  let shown = [];
  let active = -1;
  let value = "";
  const isOpen = () => !list.hidden;

  /** @param {string} filter */
  function draw(filter) {
    const wanted = filter.toLowerCase();
    shown = names.filter((name) => name.toLowerCase().includes(wanted));
    list.replaceChildren(...shown.map((name, place) => h("li", {
      role: "option", id: `${list.id}-${place}`, "aria-selected": String(place === active),
      onmousedown: (event) => { event.preventDefault(); choose(name); },
    }, name)));
    list.hidden = shown.length === 0;
    input.setAttribute("aria-expanded", String(isOpen()));
    if (active >= 0 && active < shown.length) {
      input.setAttribute("aria-activedescendant", `${list.id}-${active}`);
      list.children[active].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }
  function open() {
    ask();
    active = names.indexOf(value);
    draw("");
  }
  function shut() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }
  /** @param {string} text */
  function choose(text) {
    input.value = text;
    shut();
    if (text !== value) {
      value = text;
      commit(text);
    }
  }
  input.addEventListener("input", () => { active = -1; draw(input.value); });
  input.addEventListener("mousedown", () => (isOpen() ? shut() : open()));
  input.addEventListener("focus", () => input.select());
  input.addEventListener("blur", () => choose(input.value.trim()));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) choose(isOpen() && active >= 0 ? shown[active] : input.value.trim());
    else if (event.key === "Escape" && isOpen()) { event.stopPropagation(); shut(); }
    else if (event.key === "ArrowDown" && !isOpen()) { event.preventDefault(); open(); }
    else if (isOpen()) {
      const next = moves(event, shown.length, active, true);
      if (next !== null && event.key.startsWith("Arrow")) { active = next; draw(active < 0 ? "" : filterOf()); }
    }
  });
  // a name that was already whole does not hide the others
  const filterOf = () => (input.value === value ? "" : input.value);
  return {
    el: h("span", { class: "nbx-combo" }, input, icon("open"), list),
    input,
    /** @param {string} text */
    show(text, placeholder = "") {
      value = text;
      input.title = text;
      input.placeholder = placeholder;
      if (!isFocused(input)) input.value = text;
    },
    /** @param {string[]} found */
    offer(found) {
      names = found;
      if (isOpen()) draw(filterOf());
    },
  };
}
