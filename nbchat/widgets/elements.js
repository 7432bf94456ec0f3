// Shared by the inspectors: elements, and what is meant by a key.

/**
 * Give an element. `properties` are attributes, and its class, text and id by their JavaScript names.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | boolean>} properties
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "className" || name === "textContent" || name === "id") made[name] = String(value);
    else made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/**
 * Give what a table has for the key that was pressed.
 *
 * @template Value
 * @param {KeyboardEvent} event
 * @param {Record<string, Value>} table
 * @returns {Value | undefined}
 */
function forKey(event, table) {
  return Object.hasOwn(table, event.key) ? table[event.key] : undefined;
}
