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
  const said = { note: "", problem: "", undo: false, busy: false, about: "" };
  const link = watchLink(model, el, () => { linkChanged(); });
  const kept = keeper(model, opening.origin);
  /** @type {((found: Names) => void)[]} */
  let askers = [];

  /** @type {Panel} */
  const panel = {
    send(content) {
      flush();
      post(content);
    },
    edit,
    redraw: () => redraw(false),
    value: (name) => state.fields[name],
    variables: () => state.variables.map(({ name }) => name),
    serverFields: () => ofServer,
    large: (title, area, isJson) => large.open(title, area, isJson),
    async copied(text) { say((await copy(text)) ? "Copied." : "This browser lets no page copy: select the text instead."); },
    typeset(block) {
      try { model.widget_manager?.rendermime?.latexTypesetter?.typeset(block); } catch { /* then it stays as it is written */ }
    },
    names(found) { askers.push(found); post({ do: "names" }); },
    models: () => (names.length ? names : opening.form.model ? [opening.form.model] : []),
    use(fields) { edit({ fields }); redraw(true); },
    insert: (text) => insertCell(model, text),
  };

  /** @param {WithoutView<FromPage>} content */
  function post(content) {
    if (link.state() === "gone") return;
    try {
      model.send(/** @type {FromPage} */ ({ ...content, view }));
    } catch {
      link.end(); // there is nobody to send it to
      return;
    }
    clearTimeout(timers.busy);
    timers.busy = setTimeout(() => { said.busy = true; status(); }, BUSY_MS);
  }

  function linkChanged() {
    if (link.state() === "gone") {
      clearTimeout(timers.busy);
      said.busy = false;
      reply.cutOff();
    }
    redraw(false);
  }

  /** @type {Control[]} */
  let ofServer = [];
  /** @param {string} sentence */
  function say(sentence, undo = false) {
    said.note = sentence;
    said.undo = undo;
    said.problem = "";
    status();
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
    const { fields, unset, values, ...parts } = change;
    Object.assign(next, parts);
    if (values) next.values = { ...next.values, ...values };
    state.fields = { ...state.fields, ...fields };
    for (const name of unset ?? []) delete state.fields[name];
    Object.assign(state, parts);
    for (const facts of state.variables) Object.assign(facts, values?.[facts.name]);
    said.note = change.undo ?? "";
    said.undo = Boolean(change.undo);
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
    if (link.state() === "gone") {
      kept.keep(withForm(kept.now(), state)); // for the cell that goes on from here
      return;
    }
    sent += 1;
    post({ do: "edit", seq: sent, ...change });
  }

  function firstWrong() {
    const typed = [...form.wrong.values(), ...messages.wrong.values()][0];
    return typed ?? Object.values(state.problems)[0];
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
  const runButton = h("button", { type: "button", class: "nbx-button primary", title: "run (Ctrl Enter)",
    onclick: (event) => { if (event.detail < 2) run(); } }, icon("run"), "Run", h("kbd", {}, "Ctrl ⏎"));
  const undo = () => panel.send({ do: "undo" });
  const undoButton = h("button", { type: "button", class: "nbx-quiet", hidden: true, title: "take it back (Ctrl Z)", onclick: undo }, "Undo");
  const openButton = h("button", { type: "button", class: "nbx-quiet", hidden: true, onclick: async () => { said.about = await panel.insert(openingCall(state, kept.now())); status(); } }, "Open this state in a new cell");
  const stopButton = h("button", { type: "button", class: "nbx-button", title: "stop (Esc)", disabled: true, onclick: stop }, icon("stop"), "Stop");
  const auto = h("input", { type: "checkbox", role: "switch", onchange: () => { if (auto.checked) run(true); } });
  const bar = h("div", { class: "nbx-bar-top", role: "toolbar", "aria-label": "request" },
    h("div", { class: "nbx-wheres" },
      h("label", { class: "nbx-where" }, h("span", {}, "profile"), profile.el),
      h("label", { class: "nbx-where" }, h("span", {}, "model"), modelBox.el),
      h("label", { class: "nbx-auto", title: "run a moment after each change" }, auto, "auto-run")),
    h("div", { class: "nbx-runs" }, stopButton, runButton));

  // left
  const fields = opening.controls;
  const questions = questionView(panel);
  const messages = messageEditor(panel);
  const form = parameterForm(panel, fields.filter((field) => field.name !== "model"), new Set(opening.open));
  const named = variablesView(panel);
  const large = largeEditor();
  const modelProblem = h("p", { class: "nbx-problem", role: "alert", hidden: true });
  const left = h("div", { class: "nbx-left" }, h("div", { class: "nbx-scroll" }, modelProblem, messages.el, named.el, form.el), form.help);

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
  const raw = h("input", { type: "checkbox", "aria-label": "show replies as they came", onchange: () => { if (raw.checked) panel.send({ do: "raw" }); reply.raw(raw.checked); } });
  const right = h("div", { class: "nbx-right" }, tablist, questions.el, ...tabs.map((each) => each.page),
    h("div", { class: "nbx-foot" }, facts, h("span", { class: "nbx-foottools" }, h("label", { class: "nbx-rawlabel", title: "replies as they came, not rendered" }, raw, "raw"), pin, varying.button), varying.el));

  const sentence = h("span", {});
  const line = h("div", { class: "nbx-status", role: "status", "aria-live": "polite" }, sentence, undoButton, openButton);
  /** @type {HTMLDivElement} */
  const columns = h("div", { class: "nbx-columns" }, left, divider(() => columns), right);
  const root = h("div", { class: "nbx", role: "group", "aria-label": "nbchat explorer" }, bar, columns, line, large.el);
  const unfill = fillsView(el, root);
  root.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
    else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey && said.undo) { event.preventDefault(); undo(); }
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
    const now = link.state();
    const wrong = now === "gone" ? `The kernel was restarted: run the cell again. ${said.about}`
      : now === "lost" ? "The link to the kernel is lost; this goes on when it is back." : said.problem;
    line.classList.toggle("wrong", wrong !== "");
    sentence.textContent = wrong || (said.busy ? "The kernel is busy; this goes on when its cell has ended." : said.note || aboutRuns());
    undoButton.hidden = wrong !== "" || said.busy || !said.undo;
    openButton.hidden = now !== "gone";
    runButton.disabled = now !== "live";
    root.classList.toggle("gone", now === "gone");
    const unheard = now === "gone" || now === "lost";
    for (const each of [pin, varying.button, auto]) if (unheard) each.disabled = true;
    if (unheard) stopButton.disabled = true;
    varying.button.disabled = unheard;
    auto.disabled = unheard;
  }
  /** What the line at the bottom says of the run, where nothing else is to be said. */
  function aboutRuns() {
    const lanes = reply.lanes();
    if (!lanes.length) return "Ctrl Enter runs · Esc stops · unset parameters are not sent";
    const [one] = lanes;
    if (lanes.length === 1) return `Run ${one.number}: ${one.state === "running" || one.state === "waiting" ? one.line || "running" : one.state}.`;
    const over = lanes.filter((lane) => IS_OVER.has(lane.state));
    const failed = over.filter((lane) => lane.state === "error").length;
    return `${over.length} of ${lanes.length} replies are over${failed ? `, ${failed} failed` : ""}.`;
  }

  /** @param {boolean} hasValues */
  function redraw(hasValues) {
    profile.show(state.profile ?? "", state.in_force || "the one in force");
    modelBox.show(state.fields.model === undefined || state.fields.model === null ? "" : asText(state.fields.model), state.model || "the server's own");
    const top = state.problems.profile ?? state.problems.model;
    modelProblem.textContent = top ?? "";
    modelProblem.hidden = !top;
    messages.update(state, { hasValues });
    named.update(state, { hasValues });
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
    const told = lanes.length === 1 ? lanes[0].facts || lanes[0].line || "" : lanes.length ? `${lanes.length} replies${isRunning ? " · running" : ""}` : "";
    facts.textContent = [told, spent].filter(Boolean).join(" · ");
    facts.title = facts.textContent ?? "";
    pin.disabled = !lanes.some((lane) => IS_OVER.has(lane.state));
    pin.setAttribute("aria-pressed", String(isPinned()));
    pinLabel.textContent = lanes.length > 1 ? "Pin all" : isPinned() ? "Pinned" : "Pin";
    counts();
    status();
  }
  function counts() {
    for (const { key, count } of tabs) {
      const many = key === "history" ? past.count() : key === "compare" ? pinnedCount : 0;
      count.textContent = many ? String(many) : "";
    }
  }
  let pinnedCount = 0;
  let spent = "";

  /** @type {{ [On in FromKernel["on"]]: (message: Extract<FromKernel, { on: On }>) => void }} */
  const takes = {
    form(message) {
      if (message.by === view && (message.seq ?? 0) < sent) return; // more was typed since
      if (pending) return;
      Object.assign(state, message.form);
      if (message.note || message.undo) { said.note = message.note ?? ""; said.undo = message.undo === true; said.problem = ""; }
      if (message.undo) messages.paste.done();
      if (message.by !== view && message.by !== undefined) { form.forget(); messages.wrong.clear(); }
      redraw(true);
      if (tab === "code") post({ do: "code" });
    },
    refused(message) {
      if (message.by !== view) return;
      if (message.what === "vary" || message.what === "sweep" || message.what === "plan") varying.refuse(message.sentence);
      else if (message.what === "paste") messages.paste.refuse(message.sentence);
      else if (message.what === "run") refuse(message.sentence);
      else { said.problem = message.sentence; status(); }
    },
    keep: (message) => { kept.keep(message.state); },
    plan: (message) => { if (message.by === view) varying.plan(message); },
    async sweep(message) {
      if (message.by !== view) return;
      varying.shut();
      say(await panel.insert(message.text));
    },
    copied: (message) => { if (message.by === view) void panel.copied(message.text); },
    names(message) {
      if (message.by !== view) return;
      const waiting = askers;
      askers = [];
      for (const each of waiting) each(message);
    },
    lanes(message) {
      if (message.to && message.to !== view) return;
      isReady = true;
      if (message.varies) { varying.shut(); show("reply", true); }
      said.problem = "";
      if (said.note && !said.undo) said.note = "";
      reply.open(message.lanes, message.columns);
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
      spent = message.spent;
      lanesChanged();
      if (tab === "compare") post({ do: "compare" });
    },
    questions: (message) => { questions.take(message.questions); },
    models(message) {
      names = message.names;
      modelBox.offer(names);
      ofServer = message.controls;
      form.offer(message.controls);
      form.want(message.wanted);
    },
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
  kept.look((left) => post({ do: "restore", left }));
  return () => {
    flush();
    kept.leave();
    link.leave();
    unfill();
    for (const timer of Object.values(timers)) clearTimeout(timer);
    model.off("msg:custom", take);
    leave();
  };
}

/**
 * Give the bar between the two columns: drawn, or moved with the arrow keys.
 *
 * @param {() => HTMLElement} columns
 */
function divider(columns) {
  let share = 40;
  /** @param {number} next */
  function set(next) {
    share = Math.min(75, Math.max(20, next));
    columns().style.setProperty("--share", `${share}fr`);
    columns().style.setProperty("--rest", `${100 - share}fr`);
    bar.setAttribute("aria-valuenow", String(Math.round(share)));
  }
  const bar = h("div", { class: "nbx-divider", role: "separator", "aria-orientation": "vertical", "aria-label": "width of the request", "aria-valuemin": 20, "aria-valuemax": 75, "aria-valuenow": 40, tabindex: "0",
    onkeydown: (event) => { const step = forKey(event, { ArrowLeft: -2, ArrowRight: 2 }); if (step) { event.preventDefault(); set(share + step); } } });
  bar.addEventListener("pointerdown", (event) => { event.preventDefault(); bar.setPointerCapture(event.pointerId); });
  bar.addEventListener("pointermove", (event) => {
    if (!bar.hasPointerCapture(event.pointerId)) return;
    const { left, width } = columns().getBoundingClientRect();
    set((100 * (event.clientX - left)) / width);
  });
  return bar;
}

/**
 * Let the panel be as tall as the view of JupyterLab's that has only it.
 *
 * @param {HTMLElement} el
 * @param {HTMLElement} root
 */
function fillsView(el, root) {
  /** @type {ResizeObserver | undefined} */
  let sizes;
  const timer = setTimeout(() => {
    const view = el.closest(".jp-LinkedOutputView");
    if (!(view instanceof HTMLElement)) return;
    view.classList.add("nbchat-fills");
    const columns = /** @type {HTMLElement} */ (root.querySelector(".nbx-columns"));
    sizes = new ResizeObserver(() => {
      const rest = root.offsetHeight - columns.offsetHeight;
      columns.style.height = `${Math.max(320, view.clientHeight - rest - 14)}px`;
    });
    sizes.observe(view);
  }, 0);
  return () => { clearTimeout(timer); sizes?.disconnect(); };
}

export default { render };
