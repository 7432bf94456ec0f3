// Made of nbchat/widgets/protocol.py: .venv/bin/python .ci/protocol.py

interface Hello {
  do: "hello";
  view: string;
}

interface Restore {
  do: "restore";
  view: string;
  left: Record<string, unknown> | null;
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
  values?: Record<string, TypedValue>;
  data?: string;
  is_raw?: boolean;
  undo?: string;
}

interface TypedValue {
  text: string;
  several: boolean;
}

interface Undo {
  do: "undo";
  view: string;
}

interface Paste {
  do: "paste";
  view: string;
  text: string;
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
  axes: Array<AxisText>;
  repeats: number;
  seeds: boolean;
}

interface AxisText {
  name: string;
  text: string;
}

interface AskPlan {
  do: "plan";
  view: string;
  axes: Array<AxisText>;
  repeats: number;
  seeds: boolean;
}

interface AskSweep {
  do: "sweep";
  view: string;
  axes: Array<AxisText>;
  repeats: number;
  seeds: boolean;
}

interface Show {
  do: "show";
  view: string;
  id: string;
}

interface Continue {
  do: "continue";
  view: string;
  id: string;
  choice: number;
}

interface CallNow {
  do: "call";
  view: string;
  place: number;
}

interface Copy {
  do: "copy";
  view: string;
  id: string;
  choice: number;
  form: "json" | "markdown";
}

interface Raw {
  do: "raw";
  view: string;
}

interface Pin {
  do: "pin";
  view: string;
  id: string;
}

interface SetMark {
  do: "mark";
  view: string;
  id: string;
  mark?: "" | "bad" | "good";
  note?: string;
}

interface Compare {
  do: "compare";
  view: string;
  base?: string;
}

interface Save {
  do: "save";
  view: string;
  path: string;
}

interface Open {
  do: "open";
  view: string;
  path: string;
}

interface AskNames {
  do: "names";
  view: string;
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
  undo?: boolean;
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
  variables: Array<VariableFacts>;
  data: string;
  is_raw: boolean;
  lanes: string;
  callable: Array<string>;
}

interface AttachmentFacts {
  facts: string;
  thumbnail: string;
}

interface VariableFacts {
  name: string;
  text: string;
  several: boolean;
  note: string;
}

interface Keep {
  on: "keep";
  state: Record<string, unknown>;
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
  columns: number;
  varies?: boolean;
  to?: string;
}

interface Lane {
  id: string;
  label: string;
  number: number;
  state: "complete" | "error" | "interrupted" | "running" | "unsent" | "waiting";
  line: string;
  error: string;
  facts: string;
  blank: string;
  pinned: boolean;
  mark: "" | "bad" | "good";
  note: string;
  rounds: string;
  choices: Array<ChoiceDelta>;
}

interface ChoiceDelta {
  index: number;
  at?: number;
  keep?: number;
  html?: Array<string>;
  thought?: Growth;
  source?: Growth;
  ending?: string;
}

interface Growth {
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
  state?: "complete" | "error" | "interrupted" | "running" | "unsent" | "waiting";
  line?: string;
  error?: string;
  facts?: string;
  blank?: string;
  pinned?: boolean;
  mark?: "" | "bad" | "good";
  note?: string;
  rounds?: string;
  choices?: Array<ChoiceDelta>;
}

interface Rows {
  on: "rows";
  rows: Array<Row>;
  pinned: number;
  spent: string;
  whole?: boolean;
  to?: string;
}

interface Row {
  id: string;
  number: number;
  state: "complete" | "error" | "interrupted" | "running" | "unsent" | "waiting";
  pinned: boolean;
  changes: string;
  text: string;
  error: string;
  tokens: number | null;
  time: string;
  cost: string;
  mark: "" | "bad" | "good";
  note: string;
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
  server: string;
  controls: Array<Control>;
  wanted: Array<string>;
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
  prompt: Array<[string, "added" | "removed" | "same"]>;
  parts: Array<[string, "added" | "removed" | "same"]>;
}

interface Plan {
  on: "plan";
  by: string;
  count: number;
  sentence: string;
}

interface SweepCode {
  on: "sweep";
  by: string;
  text: string;
}

interface Copied {
  on: "copied";
  by: string;
  text: string;
}

interface Names {
  on: "names";
  by: string;
  functions: Array<string>;
  types: Array<string>;
  frames: Array<string>;
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
  origin: string;
}

type FromPage =
  | Hello
  | Restore
  | Edit
  | Undo
  | Paste
  | Attach
  | Reset
  | Send
  | Answer
  | Stop
  | Vary
  | AskPlan
  | AskSweep
  | Show
  | Continue
  | CallNow
  | Copy
  | Raw
  | Pin
  | SetMark
  | Compare
  | Save
  | Open
  | AskNames
  | AskTokens
  | AskAlternatives
  | AskCode
  | AskModels;

type FromKernel =
  | FormNews
  | Keep
  | Refused
  | Lanes
  | Frame
  | Rows
  | Questions
  | Models
  | Comparison
  | Plan
  | SweepCode
  | Copied
  | Names
  | Tokens
  | Alternatives
  | Code
  | Told;

interface Traits {
  opening: Opening;
  _stand_in_id: string;
}
