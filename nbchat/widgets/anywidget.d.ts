// What anywidget hands to a script: as much of it as the panels use. Traits, FromPage and
// FromKernel are each panel's own, and stand in its protocol.d.ts.

interface Model {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  save_changes(): void;
  send(content: FromPage): void;
  on(event: "msg:custom", take: (content: FromKernel, buffers: DataView[]) => void): void;
  on(event: `change:${keyof Traits}` | "comm_live_update", take: () => void): void;
  off(event: "msg:custom", take: (content: FromKernel, buffers: DataView[]) => void): void;
  off(event: `change:${keyof Traits}` | "comm_live_update", take: () => void): void;
  /** Only JupyterLab and Notebook 7 have the notebook, its kernel and MathJax here. */
  widget_manager?: {
    /** Other widgets of the page, and views of them. */
    get_model?(id: string): Promise<unknown>;
    create_view?(model: unknown): Promise<WidgetView>;
    context?: { model?: { sharedModel?: Notebook }; sessionContext?: SessionContext };
    rendermime?: { latexTypesetter?: { typeset(el: HTMLElement): void } | null };
  };
}

interface WidgetView {
  el: HTMLElement;
  remove(): void;
}

interface Signal {
  connect(slot: (sender: unknown, news: unknown) => void): void;
  disconnect(slot: (sender: unknown, news: unknown) => void): void;
}

interface SessionContext {
  statusChanged: Signal;
  connectionStatusChanged: Signal;
  kernelChanged: Signal;
  session?: { kernel?: { connectionStatus: string } | null } | null;
}

interface Notebook {
  readonly cells: NotebookCell[];
  insertCell(place: number, cell: object): NotebookCell;
}

interface NotebookCell {
  id: string;
  cell_type: string;
  source: string;
  outputs: unknown;
  getMetadata?(key: string): unknown;
  setMetadata?(key: string, value: unknown): void;
}
