// What could have stood at the chosen position: bars to look at and to choose from.

/** @type {[name: string, read: (row: Alternative, i: number) => string | number | boolean][]} */
const TSV_COLUMNS = [
  ["alternative", (_, i) => i],
  ["display", (row) => cell(row.entry.display)],
  ["token_id", (row) => row.entry.id ?? ""],
  ["bytes", (row) => row.entry.bytes ?? ""],
  ["logprob", (row) => numberCell(row.logprob)],
  ["prob", (row) => numberCell(row.prob)],
  ["cum_prob", (row) => numberCell(row.cumulated)],
  ["is_sampled", (row) => row.isSampled],
  ["is_listed", (row) => row.isListed],
];

// a spreadsheet takes a cell that begins so for a formula, and a token is only data
/** @param {string} text */
function cell(text) {
  return /^[=+\-@]/.test(text) ? `'${text}` : text;
}

/** @param {number} value */
function numberCell(value) {
  return Number.isNaN(value) ? "" : value;
}

/** @param {Alternative[]} rows */
function tableText(rows) {
  const lines = rows.map((row, i) => TSV_COLUMNS.map(([, read]) => read(row, i)).join("\t"));
  return [TSV_COLUMNS.map(([name]) => name).join("\t"), ...lines, ""].join("\n");
}

/**
 * @param {string} text
 * @param {HTMLElement} near
 */
async function copy(text, near) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // no clipboard for a page that came without TLS from another host: the old way
    const area = element("textarea", { "aria-hidden": "true" });
    area.style.position = "fixed";
    area.style.opacity = "0";
    area.value = text;
    near.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** @param {Alternative} row */
function nameOf(row) {
  const name = element("span", { className: "name", title: shortened(row.entry, 200) });
  name.append(element("bdi", { textContent: shortened(row.entry, 60) }));
  return name;
}

const COUNTS = [1, 2, 3, 5, 10];
// a longer token is cut here, with the number of its characters, and this fits; one that does not
// fit all the same goes on in the next line
const MOST_IN_HEAD = 24;

class Alternatives {
  /**
   * `onLeave()` is called when the reader goes back to the text.
   *
   * @param {Page} page
   * @param {Look} view
   * @param {() => void} onLeave
   */
  constructor(page, view, onLeave) {
    this.page = page;
    this.view = view;
    this.onLeave = onLeave;
    this.id = newId("alternatives");
    this.head = element("div", { className: "head" });
    this.list = element("div", {
      className: "rows",
      role: "listbox",
      tabindex: "0",
      "aria-label": "Alternatives at this position",
    });
    this.rest = element("div", { className: "rest" });
    this.foot = element("div", { className: "figures", "aria-live": "polite" });
    this.copyButton = element("button", { type: "button", textContent: "Copy table" });
    this.copyButton.addEventListener("click", () => this.copyTable());
    this.branchButton = element("button", { type: "button" });
    this.branchButton.addEventListener("click", () => this.branch());
    this.count = element("select", { "aria-label": "how many branches" });
    for (const n of COUNTS) this.count.append(element("option", { value: n, textContent: `× ${n}` }));
    this.treeButton = element("button", { type: "button", textContent: "Tree" });
    this.treeButton.title = "Write the likeliest ways on from here, each to its end";
    this.treeButton.addEventListener("click", () => this.shown && page.tree(this.shown));
    this.stopButton = element("button", { type: "button", textContent: "Stop" });
    this.stopButton.addEventListener("click", () => page.stop());
    this.actions = element(
      "div",
      { className: "actions" },
      element("span", { className: "pair" }, this.branchButton, this.count),
      this.treeButton,
      this.stopButton,
      this.copyButton,
    );
    this.problem = element("p", { className: "problem", role: "alert" });
    this.el = element("section", { className: "alternatives", "aria-label": "Alternatives" });
    this.list.addEventListener("keydown", (event) => this.press(event));
    this.list.addEventListener("click", (event) => {
      const row = /** @type {Element} */ (event.target).closest(".row");
      if (row) this.activate(Number(row.getAttribute("data-row")));
    });
    this.list.addEventListener("dblclick", () => this.branch());
    /** @type {{ table: Table, position: number } | null} */
    this.shown = null;
    /** @type {Alternative[] | null} null while they are on their way */
    this.rows = null;
    this.active = 0;
    this.draw();
  }

  draw() {
    const selected = this.page.selected;
    if (!selected) {
      this.shown = null;
      this.el.replaceChildren(
        element("p", {
          className: "hint",
          textContent:
            "Choose a token, with the mouse or the arrow keys, to see what else could have stood there.",
        }),
      );
      return;
    }
    const { table, position } = selected;
    const isSame = this.shown?.table.key === table.key && this.shown.position === position;
    const rows = this.page.alternatives(table, position);
    const active = isSame && this.rows ? this.active : null; // as the reader left it
    this.shown = { table, position };
    this.rows = rows;
    this.drawHead(table, position);
    if (!rows) {
      this.list.replaceChildren(
        element("p", { className: "hint", textContent: "Asking the kernel …" }),
      );
      this.rest.replaceChildren();
      this.activate(0);
    } else {
      this.drawRows(rows, this.page.isPutHere(table, position) ? "put here" : "sampled");
      this.drawRest(rows, figuresOf(table, position));
      // what a branch is mostly made with: the likeliest of those that were not sampled
      const other = rows.findIndex((row) => !row.isSampled);
      this.activate(active === null ? Math.max(0, other) : Math.min(active, rows.length - 1));
    }
    if (!this.list.isConnected) {
      this.el.replaceChildren(this.head, this.list, this.rest, this.foot, this.actions, this.problem);
    }
  }

  /**
   * @param {Table} table
   * @param {number} position
   */
  drawHead(table, position) {
    const entry = this.page.entry(table, position);
    const figures = figuresOf(table, position);
    const chip = element("span", { className: "token" }, element("bdi", { textContent: shortened(entry, MOST_IN_HEAD) }));
    chip.title = shortened(entry, 200);
    paint(chip, this.view.scale, figures);
    const where = `position ${position.toLocaleString("en")} (0 to ${(table.length - 1).toLocaleString("en")})`;
    /** @type {[name: string, words: string][]} */
    const pairs = [
      ...facts(figures),
      ["id", entry.id ?? "not sent"],
      ["bytes", bytesWords(entry.bytes, 36)],
    ];
    const list = element("div", { className: "facts" });
    for (const [name, words] of pairs) {
      list.append(fact(name, element("span", { textContent: words })));
    }
    const notes = [
      this.page.is(table, position, "is_special") && "a control token: no part of the text",
      this.page.is(table, position, "is_partial_utf8") &&
        (table.texts[position] ? `ends the character ${table.texts[position]}` : "a part of a character"),
      this.page.is(table, position, "is_merged") &&
        "a character of several tokens in one row: it has no probability of its own",
      this.page.is(table, position, "censored") && "the server sent no usable logprob",
    ].filter((note) => note !== false);
    this.head.replaceChildren(
      element("div", { className: "title" }, chip, element("span", { textContent: where })),
      ...notes.map((note) => element("p", { className: "note", textContent: note })),
      list,
    );
  }

  /**
   * `own`: what is said of the token that stands there.
   *
   * @param {Alternative[]} rows
   * @param {string} own
   */
  drawRows(rows, own) {
    this.list.replaceChildren(
      ...rows.map((row, i) => {
        const words = probWords(row.prob);
        const label = [row.entry.display.slice(0, 80), `probability ${words}`];
        if (row.isSampled) label.push(own);
        if (!row.isListed) label.push("not in the server's list");
        const share = element("span");
        share.style.width = `${100 * Math.min(1, row.prob || 0)}%`;
        const bar = element("span", { className: "bar" }, share);
        const made = element(
          "div",
          {
            className: `row${row.isSampled ? " sampled" : ""}`,
            id: `${this.id}-${i}`,
            role: "option",
            "aria-selected": "false",
            "aria-label": label.join(", "),
            "data-row": i,
          },
          element("span", { className: "mark", textContent: row.isSampled ? `${own} ▸` : "" }),
          nameOf(row),
          bar,
          element("span", { className: "number", textContent: words }),
        );
        return made;
      }),
    );
    this.list.hidden = rows.length === 0;
  }

  /**
   * The mass that no row has: what is listed and not shown here, and what nobody listed.
   *
   * @param {Alternative[]} rows
   * @param {Figures} figures
   */
  drawRest(rows, figures) {
    const known = (/** @type {Alternative} */ row) => (Number.isNaN(row.prob) ? 0 : row.prob);
    const sum = (/** @type {Alternative[]} */ some) => some.reduce((total, row) => total + known(row), 0);
    const listed = rows.filter((row) => row.isListed);
    const more = figures.top_k - listed.length;
    const parts = [];
    if (more > 0) {
      const mass = Math.max(0, 1 - figures.tail_mass - sum(listed));
      parts.push(this.restRow("more", `${more.toLocaleString("en")} more listed`, mass));
    }
    if (figures.top_k) {
      const unlisted = sum(rows.filter((row) => !row.isListed));
      const mass = Math.max(0, figures.tail_mass - unlisted);
      // the list comes in 32-bit floats: less is rounding
      parts.push(this.restRow("unseen", "not listed", mass < 5e-7 ? 0 : mass));
    } else {
      parts.push(
        element("p", {
          className: "hint",
          textContent:
            "The server listed no alternatives here. Ask for them with top_logprobs=5, or in a cell with --top-logprobs 5.",
        }),
      );
    }
    this.rest.replaceChildren(...parts);
  }

  /**
   * @param {string} kind
   * @param {string} name
   * @param {number} mass
   */
  restRow(kind, name, mass) {
    const share = element("span");
    share.style.width = `${100 * Math.min(1, mass)}%`;
    share.hidden = mass === 0;
    const bar = element("span", { className: `bar ${kind}` }, share);
    return element(
      "div",
      { className: "row", role: "img", "aria-label": `${name}: probability ${probWords(mass)}` },
      element("span", { className: "mark" }),
      element("span", { className: "name", textContent: name }),
      bar,
      element("span", { className: "number", textContent: probWords(mass) }),
    );
  }

  /**
   * Mark a row, and say all of it below.
   *
   * @param {number} number
   */
  activate(number) {
    this.active = number;
    const row = this.rows?.[number];
    this.list.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
    if (!row) {
      this.foot.replaceChildren();
      this.list.removeAttribute("aria-activedescendant");
      this.offer();
      return;
    }
    const marked = /** @type {HTMLElement} */ (this.list.children[number]);
    marked.setAttribute("aria-selected", "true");
    this.list.setAttribute("aria-activedescendant", marked.id);
    const { offsetTop, offsetHeight } = marked;
    const list = this.list;
    if (offsetTop < list.scrollTop) list.scrollTop = offsetTop;
    else if (offsetTop + offsetHeight > list.scrollTop + list.clientHeight) {
      list.scrollTop = offsetTop + offsetHeight - list.clientHeight;
    }
    const words = [`cumulated ${probWords(row.cumulated)}`];
    if (!row.isSampled) {
      // of the token that stands there they are above
      words.unshift(`logprob ${numberWords(row.logprob, 4)}`);
      words.push(`id ${row.entry.id ?? "not sent"}`, `bytes ${bytesWords(row.entry.bytes, 12)}`);
    }
    if (!row.isListed) words.push("not in the server's list");
    this.foot.replaceChildren(...words.map((text) => element("span", { textContent: text })));
    this.offer();
  }

  /** Say what the buttons do, and whether they can. */
  offer() {
    const row = this.rows?.[this.active];
    const { busy, sentence } = this.page.work;
    const isRefusal = this.shown?.table.channel === "refusal";
    this.branchButton.replaceChildren("Branch with ", element("bdi", { textContent: row ? shortened(row.entry, 14) : "" }));
    this.branchButton.disabled = !row || isRefusal;
    this.treeButton.disabled = busy || !row || isRefusal;
    this.branchButton.title = isRefusal
      ? "Only the content of a reply can be branched"
      : "Put this token here, and let the model go on from it (Enter)";
    this.stopButton.hidden = !busy;
    if (this.page.isAlone) this.actions.replaceChildren(this.copyButton);
    this.problem.textContent = sentence;
    this.problem.hidden = !sentence;
  }

  branch() {
    if (this.page.isAlone || this.branchButton.disabled || !this.rows || !this.shown) return;
    this.page.branch(this.shown, this.active, Number(this.count.value));
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const last = (this.rows?.length ?? 0) - 1;
    const to = forKey(event, {
      ArrowDown: Math.min(last, this.active + 1),
      ArrowUp: Math.max(0, this.active - 1),
      Home: 0,
      End: last,
      PageDown: Math.min(last, this.active + 8),
      PageUp: Math.max(0, this.active - 8),
    });
    if (to !== undefined) this.activate(to);
    else if (event.key === "Escape") this.onLeave();
    else if (event.key === "Enter") this.branch();
    else return;
    event.preventDefault();
  }

  async copyTable() {
    if (!this.rows) return;
    await copy(tableText(this.rows), this.el);
    this.copyButton.textContent = "Copied";
    setTimeout(() => (this.copyButton.textContent = "Copy table"), 1500);
  }
}
