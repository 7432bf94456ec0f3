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
 * Give the text of a message that is shown as one, and what is said beside it; null where it is
 * more than a text.
 *
 * @param {unknown} message
 * @param {unknown[]} before
 * @param {Record<string, AttachmentFacts>} known
 * @returns {{ text: string, media: unknown[] | null, beside: string[] } | null}
 */
function asShown(message, before, known) {
  if (hasAttachments(message, known)) return { text: textOf(message.content), media: message.content, beside: [] };
  if (isPlain(message)) return { text: message.content, media: null, beside: [] };
  if (!isMapping(message)) return null;
  if (message.role === "tool" && typeof message.content === "string" && Object.keys(message).every((key) => ["role", "content", "tool_call_id"].includes(key))) {
    const call = before.flatMap((other) => callsOf(other)).find((each) => each.id === message.tool_call_id);
    return { text: message.content, media: null, beside: call ? [`result of ${saidCall(call)}`] : [] };
  }
  const calls = callsOf(message);
  if (message.role !== "assistant" || !calls.length || !(message.content === null || typeof message.content === "string")) return null;
  return { text: message.content ?? "", media: null, beside: calls.map(saidCall) };
}

/**
 * @param {unknown} message
 * @returns {Record<string, unknown>[]}
 */
const callsOf = (message) => { const calls = asMapping(message).tool_calls; return Array.isArray(calls) ? calls.map(asMapping) : []; };

/** @param {Record<string, unknown>} call */
function saidCall(call) {
  const body = asMapping(call.function ?? call.custom);
  return `${body.name ?? ""}(${body.arguments ?? body.input ?? ""})`;
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
  /** @type {string[]} */
  let callable = [];
  /** @type {Set<number>} */
  let asJson = new Set();

  /**
   * @param {unknown[]} next
   * @param {number} [focus]
   * @param {string} [undo] a sentence, where it can be undone
   */
  function tell(next, focus, undo) {
    messages = next;
    panel.edit(undo ? { messages, undo } : { messages });
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
    const shown = asShown(message, messages.slice(0, place), known);
    const isText = shown !== null && !asJson.has(place);
    const media = isText ? shown.media : null;
    const text = shown?.text ?? "";
    const calledName = /^result of ([\w.-]+)\(/.exec(shown?.beside[0] ?? "")?.[1];
    const now = roleOf(message);
    const roles = ROLE_NAMES.includes(now) ? ROLE_NAMES : [...ROLE_NAMES, now];
    const role = h("select", {
      class: `nbx-input nbx-role role-${now}`, "aria-label": `role of message ${place + 1}`,
      onchange: () => tell(replaced(place, { ...asMapping(messages[place]), role: role.value }), place),
    }, roles.map((name) => h("option", { value: name, selected: name === now }, name)));
    const written = isText ? text : JSON.stringify(message, null, 2);
    const area = directed(sizable(h("textarea", {
      dir: directionFor(written),
      class: `nbx-input${isText ? "" : " nbx-json"}`, rows: 1, "aria-label": `text of message ${place + 1}${isText ? "" : ", JSON"}`,
      placeholder: { user: "Ask something…", system: "How the model is to answer…", tool: "What came of the call…" }[now] ?? "",
      value: written, spellcheck: isText ? "true" : "false",
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
          wrong.set(place, `message ${place + 1}: ${jsonProblem(area.value, error)}`);
          panel.redraw();
        }
      },
    })));
    const el = h("li", { class: "nbx-message" },
      h("div", { class: "nbx-messagehead" }, role, h("span", { class: "nbx-tools" },
        calledName && callable.includes(calledName) ? h("button", { type: "button", class: "nbx-quiet", title: `call ${calledName} and put what it gives here`, onclick: () => panel.send({ do: "call", place }) }, icon("run"), `call ${calledName}`) : null,
        now === "user" ? attachButton(panel, place) : null,
        iconButton("large", "open large", () => panel.large(`message ${place + 1}`, area, !isText)),
        iconButton("braces", isText ? "this message as JSON" : "this message as text", () => {
          if (isText) asJson.add(place); else asJson.delete(place);
          draw();
          list.children[place].querySelector("textarea")?.focus();
        }, { disabled: !isText && shown === null }),
        iconButton("up", "move up", () => moved(place, place - 1), { disabled: place === 0 }),
        iconButton("down", "move down", () => moved(place, place + 1), { disabled: place === messages.length - 1 }),
        iconButton("close", "remove this message", () => {
          asJson = new Set();
          wrong.clear();
          tell(messages.filter((_, other) => other !== place), Math.max(0, place - 1), `Message ${place + 1} is removed.`);
        }))), isText && shown.beside.length ? h("ul", { class: "nbx-beside" }, shown.beside.map((each) => h("li", {}, h("code", {}, each)))) : null, area, media ? attachmentRow(media, known, (part) => {
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

  const paste = pasteBox(panel);
  const dropped = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  list.addEventListener("dragover", (event) => { if (dropped(event)) { event.preventDefault(); list.classList.add("dropping"); } });
  list.addEventListener("dragleave", () => list.classList.remove("dropping"));
  list.addEventListener("drop", (event) => {
    list.classList.remove("dropping");
    if (!dropped(event)) return;
    event.preventDefault();
    const over = [...list.children].findIndex((each) => each.contains(/** @type {Node} */ (event.target)));
    const last = messages.findLastIndex((message) => roleOf(message) === "user");
    const place = over >= 0 && roleOf(messages[over]) === "user" ? over : last;
    for (const file of event.dataTransfer?.files ?? []) if (place >= 0) void attach(panel, place, file);
  });

  return {
    paste,
    el: h("section", { class: "nbx-conversation", "aria-label": "Messages" },
      h("div", { class: "nbx-head" }, h("h3", {}, "Messages"), paste.button, system), paste.el, list, problem, add),
    /**
     * @param {Form} state
     * @param {{ hasValues?: boolean }} [how]
     */
    update(state, { hasValues = true } = {}) {
      known = state.attachments;
      const couldCall = callable;
      callable = state.callable;
      if (hasValues && !same(state.messages, messages)) {
        messages = state.messages;
        asJson = new Set();
        wrong.clear();
        draw();
      } else if (list.children.length !== messages.length || !same(couldCall, callable)) draw();
      system.hidden = messages.some((message) => ["system", "developer"].includes(roleOf(message)));
      const sentence = [...wrong.values()][0] ?? state.problems.messages;
      problem.textContent = sentence ?? "";
      problem.hidden = !sentence;
    },
    wrong,
  };
}
