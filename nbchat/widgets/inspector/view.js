// The token inspector: what to colour by, the runs, and what is at the chosen token.

class View {
  /**
   * @param {Page} page
   * @param {HTMLElement} el
   */
  constructor(page, el) {
    this.page = page;
    this.scale = page.scales[0];
    this.showsNumbers = false;
    this.ending = new AbortController();
    this.alternatives = new Alternatives(page, this, () => this.focusText());
    /** @type {Map<number, Section>} */
    this.sections = new Map();
    this.left = element("div", { className: "runs" });
    this.legend = element("div", { className: "legend", role: "group" });
    this.el = element(
      "div",
      { className: "nbchat-inspector" },
      element(
        "div",
        { className: "frame" },
        element("div", { className: "bar-top" }, this.chooser(), this.legend),
        element("div", { className: "columns" }, this.left, this.alternatives.el),
      ),
    );
    this.el.addEventListener("focusout", () => page.tellNow());
    el.append(this.el);
    this.listen("runs", ({ open }) => this.drawRuns(open ?? null));
    this.listen("work", () => {
      this.alternatives.offer();
      for (const section of this.sections.values()) section.drawOffer();
    });
    this.listen("tokens", ({ key, start }) => this.grow(key, start));
    this.listen("alternatives", () => this.alternatives.draw());
    this.listen("selected", () => this.select());
    this.drawLegend();
    this.drawRuns();
    this.select();
  }

  /**
   * @template {keyof PageEvents} Type
   * @param {Type} type
   * @param {(detail: PageEvents[Type]) => void} take
   */
  listen(type, take) {
    const { signal } = this.ending;
    const hear = (/** @type {Event} */ event) => take(/** @type {CustomEvent} */ (event).detail);
    this.page.addEventListener(type, hear, { signal });
  }

  close() {
    this.ending.abort();
    for (const section of this.sections.values()) section.close();
  }

  get isAlone() {
    return this.page.runs.filter((run) => run.section === run.number).length < 2;
  }

  chooser() {
    const select = element("select");
    for (const scale of this.page.scales) {
      const unit = scale.unit ? `, ${scale.unit}` : "";
      select.append(element("option", { value: scale.name, textContent: scale.label + unit }));
    }
    select.addEventListener("change", () => {
      this.scale = this.page.scales[select.selectedIndex];
      this.restyle();
    });
    const box = element("input", { type: "checkbox" });
    box.addEventListener("change", () => {
      this.showsNumbers = box.checked;
      this.restyle();
    });
    return element(
      "div",
      { className: "chooser" },
      element("label", {}, "Colour by ", select),
      element("label", {}, box, " numbers"),
    );
  }

  restyle() {
    this.drawLegend();
    for (const section of this.sections.values()) section.restyle();
    this.alternatives.draw();
  }

  drawLegend() {
    const { scale } = this;
    const swatches = scale.words.map((words, i) => {
      const swatch = element("span", { className: "token", textContent: words });
      swatch.style.backgroundColor = scale.colours[i];
      swatch.style.color = scale.inks[i];
      return swatch;
    });
    swatches.push(element("span", { className: "token unknown", textContent: scale.unknown }));
    this.legend.setAttribute("aria-label", `Colours of the ${scale.label}`);
    this.legend.replaceChildren(...swatches);
  }

  /**
   * Draw the names and states of all runs; `open`: the number of a branch that is to be shown.
   *
   * @param {number | null} [open]
   */
  drawRuns(open = null) {
    for (const run of this.page.runs) {
      if (run.section !== run.number) continue;
      const section = this.sections.get(run.number);
      if (section) section.draw();
      else {
        const made = new Section(this.page, run.number, this, () => this.focusAlternatives());
        this.sections.set(run.number, made);
        this.left.append(made.el);
      }
    }
    if (open === null) this.alternatives.draw();
    else this.sections.get(this.page.runs[open].section)?.tree.open(open);
  }

  /**
   * @param {string} key
   * @param {number} start
   */
  grow(key, start) {
    for (const section of this.sections.values()) {
      if (section.key === key) section.grow(start);
    }
    if (this.page.selected?.key === key) this.alternatives.draw();
  }

  select() {
    for (const section of this.sections.values()) section.select();
    this.alternatives.draw();
  }

  get selectedSection() {
    const selected = this.page.selected;
    return selected && this.sections.get(this.page.runs[selected.table.run].section);
  }

  focusText() {
    this.selectedSection?.text?.el.focus();
  }

  focusAlternatives() {
    this.alternatives.list.focus();
  }
}
