// The tokens of a reply, coloured by probability; the alternatives of the chosen one, at any
// temperature and top_p, from what was returned.

const WINDOW = 50;
const percent = (/** @type {number} */ p) => (p > 1.0005 ? (100 * p).toFixed(0) : p >= 0.9995 ? "100" : p >= 0.0995 ? (100 * p).toFixed(1) : p >= 0.000095 ? (100 * p).toPrecision(2) : p === 0 ? "0" : "<0.01");

/**
 * Say an interval of probability in percent.
 *
 * @param {Interval} between
 */
function interval([low, high]) {
  return percent(low) === percent(high) ? `${percent(high)} %` : `${percent(low)}–${percent(high)} %`;
}

/**
 * The tokens as a list to choose from, and what is at the chosen one; gives `{el, ask, take, …}`.
 *
 * @param {Panel} panel
 * @param {Opening["scale"]} scale
 */
function tokenView(panel, scale) {
  /** @type {Tokens | null} */
  let shown = null;
  let chosen = 0;
  /** @type {Map<number, Alternatives["rows"][number]>} */
  let rows = new Map();
  /** @type {Set<number>} */
  let asked = new Set();
  const which = h("select", { class: "nbx-input", "aria-label": "reply whose tokens are shown", onchange: () => { const [id, choice] = JSON.parse(which.value); ask(id, choice); } });
  const legend = h("div", { class: "nbx-legend" }, ...scale.map(([least, colour, ink], place) => h("span", { style: `background:${colour};color:${ink}` },
    `${Math.round(100 * least)}–${Math.round(100 * (scale[place + 1]?.[0] ?? 1))}`)), h("span", { class: "unit" }, "%"));
  const map = h("div", { class: "nbx-map", role: "listbox", tabindex: "0", "aria-label": "tokens; arrow keys choose one", dir: "ltr", onkeydown: keys, onclick: (event) => {
    const option = /** @type {Element} */ (event.target).closest("[data-place]");
    if (option) choose(Number(option.getAttribute("data-place")));
  } });
  const facts = h("p", { class: "nbx-tokenfacts", "aria-live": "polite" });
  const bars = h("div", { class: "nbx-bars", role: "list", "aria-label": "alternatives" });
  const whatIf = { temperature: dial("temperature", 0, 2, 0.01), top_p: dial("top_p", 0, 1, 0.01) };
  const back = h("button", { type: "button", class: "nbx-quiet", onclick: rest }, "as returned");
  const use = h("button", { type: "button", class: "nbx-quiet", onclick: () => panel.use({ temperature: whatIf.temperature.value(), top_p: whatIf.top_p.value() }) }, "use in the request");
  const basis = h("p", { class: "nbx-basis" });
  const none = h("div", { class: "nbx-empty" });
  const detail = h("div", { class: "nbx-detail" }, facts,
    h("div", { class: "nbx-dials" }, whatIf.temperature.el, whatIf.top_p.el, h("span", { class: "nbx-dialtools" }, back, use)), bars, basis);
  const main = h("div", { class: "nbx-tokenmain" }, h("div", { class: "nbx-tokenhead" }, which, legend), map, detail);
  const el = h("div", { class: "nbx-tokens-view" }, none, main);

  /**
   * @param {string} name
   * @param {number} low
   * @param {number} high
   * @param {number} step
   */
  function dial(name, low, high, step) {
    const output = h("output", {});
    const range = h("input", { type: "range", class: "nbx-range", min: low, max: high, step, "aria-label": `what if ${name}`, oninput: () => { draw(); } });
    return {
      el: h("label", { class: "nbx-dial" }, h("span", { class: "nbx-name" }, name), range, output),
      value: () => Number(range.value),
      set: (/** @type {number} */ value) => { range.value = String(value); },
      paint: () => { output.textContent = Number(range.value).toFixed(2); range.style.setProperty("--at", `${(100 * (Number(range.value) - low)) / (high - low)}%`); },
    };
  }
  function rest() {
    // what was returned, as it stands
    whatIf.temperature.set(shown?.is_tempered ? shown.temperature : 1);
    whatIf.top_p.set(1);
    draw();
  }

  /**
   * Ask for the tokens of a run's choice; nothing where they are here already.
   *
   * @param {string} id
   */
  function ask(id, choice = 0, isFresh = false) {
    if (!isFresh && shown && shown.id === id && shown.choice === choice) return;
    panel.send({ do: "tokens", id, choice });
  }

  /** @param {Tokens} found */
  function take(found) {
    shown = found;
    rows = new Map();
    asked = new Set();
    const hasTokens = found.display.length > 0;
    main.hidden = !hasTokens;
    none.hidden = hasTokens;
    if (!hasTokens) {
      none.replaceChildren(h("p", {}, found.why), found.can_ask ? h("button", { type: "button", class: "nbx-button", onclick: () => panel.use({ logprobs: true, top_logprobs: 5 }) }, "Switch logprobs on") : "");
      return;
    }
    which.replaceChildren(...found.others.map(([id, choice, label]) => h("option", { value: JSON.stringify([id, choice]), selected: id === found.id && choice === found.choice }, label)));
    which.hidden = found.others.length < 2;
    map.replaceChildren(...found.display.flatMap((text, place) => {
      const option = h("span", { role: "option", id: `${mapId}-${place}`, "data-place": place, "aria-selected": "false",
        "aria-label": `${found.spoken[place]}, ${spokenProb(found.prob[place])}`, style: swatch(found.prob[place]) }, h("bdi", {}, text));
      return [option, ...Array.from({ length: Math.min(2, found.breaks[place]) }, () => h("br")), h("wbr")];
    }));
    basis.textContent = found.basis;
    const first = found.prob.findIndex((p) => p !== null && p < 0.9);
    rest();
    choose(Math.max(0, first), false);
  }
  const mapId = newId("token");
  const spokenProb = (/** @type {number | null} */ p) => (p === null ? "probability not known" : interval([p, p]));

  /** @param {number | null} p */
  function swatch(p) {
    if (p === null) return "border-bottom:2px dotted";
    const [, colour, ink] = scale.findLast(([least]) => p >= least) ?? scale[0];
    return `background:${colour};color:${ink}`;
  }

  /** @param {number} place */
  function choose(place, isScrolled = true) {
    const options = map.querySelectorAll("[data-place]");
    options[chosen]?.setAttribute("aria-selected", "false");
    chosen = Math.max(0, Math.min(options.length - 1, place));
    options[chosen].setAttribute("aria-selected", "true");
    map.setAttribute("aria-activedescendant", options[chosen].id);
    if (isScrolled) options[chosen].scrollIntoView({ block: "nearest" });
    want(chosen);
    draw();
  }
  /** @param {number} place */
  function want(place) {
    const start = Math.floor(place / WINDOW) * WINDOW;
    if (!shown || asked.has(start)) return;
    asked.add(start);
    panel.send({ do: "alternatives", id: shown.id, choice: shown.choice, start, count: WINDOW });
  }
  /** @param {Alternatives} found */
  function takeRows(found) {
    if (!shown || found.id !== shown.id || found.choice !== shown.choice) return;
    for (const [k, row] of found.rows.entries()) rows.set(found.start + k, row);
    draw();
  }

  /** @param {KeyboardEvent} event */
  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const options = [...map.querySelectorAll("[data-place]")];
    const vertical = forKey(event, { ArrowUp: -1, ArrowDown: 1 });
    if (vertical) {
      event.preventDefault();
      const from = options[chosen].getBoundingClientRect();
      const isBeyond = (/** @type {DOMRect} */ box) => (vertical > 0 ? box.top > from.bottom - 4 : box.bottom < from.top + 4);
      const others = options.map((option, place) => ({ place, box: option.getBoundingClientRect() })).filter(({ box }) => isBeyond(box));
      others.sort((a, b) => Math.abs(a.box.top - from.top) - Math.abs(b.box.top - from.top) || Math.abs(a.box.left - from.left) - Math.abs(b.box.left - from.left));
      if (others.length) choose(others[0].place);
      return;
    }
    const next = moves(event, options.length, chosen, false);
    if (next !== null) choose(next);
  }

  function draw() {
    whatIf.temperature.paint();
    whatIf.top_p.paint();
    if (!shown?.display.length) return;
    const row = rows.get(chosen);
    const prob = shown.prob[chosen];
    facts.replaceChildren(h("code", {}, shown.display[chosen]), ` token ${chosen + 1} of ${shown.display.length}`,
      prob === null ? " · probability not known" : ` · ${percent(prob)} % · surprisal ${(Math.max(0, -Math.log2(prob))).toFixed(2)} bits`);
    if (!row) { bars.replaceChildren(h("p", { class: "nbx-none" }, "…")); return; }
    if (row.length === 0) { bars.replaceChildren(h("p", { class: "nbx-none" }, "No alternatives were sent for this token: set top_logprobs.")); return; }
    const wanted = whatIf.temperature.value();
    // tempered log probabilities were made at the run's temperature: only the ratio is left to do
    const ratio = shown.is_tempered && shown.temperature > 0 ? wanted / shown.temperature : wanted;
    const sum = row.reduce((total, [, logprob]) => total + (logprob === null ? 0 : Math.exp(logprob)), 0);
    if (sum > 1.001) facts.append(` · the listed ones sum to ${percent(sum)} %: this row of the server's is wrong`);
    const known = row.flatMap(([text, logprob, isSampled]) => (logprob === null ? [] : [{ text, logprob, isSampled }]));
    const made = tempered(known.map(({ logprob }) => logprob), ratio, whatIf.top_p.value(), shown.vocab_size);
    bars.replaceChildren(
      ...known.map(({ text, isSampled }, place) => bar(text, made.tokens[place], isSampled)),
      bar(null, made.unseen, false));
  }

  /**
   * @param {string | null} text
   * @param {Interval} between
   * @param {boolean} isSampled
   */
  function bar(text, [low, high], isSampled) {
    const label = text === null ? "unseen" : text;
    return h("div", { class: `nbx-bar${text === null ? " unseen" : ""}${isSampled ? " sampled" : ""}`, role: "listitem",
      "aria-label": `${label}${isSampled ? ", sampled" : ""}: ${interval([low, high])}` },
    h("span", { class: "nbx-bartoken", title: text === null ? "all tokens that were not returned, together" : text }, text === null ? "unseen" : h("code", {}, text)),
    h("span", { class: "nbx-track" }, h("span", { class: "sure", style: `width:${100 * low}%` }), h("span", { class: "maybe", style: `width:${Math.max(0, 100 * (high - low))}%` })),
    h("span", { class: "nbx-figure" }, interval([low, high])));
  }

  return { el, ask, take, takeRows, isFor: (/** @type {string} */ id) => shown?.id === id, forget: () => { shown = null; main.hidden = true; none.hidden = false; none.replaceChildren(h("p", {}, "No reply yet.")); } };
}
