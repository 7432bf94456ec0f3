// Shared by the panels: while one lives in the page, the picture that stands in for it is hidden.

/**
 * Mark `el` as the living view of `model`. Call it first in `render`; call what it gives back
 * in the clean-up of the view.
 *
 * @param {Model} model
 * @param {HTMLElement} el
 */
function live(model, el) {
  el.classList.add("nbchat-panel");
  const id = model.get("_stand_in_id");
  const style = document.createElement("style");
  const names = ["data-nbchat-stand-in", "data-nbchat-stand-in-more"];
  const pictures = names.map((name) => `[${name}="${CSS.escape(id)}"]`);
  style.textContent = `${pictures} { display: none; }`;
  document.head.append(style);
  // keys that are typed here are not the notebook's commands, but for the one that saves it
  /** @param {KeyboardEvent} event */
  const saves = (event) => (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s";
  /** @param {KeyboardEvent} [event] */
  const suppress = (event) => {
    el.toggleAttribute("data-lm-suppress-shortcuts", !(event && saves(event)));
  };
  suppress();
  /** @param {KeyboardEvent} event */
  const keep = (event) => saves(event) || event.stopPropagation();
  window.addEventListener("keydown", suppress, true); // before JupyterLab, which asks the document
  el.addEventListener("keydown", keep);
  return () => {
    window.removeEventListener("keydown", suppress, true);
    el.removeEventListener("keydown", keep);
    style.remove();
  };
}
