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

/** Collects the results, and prints them. */
export class Report {
  readonly #goals: { readonly section: string; readonly goal: Goal }[] = [];
  #section = "";

  /** Begins a section. */
  section(name: string, question: string): void {
    this.#section = name;
    console.log(`\n## ${name}\n\n${question}\n`);
  }

  /** Prints a table; numbers stand on the right. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
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
    console.log(line(head));
    console.log(
      `| ${
        width.map((size, column) => isText(column) ? "-".repeat(size) : `${"-".repeat(size - 1)}:`).join(
          " | ",
        )
      } |`,
    );
    for (const row of rows) console.log(line(row));
  }

  /** Prints a remark. */
  note(text: string): void {
    console.log(`\n${text}`);
  }

  /** Keeps a goal for the end and says, for a table, whether it is met. */
  goal(goal: Goal): string {
    this.#goals.push({ section: this.#section, goal });
    return verdict(goal);
  }

  /** Prints how many goals of this run are met, and those that are not. */
  summary(): void {
    if (this.#goals.length === 0) return;
    const missed = this.#goals.filter(({ goal }) => !isMet(goal));
    this.section("goals", `${this.#goals.length - missed.length} of ${this.#goals.length} goals are met.`);
    if (missed.length === 0) return;
    this.table(
      ["section", "not met", "result", "goal"],
      missed.map(({ section, goal }) => [section, goal.name, ratio(goal.value), wanted(goal)]),
    );
  }
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
