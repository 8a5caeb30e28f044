/**
 * Bundles `lua/` into `src/call/scripts.gen.ts`; `--check` only compares. `lua/README.md` describes headers and includes.
 *
 * @module
 */

/** The scripts that the library sends; everything else in `lua/` is included by them. */
export const SCRIPTS = ["apply", "read", "lease"] as const;
const SECTIONS = ["purpose", "KEYS", "ARGV", "Returns", "Errors", "Cost"] as const;
const INCLUDE = /^(\s*)-- @include "([^"]+)"\s*$/;
const DEFINE = /^\s*-- @define ([A-Z][A-Z_]*)(?:\(([a-z]+)\))? (.+)$/;
const ARGUMENTS = /^(\s*)-- @arguments$/;

/** One line of a bundled script and where it came from. */
export interface Line {
  readonly text: string;
  readonly file: string;
  readonly number: number;
}

/** What the header of a script says of its token stream: the words after each op's path, and after each modifier. */
export interface Header {
  readonly ops: Readonly<Record<string, readonly string[]>>;
  readonly modifiers: Readonly<Record<string, readonly string[]>>;
}

/** A script with its includes put in. */
export interface Bundle extends Header {
  readonly name: string;
  readonly lines: readonly Line[];
}

/**
 * Puts the includes of `<folder>/<name>.lua` in and reads its header.
 *
 * @throws {Error} If an include is missing or leads back to itself, or the header is not as it must be.
 */
export function bundle(folder: string, name: string): Bundle {
  const lines = expand(readWithIncludes(folder, `${name}.lua`, "", [], new Set()));
  const header = readHeader(name, lines);
  return { name, lines: lines.flatMap((line) => countArguments(line, header.ops)), ...header };
}

/** Expands the names that `@define` lines define, and removes these lines. Comments and strings stay as they are. */
function expand(lines: readonly Line[]): Line[] {
  const meanings = new Map<string, { readonly parameter: string | undefined; readonly meaning: string }>();
  const replace = (text: string): string =>
    text.replace(
      /'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|--.*|\b([A-Z][A-Z_]*)\b(?:\((\w+)\))?/g,
      (all: string, word?: string, argument?: string) => {
        const found = word === undefined ? undefined : meanings.get(word);
        if (!found) return all;
        const { parameter, meaning } = found;
        if (parameter === undefined) return meaning + all.slice(word!.length);
        if (argument === undefined) {
          throw new Error(
            `Cannot bundle: "${word}" takes a name in "${text.trim()}"`,
          );
        }
        return meaning.replace(new RegExp(`\\b${parameter}\\b`, "g"), argument);
      },
    );
  const rest = lines.filter((line) => {
    const [, word, parameter, meaning] = DEFINE.exec(line.text) ?? [];
    const fail = (why: string): never => {
      throw new Error(`Cannot bundle ${line.file}:${line.number}: ${why}`);
    };
    if (word === undefined) {
      if (line.text.includes("@define")) fail("a constant is a line `-- @define NAME value`");
      return true;
    }
    if (meanings.has(word)) fail(`"${word}" is defined twice`);
    meanings.set(word, { parameter, meaning: replace(meaning) });
    return false;
  });
  return rest.map((line) => ({ ...line, text: replace(line.text) }));
}

/** In the place of `@arguments` the code that sets i behind the arguments of the op `name`, of which x is the first. */
function countArguments(line: Line, ops: Header["ops"]): Line[] {
  const [, indent] = ARGUMENTS.exec(line.text) ?? [];
  if (indent === undefined) return [line];
  const byCount = new Map<number, string[]>();
  for (const [op, { length }] of Object.entries(ops)) {
    if (length > 0) byCount.set(length, [...byCount.get(length) ?? [], `name == '${op}'`]);
  }
  const cases = [...byCount].map(([count, names]) => `if ${names.join("\n  or ")}\nthen i = x + ${count}`);
  const code = cases.length === 0 ? "i = x" : `${cases.join("\nelse")}\nelse i = x end`;
  return code.split("\n").map((text) => ({ ...line, text: indent + text }));
}

function readWithIncludes(
  folder: string,
  file: string,
  indent: string,
  above: readonly string[],
  done: Set<string>,
): Line[] {
  if (above.includes(file)) {
    throw new Error(`Cannot bundle ${file}: it includes itself by ${above.join(", ")}`);
  }
  if (done.has(file)) return [];
  const lines: Line[] = [];
  for (const [index, text] of readText(folder, file).trimEnd().split("\n").entries()) {
    const include = INCLUDE.exec(text);
    if (include) {
      lines.push(...readWithIncludes(folder, include[2], indent + include[1], [...above, file], done));
    } else if (text.includes("@include")) {
      throw new Error(
        `Cannot bundle ${file}:${index + 1}: an include is a line \`-- @include "lib/name.lua"\``,
      );
    } else {
      lines.push({ text: text === "" ? "" : indent + text, file, number: index + 1 });
    }
  }
  done.add(file);
  return lines;
}

function readText(folder: string, file: string): string {
  try {
    return Deno.readTextFileSync(`${folder}/${file}`);
  } catch (cause) {
    throw new Error(`Cannot read ${file}: ${cause}`, { cause });
  }
}

function readHeader(name: string, lines: readonly Line[]): Header {
  const fail = (why: string): never => {
    throw new Error(`Cannot read the header of ${name}.lua: ${why}`);
  };
  const length = lines.findIndex((line) => !line.text.startsWith("--"));
  const header = lines.slice(0, length < 0 ? lines.length : length).map((line) => line.text);
  const body = lines.slice(header.length).map((line) => line.text.replace(/--.*/, "")).join("\n");

  const sections = new Map<string, string[]>();
  for (const text of header) {
    const start = /^-- (\w+):(.*)$/.exec(text);
    if (start) {
      const expected = SECTIONS[sections.size] ?? "no further part";
      if (start[1] !== expected) fail(`"${start[1]}" stands where "${expected}" belongs`);
      sections.set(start[1], [start[2]]);
    } else {
      const current = [...sections.values()].at(-1) ?? fail(`it must open with "-- ${SECTIONS[0]}:"`);
      if (!/^--( {3}.*)?$/.test(text)) {
        fail(`"${text}" neither starts a part nor goes on with one by "--   "`);
      }
      current.push(text.slice(5));
    }
  }
  if (sections.size < SECTIONS.length) fail(`"${SECTIONS[sections.size]}" is missing`);
  for (const [section, text] of sections) if (text.join("").trim() === "") fail(`"${section}" says nothing`);

  const ops: Record<string, string[]> = {};
  const modifiers: Record<string, string[]> = {};
  for (const text of sections.get("ARGV") ?? []) {
    const op = /^(\w+) depth segment\.\.\.((?: \w+)*)$/.exec(text);
    const modifier = /^modifier (\S+)((?: \w+)*)$/.exec(text);
    const [, word, rest] = op ?? modifier ?? [];
    if (word === undefined) continue;
    if (Object.hasOwn(ops, word) || Object.hasOwn(modifiers, word)) fail(`"${word}" is declared twice`);
    (op ? ops : modifiers)[word] = rest.split(" ").filter(Boolean);
  }
  checkWords(body, Object.keys(ops), Object.keys(modifiers), fail);
  for (const table of ["KEYS", "ARGV"]) {
    const declared = sections.get(table)?.[0].trim() !== "none";
    const used = new RegExp(`\\b${table}\\b`).test(body);
    if (declared !== used) fail(`"${table}" is ${declared ? "declared, but not used" : "none, but used"}`);
  }
  return { ops, modifiers };
}

/** A condition that takes one of some words: `name == 'a' or name == 'b'`. */
const ANY_OF = "name == '[^']+'(?:\\s+or name == '[^']+')*";
/** The part of a script that only notes modifiers. */
const NOTES = new RegExp(
  `(${ANY_OF})\\s+then\\s+modifiers = modifiers or \\{\\}\\s+modifiers\\[name\\] = true`,
  "g",
);

/** Each declared word must be handled, and each word that is taken be declared. A word that is only
 * named where tokens are distinguished is not handled. */
function checkWords(
  body: string,
  ops: readonly string[],
  modifiers: readonly string[],
  fail: (why: string) => never,
): void {
  const noted = [...body.matchAll(NOTES)].flatMap(([, condition]) => wordsOf(condition));
  const code = body.replace(NOTES, "");
  for (const word of noted) {
    if (!modifiers.includes(word)) fail(`the body takes the modifier "${word}", which is not declared`);
  }
  const escaped = (word: string): string => word.replace(/\W/g, "\\$&");
  for (const word of modifiers) {
    const isTaken = noted.includes(word) || new RegExp(`== '${escaped(word)}'`).test(code);
    if (!isTaken) fail(`the modifier "${word}" is declared, but the body never takes it`);
    const isNoted = noted.includes(word) || code.includes(`modifiers.${word} =`);
    if (isNoted && !new RegExp(`\\bmodifiers\\.${word}\\b(?! =)`).test(code)) {
      fail(`the modifier "${word}" is declared, but nothing asks for modifiers.${word}`);
    }
  }
  const run = [...code.matchAll(/^local function (?:run|perform)\(.*?^end$/gms)].join("\n");
  for (const word of ops) {
    const handlers = [
      new RegExp(`if name == '${word}' then`).test(run),
      new RegExp(`^\\s*function ops\\.${word}\\(`, "m").test(code),
      new RegExp(`^\\s*${word} = function\\(`, "m").test(code),
    ];
    if (!handlers.includes(true)) fail(`the op "${word}" is declared, but the body has no handler for it`);
  }
}

function wordsOf(condition: string): string[] {
  return [...condition.matchAll(/'([^']+)'/g)].map(([, word]) => word);
}

/** The text of `src/call/scripts.gen.ts`. */
export async function generate(folder: string, names: readonly string[] = SCRIPTS): Promise<string> {
  const parts = [
    "// Code generated by `deno task lua` from lua/. DO NOT EDIT.\n// deno-fmt-ignore-file\n",
    "/** A script as it is sent to the server: its name in `lua/`, its text, and the SHA-1 that EVALSHA takes. */\n" +
    "export interface Script {\n  readonly name: string;\n  readonly text: string;\n  readonly sha1: string;\n}\n",
  ];
  for (const { name, lines, ops, modifiers } of names.map((name) => bundle(folder, name))) {
    const text = lines.map((line) => line.text + "\n").join("");
    const constant = name.toUpperCase();
    const script = { name, text, sha1: await sha1(text) };
    parts.push(
      `/** The bundled text of lua/${name}.lua. */\nexport const ${constant}: Script = ${
        JSON.stringify(script)
      };\n`,
      `/** What follows the path of each op of lua/${name}.lua. */\n${table(`${constant}_OPS`, ops)}`,
      `/** What follows each modifier of lua/${name}.lua. */\n${table(`${constant}_MODIFIERS`, modifiers)}`,
    );
  }
  return parts.join("\n");
}

function table(name: string, words: Readonly<Record<string, readonly string[]>>): string {
  // An empty object type would let any value in, as the linter says.
  if (Object.keys(words).length === 0) return `export const ${name}: Record<never, never> = {};\n`;
  const rows = Object.entries(words).map(([word, rest]) => [JSON.stringify(word), JSON.stringify(rest)]);
  const type = rows.map(([word, rest]) => `  readonly ${word}: readonly ${rest};\n`).join("");
  const value = rows.map(([word, rest]) => `  ${word}: ${rest},\n`).join("");
  return `export const ${name}: {\n${type}} = {\n${value}};\n`;
}

async function sha1(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Writes or, with `check`, compares the generated file; returns whether it was in step. */
export async function build(folder: string, target: string, check: boolean): Promise<boolean> {
  const wanted = await generate(folder);
  const present = await Deno.readTextFile(target).catch(() => "");
  if (wanted !== present && !check) await Deno.writeTextFile(target, wanted);
  return wanted === present;
}

if (import.meta.main) {
  const root = new URL("../", import.meta.url).pathname;
  const check = Deno.args.includes("--check");
  const inStep = await build(`${root}lua`, `${root}src/call/scripts.gen.ts`, check).catch((error: Error) => {
    console.error(error.message);
    Deno.exit(1);
  });
  if (check && !inStep) {
    console.error("src/call/scripts.gen.ts is out of step with lua/: run `deno task lua`");
    Deno.exit(1);
  }
  if (!check) console.log(`src/call/scripts.gen.ts: ${inStep ? "already in step" : "written"}`);
}
