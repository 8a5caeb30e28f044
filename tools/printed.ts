/**
 * Compares what an example prints with what it says that it prints: `// => text`, a comment for each line.
 *
 * @module
 */

/** Stands for the console of an example, and compares when the example is over. */
export class Printed implements Disposable {
  readonly #expected: readonly string[];
  readonly #lines: string[] = [];

  /** @param expected The lines that the example should print. */
  constructor(expected: readonly string[]) {
    this.#expected = expected;
  }

  /** Prints as the console does, without colours. */
  log(...values: readonly unknown[]): void {
    const text = values.map((value) =>
      typeof value === "string" ? value : Deno.inspect(value, { colors: false })
    );
    this.#lines.push(...text.join(" ").split("\n"));
  }

  /** @throws {Error} If something else was printed than the example says. */
  [Symbol.dispose](): void {
    if (JSON.stringify(this.#lines) === JSON.stringify(this.#expected)) return;
    const show = (lines: readonly string[]): string =>
      lines.map((line) => `\n  ${line}`).join("") || " nothing";
    throw new Error(`The example printed:${show(this.#lines)}\nIts comments say:${show(this.#expected)}`);
  }
}

/** A fenced block of code, in Markdown or behind the stars of a comment: its start, its code, its end. */
const BLOCK = /^([ \t]*(?:\* )?)(```(?:ts|js)[^\n]*)\n([\s\S]*?)^(\1```)[ \t]*$/gm;

/** The lines that an example says that it prints. */
export function expectedOf(code: string): string[] {
  return [...code.matchAll(/\/\/ => ?(.*)$/gm)].map(([, line]) => line);
}

/**
 * Returns the text of a document with each block that prints, or says that it does, made to compare the two.
 *
 * No line moves: what is added stands before the first line of the block.
 */
export function comparePrinted(text: string): string {
  return text.replace(BLOCK, (block, margin: string, fence: string, code: string, end: string) => {
    const expected = expectedOf(code);
    if (/\bignore\b/.test(fence) || !(expected.length > 0 || /\bconsole\.log\(/.test(code))) return block;
    const added = `import { Printed } from ${JSON.stringify(import.meta.url)}; ` +
      `using console = new Printed(${JSON.stringify(expected)}); `;
    return `${margin}${fence}\n${margin}${added}${code.slice(margin.length)}${end}`;
  });
}
