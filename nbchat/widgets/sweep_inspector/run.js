// The run of a row: what was asked, what was answered, and the inspector of its tokens.

/** What the inspector of a run is shown by: the page's widgets, where they can be reached.
 * @typedef {NonNullable<Model["widget_manager"]>} Widgets */

class RunView {
  /**
   * @param {Model} model
   * @param {{ onOpen: (row: string) => void, onLeave: () => void }} calls
   */
  constructor(model, { onOpen, onLeave }) {
    this.model = model;
    /** @type {Shown | null} */
    this.run = null;
    /** @type {WidgetView | null} the view of the inspector */
    this.inner = null;
    this.back = element("button", { type: "button", className: "sw-back", title: "Back to the rows (Escape)" });
    this.back.addEventListener("click", onLeave);
    this.title = element("span", { className: "sw-title" });
    this.place = element("span", { className: "sw-range" });
    this.before = element("button", { type: "button", textContent: "‹", "aria-label": "Previous row" });
    this.after = element("button", { type: "button", textContent: "›", "aria-label": "Next row" });
    this.before.addEventListener("click", () => this.run?.previous && onOpen(this.run.previous));
    this.after.addEventListener("click", () => this.run?.next && onOpen(this.run.next));
    this.facts = element("p", { className: "sw-facts" });
    this.texts = element("div", { className: "sw-texts" });
    this.note = element("p", { className: "sw-note" });
    this.tokens = element("div", { className: "sw-tokens" });
    this.el = element(
      "section",
      { className: "sw-run", "aria-label": "The run of a row" },
      element(
        "header",
        { className: "sw-bar" },
        this.back,
        this.title,
        element("span", { className: "sw-grow" }),
        element("span", { className: "sw-pages" }, this.place, element("span", { className: "sw-pair" }, this.before, this.after)),
      ),
      this.facts,
      this.texts,
      this.note,
      this.tokens,
    );
  }

  /** @param {Shown | null} run */
  draw(run) {
    if (run && run === this.run) return;
    this.run = run;
    this.close();
    if (!run) return;
    const hadFocus = [this.before, this.after].find((button) => button === document.activeElement);
    this.back.replaceChildren("‹ ", element("bdi", { textContent: run.cell }));
    this.back.setAttribute("aria-label", `Back to the rows of ${run.cell}`);
    this.title.replaceChildren(element("bdi", { textContent: run.name }));
    this.place.textContent = run.place;
    this.before.disabled = run.previous === null;
    this.after.disabled = run.next === null;
    const facts = run.facts.map(([name, value]) => `${name} ${value}`);
    this.facts.replaceChildren(
      element("span", { className: "sw-state", textContent: run.status }),
      ...facts.flatMap((fact) => [" · ", element("bdi", { textContent: fact })]),
    );
    this.texts.replaceChildren(
      ...run.messages.map((message) => this.passage(message, false)),
      ...run.answers.map((answer) => this.passage(answer, true)),
    );
    this.note.textContent = run.note;
    this.note.hidden = !run.note;
    if (hadFocus?.disabled) this.back.focus();
    if (run.inspector !== null) this.showTokens(run, run.inspector);
  }

  /**
   * @param {Passage} passage
   * @param {boolean} isAnswer
   */
  passage({ role, text, note }, isAnswer) {
    const el = element(
      "div",
      { className: isAnswer ? "sw-passage sw-reply" : "sw-passage" },
      element("div", { className: "sw-role", textContent: role }),
      element("div", { className: "sw-text", dir: "auto", textContent: text }),
    );
    if (note) el.append(element("div", { className: "sw-note", textContent: note }));
    return el;
  }

  /**
   * @param {Shown} run
   * @param {string} id
   */
  async showTokens(run, id) {
    const { get_model, create_view } = this.model.widget_manager ?? {};
    const widgets = /** @type {Widgets} */ (this.model.widget_manager);
    try {
      if (!get_model || !create_view) throw new Error("no other widget can be shown here");
      const view = await create_view.call(widgets, await get_model.call(widgets, id));
      if (this.run !== run) {
        view.remove();
        return;
      }
      this.inner = view;
      this.tokens.replaceChildren(view.el);
    } catch (error) {
      if (this.run !== run) return;
      this.note.textContent = `Its tokens cannot be shown here (${error instanceof Error ? error.message : error}): nbchat.inspect(sweep.run_of("${run.row.slice(0, 12)}")) shows them.`;
      this.note.hidden = false;
    }
  }

  close() {
    this.inner?.remove();
    this.inner = null;
    this.tokens.replaceChildren();
  }
}
