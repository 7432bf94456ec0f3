// The tokens of one table as text: a list to choose from, of which only what is in view is there.

// in the height of the font
const LINE = 27 / 13;
const LINE_WITH_NUMBERS = 42 / 13;
const SMALL = 10 / 13;
const OVER = 4; // lines above and below what is in view
const MARKS = /^[␣⏎⇥␍]+/;

let ids = 0;

/** @param {string} stem */
function newId(stem) {
  ids += 1;
  return `nbchat-${stem}-${ids}`;
}

class TokenText {
  /**
   * `view` says how tokens are shown. `onPoint`, `onOpen` (the reader wants the alternatives)
   * and `onLines` (their number may have changed) are called.
   *
   * @param {Page} page
   * @param {string} key
   * @param {Look} view
   * @param {{ onPoint: (position: number | null) => void, onOpen: () => void, onLines: () => void }} calls
   */
  constructor(page, key, view, { onPoint, onOpen, onLines }) {
    this.page = page;
    this.key = key;
    this.view = view;
    this.onPoint = onPoint;
    this.onOpen = onOpen;
    this.onLines = onLines;
    this.id = newId("tokens");
    this.layout = new Layout(page, this.table);
    /** @type {Map<number, HTMLElement>} */
    this.drawn = new Map();
    this.frame = 0;
    this.width = 0;
    this.fontSize = 0; // pixels
    this.lineHeight = 1;
    // as large as the font, which the reader can change: then all is laid out anew
    this.probe = element("div", { className: "probe", role: "none" });
    this.sizer = element("div", { className: "sizer", role: "none" });
    this.el = element("div", { className: "text", role: "listbox", tabindex: "0" }, this.probe, this.sizer);
    this.el.classList.add("mathjax_ignore");
    this.el.addEventListener("scroll", () => this.soon(), { passive: true });
    this.el.addEventListener("keydown", (event) => this.press(event));
    this.el.addEventListener("pointerdown", (event) => this.choose(event));
    this.el.addEventListener("pointerover", (event) => this.onPoint(this.positionAt(event)));
    this.el.addEventListener("pointerleave", () => this.onPoint(null));
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.el);
    this.observer.observe(this.probe);
  }

  get table() {
    return /** @type {Table} */ (this.page.tables.get(this.key));
  }

  get selected() {
    const selected = this.page.selected;
    return selected?.key === this.key ? selected.position : null;
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  soon() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  resize() {
    const { clientWidth } = this.el;
    const isSame = clientWidth === this.width && this.fontSizeNow === this.fontSize;
    if (isSame || !clientWidth) return this.soon();
    const first = this.layout.lines ? this.layout.starts[this.firstLine] : 0;
    this.restyle();
    this.el.scrollTop = this.layout.lineOf(first) * this.lineHeight;
    this.draw();
  }

  get fontSizeNow() {
    return Number.parseFloat(getComputedStyle(this.el).fontSize);
  }

  get firstLine() {
    return Math.min(Math.floor(this.el.scrollTop / this.lineHeight), this.layout.lines - 1);
  }

  /** Lay out and draw anew: another width, font, colour or figure. */
  restyle() {
    const style = getComputedStyle(this.el);
    const numbers = this.view.showsNumbers;
    this.width = this.el.clientWidth;
    this.fontSize = this.fontSizeNow;
    this.lineHeight = Math.round(this.fontSize * (numbers ? LINE_WITH_NUMBERS : LINE));
    this.el.style.setProperty("--line-height", `${this.lineHeight}px`);
    this.el.classList.toggle("numbers", numbers);
    const family = style.fontFamily;
    this.layout.style({
      font: `${style.fontSize} ${family}`,
      smallFont: `${this.fontSize * SMALL}px ${family}`,
      em: this.fontSize,
      width: this.width - 20,
      padding: 6,
      figure: numbers
        ? (position) => shortWords(this.view.scale.name, figuresOf(this.table, position))
        : null,
    });
    this.grow(0);
  }

  /**
   * Take what has come from this position on.
   *
   * @param {number} start
   */
  grow(start) {
    if (!this.width) return;
    const { el } = this;
    const atEnd = start > 0 && el.scrollTop + el.clientHeight > el.scrollHeight - this.lineHeight;
    this.layout.table = this.table;
    if (start === 0) this.layout.reset();
    this.layout.from(start);
    for (const line of this.drawn.values()) line.remove();
    this.drawn.clear();
    this.sizer.style.height = `${this.layout.lines * this.lineHeight}px`;
    this.onLines();
    const count = this.table.length;
    const channel = this.table.channel === "content" ? "" : ` of the ${this.table.channel}`;
    el.setAttribute(
      "aria-label",
      `${count.toLocaleString("en")} tokens${channel}, choose one with the arrow keys`,
    );
    if (atEnd) el.scrollTop = el.scrollHeight;
    this.draw();
  }

  draw() {
    const { el, layout, lineHeight, drawn } = this;
    if (!this.width) return;
    const first = Math.max(0, Math.floor(el.scrollTop / lineHeight) - OVER);
    // while the page changes its theme it is hidden, and has no height: what was in view stays
    const height = el.clientHeight || Number.parseFloat(el.style.height) || 0;
    const seen = Math.ceil(height / lineHeight) + 2 * OVER;
    const last = Math.min(layout.lines, first + seen);
    for (const [number, line] of drawn) {
      if (number < first || number >= last) {
        line.remove();
        drawn.delete(number);
      }
    }
    for (let number = first; number < last; number++) {
      if (drawn.has(number)) continue;
      const line = this.line(number);
      drawn.set(number, line);
      this.sizer.append(line);
    }
    this.mark();
  }

  /** @param {number} number */
  line(number) {
    const { layout } = this;
    const line = element("div", { className: "line", role: "none", dir: layout.directions[number] });
    line.style.top = `${number * this.lineHeight}px`;
    for (let i = layout.starts[number]; i < layout.starts[number + 1]; i++) {
      line.append(this.token(i));
    }
    return line;
  }

  /** @param {number} position */
  token(position) {
    const { page, table, layout } = this;
    const { scale, showsNumbers } = this.view;
    const figures = figuresOf(table, position);
    const flags = table.columns.flags[position];
    const entry = page.entry(table, position);
    const token = element("span", {
      className: "token",
      id: `${this.id}-${position}`,
      role: "option",
      "aria-label": spoken(entry, figures, flags),
      "aria-selected": "false",
      "aria-posinset": position + 1,
      "aria-setsize": table.length,
      "data-position": position,
    });
    paint(token, scale, figures);
    if (hasFlag(flags, "is_special")) token.classList.add("special");
    const shown = layout.shown(position);
    const marks = shown.match(MARKS)?.[0] ?? "";
    const text = element("bdi", { textContent: shown.slice(marks.length) });
    if (marks) text.prepend(element("i", { textContent: marks }));
    token.append(text);
    if (showsNumbers) {
      token.append(element("small", { textContent: shortWords(scale.name, figures) }));
    }
    return token;
  }

  /** Show which token is selected. */
  mark() {
    const now = this.selected;
    this.el.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
    const token = now === null ? null : this.el.querySelector(`#${this.id}-${now}`);
    token?.setAttribute("aria-selected", "true");
    if (token) this.el.setAttribute("aria-activedescendant", token.id);
    else this.el.removeAttribute("aria-activedescendant");
  }

  /** Bring what is selected into view. */
  reveal() {
    const position = this.selected;
    if (position !== null && this.width) {
      const top = this.layout.lineOf(position) * this.lineHeight;
      const { scrollTop, clientHeight } = this.el;
      if (top < scrollTop) this.el.scrollTop = top;
      else if (top + this.lineHeight > scrollTop + clientHeight) {
        this.el.scrollTop = top + this.lineHeight - clientHeight + 6;
      }
    }
    this.draw();
  }

  /** @param {PointerEvent} event */
  positionAt(event) {
    const token = event.target instanceof Element ? event.target.closest(".token") : null;
    return token ? Number(token.getAttribute("data-position")) : null;
  }

  /** @param {PointerEvent} event */
  choose(event) {
    const position = this.positionAt(event);
    if (position === null || event.button !== 0) return;
    this.page.select(this.key, position);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.altKey || event.shiftKey) return;
    const now = this.selected;
    const { length } = this.table;
    if (event.key === "Enter") {
      event.preventDefault();
      if (now !== null) this.onOpen();
      return;
    }
    const to = this.target(event, now);
    if (to === undefined) return;
    event.preventDefault();
    if (length) this.page.select(this.key, Math.max(0, Math.min(length - 1, to)));
  }

  /**
   * The position that a key leads to; undefined where it leads nowhere.
   *
   * @param {KeyboardEvent} event
   * @param {number | null} now
   */
  target(event, now) {
    const { layout } = this;
    const isKey = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];
    if (!isKey.includes(event.key)) return undefined;
    if (now === null) return layout.starts[Math.max(0, this.firstLine)];
    if (event.ctrlKey || event.metaKey) {
      return forKey(event, { Home: 0, End: this.table.length - 1 });
    }
    const line = layout.lineOf(now);
    const forward = layout.directions[line] === "rtl" ? -1 : 1;
    const page = Math.max(1, Math.floor(this.el.clientHeight / this.lineHeight) - 1);
    const byLines = (/** @type {number} */ n) => {
      const to = Math.max(0, Math.min(layout.lines - 1, line + n));
      return to === line ? now : layout.nearest(to, layout.middleOf(now), Math.sign(n));
    };
    switch (event.key) {
      case "ArrowLeft":
        return now - forward;
      case "ArrowRight":
        return now + forward;
      case "ArrowUp":
        return byLines(-1);
      case "ArrowDown":
        return byLines(1);
      case "PageUp":
        return byLines(-page);
      case "PageDown":
        return byLines(page);
      case "Home":
        return layout.starts[line];
      default:
        return layout.starts[line + 1] - 1;
    }
  }
}

/**
 * Give a token its colour; one whose figure is unknown has a look of its own.
 *
 * @param {HTMLElement} token
 * @param {Scale} scale
 * @param {Partial<Figures>} figures
 */
function paint(token, scale, figures) {
  const colour = colourOf(scale, figureIn(figures, scale.name));
  token.classList.toggle("unknown", colour < 0);
  token.style.backgroundColor = colour < 0 ? "" : scale.colours[colour];
  token.style.color = colour < 0 ? "" : scale.inks[colour];
}
