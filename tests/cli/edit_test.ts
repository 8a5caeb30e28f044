/** Editing by hand. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { testClient } from "../support/redis.ts";
import { Shell } from "../support/shell.ts";
import { type Ended, runHere, runProcess, TestTerminal } from "../support/test_terminal.ts";

const redis = testClient();

type Act = (text: string) => string | Promise<string>;

/** Edits on a terminal where a person answers, or in a pipe. */
async function edit(
  shell: Shell,
  place: string,
  acts: readonly Act[],
  answers?: readonly string[],
): Promise<Ended> {
  const terminal = new TestTerminal(shell.env, answers);
  terminal.edits = [...acts];
  const ended = await runHere(terminal, "edit", place);
  assertEquals(terminal.edits.length, 0);
  return ended;
}

/** The text that a failed edit has kept; removes it. */
async function keptText({ err }: Ended): Promise<string> {
  const file = /what you wrote is in (\S+)\n$/.exec(err)?.[1] ?? "";
  const text = await Deno.readTextFile(file);
  await Deno.remove(file.replace(/\/[^/]*$/, ""), { recursive: true });
  return text;
}

describe("json-dict edit", () => {
  it("edit runs $EDITOR, and sends only what changed", async () => {
    const shell = new Shell(redis);
    await shell.put("a", '{ "color": "red",  "n": 1.0, "big": 12345678901234567890 }');
    await redis.pexpire(`${shell.prefix}a`, 7_200_000);
    const env = { ...shell.env, EDITOR: "sed -i s/red/blue/" };
    assertEquals(await runProcess(["edit", "a"], { env }), { code: 0, out: "", err: "" });
    assertEquals(await shell.text("a"), '{ "color": "blue",  "n": 1.0, "big": 12345678901234567890 }');
    assert(await redis.pttl(`${shell.prefix}a`) > 3_600_000);
    const failing = await runProcess(["edit", "a"], { env: { ...env, EDITOR: "false" } });
    assertEquals(failing.code, 1);
    assertMatch(await keptText(failing), /"blue"/);
  });

  it("edit writes no number that nobody touched", async () => {
    const shell = new Shell(redis);
    const steps: readonly (readonly [string, Act, string])[] = [
      [
        '{"c":[1.0,2,12345678901234567890.5,7],"b":1}',
        (text) => text.replace('"b": 1', '"b": 2'),
        '{"c":[1.0,2,12345678901234567890.5,7],"b":2}',
      ],
      [
        '{"c":[1.0,2,12345678901234567890.5,7],"b":1}',
        (text) => text.replace("12345678901234567000", "12345678901234567001"),
        '{"c":[1.0,2,12345678901234567001,7],"b":1}',
      ],
      [
        '{"c":[1.0,2,12345678901234567890.5,7.0]}',
        (text) => text.replace(/ *2,\n/, ""),
        '{"c":[1.0,12345678901234567890.5,7.0]}',
      ],
      ["[1.0, 2.0, 3.0]", (text) => text.replace(/ *1,\n/, " 8, 9,"), "[8,9, 2.0, 3.0]"],
      ["[1.0, 1.0]", (text) => text.replace(/ *1,\n/, ""), "[1.0]"],
      ["9007199254740993.5", () => "5", "5"],
      ["[9007199254740993.5]", () => '{"a":1}', '{"a":1}'],
    ];
    for (const [before, act, after] of steps) {
      await shell.put("a", before);
      assertEquals(await edit(shell, "a", [act]), { code: 0, out: "", err: "" }, before);
      assertEquals((await shell.text("a"))?.replaceAll(" ", ""), after.replaceAll(" ", ""));
    }
    for (
      const text of ["12345678901234567890.5", "[1e20,-1e17,0.1,1.0,1e300]", '{"a":{"b":9007199254740993.0}}']
    ) {
      await shell.put("a", text);
      const { code, err } = await edit(shell, "a", [(shown) => shown]);
      assertEquals([code, err, await shell.text("a")], [0, "Nothing was changed\n", text]);
    }
  });

  it("edit refuses bytes that are no UTF-8", async () => {
    const shell = new Shell(redis);
    await shell.put("a", '"x"');
    // Bytes that a lossy decoder would turn into a valid string.
    const env = { ...shell.env, EDITOR: "LC_ALL=C sed -i 's/x/\\xff/'" };
    const { code, err } = await runProcess(["edit", "a"], { env });
    assertEquals([code, await shell.text("a")], [1, '"x"']);
    assertMatch(err, /it is no text in UTF-8/);
    await Deno.remove(/what you wrote is in (\S+)\/[^/]*\n$/.exec(err)![1], { recursive: true });
  });

  it("edit lets what others change in other places stand", async () => {
    const shell = new Shell(redis);
    await shell.put("a", '{"x":{"n":1,"list":[1]},"y":2,"gone":0}');
    const act: Act = async (text) => {
      await shell.put("a", '{"x":{"n":1,"list":[1,9]},"y":3,"gone":0,"theirs":true}');
      return text.replace('"n": 1', '"n": 7').replace("1\n    ]", "1, 2\n    ]").replace(/,\s*"gone": 0/, "");
    };
    assertEquals(await edit(shell, "a", [act]), { code: 0, out: "", err: "" });
    assertEquals(await shell.text("a"), '{"x":{"n":7,"list":[1,9,2]},"y":3,"theirs":true}');
  });

  it("edit changes parts and scalars, and keeps the expiry", async () => {
    const shell = new Shell(redis);
    await shell.put("a", '{"x":[1,{"y":2}]}');
    await redis.pexpire(`${shell.prefix}a`, 7_200_000);
    assertEquals((await edit(shell, "a.x[-1]", [() => '{"y":3,"__proto__":4}'])).code, 0);
    assertEquals((await edit(shell, "a.x[0]", [() => "true"])).code, 0);
    assertEquals(await shell.text("a"), '{"x":[true,{"y":3,"__proto__":4}]}');
    assertEquals((await edit(shell, "a", [() => "[1]"])).code, 0);
    assertEquals((await edit(shell, "a", [() => "[1,2]"])).code, 0);
    assertEquals(await shell.text("a"), "[1,2]");
    assert(await redis.pttl(`${shell.prefix}a`) > 3_600_000);
    const same = await edit(shell, "a", [(text) => text]);
    assertEquals([same.code, same.err], [0, "Nothing was changed\n"]);
    const none = await edit(shell, "nothing", []);
    assertEquals(none.code, 3);
  });

  it("edit overwrites nothing of others in a pipe, and keeps the text", async () => {
    const shell = new Shell(redis);
    const places: readonly (readonly [string, string, Act])[] = [
      ['{"x":1}', '{"x":2}', () => '{"x":3}'],
      ['{"x":1}', '{"y":1}', () => '{"x":3}'],
      ['{"x":1}', '{"x":2}', () => "{}"],
      ['{"x":1}', '{"x":1,"y":2}', () => '{"x":1,"y":3}'],
      ["[1,2]", "[0,1,2]", () => "[1,3]"],
      ["[1]", '{"0":1}', () => "[1,2]"],
      ["1", "2", () => "3"],
      ['{"x":[1,2,3]}', '{"x":[1,2,4]}', () => '{"x":[1]}'],
    ];
    for (const [before, theirs, mine] of places) {
      await shell.put("a", before);
      const act: Act = async (text) => {
        await shell.put("a", theirs);
        return mine(text);
      };
      const ended = await edit(shell, "a", [act]);
      assertEquals([ended.code, await shell.text("a")], [1, theirs], before);
      assertMatch(ended.err, /^json-dict: Cannot edit "a": others have changed the same meanwhile[^\n]*\n$/);
      assertEquals(await keptText(ended), await mine(""));
    }
  });

  it("edit shows a conflict on a terminal, and offers to go on", async () => {
    const shell = new Shell(redis);
    const theirs: Act = async () => {
      await shell.put("a", '{"x":2,"y":1,"z":5}');
      return '{"x":3,"y":4}';
    };
    await shell.put("a", '{"x":1,"y":1}');
    const over = await edit(shell, "a", [theirs], ["what?", "o"]);
    assertEquals([over.code, await shell.text("a")], [0, '{"x":3,"y":4,"z":5}']);
    assertMatch(over.err, /\/a\/x: it was 1, you wrote 3, now it is 2\n/);
    assert(!over.err.includes("/a/y:"));

    await shell.put("a", '{"x":1,"y":1}');
    let shown = "";
    const again: Act = (text) => {
      shown = text;
      return text.replace('"x": 2', '"x": 6');
    };
    assertEquals((await edit(shell, "a", [theirs, again], ["e"])).code, 0);
    assertEquals(JSON.parse(shown), { x: 2, y: 4, z: 5 }); // what did not collide is kept
    assertEquals(await shell.text("a"), '{"x":6,"y":4,"z":5}');

    await shell.put("a", '{"x":1,"y":1}');
    const quit = await edit(shell, "a", [theirs], ["q"]);
    assertEquals([quit.code, await shell.text("a")], [1, '{"x":2,"y":1,"z":5}']);
    assertEquals(await keptText(quit), '{"x":3,"y":4}');
  });

  it("edit opens the editor again on what is no JSON", async () => {
    const shell = new Shell(redis);
    await shell.put("a", "[1]");
    assertEquals((await edit(shell, "a", [() => "[1", (text) => `${text},2]`], [""])).code, 0);
    assertEquals(await shell.text("a"), "[1,2]");
    const no = await edit(shell, "a", [() => "["], ["n"]);
    assertEquals([no.code, await keptText(no)], [1, "["]);
    const piped = await edit(shell, "a", [() => "["]);
    assertEquals([piped.code, await keptText(piped)], [1, "["]);
    assertEquals(await shell.text("a"), "[1,2]");
  });
});
