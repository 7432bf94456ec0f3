// One control for each kind of field. Each is `{el, show(value)}`: `undefined` is unset, and looks
// like it. It calls `change(value)` for what the user did, `undefined` to unset, and
// `wrong(sentence)` for text that is no value yet.

const UNSET = "unset";
const isSet = (/** @type {unknown} */ value) => value !== undefined;

/**
 * Read what was typed as a number; text that is none is handed on, for check() to name.
 *
 * @param {string} text
 */
function typedNumber(text) {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  if (trimmed === "null") return null;
  const number = Number(trimmed);
  // a whole number that JavaScript cannot hold stays text, and is read in Python
  return Number.isNaN(number) || (/^[-+]?\d+$/.test(trimmed) && !Number.isSafeInteger(number)) ? trimmed : number;
}

/** @returns {string} */
const asText = (/** @type {unknown} */ value) => (typeof value === "string" ? value : JSON.stringify(value));
const hint = (/** @type {Control} */ field) => field.default_text || UNSET;

/**
 * @param {Control} field
 * @param {(value: unknown) => void} change
 */
function numberBox(field, change) {
  const box = h("input", {
    type: "text", inputmode: "decimal", class: "nbx-input nbx-number", placeholder: hint(field),
    "aria-label": field.name, autocomplete: "off",
    oninput: () => change(typedNumber(box.value)),
    onkeydown: (event) => {
      const sign = forKey(event, { ArrowUp: 1, ArrowDown: -1 });
      if (!sign) return;
      event.preventDefault();
      const from = Number(box.value || (field.start ?? 0));
      const next = stepped(field, Number.isFinite(from) ? from : 0, sign);
      box.value = String(next);
      change(next);
    },
  });
  return {
    el: box,
    show: (/** @type {unknown} */ value) => {
      if (!isSet(value)) box.value = "";
      else if (!same(typedNumber(box.value), value)) box.value = asText(value);
    },
  };
}

/**
 * Give the value that is one step on, on the grid of the steps and within the bounds.
 *
 * @param {Control} field
 * @param {number} value
 * @param {number} sign
 */
function stepped(field, value, sign) {
  const step = field.step ?? 1;
  const next = Math.round((value + sign * step) / step) * step;
  const clipped = Math.min(field.maximum ?? Infinity, Math.max(field.minimum ?? -Infinity, next));
  return Number(clipped.toFixed(10));
}

/** @type {MakeControl} */
function slider(field, change) {
  const box = numberBox(field, (value) => { place(value); change(value); });
  const [low, high] = [field.soft_minimum ?? 0, field.soft_maximum ?? 1];
  const range = h("input", {
    type: "range", class: "nbx-range", min: low, max: high, step: field.step ?? "any", "aria-label": `${field.name}, slider`,
    oninput: () => {
      const value = Number(range.value);
      paint(true);
      box.show(value);
      change(value);
    },
  });
  /** @param {boolean} isOn */
  function paint(isOn) {
    range.classList.toggle("unset", !isOn);
    range.style.setProperty("--at", `${(100 * (Number(range.value) - low)) / (high - low)}%`);
  }
  /** @param {unknown} value */
  function place(value) {
    range.value = String(typeof value === "number" ? value : (field.start ?? low));
    range.setAttribute("aria-valuetext", isSet(value) ? asText(value) : `${UNSET}${field.default_text ? `, the server's ${field.default_text}` : ""}`);
    paint(typeof value === "number");
  }
  place(undefined);
  return { el: h("div", { class: "nbx-slider" }, range, box.el), show: (value) => { place(value); box.show(value); } };
}

/** @type {MakeControl} */
function toggle(field, change) {
  const name = newId("toggle");
  /** @type {[string, boolean | undefined][]} */
  const options = [[UNSET, undefined], ["off", false], ["on", true]];
  const radios = options.map(([label, value]) => h("input", {
    type: "radio", name, "aria-label": `${field.name} ${label}`, onchange: () => change(value),
  }));
  return {
    el: h("div", { class: "nbx-segments", role: "radiogroup", "aria-label": field.name },
      radios.map((radio, place) => h("label", {}, radio, h("span", {}, options[place][0])))),
    show: (value) => radios.forEach((radio, place) => { radio.checked = options[place][1] === (value ?? undefined); }),
  };
}

/** @type {MakeControl} */
function dropdown(field, change) {
  const select = h("select", {
    class: "nbx-input", "aria-label": field.name,
    onchange: () => change(select.value === "" ? undefined : select.value),
  });
  /** @param {unknown} value */
  function show(value) {
    const text = isSet(value) && value !== null ? asText(value) : "";
    const names = [...field.choices];
    if (text && !names.includes(text)) names.push(text);
    select.replaceChildren(
      h("option", { value: "" }, field.default_text ? `${UNSET} · ${field.default_text}` : UNSET),
      ...names.map((name) => h("option", { value: name }, name)));
    select.value = text;
    select.classList.toggle("unset", select.value === "");
  }
  show(undefined);
  return { el: select, show };
}

/** @type {MakeControl} */
function textBox(field, change) {
  const box = h("input", {
    type: "text", class: "nbx-input", placeholder: hint(field), "aria-label": field.name, autocomplete: "off", spellcheck: "false",
    oninput: () => change(box.value === "" ? undefined : box.value),
  });
  return { el: box, show: (value) => { const text = isSet(value) && value !== null ? asText(value) : ""; if (box.value !== text) box.value = text; } };
}

/** @type {MakeControl} */
function checks(field, change) {
  const boxes = field.choices.map((name) => h("input", { type: "checkbox", "aria-label": `${field.name} ${name}`, onchange: tell }));
  function tell() {
    const chosen = field.choices.filter((_, place) => boxes[place].checked);
    change(chosen.length ? chosen : undefined);
  }
  return {
    el: h("div", { class: "nbx-checks", role: "group", "aria-label": field.name },
      boxes.map((box, place) => h("label", {}, box, field.choices[place]))),
    show: (value) => boxes.forEach((box, place) => { box.checked = Array.isArray(value) && value.includes(field.choices[place]); }),
  };
}

/** @type {Record<string, string>} */
const ESCAPES = { "\\n": "\n", "\\t": "\t", "\\r": "\r", "\\\\": "\\" };
const unescaped = (/** @type {string} */ text) => text.replace(/\\[ntr\\]/g, (found) => ESCAPES[found] ?? found);
const escapedText = (/** @type {string} */ text) => JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');

/**
 * A list of texts as chips. \n and \t are read as what they mean.
 *
 * @type {MakeControl}
 */
function tags(field, change) {
  /** @type {string[]} */
  let texts = [];
  const chips = h("span", { class: "nbx-chips", role: "list" });
  const box = h("input", {
    type: "text", class: "nbx-input", "aria-label": `${field.name}: add a text, Enter ends it`, autocomplete: "off", spellcheck: "false",
    onkeydown: (event) => {
      if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && box.value) { event.preventDefault(); add(); }
      else if (event.key === "Backspace" && !box.value && texts.length) tell(texts.slice(0, -1));
    },
    onblur: () => { if (box.value) add(); },
  });
  function add() {
    const text = unescaped(box.value);
    box.value = "";
    tell([...texts, text]);
  }
  /** @param {string[]} next */
  function tell(next) {
    draw(next);
    change(next.length ? next : undefined);
  }
  /** @param {string[]} next */
  function draw(next) {
    texts = next;
    chips.replaceChildren(...texts.map((text, place) => h("span", { class: "nbx-chip", role: "listitem" },
      h("code", {}, escapedText(text)),
      iconButton("close", `remove ${escapedText(text)}`, () => { tell(texts.filter((_, other) => other !== place)); box.focus(); }))));
    box.placeholder = texts.length ? "and…" : hint(field);
  }
  draw([]);
  return {
    el: h("div", { class: "nbx-tags" }, chips, box),
    show: (value) => { const next = typeof value === "string" ? [value] : Array.isArray(value) ? value.map(asText) : []; if (!same(next, texts)) draw(next); },
  };
}

/**
 * Rows of a name and a value; `read` makes the value of what was typed.
 *
 * @param {Pick<Control, "name">} field
 * @param {(value: Record<string, unknown> | undefined) => void} change
 * @param {(text: string) => unknown} read
 */
function pairs(field, change, read = (text) => text) {
  const rows = h("div", { class: "nbx-pairs" });
  const more = h("button", { type: "button", class: "nbx-quiet", onclick: () => { const made = row("", ""); rows.append(made); made.querySelector("input")?.focus(); } }, icon("plus"), "add");
  /** @type {Record<string, unknown> | undefined} */
  let now;
  /**
   * @param {string} name
   * @param {string} value
   */
  function row(name, value) {
    const input = (/** @type {string} */ label, /** @type {string} */ text) => h("input", { type: "text", class: "nbx-input", "aria-label": `${field.name} ${label}`, placeholder: label, value: text, oninput: tell, autocomplete: "off", spellcheck: "false" });
    const el = h("div", { class: "nbx-pair" }, input("name", name), input("value", value),
      iconButton("close", `remove ${name || "this row"}`, () => { el.remove(); tell(); more.focus(); }));
    return el;
  }
  function tell() {
    const found = [...rows.children].map((el) => [...el.querySelectorAll("input")].map((box) => box.value)).filter(([name]) => name !== "");
    now = found.length ? Object.fromEntries(found.map(([name, text]) => [name, read(text)])) : undefined;
    change(now);
  }
  return {
    el: h("div", {}, rows, more),
    show: (/** @type {unknown} */ value) => {
      if (same(value ?? undefined, now)) return;
      now = /** @type {Record<string, unknown> | undefined} */ (value ?? undefined);
      rows.replaceChildren(...Object.entries(now ?? {}).map(([name, held]) => row(name, asText(held))));
    },
  };
}

/** @returns {unknown} */
const typedJson = (/** @type {string} */ text) => { try { return JSON.parse(text); } catch { return text; } };

/**
 * Say what is wrong with a text that is no JSON, with the place.
 *
 * @param {string} text
 * @param {unknown} error
 */
function jsonProblem(text, error) {
  const { message } = /** @type {SyntaxError} */ (error);
  const found = /position (\d+)/.exec(message);
  const before = found ? text.slice(0, Number(found[1])).split("\n") : null;
  const place = before ? ` (line ${before.length}, column ${before[before.length - 1].length + 1})` : "";
  return `this is no JSON yet: ${message.replace(/( in JSON)? at position.*$/, "")}${place}`;
}

const A_TOOL = { type: "function", function: { name: "get_weather", description: "Look up the weather of a place.", parameters: { type: "object", properties: { place: { type: "string" } }, required: ["place"] } } };
const A_SCHEMA = { type: "json_schema", json_schema: { name: "answer", strict: true, schema: { type: "object", properties: { answer: { type: "string" } }, required: ["answer"], additionalProperties: false } } };
const BUILT = new Set(["tools", "functions", "response_format"]);
/** @type {Record<string, [label: string, value: unknown][]>} */
const STARTS = {
  tools: [["a function", [A_TOOL]]],
  functions: [["a function", [A_TOOL.function]]],
  response_format: [["JSON", { type: "json_object" }], ["JSON by a schema", A_SCHEMA], ["text", { type: "text" }]],
  tool_choice: [["auto", "auto"], ["none", "none"], ["required", "required"], ["one function", { type: "function", function: { name: "get_weather" } }]],
  function_call: [["auto", "auto"], ["none", "none"], ["one function", { name: "get_weather" }]],
  stream_options: [["usage", { include_usage: true }]],
  prediction: [["content", { type: "content", content: "" }]],
  audio: [["wav", { voice: "alloy", format: "wav" }]],
  web_search_options: [["medium", { search_context_size: "medium" }]],
};

/**
 * Any JSON, checked at each key; what is no JSON yet is kept, and said.
 *
 * @type {MakeControl}
 */
function jsonBox(field, change, wrong, panel) {
  /** @type {unknown} */
  let now;
  const area = sizable(h("textarea", {
    class: "nbx-input nbx-json", rows: 1, placeholder: hint(field), "aria-label": `${field.name}, JSON`, spellcheck: "false",
    oninput: () => {
      grow(area);
      let value;
      if (area.value.trim() !== "") {
        try { value = JSON.parse(area.value); } catch (error) { wrong(`${field.name}: ${jsonProblem(area.value, error)}`); return; }
      }
      wrong("");
      now = value;
      change(value);
    },
  }));
  const starts = STARTS[field.name] ?? [];
  // what stood there can come back: by Ctrl Z, as typed text can, and by Undo
  const put = (/** @type {unknown} */ value, /** @type {string} */ label) => { wrong(""); show(value); change(value, `${field.name} is now: ${label}.`); area.focus(); };
  const build = BUILT.has(field.name) ? builder(panel, field, (value) => put(value, "what was built")) : null;
  const tools = h("div", { class: "nbx-starts" },
    starts.map(([label, value]) => h("button", { type: "button", class: "nbx-quiet", onclick: () => put(value, label) }, label)),
    build ? h("button", { type: "button", class: "nbx-quiet", onclick: () => build.open() }, "build…") : null,
    h("button", { type: "button", class: "nbx-quiet", title: `${field.name}, large`, onclick: () => panel.large(field.name, area, true) }, icon("large"), "large"));
  /** @param {unknown} value */
  function show(value) {
    if (same(value, now) && (area.value !== "" || !isSet(value))) return;
    now = value;
    area.value = isSet(value) ? JSON.stringify(value, null, 2) : "";
    wrong("");
    requestAnimationFrame(() => grow(area));
  }
  return { el: h("div", { class: "nbx-jsonbox" }, area, tools, build?.el), show };
}

/** @type {Record<string, MakeControl>} */
const KINDS = {
  slider, number: numberBox, toggle, dropdown, text: textBox, checks, tags, json: jsonBox,
  pairs: (field, change) => pairs(field, change, field.name === "logit_bias" ? typedNumber : undefined),
};

/**
 * Give the control of a field.
 *
 * @type {MakeControl}
 */
function control(field, change, wrong, panel) {
  if (field.control === "tags" && field.choices.length) return checks(field, change, wrong, panel);
  return (KINDS[field.control] ?? jsonBox)(field, change, wrong, panel);
}
