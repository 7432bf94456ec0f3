// A form for a function or a schema: names, types, which are required; JSON comes of it.

/** @type {Record<string, Record<string, unknown>>} */
const TYPES = {
  text: { type: "string" },
  number: { type: "number" },
  "whole number": { type: "integer" },
  "yes or no": { type: "boolean" },
  "list of texts": { type: "array", items: { type: "string" } },
  "list of numbers": { type: "array", items: { type: "number" } },
  "one of…": { type: "string" },
};

/**
 * Gives `{el, open}`. `set(value)` is called with the value of the field that was built.
 *
 * @param {Panel} panel
 * @param {Control} field
 * @param {(value: unknown) => void} set
 */
function builder(panel, field, set) {
  const isSchema = field.name === "response_format";
  const noun = isSchema ? "schema" : "function";
  const name = h("input", { type: "text", class: "nbx-input", "aria-label": `name of the ${noun}`, placeholder: isSchema ? "answer" : "get_weather", autocomplete: "off", spellcheck: "false" });
  const about = h("input", { type: "text", class: "nbx-input", "aria-label": `description of the ${noun}`, placeholder: isSchema ? "what it is" : "what it does" });
  const rows = h("div", { class: "nbx-buildrows" });
  const from = h("select", { class: "nbx-input", "aria-label": `${isSchema ? "type" : "function"} of the notebook`, onchange: () => { if (from.value) { take(from.value); shut(); } } });
  const problem = h("p", { class: "nbx-fault", role: "alert", hidden: true });
  const el = h("div", { class: "nbx-build", role: "group", "aria-label": `build a ${noun}`, hidden: true },
    h("div", { class: "nbx-buildhead" }, name, about), rows,
    h("div", { class: "nbx-actions" },
      h("button", { type: "button", class: "nbx-quiet", onclick: () => add().querySelector("input")?.focus() }, icon("plus"), isSchema ? "property" : "argument"),
      h("span", { class: "nbx-grow" }),
      h("button", { type: "button", class: "nbx-quiet", onclick: shut }, "Cancel"),
      h("button", { type: "button", class: "nbx-button primary", onclick: build }, `Use this ${noun}`)),
    problem,
    h("label", { class: "nbx-from" }, h("span", {}, "or take one of the notebook's"), from));

  function add() {
    const choices = h("input", { type: "text", class: "nbx-input", "aria-label": "choices, with commas between them", placeholder: "a, b, c", hidden: true });
    const type = h("select", { class: "nbx-input", "aria-label": "type", onchange: () => { choices.hidden = type.value !== "one of…"; } },
      Object.keys(TYPES).map((label) => h("option", { value: label }, label)));
    const row = h("div", { class: "nbx-buildrow" },
      h("input", { type: "text", class: "nbx-input", "aria-label": "property name", placeholder: "name", autocomplete: "off", spellcheck: "false" }), type,
      h("label", { class: "nbx-required" }, h("input", { type: "checkbox", checked: true, "aria-label": "required" }), "required"),
      h("input", { type: "text", class: "nbx-input", "aria-label": "property description", placeholder: "description" }),
      iconButton("close", "remove this property", () => row.remove()), choices);
    rows.append(row);
    return row;
  }
  function read() {
    /** @type {Record<string, Record<string, unknown>>} */
    const properties = {};
    /** @type {string[]} */
    const required = [];
    for (const row of rows.children) {
      const [called, isRequired, description, choices] = [...row.querySelectorAll("input")];
      const key = called.value.trim();
      if (!key) continue;
      /** @type {Record<string, unknown>} */
      const made = { ...TYPES[row.querySelector("select")?.value ?? "text"] };
      if (!choices.hidden) made.enum = choices.value.split(",").map((part) => part.trim()).filter(Boolean);
      if (description.value.trim()) made.description = description.value.trim();
      // a strict schema has all of its properties required: what may be missing is null there
      if (isSchema && !isRequired.checked) {
        made.type = [made.type, "null"];
        if (Array.isArray(made.enum)) made.enum = [...made.enum, null];
      }
      properties[key] = made;
      if (isSchema || isRequired.checked) required.push(key);
    }
    return { type: "object", properties, required, additionalProperties: false };
  }
  function build() {
    const called = name.value.trim() || (isSchema ? "answer" : "");
    const parameters = read();
    const fault = !/^[\w-]{1,64}$/.test(called) ? `The ${noun} needs a name of letters, digits, _ and -.`
      : isSchema && !Object.keys(parameters.properties).length ? "The schema has no property yet." : "";
    problem.textContent = fault;
    problem.hidden = !fault;
    if (fault) return;
    const described = about.value.trim() ? { description: about.value.trim() } : {};
    if (isSchema) set({ type: "json_schema", json_schema: { name: called, ...described, strict: true, schema: parameters } });
    else put({ name: called, ...described, parameters });
    shut();
  }
  /** @param {Record<string, unknown>} declared */
  function put(declared) {
    const now = panel.value(field.name);
    set([...(Array.isArray(now) ? now : []), field.name === "functions" ? declared : { type: "function", function: declared }]);
  }
  /** @param {string} called */
  function take(called) {
    const now = panel.value(field.name);
    set(isSchema ? called : [...(Array.isArray(now) ? now : []), called]);
  }
  function shut() { el.hidden = true; }
  function open() {
    el.hidden = !el.hidden;
    if (el.hidden) return;
    problem.hidden = true;
    if (!rows.children.length) add();
    panel.names(({ functions, types }) => {
      const found = isSchema ? types : functions;
      from.replaceChildren(h("option", { value: "" }, found.length ? `${found.length} ${isSchema ? "types" : "functions"}…` : "none is defined in a cell"), ...found.map((each) => h("option", { value: each }, each)));
    });
    name.focus();
  }
  return { el, open };
}
