// Shared by the panels: while one lives in the page, the picture that stands in for it is hidden.

/**
 * Mark `el` as the living view of `model`. Call it first in `render`; call what it gives back
 * in the clean-up of the view.
 */
function live(model, el) {
  el.classList.add("nbchat-panel");
  const id = model.get("_stand_in_id");
  const style = document.createElement("style");
  style.textContent = `[data-nbchat-stand-in="${CSS.escape(id)}"] { display: none; }`;
  document.head.append(style);
  // keys that are typed here are not the notebook's commands
  el.dataset.lmSuppressShortcuts = "true";
  const keep = (event) => event.stopPropagation();
  el.addEventListener("keydown", keep);
  return () => {
    el.removeEventListener("keydown", keep);
    style.remove();
  };
}
