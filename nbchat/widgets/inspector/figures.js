// Figures of tokens as numbers, as words and as colours.

/**
 * All figures of a token, as the kernel declares them; NaN is unknown.
 *
 * @param {Table} table
 * @param {number} position
 * @returns {Figures}
 */
function figuresOf(table, position) {
  /** @type {Record<string, number>} */
  const found = {};
  for (const { name, of, factor, is_exp, missing } of declared.figures) {
    const raw = table.columns[of][position];
    const value = raw * factor + 0; // no -0
    found[name] = raw === missing ? NaN : is_exp ? Math.exp(value) : value;
  }
  return /** @type {Figures} */ (found);
}

/**
 * The figure of this name; NaN where there is none.
 *
 * @param {Partial<Figures>} figures
 * @param {string} name
 */
function figureIn(figures, name) {
  return /** @type {Record<string, number>} */ (figures)[name] ?? NaN;
}

/**
 * The number of the colour that a figure has in a scale; -1 where it is unknown.
 *
 * @param {Scale} scale
 * @param {number} value
 */
function colourOf(scale, value) {
  if (Number.isNaN(value)) return -1;
  let i = scale.floors.length - 1;
  while (i > 0 && value < scale.floors[i]) i -= 1;
  return i;
}

/** @param {number} prob */
function probWords(prob) {
  if (Number.isNaN(prob)) return "not known";
  if (prob === 0 || prob === 1) return String(prob);
  if (prob < 0.0001) return prob.toExponential(1);
  if (prob >= 0.99995) return "> 0.9999";
  return prob > 0.999 ? prob.toFixed(4) : prob.toPrecision(3);
}

/** @param {number} value */
function numberWords(value, digits = 2) {
  return Number.isNaN(value) ? "not known" : value.toFixed(digits);
}

/**
 * An entropy is an interval; where the size of the vocabulary is unknown it has no end.
 *
 * @param {number} low
 * @param {number} high
 */
function intervalWords(low, high) {
  if (Number.isNaN(low)) return "not known";
  if (Number.isNaN(high)) return `≥ ${low.toFixed(2)}`;
  const [from, to] = [low.toFixed(2), high.toFixed(2)];
  return from === to ? from : `${from} – ${to}`;
}

/** @param {Figures} figures */
function rankWords(figures) {
  if (!Number.isNaN(figures.rank)) return `${figures.rank} of ${figures.top_k.toLocaleString("en")}`;
  return figures.top_k ? `not in ${figures.top_k.toLocaleString("en")}` : "no list";
}

/**
 * The figure that the tokens are coloured by, short enough to stand below a token.
 *
 * @param {string} name
 * @param {Figures} figures
 */
function shortWords(name, figures) {
  const value = figureIn(figures, name);
  if (Number.isNaN(value)) return "?";
  if (name === "rank") return String(value);
  if (name === "surprisal_bits" || name === "entropy_lo_bits") return value.toFixed(1);
  if (value < 0.0005) return value === 0 ? "0" : value.toExponential(0);
  return value >= 0.9995 ? "1.00" : value.toFixed(value < 0.1 ? 3 : 2).replace(/^0/, "");
}

/**
 * The figures of a token as pairs of name and words, in the order of the detail line.
 *
 * @param {Figures} figures
 * @returns {[name: string, words: string][]}
 */
function facts(figures) {
  return [
    [labelOf("prob"), probWords(figures.prob)],
    [labelOf("surprisal_bits"), numberWords(figures.surprisal_bits)],
    [labelOf("logprob"), numberWords(figures.logprob, 3)],
    [labelOf("rank"), rankWords(figures)],
    [labelOf("entropy_lo_bits").replace(/, at least/, ""), intervalWords(figures.entropy_lo_bits, figures.entropy_hi_bits)],
    [labelOf("margin"), probWords(figures.margin)],
  ];
}

/**
 * The label of a figure with its unit.
 *
 * @param {keyof Figures} name
 */
function labelOf(name) {
  const figure = declared.figures.find((each) => each.name === name);
  return figure ? [figure.label, figure.unit].filter(Boolean).join(", ") : name;
}

/** @param {string | null} bytes */
function bytesWords(bytes, most = 24) {
  if (bytes === null) return "not sent";
  if (bytes === "") return "none";
  return bytes.length > 3 * most ? `${bytes.slice(0, 3 * most)}…` : bytes;
}

/**
 * What is said aloud of a token.
 *
 * @param {Entry} entry
 * @param {Figures} figures
 * @param {number} flags
 */
function spoken(entry, figures, flags) {
  const name = hasFlag(flags, "is_special") ? "end token" : entry.display.replaceAll("␣", " ").trim() || "blank";
  return `${name.slice(0, 80)}, probability ${probWords(figures.prob)}`;
}
