// What the parts of the panel are to one another. Its messages are in protocol.d.ts.

type WithoutView<Message> = Message extends unknown ? Omit<Message, "view"> : never;

/** What the panel is to its parts. */
interface Panel {
  /** Ask the kernel; what was edited is told first. */
  send(content: WithoutView<FromPage>): void;
  edit(change: Change): void;
  redraw(): void;
  models(): string[];
  /** What a field is set to; undefined where it is unset. */
  value(name: string): unknown;
  /** The names that the messages ask for. */
  variables(): string[];
  /** The fields that only the server in force takes. */
  serverFields(): Control[];
  /** Show the text of a box large. */
  large(title: string, area: HTMLTextAreaElement, isJson: boolean): void;
  /** Put a text on the clipboard, and say so. */
  copied(text: string): Promise<void>;
  /** Typeset the formulas of an element, where the front end can. */
  typeset(block: HTMLElement): void;
  /** Ask what the notebook has that can be named. */
  names(found: (names: Names) => void): void;
  /** Set fields, and show them in their controls. */
  use(fields: Record<string, unknown>): void;
  /** Put code into a cell; gives a sentence about what was done. */
  insert(text: string): Promise<string>;
}

/** What the user did: fields that are set, names that are unset, and other parts as a whole. */
type Change = Partial<Omit<Edit, "do" | "view" | "seq">>;

/** A control of a field; `undefined` is unset. */
interface FieldControl {
  el: HTMLElement;
  show(value: unknown): void;
}

type MakeControl = (
  field: Control,
  change: (value: unknown, undo?: string) => void,
  wrong: (sentence: string) => void,
  panel: Panel,
) => FieldControl;


type Interval = [low: number, high: number];

type State = Lane["state"];
type Mark = Pinned["parts"][number][1];

/** What was edited and is not told yet. */
type Pending = Change & Pick<Edit, "fields" | "unset">;
