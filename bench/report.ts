/**
 * Reporting: a question, a table, and whether the goals are met.
 *
 * @module
 */

/** One thing that was asked for. */
export interface Goal {
  /** What is measured, in a few words. */
  readonly name: string;
  /** The result. */
  readonly value: number;
  /** The target: at least, or at most, so much. */
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** A point of a picture. */
export interface Point {
  /** The way that the work is done; one line of the picture. */
  readonly way: string;
  /** Where it stands: bytes of the document, or changes at once. */
  readonly x: number;
  /** The time for it, in microseconds. */
  readonly time: number;
  /** How many changes were lost, where they are counted. */
  readonly lost?: number;
}

/** A table as data. */
export interface Table {
  readonly columns: readonly string[];
  /** A cell is a number where one is printed, without its `x`. */
  readonly rows: readonly (readonly (string | number)[])[];
}

/** What a section has found. */
export interface Section {
  readonly name: string;
  readonly question: string;
  readonly tables: Table[];
  readonly notes: string[];
}

/** Collects the results, and prints them. */
export class Report {
  /** The sections so far. */
  readonly sections: Section[] = [];
  /** The points of each picture. */
  readonly pictures: Record<string, Point[]> = {};
  readonly #goals: { readonly section: string; readonly goal: Goal }[] = [];
  readonly #print: (text: string) => void;

  /** @param print Prints lines. */
  constructor(print: (text: string) => void = console.log) {
    this.#print = print;
  }

  /** The goals so far, and whether they are met. */
  get goals(): readonly (Goal & { readonly section: string; readonly isMet: boolean })[] {
    return this.#goals.map(({ section, goal }) => ({ section, ...goal, isMet: isMet(goal) }));
  }

  /** Begins a section. */
  section(name: string, question: string): void {
    this.sections.push({ name, question, tables: [], notes: [] });
    this.#print(`\n## ${name}\n\n${question}\n`);
  }

  /** Prints a table; numbers stand on the right. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    this.sections.at(-1)?.tables.push({ columns: head, rows: rows.map((row) => row.map(toData)) });
    const isText = (column: number) => rows.some((row) => /^[a-z(]/i.test(row[column] ?? ""));
    const width = head.map((name, column) =>
      Math.max(name.length, ...rows.map((row) => (row[column] ?? "").length))
    );
    const line = (cells: readonly string[]) =>
      `| ${
        width.map((size, column) => {
          const cell = cells[column] ?? "";
          return isText(column) ? cell.padEnd(size) : cell.padStart(size);
        }).join(" | ")
      } |`;
    const rule = width.map((size, column) => isText(column) ? "-".repeat(size) : `${"-".repeat(size - 1)}:`);
    this.#print([line(head), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n") + "\n");
  }

  /** Prints a remark. */
  note(text: string): void {
    this.sections.at(-1)?.notes.push(text);
    this.#print(text);
  }

  /** Adds points to a picture. */
  points(picture: string, points: readonly Point[]): void {
    (this.pictures[picture] ??= []).push(...points);
  }

  /** Keeps a goal for the end and says, for a table, whether it is met. */
  goal(goal: Goal): string {
    this.#goals.push({ section: this.sections.at(-1)?.name ?? "", goal });
    return verdict(goal);
  }

  /** Prints how many goals of this run are met, and those that are not. */
  summary(): void {
    if (this.#goals.length === 0) return;
    const missed = this.goals.filter(({ isMet }) => !isMet);
    this.section("goals", `${this.#goals.length - missed.length} of ${this.#goals.length} goals are met.`);
    if (missed.length === 0) return;
    this.table(
      ["section", "not met", "result", "goal"],
      missed.map((goal) => [goal.section, goal.name, ratio(goal.value), wanted(goal)]),
    );
  }
}

/** A cell as data: a number where one is printed. */
function toData(cell: string): string | number {
  return /^-?[\d,]+(?:\.\d+)?x?$/.test(cell) ? Number(cell.replace(/[,x]/g, "")) : cell;
}

function isMet({ value, atLeast = -Infinity, atMost = Infinity }: Goal): boolean {
  return value >= atLeast && value <= atMost;
}

function verdict(goal: Goal): string {
  return `${isMet(goal) ? "met" : "NOT MET"} (${wanted(goal)})`;
}

function wanted({ atLeast, atMost }: Goal): string {
  return atLeast === undefined ? `<= ${atMost}x` : `>= ${atLeast}x`;
}

/** A ratio, with its significant digits. */
export function ratio(value: number): string {
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)}x`;
}

/** Microseconds, without a unit. */
export function micros(value: number): string {
  if (Number.isNaN(value)) return "";
  return value >= 1000 ? Math.round(value).toLocaleString("en") : value.toFixed(1);
}

/** A number of bytes as people say it. */
export function size(bytes: number): string {
  if (bytes >= 999_500) return `${(bytes / 1e6).toFixed(1)} MB`;
  return bytes >= 9_950 ? `${Math.round(bytes / 1000)} KB` : `${(bytes / 1000).toFixed(1)} KB`;
}
