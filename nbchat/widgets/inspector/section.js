// One run: its name, its choices as tabs, the tokens of one of them and the line of figures.

class Section {
  /**
   * @param {Page} page
   * @param {number} number
   * @param {Look} view
   * @param {() => void} onOpen
   */
  constructor(page, number, view, onOpen) {
    this.page = page;
    this.number = number; // of the run that it was opened for
    this.run = number; // of the run that is shown: this one or a branch of it
    /** @type {number | null} a position that is to be selected */
    this.wish = null;
    /** @type {string | undefined} of the table that is shown */
    this.key = undefined;
    /** @type {TokenText | undefined} */
    this.text = undefined;
    this.height = 0;
    /** @type {number | null | undefined} the position whose figures are shown, */
    this.pointed = undefined;
    /** @type {string | undefined} and its table */
    this.pointedKey = undefined;
    this.view = view;
    this.onOpen = onOpen;
    this.title = element("span", { className: "label" });
    this.status = element("span", { className: "status" });
    this.note = element("p", { className: "off" });
    this.offer = element("p", { className: "offer" });
    this.getButton = element("button", { type: "button", textContent: "get them" });
    this.getButton.addEventListener("click", () => page.rescore(this.run));
    this.tabs = element("div", { className: "tabs", role: "tablist", "aria-label": "Choices" });
    this.body = element("div", { className: "body" });
    this.detail = element("div", { className: "detail" });
    this.tree = new BranchTree(page, number, (run, position) => this.open(run, position));
    this.el = element(
      "section",
      { className: "run" },
      element("header", {}, this.title, this.status),
      this.note,
      this.offer,
      this.tabs,
      this.body,
      this.detail,
      this.tree.el,
    );
    this.tabs.addEventListener("keydown", (event) => this.press(event));
    this.draw();
  }

  get tables() {
    return this.page.tablesOf(this.run);
  }

  close() {
    this.text?.close();
  }

  /**
   * Show another run in this place, and select a position of it once that is there.
   *
   * @param {number} run
   * @param {number | null} [position]
   */
  open(run, position = null) {
    this.run = run;
    this.key = undefined;
    this.wish = position;
    this.draw();
    this.fulfil();
  }

  fulfil() {
    const table = this.page.contentOf(this.run);
    if (this.wish === null || !table || this.wish >= table.length) return;
    const position = this.wish;
    this.wish = null;
    this.page.select(table.key, position);
  }

  draw() {
    const run = this.page.runs[this.run];
    const { tables } = this;
    this.title.textContent = run.label;
    this.el.setAttribute("aria-label", run.label);
    const count = tables.reduce((sum, table) => sum + table.length, 0);
    const words = [`${count.toLocaleString("en")} token${count === 1 ? "" : "s"}`];
    if (run.status !== "complete") words.unshift(run.status);
    this.status.textContent = tables.length ? words.join(" · ") : run.status;
    this.note.textContent = run.note;
    this.note.hidden = !run.note;
    this.drawOffer();
    if (!tables.some((table) => table.key === this.key)) this.key = tables[0]?.key;
    const { key } = this;
    this.drawTabs(tables);
    this.tree.draw(this.run);
    this.detail.hidden = !tables.length;
    if (key === undefined) {
      this.close();
      this.text = undefined;
      this.height = 0;
      this.body.replaceChildren(element("p", { className: "sentence", textContent: run.sentence }));
    } else if (this.text?.key !== key) {
      this.close();
      this.text = new TokenText(this.page, key, this.view, {
        onPoint: (position) => this.point(position),
        onOpen: this.onOpen,
        onLines: () => this.fit(),
      });
      this.body.replaceChildren(this.text.el);
      this.text.restyle();
      this.text.reveal();
    }
    this.point(null);
  }

  /** Offer to get the rows that a character of several tokens came without. */
  drawOffer() {
    const { merged } = this.page.runs[this.run];
    this.offer.hidden = !merged || this.page.isAlone;
    this.getButton.disabled = this.page.work.busy;
    const [noun, have, them] = merged === 1 ? ["character", "has", "it"] : ["characters", "have", "them"];
    this.getButton.textContent = this.page.work.busy ? "asking …" : `get ${them}`;
    this.getButton.title = "Ask the server for the row of each of their tokens";
    const words = `${merged.toLocaleString("en")} ${noun} ${have} no probability of ${merged === 1 ? "its" : "their"} own: `;
    this.offer.replaceChildren(words, this.getButton);
  }

  /** @param {Table[]} tables */
  drawTabs(tables) {
    this.tabs.hidden = tables.length < 2;
    if (tables.length < 2) return;
    const hadFocus = this.tabs.contains(document.activeElement);
    this.tabs.replaceChildren(
      ...tables.map((table) => {
        const isShown = table.key === this.key;
        const name = `choice ${table.choice}${table.channel === "content" ? "" : ` · ${table.channel}`}`;
        const tab = element("button", {
          type: "button",
          role: "tab",
          "aria-selected": isShown,
          tabindex: isShown ? 0 : -1,
          "data-key": table.key,
          textContent: name,
        });
        tab.addEventListener("click", () => this.show(table.key));
        return tab;
      }),
    );
    if (hadFocus) this.focusTab();
  }

  /** @param {string} key */
  show(key) {
    if (key === this.key) return;
    this.key = key;
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const keys = this.tables.map((table) => table.key);
    const step = forKey(event, { ArrowRight: 1, ArrowLeft: -1 });
    if (!step) return;
    event.preventDefault();
    this.show(keys[(keys.indexOf(this.key ?? "") + step + keys.length) % keys.length]);
    this.focusTab();
  }

  focusTab() {
    /** @type {HTMLElement | null} */
    const tab = this.tabs.querySelector('[aria-selected="true"]');
    tab?.focus();
  }

  /**
   * Take tokens that have come, or a colour that was chosen.
   *
   * @param {number} start
   */
  grow(start) {
    this.text?.grow(start);
    this.point(null);
    this.fulfil();
  }

  restyle() {
    this.text?.restyle();
    this.text?.reveal();
  }

  /** As high as its lines, up to a limit; the reader may drag it to another height. */
  fit() {
    const { text } = this;
    if (!text) return;
    const most = text.fontSize * (this.view.isAlone ? 29 : 17);
    const height = Math.min(most, text.layout.lines * text.lineHeight + 14);
    if (!this.height || Math.abs(text.el.offsetHeight - this.height) < 2) {
      text.el.style.height = `${height}px`;
      this.height = text.el.offsetHeight;
    }
  }

  /** Show what is selected, wherever it was selected. */
  select() {
    const selected = this.page.selected;
    if (selected && this.page.runs[selected.table.run].section === this.number) {
      if (selected.table.run !== this.run) this.open(selected.table.run);
      this.show(selected.key);
    }
    this.text?.reveal();
    this.point(null);
  }

  /**
   * Write the figures of a token into the line of figures; those of the selected one stand beside it.
   *
   * @param {number | null} position
   */
  point(position) {
    if (!this.text) return;
    const { table, selected } = this.text;
    const at = position === selected ? null : position;
    if (this.pointed === at && at !== null && this.pointedKey === this.key) return;
    [this.pointed, this.pointedKey] = [at, this.key];
    if (at === null || at >= table.length) {
      const which = selected === null ? "a token" : "another token";
      this.detail.replaceChildren(
        element("span", { className: "hint", textContent: `Point at ${which} to see its figures.` }),
      );
      return;
    }
    const figures = figuresOf(table, at);
    const entry = this.page.entry(table, at);
    const name = element("span", { className: "name" }, element("bdi", { textContent: shortened(entry, 30) }));
    this.detail.replaceChildren(
      fact(`token ${at.toLocaleString("en")}`, name),
      ...facts(figures).map(([label, words]) => fact(label, element("span", { textContent: words }))),
    );
  }
}

/**
 * @param {string} label
 * @param {HTMLElement} value
 */
function fact(label, value) {
  return element("div", {}, element("span", { className: "fact", textContent: label }), value);
}
