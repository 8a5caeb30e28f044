import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { build, bundle, generate } from "../../tools/build_lua.ts";

const HEADER = `-- purpose: Changes values.
-- KEYS: one key per document
-- ARGV: a stream of tokens, read from left to right;
--   set depth segment... value
--   splice depth segment... start deleteCount
--   delete depth segment...
--   modifier @ key
--   modifier parents
-- Returns: one reply per op
-- Errors: none are raised
-- Cost: one GET and one SET per key
`;
const BODY = `local keys, tokens, ops, modifiers = KEYS, ARGV, {}, nil
function ops.splice(x)
  return modifiers and modifiers.parents and keys[x]
end
ops.whole = {
  delete = function() return "" end,
}
local function run(name, x)
  if name == 'set' then return tokens[x] end
  return (ops[name] or ops.whole[name])(x)
end
local name, i, x = tokens[1], 1, 1
if name == '@' then
  i = 3
elseif name == 'parents' then
  modifiers = modifiers or {}
  modifiers[name] = true
elseif name == 'set' then
  i = x + 1
elseif name == 'splice' then
  i = x + 2
end
return run(name, i)
`;
const LUA = new URL("../../lua", import.meta.url).pathname;

describe("build_lua", () => {
  let folder: string;

  beforeEach(() => {
    folder = Deno.makeTempDirSync();
    Deno.mkdirSync(`${folder}/lib`);
    write("apply.lua", HEADER + BODY);
    write("read.lua", HEADER + BODY);
    write("lease.lua", HEADER + BODY);
  });
  afterEach(() => Deno.removeSync(folder, { recursive: true }));

  function write(file: string, text: string): void {
    Deno.writeTextFileSync(`${folder}/${file}`, text);
  }

  function textOf(name: string): string {
    return bundle(folder, name).lines.map((line) => line.text).join("\n");
  }

  it("bundle() puts an include in where it stands, once, indented as its line is", () => {
    write("lib/a.lua", `-- @include "lib/b.lua"\nlocal a = b\n\nlocal c = a\n`);
    write("lib/b.lua", "local b = 1\n");
    write("apply.lua", `${HEADER}do\n  -- @include "lib/a.lua"\n  -- @include "lib/b.lua"\nend\n${BODY}`);
    assertEquals(
      textOf("apply"),
      `${HEADER}do\n  local b = 1\n  local a = b\n\n  local c = a\nend\n${BODY.trimEnd()}`,
    );
  });

  it("bundle() remembers where each line came from", () => {
    write("lib/a.lua", "\nlocal a = 1\n");
    write("apply.lua", `${HEADER}-- @include "lib/a.lua"\n${BODY}`);
    const line = bundle(folder, "apply").lines.find(({ text }) => text === "local a = 1");
    assertEquals(line, { text: "local a = 1", file: "lib/a.lua", number: 2 });
  });

  it("bundle() refuses an include that leads back to itself", () => {
    write("lib/a.lua", `-- @include "lib/b.lua"\n`);
    write("lib/b.lua", `-- @include "lib/a.lua"\n`);
    write("apply.lua", `${HEADER}-- @include "lib/a.lua"\n${BODY}`);
    assertThrows(
      () => bundle(folder, "apply"),
      Error,
      "Cannot bundle lib/a.lua: it includes itself by apply.lua, lib/a.lua, lib/b.lua",
    );
  });

  it("bundle() refuses an include of a file that is not there", () => {
    write("apply.lua", `${HEADER}-- @include "lib/none.lua"\n${BODY}`);
    assertThrows(() => bundle(folder, "apply"), Error, "Cannot read lib/none.lua");
  });

  it("bundle() refuses an include that is not written as one", () => {
    write("apply.lua", `${HEADER}-- @include 'lib/a.lua'\n${BODY}`);
    assertThrows(() => bundle(folder, "apply"), Error, "Cannot bundle apply.lua:12");
  });

  for (const part of ["purpose", "KEYS", "ARGV", "Returns", "Errors", "Cost"]) {
    it(`bundle() refuses a header without ${part}`, () => {
      write("apply.lua", HEADER.replace(new RegExp(`-- ${part}:.*\n(--   .*\n)*`), "") + BODY);
      assertThrows(() => bundle(folder, "apply"), Error, `"${part}"`);
    });

    it(`bundle() refuses a header whose ${part} says nothing`, () => {
      write("apply.lua", HEADER.replace(new RegExp(`-- ${part}:.*\n(--   .*\n)*`), `-- ${part}:\n`) + BODY);
      assertThrows(() => bundle(folder, "apply"), Error, `"${part}" says nothing`);
    });
  }

  it("bundle() refuses a script without a header", () => {
    write("apply.lua", `-- Something else\n${BODY}`);
    assertThrows(() => bundle(folder, "apply"), Error, `it must open with "-- purpose:"`);
  });

  it("bundle() refuses header parts in another order", () => {
    write("apply.lua", HEADER.replace(/(-- Returns.*\n)(-- Errors.*\n)/, "$2$1") + BODY);
    assertThrows(() => bundle(folder, "apply"), Error, `"Errors" stands where "Returns" belongs`);
  });

  it("bundle() refuses an op that is declared twice or has no handler", () => {
    write("apply.lua", HEADER.replace("delete depth", "set depth") + BODY);
    assertThrows(() => bundle(folder, "apply"), Error, `"set" is declared twice`);
    write("apply.lua", HEADER + BODY.replace("ops.splice(", "ops.other("));
    assertThrows(
      () => bundle(folder, "apply"),
      Error,
      `the op "splice" is declared, but the body has no handler`,
    );
  });

  it("bundle() refuses a modifier that is not taken, not asked for, or not declared", () => {
    const cases = [
      ["name == '@'", "name == '#'", `the modifier "@" is declared, but the body never takes it`],
      ["name == 'parents'", "name == 'other'", `takes the modifier "other", which is not declared`],
      ["modifiers.parents", "modifiers.other", `nothing asks for modifiers.parents`],
    ];
    for (const [from, to, message] of cases) {
      write("apply.lua", HEADER + BODY.replace(from, to));
      assertThrows(() => bundle(folder, "apply"), Error, message);
    }
  });

  for (const script of ["apply", "read", "lease"]) {
    const words = bundle(LUA, script);
    const real = words.lines.map((line) => line.text + "\n").join("");
    const check = (text: string): void => {
      write("apply.lua", text);
      bundle(folder, "apply");
    };

    for (const word of Object.keys(words.modifiers)) {
      it(`bundle() refuses ${script}.lua if it does not handle the modifier ${word}`, () => {
        check(real);
        const isNoted = real.includes(`modifiers.${word}`);
        if (isNoted) {
          const unread = real.replace(new RegExp(`modifiers\\.${word}\\b(?! =)`, "g"), "false");
          assertThrows(() => check(unread), Error, `"${word}"`);
        }
        const untaken = real.replaceAll(`== '${word}'`, "== ''");
        assertThrows(() => check(untaken), Error, `"${word}"`);
      });
    }

    for (const word of Object.keys(words.ops)) {
      it(`bundle() refuses ${script}.lua if it does not handle the op ${word}`, () => {
        const unhandled = real
          .replaceAll(`function ops.${word}(`, "function ops.none(")
          .replace(new RegExp(`^(\\s*)${word} = function`, "gm"), "$1none = function")
          .replace(
            /^local function (?:run|perform)\(.*?^end$/gms,
            (run) => run.replaceAll(`if name == '${word}' then`, "if name == '' then"),
          );
        assertThrows(() => check(unhandled), Error, `the op "${word}"`);
      });
    }
  }

  it("bundle() refuses KEYS or ARGV that are declared and not used, or used and not declared", () => {
    write("apply.lua", HEADER + BODY.replace("KEYS", "{}") + "-- KEYS\n");
    assertThrows(() => bundle(folder, "apply"), Error, `"KEYS" is declared, but not used`);
    write("apply.lua", HEADER.replace(/-- KEYS:.*/, "-- KEYS: none") + BODY);
    assertThrows(() => bundle(folder, "apply"), Error, `"KEYS" is none, but used`);
  });

  it("bundle() puts in what @define lines stand for, outside of strings and comments", () => {
    write(
      "apply.lua",
      `${HEADER}-- @define QUOTE 34\n-- @define BLANK(b) (b < 33 or b == QUOTE)\n` +
        `local a = QUOTE .. 'QUOTE' -- QUOTE\nif BLANK(a) then a = "it's BLANK(a)" end\n${BODY}`,
    );
    assertStringIncludes(
      textOf("apply"),
      `local a = 34 .. 'QUOTE' -- QUOTE\nif (a < 33 or a == 34) then a = "it's BLANK(a)" end\n`,
    );
  });

  it("bundle() refuses a @define that is not written as one, comes twice or lacks its argument", () => {
    const cases = [
      ["-- @define quote 34\n", "Cannot bundle apply.lua:12: a constant is a line"],
      ["-- @define QUOTE 34\n-- @define QUOTE 35\n", `Cannot bundle apply.lua:13: "QUOTE" is defined twice`],
      ["-- @define BLANK(b) (b < 33)\nlocal a = BLANK\n", `"BLANK" takes a name`],
    ];
    for (const [lines, message] of cases) {
      write("apply.lua", HEADER + lines + BODY);
      assertThrows(() => bundle(folder, "apply"), Error, message);
    }
  });

  it("bundle() counts the arguments of ops where @arguments stands", () => {
    write("apply.lua", `${HEADER}${BODY}-- @arguments\n`);
    const wanted =
      "if name == 'set'\nthen i = x + 1\nelseif name == 'splice'\nthen i = x + 2\nelse i = x end";
    assert(textOf("apply").endsWith(`\n${wanted}`), textOf("apply"));
  });

  it("bundle() reads ops and modifiers from the header", () => {
    const { ops, modifiers } = bundle(folder, "apply");
    assertEquals(ops, { set: ["value"], splice: ["start", "deleteCount"], delete: [] });
    assertEquals(modifiers, { "@": ["key"], parents: [] });
  });

  it("generate() writes a module that holds the text, its SHA-1 and the tables", async () => {
    write("apply.lua", `${HEADER}local odd = "\\\\ \`\${x}\` \\" é"\n${BODY}`);
    const file = `${folder}/scripts.gen.ts`;
    Deno.writeTextFileSync(file, await generate(folder));
    const module = await import(`file://${file}`);
    const text = Deno.readTextFileSync(`${folder}/apply.lua`);
    assertEquals(module.APPLY.name, "apply");
    assertEquals(module.APPLY.text, text);
    const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
    assertEquals(
      module.APPLY.sha1,
      Array.from(new Uint8Array(digest), (it) => it.toString(16).padStart(2, "0")).join(""),
    );
    assertEquals(module.APPLY_OPS, { set: ["value"], splice: ["start", "deleteCount"], delete: [] });
    assertEquals(module.READ_MODIFIERS, { "@": ["key"], parents: [] });
    assertStringIncludes(Deno.readTextFileSync(file), "DO NOT EDIT");
  });

  it("build() writes what --check then finds in step, until lua/ changes", async () => {
    const target = `${folder}/scripts.gen.ts`;
    assertEquals(await build(folder, target, true), false);
    assertEquals(await build(folder, target, false), false);
    assertEquals(await build(folder, target, true), true);
    write("read.lua", `${HEADER}${BODY}-- changed\n`);
    const before = Deno.readTextFileSync(target);
    assertEquals(await build(folder, target, true), false);
    assertEquals(Deno.readTextFileSync(target), before);
  });
});
