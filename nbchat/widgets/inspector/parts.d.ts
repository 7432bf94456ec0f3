// What the parts of the inspector are to one another. Its messages are in protocol.d.ts.

/** A token: everything that is the same wherever it stands. `direction`: see directionOf. */
interface Entry {
  display: string;
  chars: number;
  bytes: string | null;
  id: string | null;
  breaks: number;
  direction?: -1 | 0 | 1;
}

type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array | Uint32Array;

/** Columns of the tokens; `code` leads to an Entry. */
type TokenColumn = TableNews["buffers"][number];
type TokenColumns = Record<TokenColumn, Numbers>;

/** Columns of the alternatives; `offsets` has one more than there are positions. */
type AlternativesColumns = Record<Block["buffers"][number], Numbers>;

/** The alternatives of the positions from start to stop. */
type AlternativesBlock = AlternativesColumns & { start: number; stop: number };

/** The tokens of one choice and channel. */
interface Table extends TableFacts {
  columns: TokenColumns;
  blocks: AlternativesBlock[];
  length: number;
}

type TableFacts = Omit<TableNews, "start" | "buffers">;

/** What has changed on the page, with what is to be known of it. */
interface PageEvents {
  runs: { open?: number | null };
  tokens: { key: string; start: number };
  alternatives: { key: string };
  selected: undefined;
  work: undefined;
}

/** An alternative at a position; NaN is unknown. */
interface Alternative {
  entry: Entry;
  code: number;
  logprob: number;
  prob: number;
  cumulated: number;
  isSampled: boolean;
  isListed: boolean;
}

/** How tokens are shown. */
interface Look {
  scale: Scale;
  showsNumbers: boolean;
  /** Whether one run alone is shown. */
  isAlone: boolean;
}

/** What is shown of a token; NaN is unknown. */
type Figures = Record<FigureName, number>;
type FigureName = Scale["name"];

/** Fonts and lengths that tokens are laid out with; `figure`: the words below a token. */
interface Measures {
  font: string;
  smallFont: string;
  /** of the font, in pixels */
  em: number;
  width: number;
  padding: number;
  figure: ((position: number) => string) | null;
}
