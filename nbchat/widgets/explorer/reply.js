// The replies: one lane for each run, one column for each of its choices, side by side.

/** @type {Set<State>} */
const IS_OVER = new Set(["unsent", "complete", "interrupted", "error"]);

/**
 * Gives `{el, open(lanes), frame(lanes)}`. A frame is what has changed: blocks of HTML that
 * `nbchat.display.safe` rendered, in which nothing can act; a block that grows comes as what is
 * kept of it and what follows.
 *
 * @param {Panel} panel
 */
function replyView(panel) {
  /** @type {Map<string, ReturnType<typeof made>>} */
  const lanes = new Map();
  const grid = h("div", { class: "nbx-lanes" });
  const empty = h("div", { class: "nbx-empty" },
    h("p", {}, "The reply will stand here."),
    h("ul", {},
      h("li", {}, h("kbd", {}, "Ctrl"), " ", h("kbd", {}, "Enter"), " runs, ", h("kbd", {}, "Esc"), " stops"),
      h("li", {}, "What you do not set is not sent: the server's own default holds."),
      h("li", {}, "Vary… sends one request at several values of a parameter, side by side."),
      h("li", {}, "Every run is kept under History; Pin puts it into Compare.")));
  const el = h("div", { class: "nbx-reply" }, empty, grid);
  let isRaw = false;

  /**
   * @param {Lane} lane
   * @param {boolean} isAlone
   */
  function made(lane, isAlone) {
    /** @type {Map<number, ReturnType<typeof columnOf>>} */
    const columns = new Map();
    const rounds = h("div", { class: "nbx-rounds", hidden: true });
    const choices = h("div", { class: "nbx-choices" });
    const problem = h("p", { class: "nbx-error", role: "alert", hidden: true });
    const facts = h("span", { class: "nbx-facts" });
    const verdict = (/** @type {"good" | "bad"} */ mark) => iconButton(mark, `mark ${lane.label || "this reply"} as ${mark}`, () => panel.send({ do: "mark", id: lane.id, mark: lanes.get(lane.id)?.info.mark === mark ? "" : mark }), { "aria-pressed": "false", class: `nbx-mini mark-${mark}` });
    const [good, bad] = [verdict("good"), verdict("bad")];
    const note = h("input", { type: "text", class: "nbx-input nbx-notebox", placeholder: "note…", "aria-label": `note on ${lane.label || "this reply"}`, hidden: true,
      onchange: () => panel.send({ do: "mark", id: lane.id, note: note.value }) });
    const noted = iconButton("note", `write a note on ${lane.label || "this reply"}`, () => { note.hidden = !note.hidden; if (!note.hidden) note.focus(); });
    const pin = iconButton("pin", `pin ${lane.label || "this reply"}`, () => panel.send({ do: "pin", id: lane.id }), { "aria-pressed": "false" });
    const head = h("header", { class: "nbx-lanehead" }, h("span", { class: "nbx-lanelabel" }, lane.label), pin);
    const status = h("p", { class: "nbx-waiting" });
    const blank = h("p", { class: "nbx-blank", hidden: true });
    const foot = h("footer", { hidden: true }, isAlone ? null : facts, h("span", { class: "nbx-marks" }, good, bad, noted), note);
    const box = h("article", { class: "nbx-lane", "aria-label": lane.label || "reply", "aria-busy": "true" }, isAlone ? null : head, rounds, choices, status, blank, problem, foot);
    return { el: box, rounds, choices, problem, facts, status, blank, foot, good, bad, note, pin, columns, info: { ...lane } };
  }

  /**
   * @param {Lane[]} found
   * @param {number} nColumns how many stand in a row; 0: as they fit
   */
  function open(found, nColumns) {
    lanes.clear();
    grid.style.setProperty("--columns", String(nColumns));
    grid.classList.toggle("in-rows", nColumns > 1);
    for (const lane of found) lanes.set(lane.id, made(lane, found.length === 1));
    grid.replaceChildren(...[...lanes.values()].map((lane) => lane.el));
    grid.classList.toggle("many", found.length > 1);
    el.scrollTop = 0;
    empty.hidden = found.length > 0;
  }

  /** @param {LaneDelta[]} changed */
  function frame(changed) {
    // one reply is followed to its end, unless the reader has scrolled away
    const isFollowed = lanes.size === 1 && el.scrollHeight - el.scrollTop - el.clientHeight < 40;
    for (const part of changed) {
      const lane = lanes.get(part.id);
      if (!lane) continue;
      Object.assign(lane.info, part);
      if (part.rounds !== undefined) {
        const open = [...lane.rounds.querySelectorAll("details")].map((each) => each.open);
        lane.rounds.innerHTML = part.rounds; // made by nbchat.display.tool_calls, where all is escaped
        lane.rounds.querySelectorAll("details").forEach((each, k) => { each.open = open[k] ?? each.open; });
        lane.rounds.hidden = part.rounds === "";
      }
      for (const delta of part.choices ?? []) column(lane, delta.index).take(delta);
      const isRunning = !IS_OVER.has(lane.info.state);
      for (const each of lane.columns.values()) each.settle(isRunning);
      lane.el.setAttribute("aria-busy", String(isRunning));
      lane.el.classList.toggle("running", isRunning && lane.columns.size > 0);
      lane.status.textContent = isRunning && lane.columns.size === 0 ? lane.info.line || "waiting for the first token…" : "";
      lane.status.hidden = lane.status.textContent === "";
      lane.blank.textContent = lane.info.blank;
      lane.blank.hidden = !lane.info.blank;
      lane.foot.hidden = isRunning || lane.info.state === "unsent";
      lane.good.setAttribute("aria-pressed", String(lane.info.mark === "good"));
      lane.bad.setAttribute("aria-pressed", String(lane.info.mark === "bad"));
      if (!isFocused(lane.note)) lane.note.value = lane.info.note;
      if (lane.info.note) lane.note.hidden = false;
      lane.problem.textContent = lane.info.error ?? "";
      lane.problem.hidden = !lane.info.error;
      lane.facts.textContent = lane.info.facts ?? "";
      lane.pin.setAttribute("aria-pressed", String(Boolean(lane.info.pinned)));
    }
    if (isFollowed) el.scrollTop = el.scrollHeight;
  }

  /**
   * @param {ReturnType<typeof made>} lane
   * @param {number} index
   */
  function column(lane, index) {
    const there = lane.columns.get(index);
    if (there) return there;
    const column = columnOf(lane.info.id, index);
    lane.columns.set(index, column);
    const after = [...lane.columns.keys()].filter((other) => other < index).length;
    lane.choices.insertBefore(column.el, lane.choices.children[after] ?? null);
    lane.choices.classList.toggle("many", lane.columns.size > 1);
    return column;
  }

  /**
   * @param {string} id
   * @param {number} index
   */
  function columnOf(id, index) {
    const head = h("h4", { class: "nbx-choicehead" }, `choice ${index}`);
    const thoughts = h("pre", {});
    const summary = h("summary", {}, "reasoning");
    const folded = h("details", { class: "nbx-reasoning", hidden: true }, summary, thoughts);
    const text = h("div", { class: "nbx-text" });
    const source = h("pre", { class: "nbx-source", dir: "auto", hidden: true });
    const tools = h("div", { class: "nbx-replytools", hidden: true },
      h("button", { type: "button", class: "nbx-quiet", title: "go on from this reply", onclick: () => panel.send({ do: "continue", id, choice: index }) }, icon("plus"), "Add to the conversation"),
      menu("Copy", [
        // biome-ignore lint/performance/useDomNodeTextContent: lines and lists as they are seen
        ["Text", () => panel.copied(text.innerText.trim())],
        ["Markdown", () => panel.send({ do: "copy", id, choice: index, form: "markdown" })],
        ["JSON", () => panel.send({ do: "copy", id, choice: index, form: "json" })]]));
    let thought = "";
    let markdown = "";
    /** @type {Set<Element>} */
    const plain = new Set();
    const el = h("div", { class: "nbx-choice" }, head, folded, text, source, tools);
    /** @type {string[]} */
    const blocks = [];
    return {
      el,
      /** @param {ChoiceDelta} delta */
      take(delta) {
        if (delta.html) {
          const at = delta.at ?? 0;
          delta.html.forEach((html, k) => {
            const place = at + k;
            blocks[place] = k === 0 && delta.keep ? blocks[place].slice(0, delta.keep) + html : html;
            if (!text.children[place]) text.append(h("div", { class: "nbx-block", dir: "auto" }));
            text.children[place].innerHTML = blocks[place];
            plain.add(text.children[place]);
          });
          blocks.length = at + delta.html.length;
          while (text.children.length > blocks.length) text.lastChild?.remove();
        }
        if (delta.thought) {
          const { keep, tail } = delta.thought;
          thought = thought.slice(0, keep) + tail;
          thoughts.textContent = thought;
          summary.textContent = `reasoning · ${thought.length.toLocaleString("en")} characters`;
          folded.hidden = false;
        }
        if (delta.source) {
          markdown = markdown.slice(0, delta.source.keep) + delta.source.tail;
          source.textContent = markdown;
        }
        if (delta.ending !== undefined) head.textContent = `choice ${index}${delta.ending ? ` · ${delta.ending}` : ""}`;
      },
      /** @param {boolean} isRunning */
      settle(isRunning) {
        tools.hidden = isRunning;
        text.hidden = isRaw;
        source.hidden = !isRaw;
        // formulas of what is finished; the last block may still change
        for (const block of plain) {
          if (isRunning && block === text.lastElementChild) continue;
          plain.delete(block);
          if (block.isConnected && /[$\\]/.test(block.textContent ?? "")) panel.typeset(/** @type {HTMLElement} */ (block));
        }
      },
    };
  }

  return {
    el, open, frame,
    /** There is no kernel that could send more: what has come stays, and does not look as if it went on. */
    cutOff() {
      const going = [...lanes.values()].filter(({ info }) => !IS_OVER.has(info.state));
      frame(going.map(({ info, columns }) => ({ id: info.id, state: "interrupted", facts: "cut off: the kernel was restarted", blank: columns.size ? "" : "Cut off before the first token." })));
    },
    /** @param {boolean} wanted */
    raw(wanted) {
      isRaw = wanted;
      for (const lane of lanes.values()) for (const each of lane.columns.values()) each.settle(!IS_OVER.has(lane.info.state));
    },
    lanes: () => [...lanes.values()].map((lane) => lane.info),
    isRunning: () => [...lanes.values()].some((lane) => !IS_OVER.has(lane.info.state)),
  };
}
