// Calls of functions that wait for a yes: what would run stands there, letter for letter.

/**
 * Gives `{el, take(questions)}`.
 *
 * @param {Panel} panel
 */
function questionView(panel) {
  const el = h("div", { class: "nbx-questions", role: "alert", hidden: true });
  return {
    el,
    /** @param {OpenQuestion[]} questions */
    take(questions) {
      const answer = (/** @type {string} */ id, /** @type {boolean} */ yes) => panel.send({ do: "answer", id, yes });
      el.replaceChildren(...questions.map(({ id, text }) => h("div", { class: "nbx-question" },
        h("span", {}, "Call this function?"), h("code", {}, text),
        h("button", { type: "button", class: "nbx-button primary", onclick: () => answer(id, true) }, "Call"),
        h("button", { type: "button", class: "nbx-button", onclick: () => answer(id, false) }, "Decline"))));
      el.hidden = questions.length === 0;
    },
  };
}
