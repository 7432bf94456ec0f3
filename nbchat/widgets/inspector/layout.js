// Which tokens stand on which line. All lines are of one height, so that what is not in view need
// not be in the page, and the scroll bar is right all the same.

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const LETTER = /\p{L}/u;
const BEGINS_WORD = /^[␣⏎⇥␍]|^[^\p{L}\p{N}]*$/u;
// a line is broken before a word, unless that leaves so many pixels empty
const MOST_RAGGED = 180;
const MOST_BREAKS = 20;
const MOST_SHOWN = 80;

/**
 * The beginning of a token that is too long to be shown whole, and how long it is.
 *
 * @param {Entry} entry
 */
function shortened(entry, most = MOST_SHOWN) {
  const { display, chars } = entry;
  if (chars <= most && display.length <= 6 * most) return display;
  const cut = `${display.slice(0, most)}…`;
  const told = `${cut} (${chars.toLocaleString("en")} characters)`;
  // what stands for a token is no longer than the token
  return [told, cut].find((text) => text.length < display.length) ?? display;
}

/**
 * -1, 0 or 1: right to left, no letters, left to right.
 *
 * @param {Entry} entry
 */
function directionOf(entry) {
  if (entry.direction === undefined) {
    const first = entry.display.match(LETTER)?.[0];
    entry.direction = first === undefined ? 0 : RIGHT_TO_LEFT.test(first) ? -1 : 1;
  }
  return entry.direction;
}

class Layout {
  /**
   * @param {Page} page
   * @param {Table} table
   */
  constructor(page, table) {
    this.page = page;
    this.table = table;
    // a canvas that was never asked for another context gives this one
    this.context = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
    /** @type {Map<string, number>} */
    this.widths = new Map();
    /** @type {Measures} */
    this.measures = { font: "", smallFont: "", em: 13, width: 0, padding: 0, figure: null };
    /** of each line, and the end */
    this.starts = [0];
    /** @type {("ltr" | "rtl")[]} of each line */
    this.directions = [];
    /** the lines that begin one */
    this.paragraphs = [0];
  }

  reset() {
    this.starts = [0];
    this.directions = [];
    this.paragraphs = [0];
  }

  get lastParagraph() {
    return this.paragraphs[this.paragraphs.length - 1];
  }

  get lines() {
    return this.starts.length - 1;
  }

  /**
   * Take other fonts, another width or another figure below the tokens.
   *
   * @param {Measures} measures
   */
  style(measures) {
    if (measures.font !== this.measures.font) this.widths.clear();
    this.measures = measures;
  }

  /** @param {string} text */
  textWidth(text, font = this.measures.font) {
    const key = font === this.measures.font ? text : `\u0000${text}`;
    let width = this.widths.get(key);
    if (width === undefined) {
      this.context.font = font;
      width = this.context.measureText(text).width;
      this.widths.set(key, width);
    }
    return width;
  }

  /**
   * What stands in the page for a token.
   *
   * @param {number} position
   */
  shown(position) {
    const entry = this.page.entry(this.table, position);
    const completed = this.table.texts[position];
    const { em, width } = this.measures;
    const most = Math.max(8, Math.min(MOST_SHOWN, Math.floor(width / (0.77 * em)) - 22));
    const text = shortened(entry, most);
    return completed ? `${text}=${completed}` : text;
  }

  /** @param {number} position */
  tokenWidth(position) {
    const { figure, smallFont, padding } = this.measures;
    let width = this.textWidth(this.shown(position));
    if (figure) width = Math.max(width, this.textWidth(figure(position), smallFont));
    return width + padding;
  }

  /** Lay out anew from the paragraph on that has this position. */
  from(position = 0) {
    const { page, table } = this;
    while (this.paragraphs.length > 1 && this.starts[this.lastParagraph] >= position) {
      this.paragraphs.pop();
    }
    const line = this.lastParagraph;
    this.starts.length = line + 1;
    this.directions.length = line;
    let [start, x, wordAt, wordX] = [this.starts[line], 0, -1, 0];
    let direction = this.directionFrom(start);
    const end = (/** @type {number} */ at) => {
      this.starts.push(at);
      this.directions.push(direction);
      [start, wordAt] = [at, -1];
    };
    for (let i = start; i < table.length; i++) {
      const width = this.tokenWidth(i);
      const entry = page.entry(table, i);
      if (i > start && BEGINS_WORD.test(entry.display)) [wordAt, wordX] = [i, x];
      if (i > start && x + width > this.measures.width) {
        const atWord = wordAt > start && x - wordX < MOST_RAGGED;
        const before = atWord ? x - wordX : 0;
        end(atWord ? wordAt : i);
        x = before;
      }
      x += width;
      if (entry.breaks) {
        const breaks = Math.min(entry.breaks, MOST_BREAKS);
        for (let n = 0; n < breaks; n++) end(i + 1);
        x = 0;
        direction = this.directionFrom(i + 1);
        this.paragraphs.push(this.starts.length - 1);
      }
    }
    if (start < table.length) end(table.length);
  }

  /**
   * @param {number} position
   * @returns {"ltr" | "rtl"}
   */
  directionFrom(position) {
    for (let i = position; i < this.table.length; i++) {
      const entry = this.page.entry(this.table, i);
      const direction = directionOf(entry);
      if (direction) return direction < 0 ? "rtl" : "ltr";
      if (entry.breaks) break;
    }
    return "ltr";
  }

  /**
   * The line of a position.
   *
   * @param {number} position
   */
  lineOf(position) {
    let [low, high] = [0, this.lines - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle] <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /**
   * Where the middle of a token is, in pixels from the start of its line.
   *
   * @param {number} position
   */
  middleOf(position) {
    let x = 0;
    for (let i = this.starts[this.lineOf(position)]; i < position; i++) x += this.tokenWidth(i);
    return x + this.tokenWidth(position) / 2;
  }

  /**
   * The token that is nearest to so many pixels from the start of a line, or of one beyond it.
   *
   * @param {number} line
   * @param {number} x
   * @param {number} step
   */
  nearest(line, x, step) {
    while (line > 0 && line < this.lines - 1 && this.starts[line] === this.starts[line + 1]) {
      line += step;
    }
    const [start, end] = [this.starts[line], this.starts[line + 1]];
    let left = 0;
    for (let i = start; i < end; i++) {
      left += this.tokenWidth(i);
      if (left >= x) return i;
    }
    return Math.max(0, Math.min(end, this.table.length) - 1);
  }
}
