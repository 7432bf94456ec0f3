// The sweep inspector: the figure, below it the rows of a cell, and in the place of both a run.

// without a sign of the kernel for so long, the reader is told
const PATIENCE_MS = 3000;
const NO_ANSWER =
  "The kernel does not answer: it runs a cell, and will when that is done, or it was restarted, and then this cell is to be run again.";

class View {
  /**
   * @param {Model} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    this.model = model;
    this.timer = 0;
    /** @type {"cell" | "rows" | "run" | null} where the reader wants to be when it comes */
    this.wish = null;
    // runs that were asked for and have not come; of these, how many the reader has gone back from
    this.pending = 0;
    this.unwanted = 0;
    /** @type {string | undefined} the row whose run was shown last */
    this.lastRow = undefined;
    this.name = element("span", { className: "sw-name" });
    this.select = element("select");
    this.select.addEventListener("change", () => this.ask({ type: "score", name: this.select.value }));
    this.scale = element("span", { className: "sw-scale", role: "img" });
    this.status = element("span", { className: "sw-status", "aria-live": "polite" });
    this.refresh = element("button", { type: "button", textContent: "Refresh", title: "Read what has come since" });
    this.refresh.addEventListener("click", () => this.ask({ type: "look" }));
    this.problem = element("p", { className: "sw-problem", role: "alert" });
    this.figure = new FigureView({ onOpen: (cell) => this.openCell(cell) });
    this.rows = new RowsView({
      onAsk: (which, other, start) => this.askRows(which, other, start),
      onOpen: (row) => this.openRun(row),
      onLeave: () => this.leaveRows(),
    });
    this.run = new RunView(model, { onOpen: (row) => this.openRun(row), onLeave: () => this.leaveRun() });
    this.frame = element(
      "div",
      { className: "frame" },
      element(
        "div",
        { className: "bar-top" },
        this.name,
        element("label", {}, "Score ", this.select),
        this.scale,
        element("span", { className: "sw-grow" }),
        this.status,
        this.refresh,
      ),
      this.problem,
      this.figure.el,
      this.rows.el,
      this.run.el,
    );
    this.el = element("div", { className: "nbchat-sweep-inspector" }, this.frame);
    // before what stands in here: a run's inspector keeps its keys for itself
    this.el.addEventListener("keydown", (event) => this.press(event), true);
    el.append(this.el);
    /** @type {["change:_figure" | "change:_rows" | "change:_run" | "change:_work", () => void][]} */
    this.heard = [
      ["change:_figure", () => this.drawFigure()],
      ["change:_rows", () => this.draw()],
      ["change:_run", () => this.hearRun()],
      ["change:_work", () => this.drawWork()],
    ];
    for (const [event, hear] of this.heard) model.on(event, hear);
    this.drawFigure();
    this.drawWork();
  }

  close() {
    for (const [event, hear] of this.heard) this.model.off(event, hear);
    clearTimeout(this.timer);
    this.run.draw(null);
  }

  /** @param {FromPage} question */
  ask(question) {
    this.say("");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.say(NO_ANSWER), PATIENCE_MS);
    try {
      this.model.send(question);
    } catch {
      this.say(NO_ANSWER);
    }
  }

  /** @param {string} sentence */
  say(sentence) {
    this.problem.textContent = sentence;
    this.problem.hidden = !sentence;
  }

  drawWork() {
    const { busy, sentence } = this.model.get("_work");
    clearTimeout(this.timer);
    this.frame.setAttribute("aria-busy", String(busy));
    this.refresh.textContent = busy ? "reading …" : "Refresh";
    if (!busy) {
      this.pending = Math.max(0, this.pending - 1);
      this.unwanted = Math.min(this.unwanted, this.pending);
    }
    this.say(sentence);
    if (sentence) this.wish = null;
  }

  drawFigure() {
    const figure = this.model.get("_figure");
    this.name.replaceChildren(element("bdi", { textContent: figure.name }));
    this.select.replaceChildren(
      ...figure.scores.map((name) => {
        const option = element("option", { value: name, textContent: name });
        option.selected = name === figure.score;
        return option;
      }),
    );
    const { colours, lowest, highest } = figure.scale;
    const colourBar = element("span", { className: "sw-colours" });
    colourBar.style.backgroundImage = `linear-gradient(to right, ${colours.join(", ")})`;
    this.scale.replaceChildren(lowest, colourBar, highest, ` ${figure.unit}`);
    this.scale.setAttribute("aria-label", `Colours from ${lowest} to ${highest}, ${figure.unit}`);
    this.status.textContent = figure.status;
    this.figure.draw(figure);
    this.draw();
  }

  hearRun() {
    if (this.model.get("_run") && this.unwanted) {
      this.model.set("_run", null);
      this.model.save_changes();
    } else this.draw();
  }

  get cells() {
    const { multiples } = this.model.get("_figure");
    return multiples.flatMap(({ lines }) => lines.flatMap(({ cells }) => cells.filter((cell) => cell !== null)));
  }

  draw() {
    const rows = this.model.get("_rows");
    const run = this.model.get("_run");
    if (rows) this.rows.draw(rows, this.cells);
    this.run.draw(run);
    this.figure.choose(rows ? rows.cell : null);
    this.figure.el.hidden = run !== null;
    this.rows.el.hidden = rows === null || run !== null;
    this.run.el.hidden = run === null;
    if (run) this.lastRow = run.row;
    if (this.wish === "run" && run) this.arrive(() => this.run.back.focus());
    else if (this.wish === "rows" && rows && !run) this.arrive(() => this.rows.focus(this.lastRow));
  }

  /** @param {() => void} focus */
  arrive(focus) {
    this.wish = null;
    focus();
  }

  /** @param {number} cell */
  openCell(cell) {
    this.wish = "rows";
    this.lastRow = undefined;
    const rows = this.model.get("_rows");
    if (rows?.cell === cell) this.draw();
    else this.ask({ type: "rows", cell, which: "all", other: null, start: 0 });
  }

  /**
   * @param {Rows["which"]} which
   * @param {number | null} other
   * @param {number} start
   */
  askRows(which, other, start) {
    const rows = this.model.get("_rows");
    if (!rows) return;
    this.lastRow = undefined;
    // who turns pages by keyboard stays in the list; who chooses in a menu stays there
    if (this.rows.body.contains(document.activeElement)) this.wish = "rows";
    this.ask({ type: "rows", cell: rows.cell, which, other, start });
  }

  /** @param {string} row */
  openRun(row) {
    if (!this.run.el.contains(document.activeElement)) this.wish = "run";
    this.pending += 1;
    this.ask({ type: "run", row });
  }

  leaveRun() {
    this.wish = "rows";
    this.unwanted = this.pending;
    this.model.set("_run", null);
    this.model.save_changes();
  }

  leaveRows() {
    this.unwanted = this.pending;
    const cell = this.model.get("_rows")?.cell ?? null;
    this.model.set("_rows", null);
    this.model.save_changes();
    this.figure.focus(cell);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.key !== "Escape") return;
    // what stands in here may have its own use of it: after all have heard of it
    setTimeout(() => {
      if (event.defaultPrevented) return;
      if (this.model.get("_run")) this.leaveRun();
      else if (this.pending > this.unwanted) this.unwanted = this.pending; // before it has come
      else if (this.model.get("_rows")) this.leaveRows();
    });
  }
}
