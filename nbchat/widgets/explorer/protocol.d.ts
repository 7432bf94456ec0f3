// Made of nbchat/widgets/protocol.py: .venv/bin/python .ci/protocol.py

interface Hello {
  do: "hello";
  view: string;
}

interface Edit {
  do: "edit";
  view: string;
  seq: number;
  fields: Record<string, unknown>;
  unset: Array<string>;
  messages?: Array<unknown>;
  extra?: Record<string, unknown>;
  profile?: string;
}

interface Attach {
  do: "attach";
  view: string;
  place: number;
  kind: "audio" | "file" | "image";
  name: string;
  data: string;
}

interface Reset {
  do: "reset";
  view: string;
}

interface Send {
  do: "run";
  view: string;
  auto: boolean;
}

interface Answer {
  do: "answer";
  view: string;
  id: string;
  yes: boolean;
}

interface Stop {
  do: "stop";
  view: string;
}

interface Vary {
  do: "vary";
  view: string;
  name: string;
  values: Array<unknown>;
}

interface Show {
  do: "show";
  view: string;
  id: string;
}

interface Pin {
  do: "pin";
  view: string;
  id: string;
}

interface Compare {
  do: "compare";
  view: string;
  base?: string;
}

interface AskTokens {
  do: "tokens";
  view: string;
  id: string;
  choice: number;
}

interface AskAlternatives {
  do: "alternatives";
  view: string;
  id: string;
  choice: number;
  start: number;
  count: number;
}

interface AskCode {
  do: "code";
  view: string;
}

interface AskModels {
  do: "models";
  view: string;
}

interface FormNews {
  on: "form";
  form: Form;
  by?: string;
  seq?: number;
  note?: string;
}

interface Form {
  profile: string | null;
  messages: Array<unknown>;
  attachments: Record<string, AttachmentFacts>;
  fields: Record<string, unknown>;
  extra: Record<string, unknown>;
  problems: Record<string, string>;
  refusals: Record<string, string>;
  model: string | null;
  in_force: string;
}

interface AttachmentFacts {
  facts: string;
  thumbnail: string;
}

interface Refused {
  on: "refused";
  what: string;
  by: string;
  sentence: string;
}

interface Lanes {
  on: "lanes";
  lanes: Array<Lane>;
  varies?: boolean;
  to?: string;
}

interface Lane {
  id: string;
  label: string;
  number: number;
  state: "complete" | "error" | "interrupted" | "running" | "waiting";
  line: string;
  error: string;
  facts: string;
  pinned: boolean;
  rounds: string;
  choices: Array<ChoiceDelta>;
}

interface ChoiceDelta {
  index: number;
  at?: number;
  keep?: number;
  html?: Array<string>;
  thought?: Thought;
  ending?: string;
}

interface Thought {
  keep: number;
  tail: string;
}

interface Frame {
  on: "frame";
  lanes: Array<LaneDelta>;
}

interface LaneDelta {
  id: string;
  label?: string;
  number?: number;
  state?: "complete" | "error" | "interrupted" | "running" | "waiting";
  line?: string;
  error?: string;
  facts?: string;
  pinned?: boolean;
  rounds?: string;
  choices?: Array<ChoiceDelta>;
}

interface Rows {
  on: "rows";
  rows: Array<Row>;
  pinned: number;
  whole?: boolean;
  to?: string;
}

interface Row {
  id: string;
  number: number;
  state: "complete" | "error" | "interrupted" | "running" | "waiting";
  pinned: boolean;
  changes: string;
  text: string;
  error: string;
  tokens: number | null;
  time: string;
}

interface Questions {
  on: "questions";
  questions: Array<OpenQuestion>;
}

interface OpenQuestion {
  id: string;
  text: string;
}

interface Models {
  on: "models";
  names: Array<string>;
}

interface Comparison {
  on: "compare";
  base: string | null;
  columns: Array<Pinned>;
}

interface Pinned {
  id: string;
  number: number;
  label: string;
  facts: string;
  error: string;
  changes: Array<[string, string]>;
  parts: Array<[string, "added" | "removed" | "same"]>;
}

interface Tokens {
  on: "tokens";
  id: string;
  choice: number;
  display: Array<string>;
  spoken: Array<string>;
  prob: Array<number | null>;
  breaks: Array<number>;
  why: string;
  can_ask: boolean;
  temperature: number;
  top_p: number;
  vocab_size: number | null;
  is_tempered: boolean;
  basis: string;
  others: Array<[string, number, string]>;
}

interface Alternatives {
  on: "alternatives";
  id: string;
  choice: number;
  start: number;
  rows: Array<Array<[string, number | null, boolean]>>;
}

interface Code {
  on: "code";
  texts: Record<string, string>;
}

interface Told {
  on: "told";
}

interface Opening {
  controls: Array<Control>;
  open: Array<string>;
  profiles: Array<string>;
  scale: Array<[number, string, string]>;
  form: Form;
}

interface Control {
  name: string;
  group: string;
  control: "dropdown" | "json" | "number" | "pairs" | "slider" | "tags" | "text" | "toggle";
  kind: "any" | "boolean" | "choice" | "integer" | "list" | "mapping" | "number" | "object" | "string";
  entry: "any" | "boolean" | "choice" | "integer" | "list" | "mapping" | "number" | "object" | "string" | null;
  choices: Array<string>;
  minimum: number | null;
  maximum: number | null;
  step: number | null;
  soft_minimum: number | null;
  soft_maximum: number | null;
  start: unknown;
  help: string;
  type_text: string;
  default_text: string;
  nullable: boolean;
  deprecated: boolean;
  successor: string | null;
}

type FromPage =
  | Hello
  | Edit
  | Attach
  | Reset
  | Send
  | Answer
  | Stop
  | Vary
  | Show
  | Pin
  | Compare
  | AskTokens
  | AskAlternatives
  | AskCode
  | AskModels;

type FromKernel =
  | FormNews
  | Refused
  | Lanes
  | Frame
  | Rows
  | Questions
  | Models
  | Comparison
  | Tokens
  | Alternatives
  | Code
  | Told;

interface Traits {
  opening: Opening;
  _stand_in_id: string;
}
