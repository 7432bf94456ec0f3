// Made of nbchat/widgets/protocol.py: .venv/bin/python .ci/protocol.py

interface Look {
  type: "look";
}

interface ShowScore {
  type: "score";
  name: string;
}

interface ListRows {
  type: "rows";
  cell: number;
  which: "all" | "flips" | "missing" | "wrong";
  other: number | null;
  start: number;
}

interface ShowRun {
  type: "run";
  row: string;
}

interface Figure {
  name: string;
  score: string;
  scores: Array<string>;
  unit: string;
  across: Label;
  down: Label;
  columns: Array<Label>;
  multiples: Array<Multiple>;
  scale: Scale;
  status: string;
  lacking: string;
  cut: string;
}

interface Label {
  text: string;
  title: string;
}

interface Multiple {
  title: Label;
  lines: Array<Line>;
}

interface Line {
  label: Label;
  cells: Array<Cell | null>;
}

interface Cell {
  number: number;
  name: string;
  mean: string;
  interval: string;
  items: string;
  lacking: string;
  sentence: string;
  colour: string;
  ink: string;
}

interface Scale {
  colours: Array<string>;
  lowest: string;
  highest: string;
}

interface Rows {
  cell: number;
  name: string;
  which: "all" | "flips" | "missing" | "wrong";
  other: number | null;
  counts: Counts;
  has_wrong: boolean;
  has_samples: boolean;
  has_variables: boolean;
  order: string;
  start: number;
  total: number;
  size: number;
  lines: Array<RowLine>;
}

interface Counts {
  all: number;
  wrong: number;
  missing: number;
}

interface RowLine {
  row: string;
  item: string;
  sample: string;
  variables: string;
  answer: string;
  is_reason: boolean;
  status: string;
  score: string;
  there: string;
  kind: "" | "missing" | "right" | "wrong";
}

interface Shown {
  row: string;
  cell: string;
  name: string;
  place: string;
  status: string;
  facts: Array<[string, string]>;
  messages: Array<Passage>;
  answers: Array<Passage>;
  inspector: string | null;
  note: string;
  previous: string | null;
  next: string | null;
}

interface Passage {
  role: string;
  text: string;
  note: string;
}

interface Work {
  busy: boolean;
  sentence: string;
}

type FromPage =
  | Look
  | ShowScore
  | ListRows
  | ShowRun;

type FromKernel =
  never;

interface Traits {
  _figure: Figure;
  _rows: Rows | null;
  _run: Shown | null;
  _work: Work;
  _stand_in_id: string;
}
