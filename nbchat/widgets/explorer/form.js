// The parameters: groups that fold, a search, one row for each field.

/**
 * `panel.edit({fields, unset})` takes what the user did; `update` shows what holds.
 * Gives `{el, update(state), wrong}`, where `wrong` maps fields to what is no value yet.
 *
 * @param {Panel} panel
 * @param {Control[]} fields
 * @param {Set<string>} openAtFirst
 */
function parameterForm(panel, fields, openAtFirst) {
  /** @type {Map<string, string>} */
  const wrong = new Map();
  /** @type {Map<string, ReturnType<typeof row>>} */
  const rows = new Map();
  /** @type {Map<string, ReturnType<typeof group>>} */
  const groups = new Map();
  const search = h("input", {
    type: "search", class: "nbx-input", placeholder: "find a parameter", "aria-label": "find a parameter by name or meaning",
    oninput: filter,
    onkeydown: (event) => { if (event.key === "Escape" && search.value) { event.stopPropagation(); search.value = ""; filter(); } },
  });
  const reset = h("button", { type: "button", class: "nbx-quiet", onclick: () => panel.send({ do: "reset" }) }, "reset all");
  const help = h("p", { class: "nbx-help" });
  const tell = (/** @type {string} */ text) => { help.textContent = text; help.title = text; };
  tell("Point at a parameter, or go to it, and what it does stands here.");
  /** @type {Map<string, ReturnType<typeof row>>} */
  const ofServer = new Map();
  /** @type {Record<string, unknown>} */
  let extraNow = {};
  const none = h("p", { class: "nbx-none", hidden: true }, "No parameter has this name or meaning.");
  const body = h("div", { class: "nbx-groups" });

  for (const field of fields) {
    const made = row(field);
    rows.set(field.name, made);
    groupOf(field.group).body.append(made.el);
  }
  const extra = extraRow();
  body.append(...[...groups.values()].map((found) => found.el), none);

  /** @param {string} name */
  function groupOf(name) {
    const found = groups.get(name) ?? group(name);
    groups.set(name, found);
    return found;
  }
  /** @param {string} name */
  function group(name) {
    const count = h("span", { class: "nbx-count" });
    const body = h("div", { class: "nbx-rows" });
    const el = h("details", { class: "nbx-group" },
      h("summary", {}, icon("fold"), h("span", {}, name), count), body);
    // `wasOpen`: before a search opened it
    return { el, body, count, isFirst: true, wasOpen: /** @type {boolean | undefined} */ (undefined) };
  }

  /**
   * @param {Control} field
   * @param {(value: unknown, undo?: string) => void} [changed]
   */
  function row(field, changed) {
    const message = h("p", { class: "nbx-problem", id: newId("problem"), hidden: true });
    const why = h("p", { class: "nbx-why", hidden: true });
    const unset = iconButton("close", `unset ${field.name}`, () => {
      wrong.delete(field.name);
      made.show(undefined);
      if (changed) changed(undefined); else panel.edit({ unset: [field.name] });
      focusFirst(el, unset);
    });
    const set = (/** @type {unknown} */ value, /** @type {string} */ undo = "") => panel.edit({ ...(value === undefined ? { unset: [field.name] } : { fields: { [field.name]: value } }), ...(undo ? { undo } : {}) });
    const made = control(field, changed ?? set,
      (sentence) => {
        if (sentence) wrong.set(field.name, sentence); else wrong.delete(field.name);
        panel.redraw();
      }, panel);
    const isShort = field.deprecated && !field.successor;
    const successor = field.deprecated ? h("span", { class: "nbx-tag" }, field.successor ? `deprecated: use ${field.successor}` : "deprecated") : null;
    const el = h("div", { class: `nbx-row kind-${field.control}`, "data-field": field.name },
      h("span", { class: "nbx-label", title: about(field) }, h("span", { class: "nbx-name" }, field.name), isShort ? successor : null),
      h("div", { class: "nbx-control" }, made.el), unset, isShort ? null : successor, message, why);
    const helped = () => tell(`${field.name}: ${about(field)}`);
    el.addEventListener("focusin", helped);
    el.addEventListener("mouseenter", helped);
    for (const box of el.querySelectorAll("input, select, textarea")) box.setAttribute("aria-describedby", message.id);
    return { ...made, el, field, message, why, unset, successor };
  }

  /**
   * The fields that only the server in force takes.
   *
   * @param {Control[]} found
   */
  function offer(found) {
    if (same([...ofServer.values()].map((made) => made.field), found)) return;
    for (const made of ofServer.values()) made.el.remove();
    for (const [name, each] of groups) if (name.startsWith("Of ")) { each.el.remove(); groups.delete(name); }
    ofServer.clear();
    for (const field of found) {
      const made = row(field, (value) => {
        const { [field.name]: _, ...rest } = extraNow;
        panel.edit({ extra: value === undefined ? rest : { ...rest, [field.name]: value } });
      });
      ofServer.set(field.name, made);
      groupOf(field.group).body.append(made.el);
    }
    const made = found.length ? groups.get(found[0].group)?.el : undefined;
    if (made) groups.get("Extra")?.el.before(made);
    panel.redraw();
  }

  /** Fields that only this server knows: names and JSON values. */
  function extraRow() {
    const field = { name: "extra", control: "pairs", group: "Extra", default_text: "", help: "Fields that only this server knows; they are sent as they stand, values as JSON." };
    const own = () => Object.fromEntries(Object.entries(extraNow).filter(([name]) => ofServer.has(name)));
    const made = pairs(field, (value) => panel.edit({ extra: { ...value, ...own() } }), typedJson);
    const message = h("p", { class: "nbx-problem", hidden: true });
    const el = h("div", { class: "nbx-row kind-pairs", "data-field": "extra" },
      h("span", { class: "nbx-label" }, h("span", { class: "nbx-name" }, "extra")), h("div", { class: "nbx-control" }, made.el), h("span"), message);
    el.addEventListener("focusin", () => tell(`extra: ${field.help}`));
    el.addEventListener("mouseenter", () => tell(`extra: ${field.help}`));
    groupOf(field.group).body.append(el);
    return { ...made, el, field, message };
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (/** @type {{ field: Pick<Control, "name" | "help" | "group"> }} */ { field }) => words.every((word) => `${field.name} ${field.help} ${field.group}`.toLowerCase().includes(word));
    let isAny = false;
    for (const made of [...rows.values(), ...ofServer.values(), extra]) {
      made.el.hidden = !fits(made);
      isAny ||= !made.el.hidden;
    }
    for (const found of groups.values()) {
      const isFound = [...found.body.children].some((el) => !(/** @type {HTMLElement} */ (el).hidden));
      found.el.hidden = !isFound;
      if (words.length) {
        found.wasOpen ??= found.el.open;
        found.el.open = isFound;
      } else if (found.wasOpen !== undefined) {
        found.el.open = found.wasOpen;
        found.wasOpen = undefined;
      }
    }
    none.hidden = isAny;
  }

  /**
   * @param {Form} state
   * @param {{ hasValues?: boolean }} [how]
   */
  function update(state, { hasValues = true } = {}) {
    extraNow = state.extra;
    const changedIn = new Map();
    for (const [name, made] of [...rows, ...ofServer]) {
      const value = made.field.group.startsWith("Of ") ? state.extra[name] : state.fields[name];
      const isChanged = value !== undefined || wrong.has(name);
      if (hasValues && !wrong.has(name)) made.show(value);
      const sentence = wrong.get(name) ?? state.problems[name];
      const refusal = state.refusals[name];
      made.el.classList.toggle("changed", isChanged);
      made.el.classList.toggle("null", value === null);
      made.el.classList.toggle("refused", Boolean(refusal));
      made.el.classList.toggle("wrong", Boolean(sentence));
      made.unset.disabled = !isChanged;
      made.message.textContent = sentence ?? "";
      made.message.hidden = !sentence;
      made.why.textContent = refusal ? `${state.model || "this model"}: ${refusal}` : "";
      made.why.hidden = !refusal;
      for (const box of boxesOf(made.el)) {
        // what was set already can be mended; what was not set is not offered
        box.disabled = Boolean(refusal) && !isChanged;
        box.setAttribute("aria-invalid", String(Boolean(sentence)));
      }
      const count = changedIn.get(made.field.group) ?? { changed: 0, wrong: 0 };
      count.changed += isChanged ? 1 : 0;
      count.wrong += sentence ? 1 : 0;
      changedIn.set(made.field.group, count);
    }
    const free = Object.fromEntries(Object.entries(state.extra ?? {}).filter(([name]) => !ofServer.has(name)));
    if (hasValues) extra.show(free);
    const extraCount = Object.keys(free).length;
    changedIn.set("Extra", { changed: extraCount, wrong: state.problems.extra ? 1 : 0 });
    extra.el.classList.toggle("changed", extraCount > 0);
    extra.message.textContent = state.problems.extra ?? "";
    extra.message.hidden = !state.problems.extra;
    for (const [name, found] of groups) {
      const count = changedIn.get(name) ?? { changed: 0, wrong: 0 };
      found.count.textContent = count.wrong ? `${count.wrong} to mend` : count.changed ? `${count.changed} changed` : "";
      found.count.classList.toggle("wrong", count.wrong > 0);
      if (found.isFirst || count.wrong) found.el.open ||= openAtFirst.has(name) || count.changed > 0 || count.wrong > 0;
      found.isFirst = false;
    }
    const isAnySet = [...changedIn.values()].some((count) => count.changed > 0);
    reset.disabled = !isAnySet;
  }

  return {
    help,
    offer,
    /** @param {string[]} names fields that are deprecated elsewhere, and that this server wants */
    want(names) {
      for (const [name, made] of rows) if (made.successor) made.successor.hidden = names.includes(name);
    },
    el: h("section", { class: "nbx-parameters", "aria-label": "Parameters" },
      h("div", { class: "nbx-head" }, h("h3", {}, "Parameters"), h("span", { class: "nbx-search" }, icon("search"), search), reset), body),
    update,
    wrong,
    forget: () => wrong.clear(),
  };
}

/** @param {Control} field */
function about(field) {
  const facts = [field.help, field.type_text, field.default_text ? `default: ${field.default_text}` : ""];
  return facts.filter(Boolean).join(" · ");
}

/**
 * @param {HTMLElement} el
 * @returns {NodeListOf<HTMLInputElement>}
 */
function boxesOf(el) {
  return el.querySelectorAll(".nbx-control :is(input, select, textarea, button)");
}

/**
 * @param {HTMLElement} el
 * @param {HTMLElement} otherwise
 */
function focusFirst(el, otherwise) {
  /** @type {HTMLElement | null} */
  const box = el.querySelector("input, select, textarea");
  (box ?? otherwise).focus();
}
