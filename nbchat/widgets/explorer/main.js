// The explorer: the request on the left, what came of it on the right.

const FLUSH_MS = 60;
const AUTO_MS = 600;
const BUSY_MS = 1500;

/** @param {{ model: Model, el: HTMLElement }} context */
function render({ model, el }) {
  const leave = live(model, el);
  const view = newId("view") + Math.random().toString(36).slice(2);
  const opening = model.get("opening");
  const state = { ...opening.form };
  /** @type {Pending | null} */
  let pending = null;
  /** @type {Record<"flush" | "auto" | "busy", ReturnType<typeof setTimeout> | undefined>} */
  const timers = { flush: undefined, auto: undefined, busy: undefined };
  let sent = 0;
  let isReady = false;
  /** @type {string[]} */
  let names = [];
  let tab = "reply";
  const said = { note: "", problem: "", hint: "", busy: false };

  /** @type {Panel} */
  const panel = {
    send(content) {
      flush();
      post(content);
    },
    edit,
    redraw: () => redraw(false),
    hint(text) { said.hint = text; status(); },
    models: () => (names.length ? names : opening.form.model ? [opening.form.model] : []),
    vary(name, values) { flush(); post({ do: "vary", name, values }); },
    use(fields) { edit({ fields }); redraw(true); },
    insert: (text) => insertCell(model, text),
  };

  /** @param {WithoutView<FromPage>} content */
  function post(content) {
    model.send(/** @type {FromPage} */ ({ ...content, view }));
    clearTimeout(timers.busy);
    timers.busy = setTimeout(() => { said.busy = true; status(); }, BUSY_MS);
  }

  // What the user does is applied here at once, and sent a moment later as one change.
  /** @param {Change} change */
  function edit(change) {
    pending ??= { fields: {}, unset: [] };
    const next = pending;
    for (const [name, value] of Object.entries(change.fields ?? {})) {
      next.fields[name] = value;
      next.unset = next.unset.filter((other) => other !== name);
    }
    for (const name of change.unset ?? []) {
      delete next.fields[name];
      next.unset = [...next.unset.filter((other) => other !== name), name];
    }
    const { fields, unset, ...parts } = change;
    Object.assign(next, parts);
    state.fields = { ...state.fields, ...fields };
    for (const name of unset ?? []) delete state.fields[name];
    Object.assign(state, parts);
    said.note = "";
    clearTimeout(timers.flush);
    timers.flush = setTimeout(flush, FLUSH_MS);
    clearTimeout(timers.auto);
    if (auto.checked) timers.auto = setTimeout(() => run(true), AUTO_MS);
    redraw(false);
  }
  function flush() {
    clearTimeout(timers.flush);
    if (!pending) return;
    const change = pending;
    pending = null;
    sent += 1;
    post({ do: "edit", seq: sent, ...change });
  }

  function firstWrong() {
    const own = [...form.wrong.values(), ...messages.wrong.values()][0];
    return own ?? Object.values(state.problems)[0];
  }
  function run(isAuto = false) {
    clearTimeout(timers.auto);
    flush();
    if (form.wrong.size || messages.wrong.size) { refuse(firstWrong()); return; }
    if (isAuto && !state.messages.some((message) => asMapping(message).content)) return;
    if (!isAuto) show("reply", true);
    post({ do: "run", auto: isAuto });
  }
  const stop = () => { clearTimeout(timers.auto); post({ do: "stop" }); };
  /** @param {string | undefined} sentence */
  function refuse(sentence) {
    said.problem = sentence ? `Run waits. ${sentence}` : "";
    status();
    const at = el.querySelector(".nbx-row.wrong");
    const group = at?.closest("details");
    if (at && group) { group.open = true; at.scrollIntoView({ block: "nearest" }); }
  }

  // the bar on top
  const profile = combobox("profile: a name or a base URL", (text) => edit({ profile: text }));
  const modelBox = combobox("model", (text) => edit(text ? { fields: { model: text } } : { unset: ["model"] }), () => panel.send({ do: "models" }));
  profile.offer(opening.profiles);
  const runButton = h("button", { type: "button", class: "nbx-button primary", title: "run (Ctrl Enter)", onclick: () => run() }, icon("run"), "Run", h("kbd", {}, "Ctrl ⏎"));
  const stopButton = h("button", { type: "button", class: "nbx-button", title: "stop (Esc)", disabled: true, onclick: stop }, icon("stop"), "Stop");
  const auto = h("input", { type: "checkbox", role: "switch", onchange: () => { if (auto.checked) run(true); } });
  const bar = h("div", { class: "nbx-bar-top", role: "toolbar", "aria-label": "request" },
    h("label", { class: "nbx-where" }, h("span", {}, "profile"), profile.el),
    h("label", { class: "nbx-where wide" }, h("span", {}, "model"), modelBox.el),
    h("span", { class: "nbx-grow" }),
    h("label", { class: "nbx-auto", title: "run a moment after each change" }, auto, "auto-run"), stopButton, runButton);

  // left
  const fields = opening.controls;
  const questions = questionView(panel);
  const messages = messageEditor(panel);
  const form = parameterForm(panel, fields.filter((field) => field.name !== "model"), new Set(opening.open));
  const modelProblem = h("p", { class: "nbx-problem", role: "alert", hidden: true });
  const left = h("div", { class: "nbx-left" }, modelProblem, messages.el, form.el);

  // right
  const reply = replyView(panel);
  const tokens = tokenView(panel, opening.scale);
  const compare = compareView(panel);
  const past = historyView(panel);
  const code = codeView(panel);
  const varying = varyWindow(panel, fields);
  const stem = newId("tab");
  const tabs = [
    { key: "reply", label: "Reply", el: reply.el },
    { key: "tokens", label: "Tokens", el: tokens.el },
    { key: "compare", label: "Compare", el: compare.el },
    { key: "history", label: "History", el: past.el },
    { key: "code", label: "As code", el: code.el },
  ].map(({ key, label, el: shown }) => {
    const count = h("span", { class: "nbx-count" });
    const button = h("button", { type: "button", role: "tab", id: `${stem}-${key}`, "aria-controls": `${stem}-${key}-panel`, onclick: () => show(key) }, label, count);
    const page = h("div", { role: "tabpanel", class: `nbx-page page-${key}`, id: `${stem}-${key}-panel`, "aria-labelledby": `${stem}-${key}`, tabindex: key === "reply" ? "0" : null }, shown);
    return { key, count, button, page };
  });
  const tablist = h("div", { class: "nbx-tabs", role: "tablist", "aria-label": "results", onkeydown: (event) => {
    const now = tabs.findIndex((each) => each.key === tab);
    const next = moves(event, tabs.length, now, false);
    if (next !== null) { show(tabs[next].key); tabs[next].button.focus(); }
  } }, tabs.map((each) => each.button));
  const facts = h("span", { class: "nbx-facts nbx-grow" });
  const pinLabel = h("span", {}, "Pin");
  const pin = h("button", { type: "button", class: "nbx-button", disabled: true, "aria-pressed": "false", onclick: pinAll }, icon("pin"), pinLabel);
  function pinAll() {
    const wanted = !isPinned();
    for (const lane of reply.lanes()) if (lane.pinned !== wanted) panel.send({ do: "pin", id: lane.id });
  }
  const isPinned = () => reply.lanes().length > 0 && reply.lanes().every((lane) => lane.pinned);
  const right = h("div", { class: "nbx-right" }, tablist, questions.el, ...tabs.map((each) => each.page),
    h("div", { class: "nbx-foot" }, facts, pin, varying.button, varying.el));

  const line = h("div", { class: "nbx-status", role: "status", "aria-live": "polite" });
  const root = h("div", { class: "nbx", role: "group", "aria-label": "nbchat explorer" }, bar, h("div", { class: "nbx-columns" }, left, right), line);
  root.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
    else if (event.key === "Escape" && reply.isRunning()) { event.preventDefault(); stop(); }
  });
  root.addEventListener("pointerdown", (event) => { const target = /** @type {Node} */ (event.target);
    if (!varying.el.contains(target) && !varying.button.contains(target)) { varying.el.hidden = true; varying.button.setAttribute("aria-expanded", "false"); } });
  el.append(root);

  /** @param {string} key */
  function show(key, isQuiet = false) {
    tab = key;
    for (const each of tabs) {
      const isShown = each.key === key;
      each.button.setAttribute("aria-selected", String(isShown));
      each.button.tabIndex = isShown ? 0 : -1;
      each.page.hidden = !isShown;
    }
    if (!isQuiet) refresh();
  }
  /** Ask for what the open tab shows, where the kernel makes it. */
  function refresh() {
    if (tab === "tokens") {
      const lane = reply.lanes()[0];
      if (!lane) tokens.forget();
      else if (!tokens.isFor(lane.id)) tokens.ask(lane.id, 0, true);
    }
    if (tab === "compare") panel.send({ do: "compare" });
    if (tab === "code") panel.send({ do: "code" });
  }

  function status() {
    const wrong = said.problem || "";
    line.classList.toggle("wrong", wrong !== "");
    line.textContent = said.busy ? "The kernel is busy; this goes on when its cell has ended." : wrong || said.note || said.hint || "Ctrl Enter runs · Esc stops · unset parameters are not sent";
  }

  /** @param {boolean} hasValues */
  function redraw(hasValues) {
    profile.show(state.profile ?? "", state.in_force || "the one in force");
    modelBox.show(state.fields.model === undefined || state.fields.model === null ? "" : asText(state.fields.model), state.model || "the server's own");
    const top = state.problems.profile ?? state.problems.model;
    modelProblem.textContent = top ?? "";
    modelProblem.hidden = !top;
    messages.update(state, { hasValues });
    form.update(state, { hasValues });
    if (!firstWrong()) said.problem = "";
    runButton.classList.toggle("waits", Boolean(firstWrong()));
    lanesChanged();
    status();
  }
  function lanesChanged() {
    const lanes = reply.lanes();
    const isRunning = reply.isRunning();
    stopButton.disabled = !isRunning;
    root.classList.toggle("running", isRunning);
    facts.textContent = lanes.length === 1 ? lanes[0].facts || lanes[0].line || "" : lanes.length ? `${lanes.length} replies${isRunning ? " · running" : ""}` : "";
    pin.disabled = !lanes.some((lane) => IS_OVER.has(lane.state));
    pin.setAttribute("aria-pressed", String(isPinned()));
    pinLabel.textContent = lanes.length > 1 ? "Pin all" : isPinned() ? "Pinned" : "Pin";
    counts();
  }
  function counts() {
    for (const { key, count } of tabs) {
      const many = key === "history" ? past.count() : key === "compare" ? pinnedCount : 0;
      count.textContent = many ? String(many) : "";
    }
  }
  let pinnedCount = 0;

  /** @type {{ [On in FromKernel["on"]]: (message: Extract<FromKernel, { on: On }>) => void }} */
  const takes = {
    form(message) {
      if (message.by === view && (message.seq ?? 0) < sent) return; // more was typed since
      if (pending) return;
      Object.assign(state, message.form);
      said.note = message.note || said.note;
      if (message.by !== view && message.by !== undefined) { form.forget(); messages.wrong.clear(); }
      redraw(true);
      if (tab === "code") post({ do: "code" });
    },
    refused: (message) => { if (message.by === view) (message.what === "vary" ? varying : { refuse }).refuse(message.sentence); },
    lanes(message) {
      if (message.to && message.to !== view) return;
      isReady = true;
      if (message.varies) { varying.shut(); show("reply", true); }
      reply.open(message.lanes);
      reply.frame(message.lanes);
      past.mark(message.lanes.map((lane) => lane.id));
      lanesChanged();
      if (tab === "tokens") { tokens.forget(); refresh(); } else tokens.forget();
    },
    frame(message) {
      if (!isReady) return;
      const wasRunning = reply.isRunning();
      reply.frame(message.lanes);
      lanesChanged();
      if (tab === "tokens" && wasRunning && !reply.isRunning()) tokens.ask(reply.lanes()[0].id, 0, true);
    },
    rows(message) {
      if (message.to && message.to !== view) return;
      past.take(message.rows, Boolean(message.whole));
      pinnedCount = message.pinned;
      counts();
      if (tab === "compare") post({ do: "compare" });
    },
    questions: (message) => { questions.take(message.questions); },
    models: (message) => { names = message.names; modelBox.offer(names); },
    compare: compare.take,
    tokens: tokens.take,
    alternatives: tokens.takeRows,
    code: (message) => code.take(message.texts),
    told: () => {},
  };
  /** @param {FromKernel} message */
  function take(message) {
    clearTimeout(timers.busy);
    if (said.busy) { said.busy = false; status(); }
    /** @type {Record<string, ((message: never) => void) | undefined>} */
    const all = takes;
    all[message.on]?.(/** @type {never} */ (message));
  }
  model.on("msg:custom", take);

  show("reply", true);
  redraw(true);
  post({ do: "hello" });
  return () => {
    flush();
    for (const timer of Object.values(timers)) clearTimeout(timer);
    model.off("msg:custom", take);
    leave();
  };
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
  const id = model.get("_stand_in_id");
  const mine = notebook.cells.findIndex((cell) => cell.cell_type === "code" && JSON.stringify(cell.outputs).includes(id));
  const before = inserted.get(model);
  const old = notebook.cells.find((cell) => cell.id === before?.id);
  if (old && old.source === before?.text) {
    old.source = text;
    inserted.set(model, { id: old.id, text });
    return "The cell below has been replaced.";
  }
  const place = mine < 0 ? notebook.cells.length : mine + 1;
  const cell = notebook.insertCell(place, { cell_type: "code", source: text, metadata: {} });
  inserted.set(model, { id: cell.id, text });
  return "A cell with it stands below.";
}
/** @type {WeakMap<Model, { id: string, text: string }>} */
const inserted = new WeakMap();

export default { render };
