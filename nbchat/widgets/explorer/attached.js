// What is attached to a message: pictures, recordings and files, shown small.

const FILE_KINDS = /** @type {[RegExp, "image" | "audio"][]} */ ([[/^image\//, "image"], [/^audio\//, "audio"]]);

/**
 * Tell whether a message is a text and attachments that the kernel knows, and no more.
 *
 * @param {unknown} message
 * @param {Record<string, AttachmentFacts>} known
 * @returns {message is { role: string, content: Record<string, unknown>[] }}
 */
function hasAttachments(message, known) {
  if (!isMapping(message) || !Array.isArray(message.content)) return false;
  const isWhole = Object.keys(message).every((key) => key === "role" || key === "content");
  const texts = message.content.filter((part) => asMapping(part).type === "text");
  const rest = message.content.filter((part) => asMapping(part).type !== "text");
  return isWhole && texts.length <= 1 && rest.length > 0 && rest.every((part) => addressOf(part, known) !== null);
}

/**
 * @param {unknown} part
 * @param {Record<string, AttachmentFacts>} known
 * @returns {string | null}
 */
function addressOf(part, known) {
  const payload = asMapping(asMapping(part)[String(asMapping(part).type)]);
  const found = Object.values(payload).find((value) => typeof value === "string" && Object.hasOwn(known, value));
  return found === undefined ? null : String(found);
}

/** @param {unknown[]} content */
const textOf = (content) => String(asMapping(content.find((part) => asMapping(part).type === "text")).text ?? "");

/**
 * Give the content with another text.
 *
 * @param {unknown[]} content
 * @param {string} text
 */
function withText(content, text) {
  const rest = content.filter((part) => asMapping(part).type !== "text");
  return [...(text ? [{ type: "text", text }] : []), ...rest];
}

/**
 * Give the row of a message's attachments; `remove(part)` is called for one that is to go.
 *
 * @param {unknown[]} content
 * @param {Record<string, AttachmentFacts>} known
 * @param {(part: unknown) => void} remove
 */
function attachmentRow(content, known, remove) {
  return h("ul", { class: "nbx-attachments", "aria-label": "attachments" }, content.flatMap((part) => {
    const facts = known[addressOf(part, known) ?? ""];
    return facts ? [h("li", {},
      facts.thumbnail ? h("img", { src: facts.thumbnail, alt: "" }) : null,
      h("span", {}, facts.facts),
      iconButton("close", `remove ${facts.facts}`, () => remove(part)))] : [];
  }));
}

/**
 * Give a button that attaches a chosen file to the message in this place.
 *
 * @param {Panel} panel
 * @param {number} place
 */
function attachButton(panel, place) {
  const chooser = h("input", { type: "file", accept: "image/*,audio/wav,audio/mpeg,application/pdf", hidden: true, "aria-hidden": "true", tabindex: "-1",
    onchange: () => { const file = chooser.files?.[0]; if (file) void attach(panel, place, file); chooser.value = ""; } });
  const button = iconButton("attach", "attach a picture, a recording or a PDF", () => chooser.click());
  return h("span", {}, button, chooser);
}

/**
 * @param {Panel} panel
 * @param {number} place
 * @param {File} file
 */
async function attach(panel, place, file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  const kind = FILE_KINDS.find(([pattern]) => pattern.test(file.type))?.[1] ?? "file";
  panel.send({ do: "attach", place, kind, name: file.name, data: btoa(text) });
}
