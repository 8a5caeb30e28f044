/**
 * What an editor asks the compiler about code that uses the library: errors, hovers, completions.
 *
 * @module
 */

import ts from "typescript";

const ROOT = new URL("../../", import.meta.url).pathname;
const FILE = `${ROOT}editor.ts`;
const OPTIONS: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  allowImportingTsExtensions: true,
  skipLibCheck: true,
  types: [],
};

/** One file in an editor; it stands beside `mod.ts` and can import from `./mod.ts`. */
export class Editor {
  readonly #service: ts.LanguageService;
  #text = "";
  #version = 0;

  constructor() {
    const files = ts.createDocumentRegistry();
    this.#service = ts.createLanguageService({
      getCompilationSettings: () => OPTIONS,
      getScriptFileNames: () => [FILE],
      getScriptVersion: (name) => name === FILE ? String(this.#version) : "0",
      getScriptSnapshot: (name) => {
        const text = name === FILE ? this.#text : ts.sys.readFile(name);
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
      },
      getCurrentDirectory: () => ROOT,
      getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
      fileExists: (name) => name === FILE || ts.sys.fileExists(name),
      readFile: (name) => name === FILE ? this.#text : ts.sys.readFile(name),
    }, files);
  }

  /** Replaces the text; the compiler begins anew. */
  open(text: string): void {
    this.#text = text;
    this.#version++;
    this.#service.getProgram();
  }

  /** The errors in the text, each as one line. */
  errors(): string[] {
    return [...this.#service.getSyntacticDiagnostics(FILE), ...this.#service.getSemanticDiagnostics(FILE)]
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  }

  /** What an editor shows for the last place where the text says so. */
  hover(at: string): string {
    const info = this.#service.getQuickInfoAtPosition(FILE, this.#text.lastIndexOf(at));
    return ts.displayPartsToString(info?.displayParts);
  }

  /** What an editor offers behind the last place where the text says so. */
  completions(behind: string): string[] {
    const position = this.#text.lastIndexOf(behind) + behind.length;
    return this.#service.getCompletionsAtPosition(FILE, position, {})?.entries.map(({ name }) => name) ?? [];
  }

  /** How many types the compiler has made from generic ones for this text. */
  instantiations(): number {
    return this.#service.getProgram()!.getInstantiationCount();
  }

  /** Ends the compiler. */
  close(): void {
    this.#service.dispose();
  }
}
