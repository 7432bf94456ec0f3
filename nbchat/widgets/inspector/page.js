// What the browser knows of the runs: columns of numbers for the tokens, each distinct token once.

const TYPES = {
  code: Int32Array,
  logprob: Float64Array,
  entropy_lo: Float32Array,
  entropy_hi: Float32Array,
  margin: Float32Array,
  tail_mass: Float32Array,
  rank: Int32Array,
  top_k: Int32Array,
  flags: Uint8Array,
  offsets: Uint32Array,
};
const TOKEN_COLUMNS = Object.keys(TYPES).filter((name) => name !== "offsets");
const IS = { special: 1, partial: 2, censored: 4, inTop: 8 };
const IS_ALTERNATIVE = { sampled: 1, listed: 2 };

/** Read columns: `views` has a DataView for each name. A view need not begin at a multiple of 8. */
function columnsOf(views) {
  const columns = {};
  for (const [name, view] of Object.entries(views)) {
    const { buffer, byteOffset, byteLength } = view;
    columns[name] = new TYPES[name](buffer.slice(byteOffset, byteOffset + byteLength));
  }
  return columns;
}

function named(names, buffers) {
  return Object.fromEntries(names.map((name, i) => [name, buffers[i]]));
}

/**
 * The state of all views of one model. Events: "runs" (one came or changed; detail: open, a run
 * that is to be shown), "tokens" (detail: key, start), "alternatives" (detail: key), "selected",
 * "work" (a branch is being written, or is no more).
 */
class Page extends EventTarget {
  constructor(model) {
    super();
    this.model = model;
    this.entries = new Map();
    this.tables = new Map();
    this.runs = [];
    this.asked = new Set();
    const state = model.get("_page");
    this.scales = state.scales;
    this.runs = state.runs;
    this.branches = state.branches;
    this.learn(state.entries);
    for (const described of state.tables) this.take(described, columnsOf(described.columns), 0);
    model.on("change:_at", () => this.tell("selected"));
    model.on("change:_work", () => this.tell("work"));
    model.on("msg:custom", (content, buffers) => this.hear(content, buffers));
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

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

  hear(content, buffers) {
    if (content.entries) this.learn(content.entries);
    if (content.type === "changes") {
      this.runs[content.run.number] = content.run;
      let at = 0;
      for (const described of content.tables) {
        const names = described.buffers;
        const columns = columnsOf(named(names, buffers.slice(at, at + names.length)));
        at += names.length;
        this.take(described, columns, described.start);
        this.tell("tokens", { key: described.key, start: described.start });
      }
      this.tell("runs", {});
    } else if (content.type === "alternatives") {
      this.asked.delete(`${content.key} ${content.start}`);
      const block = { ...columnsOf(named(content.buffers, buffers)), ...content };
      this.tables.get(content.key)?.blocks.push(block);
      this.tell("alternatives", { key: content.key });
    } else if (content.type === "branches") {
      this.branches = content.branches;
      for (const { number, branch_id, label } of content.branches) {
        this.runs[number].label = `branch ${branch_id} · ${label}`;
      }
      this.tell("runs", { open: content.open });
    }
  }

  /** Put columns in from position `start` on; what stood there is replaced. */
  take(described, columns, start) {
    const before = this.tables.get(described.key);
    const length = start + columns.code.length;
    for (const name of TOKEN_COLUMNS) {
      if (start === 0 || !before) continue;
      const whole = new TYPES[name](length);
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

  /** Ask the kernel for another token in the place of the chosen one, and for n ways on. */
  branch({ table, position }, row, n) {
    this.model.send({ type: "branch", key: table.key, position, row, n });
  }

  stop() {
    this.model.send({ type: "stop" });
  }

  /** Whether the token was put there by a branch, and not drawn. */
  isPutHere(table, position) {
    return this.branches.some(
      (b) => b.number === table.run && b.position === position && b.method !== "resampling",
    );
  }

  contentOf(run) {
    return this.tablesOf(run).find((table) => table.channel === "content");
  }

  tablesOf(run) {
    return [...this.tables.values()].filter((table) => table.run === run);
  }

  entry(table, position) {
    return this.entries.get(table.columns.code[position]);
  }

  is(table, position, flag) {
    return (table.columns.flags[position] & flag) !== 0;
  }

  get selected() {
    const [key, position] = this.model.get("_at");
    const table = this.tables.get(key);
    return table && position < table.length ? { key, position, table } : null;
  }

  select(key, position) {
    const now = this.selected;
    if (now && now.key === key && now.position === position) return;
    this.model.set("_at", [key, position]);
    this.model.save_changes();
  }

  /** The alternatives of a position, or null: then they are on their way. */
  alternatives(table, position) {
    const block = table.blocks.findLast((b) => b.start <= position && position < b.stop);
    if (!block) {
      this.ask(table, position);
      return null;
    }
    const rows = [];
    const at = position - block.start;
    let cumulated = 0;
    for (let i = block.offsets[at]; i < block.offsets[at + 1]; i++) {
      const logprob = block.logprob[i];
      const prob = Math.exp(logprob);
      cumulated += Number.isNaN(prob) ? 0 : prob;
      rows.push({
        entry: this.entries.get(block.code[i]),
        code: block.code[i],
        logprob,
        prob,
        cumulated,
        isSampled: (block.flags[i] & IS_ALTERNATIVE.sampled) !== 0,
        isListed: (block.flags[i] & IS_ALTERNATIVE.listed) !== 0,
      });
    }
    return rows;
  }

  ask(table, position) {
    const start = position - (position % BLOCK);
    const question = `${table.key} ${start}`;
    if (this.asked.has(question)) return;
    this.asked.add(question);
    this.model.send({ type: "alternatives", key: table.key, position });
  }
}

// as many positions as the kernel answers with
const BLOCK = 128;
