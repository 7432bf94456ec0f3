// What the names in the messages stand for: a value, several, or the rows of a table.

/**
 * Gives `{el, update(state)}`.
 *
 * @param {Panel} panel
 */
function variablesView(panel) {
  const rows = h("div", { class: "nbx-variables" });
  const tables = h("datalist", { id: newId("tables") });
  const data = h("input", { type: "text", class: "nbx-input", "aria-label": "DataFrame of the notebook, a reply for each row", placeholder: "name of a DataFrame", list: tables.id, autocomplete: "off", spellcheck: "false",
    onfocus: () => panel.names(({ frames }) => tables.replaceChildren(...frames.map((name) => h("option", { value: name })))),
    onchange: () => panel.edit({ data: data.value.trim() }) });
  const raw = h("input", { type: "checkbox", onchange: () => panel.edit({ is_raw: raw.checked }) });
  const lanes = h("span", { class: "nbx-none" });
  const sweep = h("button", { type: "button", class: "nbx-quiet", hidden: true, title: "write the nbchat.sweep(…) that sends a request for each of them",
    onclick: () => panel.send({ do: "sweep", axes: [], repeats: 1, seeds: false }) }, "Sweep all");
  const problem = h("p", { class: "nbx-problem", role: "alert", hidden: true });
  const el = h("section", { class: "nbx-variablesection", "aria-label": "Variables", hidden: true },
    h("div", { class: "nbx-head" }, h("h3", {}, "Variables"), lanes, h("span", { class: "nbx-grow" }), sweep), rows,
    h("div", { class: "nbx-tablerow" }, h("label", {}, h("span", {}, "rows of"), data, tables),
      h("label", { class: "nbx-rawlabel", title: "send {{ and {% as they stand" }, raw, "send {{ }} as text")), problem);
  /** @type {Map<string, ReturnType<typeof row>>} */
  const made = new Map();

  /** @param {string} name */
  function row(name) {
    const area = directed(h("textarea", { class: "nbx-input", rows: 1, "aria-label": `value of ${name}`, dir: "auto", oninput: () => { grow(area); tell(); } }));
    const several = h("input", { type: "checkbox", "aria-label": `${name} has several values`, onchange: tell });
    const note = h("span", { class: "nbx-none" });
    const box = h("div", { class: "nbx-variable" }, h("code", { class: "nbx-name" }, name), area,
      h("label", { title: "one value on a line, or a list in JSON: a reply for each" }, several, "several, one a line"), note);
    function tell() { panel.edit({ values: { [name]: { text: area.value, several: several.checked } } }); }
    return {
      el: box,
      /**
       * @param {VariableFacts} facts
       * @param {boolean} hasValues
       */
      show(facts, hasValues) {
        note.textContent = facts.note;
        note.hidden = !facts.note;
        if (hasValues && !isFocused(area)) {
          if (area.value !== facts.text) putText(area, facts.text);
          several.checked = facts.several;
          requestAnimationFrame(() => grow(area));
        }
      },
    };
  }
  return {
    el,
    /**
     * @param {Form} state
     * @param {{ hasValues?: boolean }} [how]
     */
    update(state, { hasValues = true } = {}) {
      const names = state.variables.map(({ name }) => name);
      if (!same([...made.keys()], names)) {
        for (const name of [...made.keys()]) if (!names.includes(name)) made.delete(name);
        const fresh = names.map((name) => [name, made.get(name) ?? row(name)]);
        made.clear();
        for (const [name, each] of fresh) made.set(/** @type {string} */ (name), /** @type {ReturnType<typeof row>} */ (each));
        rows.replaceChildren(...[...made.values()].map((each) => each.el));
      }
      for (const facts of state.variables) made.get(facts.name)?.show(facts, hasValues);
      el.hidden = names.length === 0;
      lanes.textContent = state.lanes;
      sweep.hidden = !state.lanes;
      if (hasValues && !isFocused(data)) data.value = state.data;
      if (hasValues) raw.checked = state.is_raw;
      problem.textContent = state.problems.variables ?? "";
      problem.hidden = !state.problems.variables;
    },
  };
}
