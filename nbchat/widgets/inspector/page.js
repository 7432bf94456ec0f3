// What the browser knows of the runs: columns of numbers for the tokens, each distinct token once.

/** The types of columns, by the names that the kernel has for them.
 * @type {Record<string, new (numbers: ArrayBuffer | number) => Numbers>} */
const NUMBERS = {
  float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array, uint32: Uint32Array,
};
/** What the kernel declares of a token's columns, flags and figures: one and the same for all pages.
 * @type {{ types: Types | null, flags: Flags | null, figures: Figure[] }} */
const declared = { types: null, flags: null, figures: [] };

/** @param {string} name */
function typeOf(name) {
  /** @type {Record<string, string>} */
  const types = { ...declared.types?.alternatives, ...declared.types?.tokens };
  return NUMBERS[types[name]];
}

/**
 * Tell whether the flag of this name is among those of a token.
 *
 * @param {number} flags
 * @param {keyof Flags["tokens"]} name
 */
const hasFlag = (flags, name) => (flags & (declared.flags?.tokens[name] ?? 0)) !== 0;

/**
 * Give bytes that came as base64, since what stands between may take text alone.
 *
 * @param {DataView | string} sent
 */
function viewOf(sent) {
  if (typeof sent !== "string") return sent;
  const letters = atob(sent);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return new DataView(bytes.buffer);
}

/**
 * Read columns: `views` has bytes for each name. A view need not begin at a multiple of 8.
 *
 * @template {string} Name
 * @param {Record<Name, DataView | string>} views
 * @returns {Record<Name, Numbers>}
 */
function columnsOf(views) {
  const columns = /** @type {Record<Name, Numbers>} */ ({});
  for (const name of /** @type {Name[]} */ (Object.keys(views))) {
    const { buffer, byteOffset, byteLength } = viewOf(views[name]);
    columns[name] = new (typeOf(name))(/** @type {ArrayBuffer} */ (buffer).slice(byteOffset, byteOffset + byteLength));
  }
  return columns;
}

/**
 * @template {string} Name
 * @param {Name[]} names
 * @param {(DataView | string)[]} bytes
 */
function named(names, bytes) {
  return /** @type {Record<Name, DataView | string>} */ (Object.fromEntries(names.map((name, i) => [name, bytes[i]])));
}

/**
 * The state of all views of one model. Events: "runs" (one came or changed; detail: open, a run
 * that is to be shown), "tokens" (detail: key, start), "alternatives" (detail: key), "selected",
 * "work" (a branch is being written, or is no more).
 */
class Page extends EventTarget {
  /**
   * `isAlone`: there is no kernel, as in a page of its own.
   *
   * @param {Model} model
   */
  constructor(model, isAlone = false) {
    super();
    this.model = model;
    this.isAlone = isAlone;
    /** @type {Map<number, Entry>} */
    this.entries = new Map();
    /** @type {Map<string, Table>} */
    this.tables = new Map();
    /** @type {Set<string>} */
    this.asked = new Set();
    /** @type {{ [Type in FromKernel["type"]]: (content: Extract<FromKernel, { type: Type }>) => void }} */
    this.takes = {
      changes: (content) => this.takeChanges(content),
      alternatives: (content) => this.takeBlock(content),
      branches: (content) => this.takeBranches(content),
    };
    const state = model.get("_page");
    Object.assign(declared, { types: state.types, flags: state.flags, figures: state.figures });
    this.scales = state.scales;
    this.runs = state.runs;
    this.branches = state.branches;
    /** What the reader has chosen; the kernel hears of it a little later.
     * @type {Traits["_at"]} */
    this.at = model.get("_at");
    this.timer = 0;
    this.isToTell = false;
    this.learn(state.entries);
    for (const described of state.tables) {
      this.take(described, columnsOf(described.columns), 0);
    }
    model.on("change:_at", () => this.hearAt());
    model.on("change:_work", () => this.tell("work"));
    model.on("msg:custom", (content) => this.hear(content));
  }

  /**
   * @template {keyof PageEvents} Type
   * @param {Type} type
   * @param {PageEvents[Type]} [detail]
   */
  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {Entries} entries */
  learn(entries) {
    entries.code.forEach((code, i) => {
      this.entries.set(code, {
        display: entries.display[i],
        chars: entries.chars[i],
        bytes: entries.bytes[i],
        id: entries.id[i],
        breaks: entries.breaks[i],
      });
    });
  }

  /** @param {FromKernel} content */
  hear(content) {
    if ("entries" in content) this.learn(content.entries);
    /** @type {Record<string, (content: never) => void>} */
    const takes = this.takes;
    takes[content.type]?.(/** @type {never} */ (content));
  }

  /** @param {Changes} content */
  takeChanges(content) {
    this.runs[content.run.number] = content.run;
    let at = 0;
    for (const described of content.tables) {
      const names = described.buffers;
      const columns = columnsOf(named(names, (content.packed ?? []).slice(at, at + names.length)));
      at += names.length;
      this.take(described, columns, described.start);
      this.tell("tokens", { key: described.key, start: described.start });
    }
    this.tell("runs", {});
  }

  /** @param {Block} content */
  takeBlock(content) {
    this.asked.delete(`${content.key} ${content.start}`);
    const columns = columnsOf(named(content.buffers, content.packed ?? []));
    this.tables.get(content.key)?.blocks.push({ ...columns, start: content.start, stop: content.stop });
    this.tell("alternatives", { key: content.key });
  }

  /** @param {Branches} content */
  takeBranches(content) {
    this.branches = content.branches;
    for (const { number, branch_id, label } of content.branches) {
      this.runs[number].label = `branch ${branch_id} · ${label}`;
    }
    this.tell("runs", { open: content.open });
  }

  /**
   * Put columns in from position `start` on; what stood there is replaced.
   *
   * @param {TableFacts & { alternatives?: Stretch }} described
   * @param {TokenColumns} columns
   * @param {number} start
   */
  take(described, columns, start) {
    const before = this.tables.get(described.key);
    const length = start + columns.code.length;
    for (const name of /** @type {TokenColumn[]} */ (Object.keys(columns))) {
      if (start === 0 || !before) continue;
      const whole = new (typeOf(name))(length);
      whole.set(before.columns[name].subarray(0, start));
      whole.set(columns[name], start);
      columns[name] = whole;
    }
    const blocks = (before?.blocks ?? []).filter((block) => block.stop <= start);
    if (described.alternatives) {
      const { start: first, stop, ...views } = described.alternatives;
      blocks.push({ ...columnsOf(views), start: first, stop });
    }
    const { key, run, choice, channel, texts } = described;
    this.tables.set(key, { key, run, choice, channel, texts, columns, blocks, length });
  }

  get work() {
    return this.model.get("_work");
  }

  /**
   * Ask the kernel for another token in the place of the chosen one, and for n ways on.
   *
   * @param {{ table: Table, position: number }} chosen
   * @param {number} row
   * @param {number} n
   */
  branch({ table, position }, row, n) {
    this.model.send({ type: "branch", key: table.key, position, row, n });
  }

  /**
   * Ask the kernel for the likeliest ways on from the chosen token.
   *
   * @param {{ table: Table, position: number }} chosen
   */
  tree({ table, position }) {
    this.model.send({ type: "tree", key: table.key, position });
  }

  /**
   * Ask the kernel for a row for each token of a run.
   *
   * @param {number} number
   */
  rescore(number) {
    this.model.send({ type: "rescore", number });
  }

  stop() {
    this.model.send({ type: "stop" });
  }

  /**
   * Whether the token was put there by a branch, and not drawn.
   *
   * @param {Table} table
   * @param {number} position
   */
  isPutHere(table, position) {
    return this.branches.some(
      (b) => b.number === table.run && b.position === position && b.method !== "resampling",
    );
  }

  /** @param {number} run */
  contentOf(run) {
    return this.tablesOf(run).find((table) => table.channel === "content");
  }

  /** @param {number} run */
  tablesOf(run) {
    return [...this.tables.values()].filter((table) => table.run === run);
  }

  /**
   * @param {Table} table
   * @param {number} position
   */
  entry(table, position) {
    return this.known(table.columns.code[position]);
  }

  /**
   * The token under a code: the kernel tells a token before it uses its code.
   *
   * @param {number} code
   */
  known(code) {
    return /** @type {Entry} */ (this.entries.get(code));
  }

  /**
   * @param {Table} table
   * @param {number} position
   * @param {keyof Flags["tokens"]} flag
   */
  is(table, position, flag) {
    return hasFlag(table.columns.flags[position], flag);
  }

  get selected() {
    const { at } = this;
    if (!at.length) return null;
    const [key, position] = at;
    const table = this.tables.get(key);
    return table && position < table.length ? { key, position, table } : null;
  }

  /**
   * @param {string} key
   * @param {number} position
   */
  select(key, position) {
    const now = this.selected;
    if (now && now.key === key && now.position === position) return;
    this.at = [key, position];
    this.tell("selected");
    this.tellKernel();
  }

  /** The kernel, or another page, has chosen. */
  hearAt() {
    const at = this.model.get("_at");
    // what the reader chose meanwhile is newer
    if (this.isToTell || (at[0] === this.at[0] && at[1] === this.at[1])) return;
    this.at = at;
    this.tell("selected");
  }

  /** Tell what is chosen at once, but while an arrow key is held only now and then. */
  tellKernel() {
    this.isToTell = this.timer !== 0;
    if (this.isToTell) return;
    this.model.set("_at", this.at);
    this.model.save_changes();
    this.timer = setTimeout(() => this.tellNow(), TOLD_EVERY_MS);
  }

  /** Tell what has not been told: who runs a cell now sees what is chosen. */
  tellNow() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.isToTell) this.tellKernel();
  }

  /**
   * The alternatives of a position, or null: then they are on their way.
   *
   * @param {Table} table
   * @param {number} position
   */
  alternatives(table, position) {
    const block = table.blocks.findLast((b) => b.start <= position && position < b.stop);
    if (!block) {
      this.ask(table, position);
      return null;
    }
    /** @type {Alternative[]} */
    const rows = [];
    const at = position - block.start;
    let cumulated = 0;
    for (let i = block.offsets[at]; i < block.offsets[at + 1]; i++) {
      const logprob = block.logprob[i];
      const prob = Math.exp(logprob);
      cumulated += Number.isNaN(prob) ? 0 : prob;
      rows.push({
        entry: this.known(block.code[i]),
        code: block.code[i],
        logprob,
        prob,
        cumulated,
        isSampled: (block.flags[i] & (declared.flags?.alternatives.is_sampled ?? 0)) !== 0,
        isListed: (block.flags[i] & (declared.flags?.alternatives.is_listed ?? 0)) !== 0,
      });
    }
    return rows;
  }

  /**
   * @param {Table} table
   * @param {number} position
   */
  ask(table, position) {
    const start = position - (position % BLOCK);
    const question = `${table.key} ${start}`;
    if (this.asked.has(question)) return;
    this.asked.add(question);
    this.model.send({ type: "alternatives", key: table.key, position });
  }
}

// a message and all that is said about it are some 4.6 kB
const TOLD_EVERY_MS = 700;
// as many positions as the kernel answers with
const BLOCK = 128;
