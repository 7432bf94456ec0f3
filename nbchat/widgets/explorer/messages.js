// The conversation of the request: roles, texts, their order; any message as JSON where it is more.

const ROLE_NAMES = ["system", "developer", "user", "assistant", "tool"];

/**
 * A message is any JSON: a user may be writing it.
 *
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
const isMapping = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

const asMapping = (/** @type {unknown} */ value) => (isMapping(value) ? value : {});

const roleOf = (/** @type {unknown} */ message) => String(asMapping(message).role ?? "");

/**
 * Tell whether a message is a role and a text and no more.
 *
 * @param {unknown} message
 * @returns {message is { role: string, content: string }}
 */
function isPlain(message) {
  return isMapping(message) && typeof message.content === "string" && Object.keys(message).every((key) => key === "role" || key === "content");
}

/**
 * Gives `{el, update(state), wrong}`; `panel.edit({messages})` takes what the user did.
 *
 * @param {Panel} panel
 */
function messageEditor(panel) {
  const list = h("ol", { class: "nbx-messages" });
  const problem = h("p", { class: "nbx-problem", hidden: true });
  /** @type {Map<number, string>} */
  const wrong = new Map();
  /** @type {unknown[]} */
  let messages = [];
  /** @type {Record<string, AttachmentFacts>} */
  let known = {};
  /** @type {Set<number>} */
  let asJson = new Set();

  /**
   * @param {unknown[]} next
   * @param {number} [focus]
   */
  function tell(next, focus) {
    messages = next;
    panel.edit({ messages });
    if (focus !== undefined) {
      draw();
      list.children[focus]?.querySelector("textarea")?.focus();
    }
  }
  const replaced = (/** @type {number} */ place, /** @type {unknown} */ message) => messages.map((old, other) => (other === place ? message : old));
  /**
   * @param {number} place
   * @param {number} to
   */
  function moved(place, to) {
    const next = [...messages];
    next.splice(to, 0, ...next.splice(place, 1));
    asJson = new Set();
    wrong.clear();
    tell(next, to);
  }

  /**
   * @param {unknown} message
   * @param {number} place
   */
  function row(message, place) {
    const media = hasAttachments(message, known) && !asJson.has(place) ? message.content : null;
    const isText = (isPlain(message) || media !== null) && !asJson.has(place);
    const text = media ? textOf(media) : isPlain(message) ? message.content : "";
    const now = roleOf(message);
    const roles = ROLE_NAMES.includes(now) ? ROLE_NAMES : [...ROLE_NAMES, now];
    const role = h("select", {
      class: `nbx-input nbx-role role-${now}`, "aria-label": `role of message ${place + 1}`,
      onchange: () => tell(replaced(place, { ...asMapping(messages[place]), role: role.value }), place),
    }, roles.map((name) => h("option", { value: name, selected: name === now }, name)));
    const area = h("textarea", {
      class: `nbx-input${isText ? "" : " nbx-json"}`, rows: 1, "aria-label": `text of message ${place + 1}${isText ? "" : ", JSON"}`,
      placeholder: now === "user" ? "Ask something…" : now === "system" ? "How the model is to answer…" : "",
      value: isText ? text : JSON.stringify(message, null, 2), spellcheck: isText ? "true" : "false",
      oninput: () => {
        grow(area);
        if (isText) {
          const now = asMapping(messages[place]);
          const content = Array.isArray(now.content) ? withText(now.content, area.value) : area.value;
          tell(replaced(place, { ...now, content }));
          return;
        }
        try {
          const read = JSON.parse(area.value);
          wrong.delete(place);
          tell(replaced(place, read));
        } catch (error) {
          wrong.set(place, `messages[${place}]: ${jsonProblem(area.value, error)}`);
          panel.redraw();
        }
      },
    });
    const el = h("li", { class: "nbx-message" },
      h("div", { class: "nbx-messagehead" }, role, h("span", { class: "nbx-tools" },
        now === "user" ? attachButton(panel, place) : null,
        iconButton("braces", isText ? "this message as JSON" : "this message as text", () => {
          if (isText) asJson.add(place); else asJson.delete(place);
          draw();
          list.children[place].querySelector("textarea")?.focus();
        }, { disabled: !isText && !isPlain(message) && !hasAttachments(message, known) }),
        iconButton("up", "move up", () => moved(place, place - 1), { disabled: place === 0 }),
        iconButton("down", "move down", () => moved(place, place + 1), { disabled: place === messages.length - 1 }),
        iconButton("close", "remove this message", () => {
          asJson = new Set();
          wrong.clear();
          tell(messages.filter((_, other) => other !== place), Math.max(0, place - 1));
        }))), area, media ? attachmentRow(media, known, (part) => {
      const now = asMapping(messages[place]).content;
      const rest = (Array.isArray(now) ? now : []).filter((other) => !same(other, part));
      const isBare = rest.every((other) => asMapping(other).type === "text");
      tell(replaced(place, { ...asMapping(messages[place]), content: isBare ? textOf(rest) : rest }), place);
    }) : null);
    requestAnimationFrame(() => grow(area));
    return el;
  }

  const draw = () => list.replaceChildren(...messages.map(row));
  const add = h("button", {
    type: "button", class: "nbx-quiet", onclick: () => {
      const last = roleOf(messages.at(-1));
      tell([...messages, { role: last === "user" ? "assistant" : "user", content: "" }], messages.length);
    },
  }, icon("plus"), "message");
  const system = h("button", {
    type: "button", class: "nbx-quiet", onclick: () => { asJson = new Set(); tell([{ role: "system", content: "" }, ...messages], 0); },
  }, icon("plus"), "system");

  return {
    el: h("section", { class: "nbx-conversation", "aria-label": "Messages" },
      h("div", { class: "nbx-head" }, h("h3", {}, "Messages"), system), list, problem, add),
    /**
     * @param {Form} state
     * @param {{ hasValues?: boolean }} [how]
     */
    update(state, { hasValues = true } = {}) {
      known = state.attachments;
      if (hasValues && !same(state.messages, messages)) {
        messages = state.messages;
        asJson = new Set();
        wrong.clear();
        draw();
      } else if (list.children.length !== messages.length) draw();
      system.hidden = messages.some((message) => ["system", "developer"].includes(roleOf(message)));
      const sentence = [...wrong.values()][0] ?? state.problems.messages;
      problem.textContent = sentence ?? "";
      problem.hidden = !sentence;
    },
    wrong,
  };
}
