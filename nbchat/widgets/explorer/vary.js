// "Vary…": one parameter at several values, all at once.

/** @type {Record<string, number[]>} */
const PROPOSED = { temperature: [0, 0.5, 1, 1.5], top_p: [0.1, 0.5, 0.9, 1], seed: [1, 2, 3, 4], max_completion_tokens: [20, 80, 320] };

/**
 * Give values that show what a field does; none for fields that are not varied like this.
 *
 * @param {Control} field
 * @returns {unknown[]}
 */
function proposed(field) {
  if (PROPOSED[field.name]) return PROPOSED[field.name];
  if (field.control === "toggle") return [false, true];
  if (field.control === "dropdown") return field.choices;
  if (field.control !== "slider") return field.name === "model" ? field.choices : [];
  const [low, high] = [field.soft_minimum ?? 0, field.soft_maximum ?? 1];
  return [0, 1, 2, 3].map((k) => stepped(field, low + (k * (high - low)) / 3, 0));
}

/**
 * Gives `{el, button}`: the small window and the button that opens it.
 *
 * @param {Panel} panel
 * @param {Control[]} fields
 */
function varyWindow(panel, fields) {
  const offered = fields.filter((field) => proposed(field).length || field.name === "model" || field.control === "number");
  const name = h("select", { class: "nbx-input", "aria-label": "parameter to vary", onchange: propose },
    offered.map((field) => h("option", { value: field.name }, field.name)));
  const values = h("input", { type: "text", class: "nbx-input", "aria-label": "values, with commas between them", autocomplete: "off", spellcheck: "false",
    oninput: count, onkeydown: (event) => { if (event.key === "Enter") { event.preventDefault(); event.stopPropagation(); start(); } } });
  const problem = h("p", { class: "nbx-problem", role: "alert", hidden: true });
  const go = h("button", { type: "button", class: "nbx-button primary", onclick: start });
  const el = h("div", { class: "nbx-vary", role: "dialog", "aria-label": "Vary one parameter", hidden: true,
    onkeydown: (event) => { if (event.key === "Escape") { event.stopPropagation(); shut(); } } },
  h("label", {}, "parameter", name), h("label", {}, "values", values), problem,
  h("div", { class: "nbx-actions" }, h("span", { class: "nbx-none" }, "at most 4 at once"), go));
  const button = h("button", { type: "button", class: "nbx-button", "aria-haspopup": "dialog", "aria-expanded": "false", onclick: () => (el.hidden ? open() : shut()) }, icon("vary"), "Vary…");

  function read() {
    const text = values.value.trim();
    if (text.startsWith("[")) {
      const whole = typedJson(text);
      if (Array.isArray(whole)) return whole;
    }
    return text.split(",").map((part) => part.trim()).filter(Boolean).map(typedJson);
  }
  function count() {
    const found = read().length;
    go.textContent = `Run ${found || ""}`;
    go.disabled = found === 0;
    problem.hidden = true;
  }
  function propose() {
    const field = offered.find((other) => other.name === name.value);
    const found = name.value === "model" ? panel.models() : field ? proposed(field) : [];
    values.value = found.slice(0, 8).map(asText).join(", ");
    count();
  }
  function open() {
    el.hidden = false;
    button.setAttribute("aria-expanded", "true");
    if (!values.value) { name.value = offered.some((field) => field.name === "temperature") ? "temperature" : (offered[0]?.name ?? ""); propose(); }
    count();
    values.focus();
    values.select();
  }
  function shut() {
    if (el.hidden) return;
    el.hidden = true;
    button.setAttribute("aria-expanded", "false");
    button.focus();
  }
  function start() {
    if (go.disabled) return;
    panel.vary(name.value, read());
  }
  return { el, button, shut, refuse: (/** @type {string} */ sentence) => { problem.textContent = sentence; problem.hidden = false; } };
}
