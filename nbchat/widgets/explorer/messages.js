// The conversation of the request: roles, texts, their order; any message as JSON where it is more.

const ROLE_NAMES = ["system", "developer", "user", "assistant", "tool"];

/** Tell whether a message is a role and a text and no more. */
function isPlain(message) {
  return typeof message?.content === "string" && Object.keys(message).every((key) => key === "role" || key === "content");
}

/** Gives `{el, update(state), wrong}`; `panel.edit({messages})` takes what the user did. */
function messageEditor(panel) {
  const list = h("ol", { class: "nbx-messages" });
  const problem = h("p", { class: "nbx-problem", hidden: true });
  const wrong = new Map();
  let messages = [];
  let asJson = new Set();

  function tell(next, focus) {
    messages = next;
    panel.edit({ messages });
    if (focus !== undefined) {
      draw();
      list.children[focus]?.querySelector("textarea")?.focus();
    }
  }
  const replaced = (place, message) => messages.map((old, other) => (other === place ? message : old));
  function moved(place, to) {
    const next = [...messages];
    next.splice(to, 0, ...next.splice(place, 1));
    asJson = new Set();
    wrong.clear();
    tell(next, to);
  }

  function row(message, place) {
    const isText = isPlain(message) && !asJson.has(place);
    const roles = ROLE_NAMES.includes(message.role) ? ROLE_NAMES : [...ROLE_NAMES, String(message.role)];
    const role = h("select", {
      class: `nbx-input nbx-role role-${message.role}`, "aria-label": `role of message ${place + 1}`,
      onchange: () => tell(replaced(place, { ...messages[place], role: role.value }), place),
    }, roles.map((name) => h("option", { value: name, selected: name === message.role }, name)));
    const area = h("textarea", {
      class: `nbx-input${isText ? "" : " nbx-json"}`, rows: 1, "aria-label": `text of message ${place + 1}${isText ? "" : ", JSON"}`,
      placeholder: message.role === "user" ? "Ask something…" : message.role === "system" ? "How the model is to answer…" : "",
      value: isText ? message.content : JSON.stringify(message, null, 2), spellcheck: isText ? "true" : "false",
      oninput: () => {
        grow(area);
        if (isText) { tell(replaced(place, { ...messages[place], content: area.value })); return; }
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
        iconButton("braces", isText ? "this message as JSON" : "this message as text", () => {
          if (isText) asJson.add(place); else asJson.delete(place);
          draw();
          list.children[place].querySelector("textarea").focus();
        }, { disabled: !isText && !isPlain(message) }),
        iconButton("up", "move up", () => moved(place, place - 1), { disabled: place === 0 }),
        iconButton("down", "move down", () => moved(place, place + 1), { disabled: place === messages.length - 1 }),
        iconButton("close", "remove this message", () => {
          asJson = new Set();
          wrong.clear();
          tell(messages.filter((_, other) => other !== place), Math.max(0, place - 1));
        }))), area);
    requestAnimationFrame(() => grow(area));
    return el;
  }

  const draw = () => list.replaceChildren(...messages.map(row));
  const add = h("button", {
    type: "button", class: "nbx-quiet", onclick: () => {
      const last = messages[messages.length - 1]?.role;
      tell([...messages, { role: last === "user" ? "assistant" : "user", content: "" }], messages.length);
    },
  }, icon("plus"), "message");
  const system = h("button", {
    type: "button", class: "nbx-quiet", onclick: () => { asJson = new Set(); tell([{ role: "system", content: "" }, ...messages], 0); },
  }, icon("plus"), "system");

  return {
    el: h("section", { class: "nbx-conversation", "aria-label": "Messages" },
      h("div", { class: "nbx-head" }, h("h3", {}, "Messages"), system), list, problem, add),
    update(state, { hasValues = true } = {}) {
      if (hasValues && !same(state.messages, messages)) {
        messages = state.messages;
        asJson = new Set();
        wrong.clear();
        draw();
      } else if (list.children.length !== messages.length) draw();
      system.hidden = messages.some((message) => message?.role === "system" || message?.role === "developer");
      const sentence = [...wrong.values()][0] ?? state.problems.messages;
      problem.textContent = sentence ?? "";
      problem.hidden = !sentence;
    },
    wrong,
  };
}
