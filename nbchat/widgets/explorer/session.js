// A session of the panel in a file, and a request that is pasted.

/**
 * Gives `{el}`: a path with Save and Open.
 *
 * @param {Panel} panel
 */
function sessionBar(panel) {
  const path = h("input", { type: "text", class: "nbx-input", value: "session.json", "aria-label": "file of the session", autocomplete: "off", spellcheck: "false" });
  const button = (/** @type {string} */ label, /** @type {string} */ title, /** @type {"save" | "open"} */ act) => h("button", { type: "button", class: "nbx-button", title, onclick: () => panel.send({ do: act, path: path.value.trim() }) }, label);
  return { el: h("div", { class: "nbx-session" }, path, button("Save", "write request, runs, pins and marks to this file", "save"), button("Open", "show what was saved in this file", "open")) };
}

/**
 * Gives `{el, button, shut, refuse}`: a box for a request that was copied from elsewhere.
 *
 * @param {Panel} panel
 */
function pasteBox(panel) {
  const area = h("textarea", { class: "nbx-input nbx-json", rows: 5, "aria-label": "a request that was copied from elsewhere", placeholder: "curl …, a JSON body, a Python call of openai or nbchat, a %%chat cell", spellcheck: "false",
    onkeydown: (event) => { if (event.key === "Escape") { event.stopPropagation(); shut(); } } });
  const problem = h("p", { class: "nbx-fault", role: "alert", hidden: true });
  const read = () => { problem.hidden = true; if (area.value.trim()) panel.send({ do: "paste", text: area.value }); };
  const el = h("div", { class: "nbx-paste", hidden: true }, area, problem, h("div", { class: "nbx-actions" },
    h("button", { type: "button", class: "nbx-quiet", onclick: () => shut() }, "Cancel"),
    h("button", { type: "button", class: "nbx-button primary", onclick: read }, "Read it")));
  const button = h("button", { type: "button", class: "nbx-quiet", title: "read a request from curl, JSON or Python", onclick: () => { el.hidden = !el.hidden; if (!el.hidden) area.focus(); } }, "paste…");
  function shut() { el.hidden = true; area.value = ""; problem.hidden = true; button.focus(); }
  return { el, button, done: () => { if (!el.hidden) shut(); }, refuse: (/** @type {string} */ sentence) => { problem.textContent = sentence; problem.hidden = false; } };
}
