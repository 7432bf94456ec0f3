// Made of nbchat/widgets/protocol.py: .venv/bin/python .ci/protocol.py

interface AskBlock {
  type: "alternatives";
  key: string;
  position: number;
}

interface BranchOut {
  type: "branch";
  key: string;
  position: number;
  row: number;
  n: number;
}

interface AskTree {
  type: "tree";
  key: string;
  position: number;
}

interface AskRows {
  type: "rescore";
  number: number;
}

interface StopBranches {
  type: "stop";
}

interface Changes {
  type: "changes";
  run: RunFacts;
  tables: Array<TableNews>;
  entries: Entries;
  packed?: Array<DataView | string>;
}

interface RunFacts {
  number: number;
  section: number;
  label: string;
  status: "complete" | "error" | "interrupted" | "running";
  sentence: string;
  note: string;
  merged: number;
}

interface TableNews {
  key: string;
  run: number;
  choice: number;
  channel: "content" | "refusal";
  texts: Record<string, string>;
  start: number;
  buffers: Array<"code" | "entropy_hi" | "entropy_lo" | "flags" | "logprob" | "margin" | "rank" | "tail_mass" | "top_k">;
}

interface Entries {
  code: Array<number>;
  display: Array<string>;
  chars: Array<number>;
  bytes: Array<string | null>;
  id: Array<string | null>;
  breaks: Array<number>;
}

interface Block {
  type: "alternatives";
  key: string;
  start: number;
  stop: number;
  entries: Entries;
  buffers: Array<"code" | "flags" | "logprob" | "offsets">;
  packed?: Array<DataView | string>;
}

interface Branches {
  type: "branches";
  branches: Array<Branch>;
  open: number | null;
}

interface Branch {
  branch_id: number;
  parent_id: number | null;
  number: number;
  position: number;
  display: string;
  method: "exact" | "prefill" | "resampling" | "text";
  label: string;
  depth: number;
  prob: number | null;
  mass: number | null;
}

interface Whole {
  figures: Array<Figure>;
  types: Types;
  flags: Flags;
  scales: Array<Scale>;
  runs: Array<RunFacts>;
  tables: Array<WholeTable>;
  entries: Entries;
  branches: Array<Branch>;
}

interface Figure {
  name: "entropy_hi_bits" | "entropy_lo_bits" | "logprob" | "margin" | "prob" | "rank" | "surprisal_bits" | "tail_mass" | "top_k";
  label: string;
  unit: string;
  formula: string;
  of: "code" | "entropy_hi" | "entropy_lo" | "flags" | "logprob" | "margin" | "rank" | "tail_mass" | "top_k";
  factor: number;
  is_exp: boolean;
  missing: number | null;
}

interface Types {
  tokens: Record<"code" | "entropy_hi" | "entropy_lo" | "flags" | "logprob" | "margin" | "rank" | "tail_mass" | "top_k", "float32" | "float64" | "int32" | "uint32" | "uint8">;
  alternatives: Record<"code" | "flags" | "logprob" | "offsets", "float32" | "float64" | "int32" | "uint32" | "uint8">;
}

interface Flags {
  tokens: Record<"censored" | "in_top" | "is_merged" | "is_partial_utf8" | "is_special", number>;
  alternatives: Record<"is_listed" | "is_sampled", number>;
}

interface Scale {
  name: "entropy_hi_bits" | "entropy_lo_bits" | "logprob" | "margin" | "prob" | "rank" | "surprisal_bits" | "tail_mass" | "top_k";
  label: string;
  unit: string;
  floors: Array<number>;
  colours: Array<string>;
  inks: Array<string>;
  words: Array<string>;
  unknown: string;
}

interface WholeTable {
  key: string;
  run: number;
  choice: number;
  channel: "content" | "refusal";
  texts: Record<string, string>;
  columns: Record<"code" | "entropy_hi" | "entropy_lo" | "flags" | "logprob" | "margin" | "rank" | "tail_mass" | "top_k", DataView | string>;
  alternatives?: Stretch;
}

interface Stretch {
  start: number;
  stop: number;
  offsets: DataView | string;
  code: DataView | string;
  logprob: DataView | string;
  flags: DataView | string;
}

interface Work {
  busy: boolean;
  sentence: string;
}

type FromPage =
  | AskBlock
  | BranchOut
  | AskTree
  | AskRows
  | StopBranches;

type FromKernel =
  | Changes
  | Block
  | Branches;

interface Traits {
  _page: Whole;
  _at: [] | [string, number];
  _work: Work;
  _stand_in_id: string;
}
