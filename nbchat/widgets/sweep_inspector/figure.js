// The figure: a table of cells for each point of the further axes, one of which can be gone to.

class FigureView {
  /** @param {{ onOpen: (cell: number) => void }} calls */
  constructor({ onOpen }) {
    this.onOpen = onOpen;
    /** the cells as they stand, line by line: null is no cell
     * @type {(HTMLTableCellElement | null)[][]} */
    this.lines = [];
    /** @type {Map<number, HTMLTableCellElement>} */
    this.byNumber = new Map();
    /** @type {number | null} whose rows are listed */
    this.chosen = null;
    this.note = element("p", { className: "sw-note", "aria-live": "polite" });
    this.cut = element("p", { className: "sw-note" });
    this.body = element("div", { className: "sw-multiples" });
    this.el = element("div", { className: "sw-figure" }, this.note, this.body, this.cut);
    this.body.addEventListener("keydown", (event) => this.press(event));
    this.body.addEventListener("click", (event) => {
      const cell = this.cellOf(event.target);
      if (cell) this.open(cell);
    });
  }

  /** @param {Figure} figure */
  draw(figure) {
    const before = document.activeElement;
    const focused = before instanceof HTMLElement && this.body.contains(before) ? before.dataset.cell : undefined;
    this.note.textContent = figure.lacking;
    this.note.hidden = !figure.lacking;
    this.cut.textContent = figure.cut;
    this.cut.hidden = !figure.cut;
    this.lines = [];
    this.byNumber.clear();
    this.body.replaceChildren(...figure.multiples.map((multiple) => this.multiple(figure, multiple)));
    this.choose(this.chosen);
    if (focused !== undefined) this.focus(Number(focused));
  }

  /**
   * @param {Figure} figure
   * @param {Multiple} multiple
   */
  multiple(figure, multiple) {
    const axes = [figure.across.text && `${figure.across.text} →`, figure.down.text && `${figure.down.text} ↓`];
    const corner = element("th", { className: "sw-corner" });
    corner.append(...axes.filter(Boolean).map((name) => element("div", {}, element("bdi", { textContent: name }))));
    const head = element("tr", { role: "row" }, corner);
    for (const column of figure.columns) head.append(heading(column, "col", "columnheader"));
    const rows = multiple.lines.map((line) => {
      const row = element("tr", { role: "row" }, heading(line.label, "row", "rowheader"));
      const cells = line.cells.map((cell) => this.cell(cell));
      row.append(...cells.map((cell) => cell ?? nothing()));
      this.lines.push(cells);
      return row;
    });
    const name = [figure.score, multiple.title.text].filter(Boolean).join(" at ");
    const table = element(
      "table",
      { className: "sw-cells", role: "grid", "aria-readonly": "true", "aria-label": `${name}: Enter lists the rows of a cell` },
      element("thead", { role: "rowgroup" }, head),
      element("tbody", { role: "rowgroup" }, ...rows),
    );
    const title = element("div", { className: "sw-multiple-title" }, labelled(multiple.title));
    title.hidden = !multiple.title.text;
    return element("section", { className: "sw-multiple" }, title, table);
  }

  /** @param {Cell | null} cell */
  cell(cell) {
    if (!cell) return null;
    const { number, mean, interval, items, lacking, sentence, colour, ink } = cell;
    const el = element("td", {
      className: colour ? "sw-cell" : "sw-cell sw-empty",
      role: "gridcell",
      tabindex: -1,
      title: sentence,
      "aria-label": sentence,
      "data-cell": number,
    });
    el.style.backgroundColor = colour;
    el.style.color = ink;
    el.append(element("div", { className: "sw-mean", textContent: mean }));
    if (interval) el.append(element("div", { className: "sw-small", textContent: interval }));
    if (items) el.append(element("div", { className: "sw-small", textContent: items }));
    if (lacking) {
      el.classList.add("sw-lacking");
      el.append(...lacking.split(", ").map((why) => element("div", { className: "sw-small sw-lack", textContent: why })));
    }
    this.byNumber.set(number, el);
    return el;
  }

  /**
   * Mark the cell whose rows are listed.
   *
   * @param {number | null} number
   */
  choose(number) {
    this.chosen = number;
    for (const [at, el] of this.byNumber) el.setAttribute("aria-selected", String(at === number));
    const [first] = this.byNumber.values();
    const current = (number === null ? undefined : this.byNumber.get(number)) ?? first;
    for (const el of this.byNumber.values()) el.tabIndex = el === current ? 0 : -1;
  }

  /** @param {number | null} number */
  focus(number) {
    const [first] = this.byNumber.values();
    const el = (number === null ? undefined : this.byNumber.get(number)) ?? first;
    if (el) this.go(el);
  }

  /** @param {HTMLTableCellElement} el */
  go(el) {
    for (const each of this.byNumber.values()) each.tabIndex = each === el ? 0 : -1;
    el.focus();
  }

  /** @param {HTMLElement} cell */
  open(cell) {
    this.onOpen(Number(cell.dataset.cell));
  }

  /**
   * @param {EventTarget | null} target
   * @returns {HTMLTableCellElement | null}
   */
  cellOf(target) {
    return target instanceof Element ? target.closest("td[data-cell]") : null;
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const cell = this.cellOf(event.target);
    if (!cell) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.open(cell);
      return;
    }
    const line = this.lines.findIndex((cells) => cells.includes(cell));
    const column = this.lines[line].indexOf(cell);
    const isRightToLeft = getComputedStyle(this.body).direction === "rtl";
    const along = isRightToLeft ? -1 : 1;
    const step = forKey(event, {
      ArrowRight: [0, along],
      ArrowLeft: [0, -along],
      ArrowDown: [1, 0],
      ArrowUp: [-1, 0],
    });
    const far = forKey(event, { Home: 1, End: -1 });
    let next = null;
    if (step) next = this.nextFrom(line, column, step[0], step[1]);
    else if (far) {
      const all = event.ctrlKey ? this.lines.flat() : this.lines[line];
      const there = all.filter((each) => each !== null);
      next = there.at(far === 1 ? 0 : -1) ?? null;
    } else return;
    event.preventDefault();
    if (next) this.go(next);
  }

  /**
   * @param {number} line
   * @param {number} column
   * @param {number} down
   * @param {number} along
   */
  nextFrom(line, column, down, along) {
    let [y, x] = [line + down, column + along];
    while (this.lines[y]?.[x] !== undefined) {
      const cell = this.lines[y][x];
      if (cell) return cell;
      [y, x] = [y + down, x + along];
    }
    return null;
  }
}

/** @param {Label} label */
function labelled({ text, title }) {
  const el = element("bdi", { textContent: text });
  if (title && title !== text) el.title = title;
  return el;
}

/**
 * @param {Label} label
 * @param {string} scope
 * @param {string} role
 */
function heading(label, scope, role) {
  return element("th", { scope, role }, labelled(label));
}

/** A point that the plan does not have. */
function nothing() {
  return element("td", { className: "sw-nothing", role: "gridcell", title: "not in the plan", textContent: "–" });
}
