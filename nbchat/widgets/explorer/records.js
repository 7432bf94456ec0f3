// The tabs beside the reply: what was pinned, what was run, and the request as code.

/**
 * Pinned replies side by side; gives `{el, take}`.
 *
 * @param {Panel} panel
 */
function compareView(panel) {
  const el = h("div", { class: "nbx-compare" });
  /** @type {Record<Mark, "ins" | "del" | null>} */
  const names = { same: null, added: "ins", removed: "del" };
  /** @param {Pick<Comparison, "columns" | "base">} found */
  function take({ columns, base }) {
    if (columns.length === 0) {
      el.replaceChildren(h("div", { class: "nbx-empty" }, h("p", {}, "Nothing is pinned yet."), h("p", {}, "Pin keeps a reply here. From two on they stand side by side, with their parameters on top and the words that differ marked.")));
      return;
    }
    el.replaceChildren(h("div", { class: "nbx-lanes many" }, columns.map((column) => h("article", { class: `nbx-lane${column.id === base ? " base" : ""}`, "aria-label": `pinned ${column.label}` },
      h("header", { class: "nbx-lanehead" },
        h("button", { type: "button", class: "nbx-quiet nbx-lanelabel", title: "go back to this request", onclick: () => panel.send({ do: "show", id: column.id }) }, `#${column.number}`),
        h("span", { class: "nbx-grow" }),
        column.id === base ? h("span", { class: "nbx-tag" }, "compared with") : h("button", { type: "button", class: "nbx-quiet", onclick: () => panel.send({ do: "compare", base: column.id }) }, "compare with this"),
        iconButton("close", `unpin #${column.number}`, () => panel.send({ do: "pin", id: column.id }))),
      h("dl", { class: "nbx-changes" }, column.changes.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      column.prompt.length ? h("div", { class: "nbx-words nbx-promptwords", dir: "auto" }, column.prompt.map(([text, mark]) => { const tag = names[mark]; return tag ? h(tag, {}, text) : text; })) : null,
      h("p", { class: "nbx-words", dir: "auto" }, column.parts.map(([text, mark]) => { const tag = names[mark]; return tag ? h(tag, {}, text) : text; })),
      column.error ? h("p", { class: "nbx-error" }, column.error) : null,
      h("footer", {}, h("span", { class: "nbx-facts" }, column.facts))))));
  }
  take({ columns: [], base: null });
  return { el, take };
}

const SIGNS = { unsent: "✎", complete: "✓", interrupted: "■", error: "!", running: "…", waiting: "…" };

/**
 * All runs of the panel, the newest first; gives `{el, take, count}`.
 *
 * @param {Panel} panel
 */
function historyView(panel) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  /** @type {Set<string>} */
  let current = new Set();
  const body = h("tbody", {});
  const table = h("table", { class: "nbx-history", "aria-label": "runs of this panel" },
    h("thead", {}, h("tr", {}, ["#", "", "changed", "reply", "tokens", "time", "cost", "mark"].map((title) => h("th", { scope: "col" }, title)))), body);
  const empty = h("div", { class: "nbx-empty" }, h("p", {}, "Every run of this panel will stand here. Choose a row to go back to its request."));
  const el = h("div", {}, sessionBar(panel).el, empty, table);
  body.addEventListener("keydown", (event) => {
    const places = [...body.querySelectorAll("tr")];
    const focused = document.activeElement?.closest("tr");
    const now = focused ? places.indexOf(focused) : -1;
    const next = moves(event, places.length, now, true);
    if (next !== null) places[next].focus();
    else if ((event.key === "Enter" && !event.ctrlKey && !event.metaKey) || event.key === " ") { event.preventDefault(); places[now]?.click(); }
  });
  function draw() {
    const focused = document.activeElement?.closest("tr")?.dataset.id;
    const found = [...rows.values()].sort((a, b) => b.number - a.number);
    body.replaceChildren(...found.map((row, place) => h("tr", {
      tabindex: place === 0 ? "0" : "-1", class: `${row.state}${current.has(row.id) ? " current" : ""}`, "data-id": row.id,
      "aria-label": `go back to run ${row.number}, ${row.state}, ${row.changes || "no parameters"}`, "aria-current": current.has(row.id) ? "true" : null,
      onclick: () => panel.send({ do: "show", id: row.id }),
    },
    h("td", { class: "figure" }, String(row.number)), h("td", { title: row.state }, SIGNS[row.state]),
    h("td", { class: "nbx-what" }, h("span", {}, row.changes)), h("td", { class: "nbx-said", dir: "auto" }, h("span", {}, row.error || row.text)), h("td", { class: "figure" }, String(row.tokens ?? "")), h("td", { class: "figure" }, row.time), h("td", { class: "figure" }, row.cost), h("td", { title: row.note }, row.mark ? h("span", { class: `mark-${row.mark}` }, row.mark) : null, row.note ? h("span", { class: "nbx-notetext" }, row.note) : null))));
    if (focused) [...body.querySelectorAll("tr")].find((row) => row.dataset.id === focused)?.focus();
    table.hidden = found.length === 0;
    empty.hidden = found.length > 0;
  }
  draw();
  return {
    el,
    count: () => rows.size,
    /**
     * @param {Row[]} found
     * @param {boolean} isWhole
     */
    take(found, isWhole) {
      if (isWhole) rows.clear();
      for (const row of found) rows.set(row.id, row);
      draw();
    },
    /** @param {string[]} ids */
    mark(ids) {
      current = new Set(ids);
      draw();
    },
  };
}

const FORMS = [["cell", "%%chat cell"], ["call", "Python"], ["openai", "openai"], ["curl", "curl"], ["json", "JSON"]];

/**
 * The request as code; gives `{el, take}`.
 *
 * @param {Panel} panel
 */
function codeView(panel) {
  /** @type {Record<string, string>} */
  let texts = {};
  let form = "cell";
  const name = newId("code");
  const pre = h("pre", { class: "nbx-code", tabindex: "0", "aria-label": "the request as code" });
  const said = h("span", { class: "nbx-none", role: "status" });
  const insert = h("button", { type: "button", class: "nbx-button", onclick: async () => say(await panel.insert(texts[form])) }, "Insert as a cell");
  const actions = h("div", { class: "nbx-actions" }, said,
    h("button", { type: "button", class: "nbx-button", onclick: async () => say((await copy(texts[form] ?? "")) ? "Copied." : "This browser lets no page copy: select the text instead.") }, "Copy"), insert);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @param {string} sentence */
  function say(sentence) {
    said.textContent = sentence;
    clearTimeout(timer);
    timer = setTimeout(() => { said.textContent = ""; }, 4000);
  }
  const segments = h("div", { class: "nbx-segments", role: "radiogroup", "aria-label": "form of the code" }, FORMS.map(([key, label]) => h("label", {},
    h("input", { type: "radio", name, checked: key === form, onchange: () => { form = key; draw(); } }), h("span", {}, label))));
  function draw() {
    pre.textContent = texts[form] ?? "";
    insert.hidden = !["cell", "call", "openai"].includes(form);
  }
  return {
    el: h("div", { class: "nbx-codeview" }, h("div", { class: "nbx-codehead" }, segments, actions), pre),
    /** @param {Record<string, string>} found */
    take(found) { texts = found; draw(); },
  };
}
