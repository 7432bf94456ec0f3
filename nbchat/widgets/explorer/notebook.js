// The notebook around the panel: its kernel, its cells, and the state that is kept in one of them.

/** @typedef {"live" | "lost" | "gone"} Link */

const ENDS = new Set(["restarting", "autorestarting", "terminating", "dead"]);

/**
 * Watch whether the kernel of the panel is there; gives `{state, leave}`. Lost: the page cannot
 * reach it. Gone: it was restarted, or another one is in its place, and knows nothing of the panel.
 *
 * @param {Model} model
 * @param {HTMLElement} el
 * @param {() => void} changed
 */
function watchLink(model, el, changed) {
  const session = model.widget_manager?.context?.sessionContext;
  let isGone = false;
  const end = () => { if (!isGone) { isGone = true; changed(); } };
  // ipywidgets says so by a class of the view, which comes a moment later
  const comm = () => queueMicrotask(() => { if (el.closest(".jupyter-widgets-disconnected")) end(); });
  const status = (/** @type {unknown} */ _, /** @type {unknown} */ news) => { if (ENDS.has(String(news))) end(); };
  const link = () => changed();
  model.on("comm_live_update", comm);
  session?.statusChanged.connect(status);
  session?.kernelChanged.connect(end);
  session?.connectionStatusChanged.connect(link);
  return {
    /** @returns {Link} */
    state() {
      if (isGone) return "gone";
      const kernel = session?.session?.kernel;
      return kernel && kernel.connectionStatus !== "connected" ? "lost" : "live";
    },
    end,
    leave() {
      model.off("comm_live_update", comm);
      session?.statusChanged.disconnect(status);
      session?.kernelChanged.disconnect(end);
      session?.connectionStatusChanged.disconnect(link);
    },
  };
}

const KEPT = "nbchat_explorer";
const MOST_KEPT = 4;
const KEEP_MS = 300;
const LOOK_MS = [0, 100, 300, 1000, 3000];

/**
 * The state of the panel in the metadata of its cell; gives `{look, keep, now, leave}`. Where the
 * front end lets no widget at its cells, nothing is kept.
 *
 * @param {Model} model
 * @param {string} origin tells the arguments of the cell from others
 */
function keeper(model, origin) {
  /** @type {Record<string, unknown> | null} */
  let state = null;
  /** @type {Set<ReturnType<typeof setTimeout>>} */
  const timers = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let due;
  const kept = (/** @type {NotebookCell} */ cell) => /** @type {Record<string, Record<string, unknown>>} */ (asMapping(cell.getMetadata?.(KEPT)));
  function write() {
    clearTimeout(due);
    due = undefined;
    const cell = state && cellOf(model);
    if (!cell?.setMetadata || !state) return;
    const before = kept(cell);
    if (same(before[origin], state)) return;
    const others = Object.entries(before).filter(([name]) => name !== origin).slice(-(MOST_KEPT - 1));
    cell.setMetadata(KEPT, { ...Object.fromEntries(others), [origin]: state });
  }
  return {
    /**
     * Look for what was kept, until the cell has its outputs; `found` is called once, if at all.
     *
     * @param {(left: Record<string, unknown> | null) => void} found
     */
    look(found) {
      let isFound = false;
      for (const ms of LOOK_MS) {
        const timer = setTimeout(() => {
          timers.delete(timer);
          const cell = isFound ? null : cellOf(model);
          if (!cell?.setMetadata) return;
          isFound = true;
          const left = kept(cell)[origin];
          found(left ? { origin, state: left } : null);
        }, ms);
        timers.add(timer);
      }
    },
    /** @param {Record<string, unknown>} next */
    keep(next) {
      state = next;
      due ??= setTimeout(write, KEEP_MS);
    },
    now: () => state,
    leave() {
      for (const timer of timers) clearTimeout(timer);
      if (due) write();
    },
  };
}

/** @type {WeakMap<Model, string>} */
const cellIds = new WeakMap();

/**
 * Give the cell whose output the panel is; undefined where the front end does not say.
 *
 * @param {Model} model
 */
function cellOf(model) {
  const notebook = model.widget_manager?.context?.model?.sharedModel;
  if (!Array.isArray(notebook?.cells)) return undefined;
  const known = cellIds.get(model);
  const id = model.get("_stand_in_id");
  const found = notebook.cells.find((cell) => cell.id === known)
    ?? notebook.cells.find((cell) => cell.cell_type === "code" && JSON.stringify(cell.outputs).includes(id));
  if (found) cellIds.set(model, found.id);
  return found;
}

/**
 * Put code into a new cell below the panel, or into the one that was put there before and has
 * not been touched since. Only JupyterLab and Notebook 7 let a widget do that; elsewhere the
 * text goes to the clipboard. Gives a sentence about what was done.
 *
 * @param {Model} model
 * @param {string} text
 */
async function insertCell(model, text) {
  const notebook = model.widget_manager?.context?.model?.sharedModel;
  if (typeof notebook?.insertCell !== "function") {
    return (await copy(text)) ? "Copied: this front end lets no widget add a cell." : "This front end lets no widget add a cell: select the text instead.";
  }
  const here = cellOf(model);
  const before = inserted.get(model);
  const old = notebook.cells.find((cell) => cell.id === before?.id);
  if (old && old.source === before?.text) {
    old.source = text;
    inserted.set(model, { id: old.id, text });
    return "The cell below has been replaced.";
  }
  const place = here ? notebook.cells.findIndex((cell) => cell.id === here.id) + 1 : notebook.cells.length;
  const cell = notebook.insertCell(place, { cell_type: "code", source: text, metadata: {} });
  inserted.set(model, { id: cell.id, text });
  return "A cell with it stands below.";
}
/** @type {WeakMap<Model, { id: string, text: string }>} */
const inserted = new WeakMap();

/**
 * Give Python's spelling of JSON.
 *
 * @param {unknown} value
 * @param {string} indent
 * @returns {string}
 */
function python(value, indent = "    ") {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  const inner = `${indent}    `;
  if (Array.isArray(value)) {
    return value.length ? `[\n${value.map((one) => `${inner}${python(one, inner)},\n`).join("")}${indent}]` : "[]";
  }
  if (isMapping(value)) {
    const entries = Object.entries(value);
    return entries.length ? `{\n${entries.map(([key, one]) => `${inner}${JSON.stringify(key)}: ${python(one, inner)},\n`).join("")}${indent}}` : "{}";
  }
  return JSON.stringify(value);
}

const A_NAME = /^[A-Za-z_]\w*$/;

/**
 * Give the call that opens a panel in this state; the page writes it, so that no kernel is needed.
 *
 * @param {Form} form
 * @param {Record<string, unknown> | null} kept what the kernel last said of it
 */
function openingCall(form, kept) {
  const names = asMapping(kept?.names);
  const keptFields = asMapping(kept?.fields);
  const isAttached = Object.keys(form.attachments).length > 0;
  const messages = isAttached && Array.isArray(kept?.messages) ? kept.messages : form.messages;
  const lines = [`    messages=${python(messages)},`];
  if (form.profile) lines.push(`    profile=${python(form.profile)},`);
  for (const [name, value] of Object.entries(form.fields)) {
    const own = names[name];
    const isNamed = Array.isArray(own) && same(keptFields[name], value);
    const shown = isNamed ? (name === "response_format" ? own[0] : `[${own.join(", ")}]`) : python(value);
    if (A_NAME.test(name)) lines.push(`    ${name}=${shown},`);
  }
  if (Object.keys(form.extra).length) lines.push(`    extra=${python(form.extra)},`);
  const values = Object.fromEntries(form.variables.filter(({ text }) => text).map(({ name, text, several }) => [name, several ? severalOf(text) : text]));
  if (Object.keys(values).length) lines.push(`    variables=${python(values)},`);
  if (form.data) lines.push(`    data=${python(form.data)},`);
  return `import nbchat\n\nexplorer = nbchat.explore(\n${lines.join("\n")}\n)\nexplorer`;
}

/**
 * Give what is kept with what the page has changed since there is no kernel to say it.
 *
 * @param {Record<string, unknown> | null} kept
 * @param {Form} form
 * @returns {Record<string, unknown>}
 */
function withForm(kept, form) {
  const before = { media: [], options: {}, literal: [], ...kept };
  const isAttached = Object.keys(form.attachments).length > 0;
  const named = Object.entries(asMapping(kept?.names)).filter(([name]) => same(asMapping(kept?.fields)[name], form.fields[name]));
  const values = form.variables.filter(({ text }) => text).map(({ name, text, several }) => [name, several ? { several: severalOf(text) } : { one: text }]);
  return {
    ...before, messages: isAttached && kept ? kept.messages : form.messages, fields: form.fields, names: Object.fromEntries(named),
    extra: form.extra, profile: form.profile, values: Object.fromEntries(values), data: form.data, is_raw: form.is_raw,
  };
}

/**
 * Read values that stand on lines of their own, or in a list of JSON.
 *
 * @param {string} text
 * @returns {unknown[]}
 */
function severalOf(text) {
  const whole = text.trim().startsWith("[") ? typedJson(text) : null;
  return Array.isArray(whole) ? whole : text.split("\n").filter((line) => line.trim());
}
