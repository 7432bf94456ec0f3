// The branches of one run as a tree: where each parts, with which token, and how it was made.

// the four are never drawn as the same thing
const METHODS = { exact: "exact", prefill: "by ids, not exact", text: "by text", resampling: "drawn anew" };
const MOST_TOKENS_READ = 16;

class BranchTree {
  /**
   * `onOpen` is called when the reader opens one.
   *
   * @param {Page} page
   * @param {number} section
   * @param {(run: number, position: number | null) => void} onOpen
   */
  constructor(page, section, onOpen) {
    this.page = page;
    this.section = section;
    this.onOpen = onOpen;
    this.el = element("div", { className: "tree", role: "tree", "aria-label": "Branches" });
    this.el.addEventListener("keydown", (event) => this.press(event));
    this.el.addEventListener("click", (event) => {
      const item = /** @type {Element} */ (event.target).closest(".item");
      if (item) this.open(Number(item.getAttribute("data-run")));
    });
  }

  get branches() {
    return this.page.branches.filter((b) => this.page.runs[b.number].section === this.section);
  }

  /**
   * Draw it, with the run that is shown marked.
   *
   * @param {number} run
   */
  draw(run) {
    const { branches } = this;
    const hadFocus = this.el.contains(document.activeElement);
    this.el.hidden = branches.length === 0;
    /** @type {(parent: number | null) => Branch[]} */
    const under = (parent) =>
      branches.filter((b) => b.parent_id === parent).flatMap((b) => [b, ...under(b.branch_id)]);
    const items = [this.item(this.section, 1, [element("span", { textContent: "as it came" })])];
    for (const branch of under(null)) items.push(this.branch(branch));
    this.el.replaceChildren(...items);
    for (const item of items) {
      const isShown = Number(item.dataset.run) === run;
      item.setAttribute("aria-selected", String(isShown));
      item.tabIndex = isShown ? 0 : -1;
      if (isShown && hadFocus) item.focus();
    }
  }

  /**
   * @param {number} run
   * @param {number} level
   * @param {HTMLElement[]} children
   */
  item(run, level, children, className = "") {
    const item = element(
      "div",
      { className: `item ${className}`, role: "treeitem", "aria-level": level, "data-run": run },
      ...children,
    );
    item.style.setProperty("--level", String(level - 1));
    return item;
  }

  /** @param {Branch} branch */
  branch(branch) {
    const { page } = this;
    const run = page.runs[branch.number];
    const prob = branch.prob ?? NaN;
    const chip = element("span", { className: "token" }, element("bdi", { textContent: branch.display.slice(0, 40) }));
    paint(chip, page.scales[0], { prob });
    const words = [`at ${branch.position.toLocaleString("en")}`, probWords(prob), METHODS[branch.method]];
    if (branch.mass !== null) words.push(`${(100 * branch.mass).toPrecision(2)}% of all`);
    if (run.status !== "complete") words.push(run.status);
    const item = this.item(
      branch.number,
      branch.depth + 1,
      [
        chip,
        element("span", { className: "words", textContent: words.join(" · ") }),
        element("bdi", { className: "begins", textContent: this.begins(branch) }),
      ],
      `by-${branch.method}`,
    );
    item.title = branch.label;
    item.setAttribute(
      "aria-label",
      `branch ${branch.branch_id}, ${branch.display.slice(0, 80)}, ${words.join(", ")}`,
    );
    return item;
  }

  /**
   * The first words after the place where a branch parts.
   *
   * @param {Branch} branch
   */
  begins(branch) {
    const { page } = this;
    const table = page.contentOf(branch.number);
    if (!table) return page.runs[branch.number].sentence;
    const start = branch.method === "resampling" ? 0 : branch.position + 1;
    let text = "";
    for (let i = start; i < Math.min(table.length, start + MOST_TOKENS_READ); i++) {
      if (!page.is(table, i, "is_special")) text += table.texts[i] ?? page.entry(table, i).display;
    }
    const more = table.length > start + MOST_TOKENS_READ ? "…" : "";
    return text.slice(0, 200).replace(/[␣⏎⇥]+/g, " ") + more;
  }

  /** @param {number} run */
  open(run) {
    const branch = this.page.branches.find((b) => b.number === run);
    this.onOpen(run, branch && branch.method !== "resampling" ? branch.position : null);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const items = /** @type {HTMLElement[]} */ ([...this.el.children]);
    const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = forKey(event, {
      ArrowDown: Math.min(items.length - 1, at + 1),
      ArrowUp: Math.max(0, at - 1),
      Home: 0,
      End: items.length - 1,
    });
    if (to !== undefined) items[to].focus();
    else if (event.key === "Enter" || event.key === " ") this.open(Number(items[at].dataset.run));
    else return;
    event.preventDefault();
  }
}
