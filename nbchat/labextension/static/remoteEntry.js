// JupyterLab and Notebook 7: a cell that begins with %%chat is text, and is coloured as such.
//
// This is a federated module as JupyterLab loads them, written by hand: nothing is built. The editor
// goes on parsing the cell as Python; a class at the editor takes the colours of that away, and marks
// give the template's and the flags' their own.
(() => {
  const BEGINS = /^%%(?:nb)?chat(?:\s|$)/;
  const FIRST_LINE = /(?<magic>^%%(?:nb)?chat)|(?<flag>(?<=\s)--?[a-z][\w-]*)/gi;
  const TEMPLATE = /\{\{[^\n]*?\}\}|\{%[^\n]*?%\}|\{#[^\n]*?#\}/g;
  const NEEDED = ["@jupyterlab/codemirror", "@codemirror/view"];
  const STYLE = `
    .nbchat-chat-cell .cm-line, .nbchat-chat-cell .cm-line span {
      color: var(--jp-mirror-editor-text-color, var(--jp-content-font-color1)) !important;
      font-weight: normal !important; font-style: normal !important;
      text-decoration: none !important;
    }
    .nbchat-chat-cell .cm-line .nbchat-magic, .nbchat-chat-cell .cm-line .nbchat-magic span {
      color: var(--jp-mirror-editor-meta-color) !important; font-weight: bold !important;
    }
    .nbchat-chat-cell .cm-line .nbchat-flag, .nbchat-chat-cell .cm-line .nbchat-flag span {
      color: var(--jp-mirror-editor-keyword-color) !important;
    }
    .nbchat-chat-cell .cm-line .nbchat-template, .nbchat-chat-cell .cm-line .nbchat-template span {
      color: var(--jp-mirror-editor-def-color, var(--jp-mirror-editor-variable-2-color)) !important;
    }
    .nbchat-chat-cell .cm-matchingBracket, .nbchat-chat-cell .cm-nonmatchingBracket {
      background: none !important; outline: none !important;
    }`;

  /** Shared modules of the page, by name and version. */
  let shared;

  const load = async (name) => {
    const versions = Object.values(shared[name]);
    const chosen = versions.find((each) => each.loaded) ?? versions[0];
    return (await chosen.get())();
  };

  const firstLine = (state) => state.doc.line(1).text;

  const marksOf = (view, { Decoration }) => {
    const marks = [];
    if (!BEGINS.test(firstLine(view.state))) return Decoration.none;
    const head = firstLine(view.state);
    for (const match of head.matchAll(FIRST_LINE)) {
      const name = match.groups.magic === undefined ? "nbchat-flag" : "nbchat-magic";
      const from = match.index;
      marks.push(Decoration.mark({ class: name }).range(from, from + match[0].length));
    }
    for (const { from, to } of view.visibleRanges) {
      const start = Math.max(view.state.doc.lineAt(from).from, head.length);
      const text = view.state.doc.sliceString(start, to);
      for (const match of text.matchAll(TEMPLATE)) {
        const at = start + match.index;
        const mark = Decoration.mark({ class: "nbchat-template" });
        marks.push(mark.range(at, at + match[0].length));
      }
    }
    return Decoration.set(marks, true);
  };

  const chatCells = (codemirror) => [
    codemirror.EditorView.editorAttributes.of((view) =>
      BEGINS.test(firstLine(view.state)) ? { class: "nbchat-chat-cell" } : null,
    ),
    codemirror.ViewPlugin.define(
      (view) => ({
        marks: marksOf(view, codemirror),
        update(change) {
          if (change.docChanged || change.viewportChanged) this.marks = marksOf(view, codemirror);
        },
      }),
      { decorations: (plugin) => plugin.marks },
    ),
  ];

  const extension = async () => {
    // what loads extensions and has no editors, as voila, gets none
    if (!NEEDED.every((name) => Object.keys(shared[name] ?? {}).length)) return [];
    const [editors, view] = await Promise.all(NEEDED.map(load));
    const style = document.createElement("style");
    style.textContent = STYLE;
    document.head.append(style);
    return {
      id: "nbchat-jupyter:chat-cells",
      description: "Colours cells that begin with %%chat as text.",
      autoStart: true,
      requires: [editors.IEditorExtensionRegistry],
      activate: (_app, registry) => {
        registry.addExtension({
          name: "nbchat-chat-cells",
          factory: () =>
            editors.EditorExtensionRegistry.createImmutableExtension(chatCells(view)),
        });
      },
    };
  };

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB["nbchat-jupyter"] = {
    init: (scope) => {
      shared = scope;
    },
    get: async (name) => {
      if (name !== "./extension") throw new Error(`nbchat: there is no module ${name}`);
      const plugin = await extension();
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
