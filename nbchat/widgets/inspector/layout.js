// Which tokens stand on which line. All lines are of one height, so that what is not in view need
// not be in the page, and the scroll bar is right all the same.

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const LETTER = /\p{L}/u;
const BEGINS_WORD = /^[␣⏎⇥␍]|^[^\p{L}\p{N}]*$/u;
// a line is broken before a word, unless that leaves so many pixels empty
const MOST_RAGGED = 180;
const MOST_BREAKS = 20;
const MOST_SHOWN = 80;

/** The beginning of a token that is too long to be shown whole, and how long it is. */
function shortened(entry, most = MOST_SHOWN) {
  if (entry.chars <= most && entry.display.length <= 6 * most) return entry.display;
  return `${entry.display.slice(0, most)}… (${entry.chars.toLocaleString("en")} characters)`;
}

/** -1, 0 or 1: right to left, no letters, left to right. */
function directionOf(entry) {
  if (entry.direction === undefined) {
    const first = entry.display.match(LETTER)?.[0];
    entry.direction = first === undefined ? 0 : RIGHT_TO_LEFT.test(first) ? -1 : 1;
  }
  return entry.direction;
}

class Layout {
  constructor(page, table) {
    this.page = page;
    this.table = table;
    this.context = document.createElement("canvas").getContext("2d");
    this.widths = new Map();
    this.reset();
  }

  reset() {
    this.starts = [0]; // of each line, and the end
    this.directions = []; // of each line: "ltr" or "rtl"
    this.paragraphs = [0]; // the lines that begin one
  }

  get lines() {
    return this.starts.length - 1;
  }

  /** Take other fonts, another width or another figure below the tokens. */
  style({ font, smallFont, width, padding, figure }) {
    if (font !== this.font) this.widths.clear();
    Object.assign(this, { font, smallFont, width, padding, figure });
  }

  textWidth(text, font = this.font) {
    const key = font === this.font ? text : `\u0000${text}`;
    let width = this.widths.get(key);
    if (width === undefined) {
      this.context.font = font;
      width = this.context.measureText(text).width;
      this.widths.set(key, width);
    }
    return width;
  }

  /** What stands in the page for a token. */
  shown(position) {
    const entry = this.page.entry(this.table, position);
    const completed = this.table.texts[position];
    const most = Math.max(8, Math.min(MOST_SHOWN, Math.floor(this.width / 10) - 22));
    const text = shortened(entry, most);
    return completed ? `${text}=${completed}` : text;
  }

  tokenWidth(position) {
    let width = this.textWidth(this.shown(position));
    if (this.figure) {
      width = Math.max(width, this.textWidth(this.figure(position), this.smallFont));
    }
    return width + this.padding;
  }

  /** Lay out anew from the paragraph on that has this position. */
  from(position = 0) {
    const { page, table } = this;
    while (this.paragraphs.length > 1 && this.starts[this.paragraphs.at(-1)] >= position) {
      this.paragraphs.pop();
    }
    const line = this.paragraphs.at(-1);
    this.starts.length = line + 1;
    this.directions.length = line;
    let [start, x, wordAt, wordX] = [this.starts[line], 0, -1, 0];
    let direction = this.directionFrom(start);
    const end = (at) => {
      this.starts.push(at);
      this.directions.push(direction);
      [start, wordAt] = [at, -1];
    };
    for (let i = start; i < table.length; i++) {
      const width = this.tokenWidth(i);
      const entry = page.entry(table, i);
      if (i > start && BEGINS_WORD.test(entry.display)) [wordAt, wordX] = [i, x];
      if (i > start && x + width > this.width) {
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

  directionFrom(position) {
    for (let i = position; i < this.table.length; i++) {
      const entry = this.page.entry(this.table, i);
      const direction = directionOf(entry);
      if (direction) return direction < 0 ? "rtl" : "ltr";
      if (entry.breaks) break;
    }
    return "ltr";
  }

  /** The line of a position. */
  lineOf(position) {
    let [low, high] = [0, this.lines - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle] <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Where the middle of a token is, in pixels from the start of its line. */
  middleOf(position) {
    let x = 0;
    for (let i = this.starts[this.lineOf(position)]; i < position; i++) x += this.tokenWidth(i);
    return x + this.tokenWidth(position) / 2;
  }

  /** The token that is nearest to so many pixels from the start of a line, or of one beyond it. */
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
