// "Vary…": the request at several values of one thing or two, several times each.

/** @type {Record<string, string>} */
const PROPOSED = { temperature: "0, 0.5, 1, 1.5", top_p: "0.1, 0.5, 0.9, 1", seed: "1-4", max_completion_tokens: "20, 80, 320" };
const PLAN_MS = 150;

/**
 * Give values that show what a field does, as they are typed; "" for fields that have none.
 *
 * @param {Control} field
 */
function proposed(field) {
  if (PROPOSED[field.name]) return PROPOSED[field.name];
  if (field.control === "toggle") return "false, true";
  if (field.control === "dropdown") return field.choices.join(", ");
  if (field.control !== "slider") return "";
  const [low, high] = [field.soft_minimum ?? 0, field.soft_maximum ?? 1];
  return [0, 1, 2, 3].map((k) => stepped(field, low + (k * (high - low)) / 3, 0)).join(", ");
}

const HOW = "0..1 step 0.25, 1-5, unset; a system prompt on each line";

/**
 * Gives `{el, button, shut, refuse, plan, sweep}`: the small window and the button that opens it.
 *
 * @param {Panel} panel
 * @param {Control[]} fields
 */
function varyWindow(panel, fields) {
  const first = axis("parameter to vary", "values, with commas between them");
  const second = axis("second parameter to vary", "values of the second parameter");
  const repeats = h("input", { type: "text", inputmode: "numeric", class: "nbx-input nbx-times", value: "1", "aria-label": "how many times each", oninput: plan, onkeydown: enter });
  const seeds = h("input", { type: "checkbox", "aria-label": "another seed each time", onchange: plan });
  const problem = h("p", { class: "nbx-problem", role: "alert", hidden: true });
  const go = h("button", { type: "button", class: "nbx-button primary", onclick: start }, "Run");
  const sweep = h("button", { type: "button", class: "nbx-quiet", title: "write the nbchat.sweep(…) that does this, and more of it", onclick: () => panel.send({ do: "sweep", ...along() }) }, "Sweep this");
  const el = h("div", { class: "nbx-vary", role: "dialog", "aria-label": "Vary the request", hidden: true,
    onkeydown: (event) => { if (event.key === "Escape") { event.stopPropagation(); shut(); } } },
  h("div", { class: "nbx-axis" }, first.name, first.values),
  h("div", { class: "nbx-axis" }, second.name, second.values),
  h("div", { class: "nbx-repeats" }, h("label", {}, "×", repeats), h("label", {}, seeds, "another seed each time")),
  h("p", { class: "nbx-none" }, HOW), problem,
  h("div", { class: "nbx-actions" }, sweep, h("span", { class: "nbx-grow" }), go));
  const button = h("button", { type: "button", class: "nbx-button", "aria-haspopup": "dialog", "aria-expanded": "false", onclick: () => (el.hidden ? open() : shut()) }, icon("vary"), "Vary…");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /** @param {KeyboardEvent} event */
  function enter(event) {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    start();
  }
  /**
   * @param {string} label
   * @param {string} valuesLabel
   */
  function axis(label, valuesLabel) {
    const name = h("select", { class: "nbx-input", "aria-label": label, onchange: () => { values.value = propose(name.value); grow(values); plan(); } });
    const values = h("textarea", { class: "nbx-input nbx-json", rows: 1, "aria-label": valuesLabel, autocomplete: "off", spellcheck: "false", onkeydown: enter, oninput: () => { grow(values); plan(); } });
    return { name, values };
  }
  /** @param {string} name */
  function propose(name) {
    if (name === "model") return panel.models().slice(0, 8).join(", ");
    const field = [...fields, ...panel.serverFields()].find((other) => other.name === name);
    return field ? proposed(field) : "";
  }
  function offer() {
    const groups = [
      { label: "variables", names: panel.variables() },
      { label: "request", names: ["system", "profile", "model"] },
      { label: "parameters", names: fields.filter((field) => field.name !== "model" && !["json", "pairs"].includes(field.control)).map((field) => field.name) },
      { label: "of this server", names: panel.serverFields().map((field) => field.name) },
    ].filter(({ names }) => names.length);
    const options = () => groups.map(({ label, names }) => h("optgroup", { label }, names.map((name) => h("option", { value: name }, name))));
    for (const [each, none] of /** @type {const} */ ([[first, "— as it is"], [second, "— no second one"]])) {
      const now = each.name.value;
      each.name.replaceChildren(h("option", { value: "" }, none), ...options());
      each.name.value = [...each.name.options].some((option) => option.value === now) ? now : "";
    }
  }
  function along() {
    const axes = [first, second].filter(({ name }) => name.value).map(({ name, values }) => ({ name: name.value, text: values.value }));
    return { axes, repeats: Math.max(0, Math.floor(Number(repeats.value)) || 0), seeds: seeds.checked };
  }
  function plan() {
    problem.hidden = true;
    clearTimeout(timer);
    timer = setTimeout(() => { if (!el.hidden) panel.send({ do: "plan", ...along() }); }, PLAN_MS);
  }
  function open() {
    offer();
    el.hidden = false;
    button.setAttribute("aria-expanded", "true");
    if (!first.name.value && !first.values.value) { first.name.value = "temperature"; first.values.value = propose("temperature"); }
    plan();
    first.values.focus();
    first.values.select();
  }
  function shut() {
    if (el.hidden) return;
    el.hidden = true;
    clearTimeout(timer);
    button.setAttribute("aria-expanded", "false");
    button.focus();
  }
  function start() {
    clearTimeout(timer);
    panel.send({ do: "vary", ...along() });
  }
  /** @param {string} sentence */
  function refuse(sentence) {
    problem.textContent = sentence;
    problem.hidden = false;
  }
  return {
    el, button, shut, refuse,
    /** @param {Plan} found */
    plan({ count, sentence }) {
      go.textContent = count ? `Run ${count}` : "Run";
      if (sentence) refuse(sentence); else problem.hidden = true;
    },
  };
}
