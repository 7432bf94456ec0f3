// The rows of a cell: which of them, a page of them, and one that can be gone to.

/** @type {{ [which in Rows["which"]]: string }} */
const WHICH = { all: "all", wrong: "wrong", missing: "missing", flips: "flips against …" };

class RowsView {
  /**
   * @param {{
   *   onAsk: (which: Rows["which"], other: number | null, start: number) => void,
   *   onOpen: (row: string) => void,
   *   onLeave: () => void,
   * }} calls
   */
  constructor({ onAsk, onOpen, onLeave }) {
    this.onAsk = onAsk;
    this.onOpen = onOpen;
    /** @type {Rows | null} */
    this.rows = null;
    /** @type {Cell[]} all cells of the figure */
    this.cells = [];
    this.title = element("span", { className: "sw-title" });
    this.back = element("button", { type: "button", textContent: "Close", title: "Back to the figure (Escape)" });
    this.back.addEventListener("click", onLeave);
    this.which = element("select", { "aria-label": "Which rows" });
    this.which.addEventListener("change", () => this.chooseWhich());
    this.other = element("select", { "aria-label": "Flips against this cell" });
    this.other.addEventListener("change", () => onAsk("flips", Number(this.other.value), 0));
    this.range = element("span", { className: "sw-range", "aria-live": "polite" });
    this.before = element("button", { type: "button", textContent: "‹", "aria-label": "Earlier rows" });
    this.after = element("button", { type: "button", textContent: "›", "aria-label": "Later rows" });
    this.before.addEventListener("click", () => this.turn(-1));
    this.after.addEventListener("click", () => this.turn(1));
    this.body = element("div", { className: "sw-list" });
    this.body.addEventListener("keydown", (event) => this.press(event));
    this.body.addEventListener("click", (event) => {
      const line = this.lineOf(event.target);
      if (line && !document.getSelection()?.toString()) onOpen(line.dataset.row ?? "");
    });
    this.el = element(
      "section",
      { className: "sw-rows", "aria-label": "Rows of the chosen cell" },
      element(
        "header",
        { className: "sw-bar" },
        this.title,
        element("label", {}, "Show ", this.which),
        this.other,
        element("span", { className: "sw-grow" }),
        element(
          "span",
          { className: "sw-pages" },
          this.range,
          element("span", { className: "sw-pair" }, this.before, this.after),
          this.back,
        ),
      ),
      this.body,
    );
  }

  /**
   * @param {Rows} rows
   * @param {Cell[]} cells
   */
  draw(rows, cells) {
    this.rows = rows;
    this.cells = cells;
    this.title.replaceChildren(element("bdi", { textContent: rows.name }));
    this.drawWhich(rows);
    this.drawOther(rows);
    const last = rows.start + rows.lines.length;
    const count = (/** @type {number} */ n) => n.toLocaleString("en");
    const shown = rows.total ? `${count(rows.start + 1)} to ${count(last)} of ${count(rows.total)}` : "none";
    this.range.textContent = rows.order && rows.total ? `${shown}, ${rows.order}` : shown;
    this.before.disabled = rows.start === 0;
    this.after.disabled = last >= rows.total;
    this.body.replaceChildren(rows.lines.length ? this.table(rows) : element("p", { className: "sw-note", textContent: nothingOf(rows) }));
  }

  /** @param {Rows} rows */
  drawWhich(rows) {
    const { counts } = rows;
    const names = /** @type {Rows["which"][]} */ (Object.keys(WHICH)).filter(
      (name) => (name !== "wrong" || rows.has_wrong) && (name !== "flips" || this.cells.length > 1),
    );
    this.which.replaceChildren(
      ...names.map((name) => {
        const count = name === "flips" ? "" : ` (${counts[name].toLocaleString("en")})`;
        const option = element("option", { value: name, textContent: `${WHICH[name]}${count}` });
        option.selected = name === rows.which;
        return option;
      }),
    );
  }

  /** @param {Rows} rows */
  drawOther(rows) {
    this.other.hidden = rows.which !== "flips";
    const others = this.cells.filter((cell) => cell.number !== rows.cell);
    this.other.replaceChildren(
      ...others.map((cell) => {
        const option = element("option", { value: cell.number, textContent: cell.name });
        option.selected = cell.number === rows.other;
        return option;
      }),
    );
  }

  chooseWhich() {
    const which = /** @type {Rows["which"]} */ (this.which.value);
    const other = this.cells.find((cell) => cell.number !== this.rows?.cell);
    this.onAsk(which, which === "flips" && other ? other.number : null, 0);
  }

  /** @param {number} by */
  turn(by) {
    const { rows } = this;
    if (!rows) return;
    const start = rows.start + by * rows.size;
    if (start >= 0 && start < rows.total) this.onAsk(rows.which, rows.other, start);
  }

  /** @param {Rows} rows */
  table(rows) {
    const heads = ["item"];
    if (rows.has_samples) heads.push("sample");
    if (rows.has_variables) heads.push("variables");
    heads.push("answer", "status", "score");
    if (rows.which === "flips") heads.push("item's mean here → there");
    const head = element("tr", { role: "row" });
    head.append(...heads.map((name) => element("th", { scope: "col", role: "columnheader", textContent: name })));
    const lines = rows.lines.map((line, i) => {
      const texts = [line.item];
      if (rows.has_samples) texts.push(line.sample);
      if (rows.has_variables) texts.push(line.variables);
      texts.push(line.answer, line.status, line.score);
      if (rows.which === "flips") texts.push(line.there);
      const el = element("tr", {
        className: line.kind ? `sw-row sw-${line.kind}` : "sw-row",
        role: "row",
        tabindex: i ? -1 : 0,
        "data-row": line.row,
        "aria-rowindex": rows.start + i + 2,
      });
      el.append(
        ...texts.map((text, k) => {
          const name = heads[k] === "answer" && line.is_reason ? "sw-answer sw-reason" : `sw-${heads[k].split(" ")[0].replace(/\W/g, "")}`;
          return element("td", { className: name, role: "gridcell" }, element("bdi", { textContent: text }));
        }),
      );
      return el;
    });
    return element(
      "table",
      { role: "grid", "aria-readonly": "true", "aria-rowcount": rows.total + 1, "aria-label": `Rows of ${rows.name}: Enter shows a run` },
      element("thead", { role: "rowgroup" }, head),
      element("tbody", { role: "rowgroup" }, ...lines),
    );
  }

  /** @returns {HTMLTableRowElement[]} */
  get lines() {
    return [...this.body.querySelectorAll("tr")].filter((line) => line.dataset.row !== undefined);
  }

  /**
   * Go to a row, to the first where it is not there.
   *
   * @param {string} [row]
   */
  focus(row) {
    const { lines } = this;
    const line = lines.find((each) => each.dataset.row === row) ?? lines[0];
    if (line) this.go(line);
    else this.which.focus();
  }

  /** @param {HTMLElement} line */
  go(line) {
    for (const each of this.lines) each.tabIndex = each === line ? 0 : -1;
    line.focus();
  }

  /**
   * @param {EventTarget | null} target
   * @returns {HTMLTableRowElement | null}
   */
  lineOf(target) {
    return target instanceof Element ? target.closest("tr[data-row]") : null;
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const line = this.lineOf(event.target);
    if (!line) return;
    const { lines } = this;
    const at = lines.indexOf(line);
    const to = forKey(event, { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1 });
    const page = forKey(event, { PageDown: 1, PageUp: -1 });
    if (event.key === "Enter" || event.key === " ") this.onOpen(line.dataset.row ?? "");
    else if (page !== undefined) this.turn(page);
    else if (to === undefined) return;
    else if (lines[to]) this.go(lines[to]);
    event.preventDefault();
  }
}

/** @param {Rows} rows */
function nothingOf({ which }) {
  if (which === "flips") return "No item has another mean in that cell.";
  return which === "all" ? "There are no rows here." : `No row is ${which}.`;
}
