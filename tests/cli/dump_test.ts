/** Copies in files: dump and restore. */

import { Buffer } from "node:buffer";
import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { removeKeys, testClient } from "../support/redis.ts";
import { Shell } from "../support/shell.ts";
import { runHere, runProcess, startProcess, TestTerminal } from "../support/test_terminal.ts";

const redis = testClient();

/** Values that a copy could damage. */
const UGLY: Readonly<Record<string, string>> = {
  "": '""',
  "plain": '{"a":1.0,"b":12345678901234567890,"c":1e400,"d":"\\u00e9\\/","a":2}',
  "lines": '{\n  "a": 1\n}\n',
  "spaces": " [ 1 ] ",
  'é\n"key":,': '"\u2028\ufffd\ufeff"',
  "broken": '{"a":',
  "empty": "",
  ["__proto__"]: "null", // without brackets it would be no member
  "*": "[]",
};

async function fill(shell: Shell): Promise<void> {
  for (const [key, text] of Object.entries(UGLY)) await shell.put(key, text);
}

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

describe("json-dict dump and restore", () => {
  it("restore brings back every byte that dump has written, and the expiry", async () => {
    const shell = new Shell(redis);
    await fill(shell);
    await redis.pexpire(`${shell.prefix}plain`, 7_200_000);
    await redis.rpush(`${shell.prefix}strange`, "no value");
    const before = await dumpOf(shell);
    await redis.unlink(`${shell.prefix}strange`);
    const texts = await shell.texts();
    await removeKeys(redis, shell.prefix);
    const { code, out, err } = await shell.feed(before, "restore", "--yes");
    assertEquals([code, out, err], [0, '{"items":9,"written":9}\n', ""]);
    assertEquals(await shell.texts(), texts);
    const ttl = await redis.pttl(`${shell.prefix}plain`);
    assert(ttl > 3_600_000 && ttl <= 7_200_000);
    assertEquals(await redis.pttl(`${shell.prefix}broken`), -1);
  });

  it("dump writes lines of JSON, with count and checksum at the end", async () => {
    const shell = new Shell(redis);
    await fill(shell);
    const lines = (await dumpOf(shell)).trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals(lines[0], { dump: "json-dict", version: 1, prefix: shell.prefix });
    assertEquals(lines.slice(1, -1).map(({ key }) => key).sort(), Object.keys(UGLY).sort());
    assertEquals(lines.at(-1).count, 9);
    assertMatch(lines.at(-1).sha256, /^[0-9a-f]{64}$/);
  });

  it("dump leaves out what no text can hold, and says so", async () => {
    const shell = new Shell(redis);
    await shell.put("a", "1");
    await redis.set(
      `${shell.prefix}b`,
      Buffer.from([0x22, 0xf0, 0x90, 0x80, 0x22]),
    );
    const { code, out, err } = await shell.run("dump");
    assertEquals([code, out.split("\n").length], [1, 4]);
    assertMatch(err, /Dumped 1 values, but not 1, whose bytes are not UTF-8, such as "b"/);
  });

  it("restore writes nothing of a file that is not whole", async () => {
    const shell = new Shell(redis);
    await fill(shell);
    const whole = await dumpOf(shell);
    await removeKeys(redis, shell.prefix);
    const lines = whole.trimEnd().split("\n");
    const changed = (from: string, to: string): string => {
      assert(whole.includes(from));
      return whole.replace(from, to);
    };
    const damaged: readonly (readonly [string, RegExp])[] = [
      [lines.slice(0, -1).join("\n"), /its end is missing/],
      [lines.filter((_, index) => index !== 3).join("\n"), /it has 8 items, and its last line says 9/],
      [[...lines.slice(0, 3), lines[4], lines[3], ...lines.slice(5)].join("\n"), /its checksum is wrong/],
      [changed('"a":1.0', '"a":1.5'), /its checksum is wrong/],
      [lines.slice(1).join("\n"), /its first line is not that of a dump/],
      [changed('"version":1', '"version":2'), /of another version/],
      [`${whole}{"key":"more","value":1}\n`, /stands behind the end/],
      [changed('{"key":"*","value":[]}', '{"key":"*","value":[}'), /line \d+ is no item/],
      ["", /its end is missing/],
    ];
    await inFolder(async (folder) => {
      for (const [text, message] of damaged) {
        await Deno.writeTextFile(`${folder}/d`, text);
        const { code, err } = await shell.run("restore", `${folder}/d`, "--yes");
        assertEquals(code, 1);
        assertMatch(err, message);
        assertMatch(err, /^json-dict: [^\n]+\n$/);
        assertEquals(await shell.texts(), {});
      }
      await Deno.writeFile(`${folder}/d`, new Uint8Array([0xff, 0x0a]));
      assertEquals((await shell.run("restore", `${folder}/d`, "--yes")).code, 1);
      assertEquals((await shell.run("restore", `${folder}/none`, "--yes")).code, 2);
    });
  });

  it("restore asks before it replaces, and --missing and --dry-run replace nothing", async () => {
    const shell = new Shell(redis);
    await shell.put("a", "1");
    await shell.put("b", "2");
    const text = await dumpOf(shell);
    await shell.put("a", '"mine"');
    await redis.unlink(`${shell.prefix}b`);
    const mine = await shell.texts();
    await inFolder(async (folder) => {
      const file = `${folder}/d`;
      await Deno.writeTextFile(file, text);
      assertEquals((await shell.run("restore", file)).code, 2);
      const no = await shell.sit(["n"], "restore", file);
      assertMatch(no.err, /^Write 2 values, and replace those that are there\? \[y\/N\] /);
      const dry = await shell.run("restore", file, "--dry-run");
      assertEquals(JSON.parse(dry.out), { items: 2, wouldWrite: 2, wouldReplace: 1 });
      const dryMissing = await shell.run("restore", file, "--dry-run", "--missing");
      assertEquals(JSON.parse(dryMissing.out), { items: 2, wouldWrite: 1, kept: 1 });
      assertEquals(await shell.texts(), mine);
      const missing = await shell.run("restore", file, "--missing");
      assertEquals(JSON.parse(missing.out), { items: 2, written: 1, kept: 1 });
      assertEquals(await shell.texts(), { a: '"mine"', b: "2" });
      const told = await shell.sit([], "restore", file, "--dry-run");
      assertMatch(told.out, /^the dump is whole: 2 would be written, 2 of them in place of others\n$/);
      const nothing = await shell.sit([], "restore", "--dry-run");
      assertEquals(nothing.code, 2);
      assertMatch(nothing.err, /no file is named, and nothing is piped in/);
      const yes = await shell.sit(["yes"], "restore", file);
      assertEquals([yes.code, yes.out], [0, "2 written\n"]);
      assertEquals(await shell.texts(), { a: "1", b: "2" });
    });
  });

  it("restore takes lines made by hand with --unchecked", async () => {
    const shell = new Shell(redis);
    const lines = '{"value": [1, 12345678901234567890], "key": "a"}\n\n{"key":"b","ttl":7200000,"value":1.0}';
    assertEquals((await shell.feed(lines, "restore", "--yes")).code, 1);
    assertEquals((await shell.feed(lines, "restore", "--yes", "--unchecked")).code, 0);
    assertEquals(await shell.texts(), { a: "[1,12345678901234567890]", b: "1.0" });
    assert(await redis.pttl(`${shell.prefix}b`) > 0);
    for (const line of ["1", "{}", '{"key":1,"value":1}', '{"key":"a"}', '{"key":"a","ttl":0,"value":1}']) {
      assertEquals((await shell.feed(line, "restore", "--yes", "--unchecked")).code, 1);
    }
  });

  it("restore stops with Ctrl-C between two batches, and goes on with --skip", async () => {
    const shell = new Shell(redis);
    const items = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`k${n}`, String(n)]));
    await redis.mset(
      Object.fromEntries(Object.entries(items).map(([key, text]) => [shell.prefix + key, text])),
    );
    await inFolder(async (folder) => {
      const file = `${folder}/d`;
      assertEquals((await shell.run("dump", file)).code, 0);
      await removeKeys(redis, shell.prefix);
      /** A person who presses Ctrl-C when some of it is written. */
      class Interrupting extends TestTerminal {
        override tell(text: string): Promise<void> {
          if (text.startsWith("\r")) this.interruption.abort();
          return super.tell(text);
        }
      }
      const interrupted = await runHere(new Interrupting(shell.env, ["y"]), "restore", file);
      assertEquals(interrupted.code, 130);
      const [, skip] = /(\d+) of 1000 items are written; go on with: \S+ restore \S+ --skip \d+/
        .exec(interrupted.err) ?? [];
      assertEquals(Object.keys(await shell.texts()).length, Number(skip));
      assert(Number(skip) > 0 && Number(skip) < 1000);
      assertEquals((await shell.run("restore", file, "--skip", skip, "--yes")).code, 0);
      assertEquals(await shell.texts(), sorted(items));
    });
  });

  it("restore names all that it takes to go on, but no password", async () => {
    const shell = new Shell(redis);
    const items = Array.from({ length: 1000 }, (_, n) => `{"key":"k${n}","value":1}\n`).join("");
    class Interrupting extends TestTerminal {
      override tell(text: string): Promise<void> {
        if (text.startsWith("\r")) this.interruption.abort();
        return super.tell(text);
      }
    }
    await inFolder(async (folder) => {
      const file = `${folder}/it's $HOME`;
      await Deno.writeTextFile(file, items);
      const user = new URL(shell.env.REDIS_URL);
      user.username = "default";
      for (const url of [shell.env.REDIS_URL, user.href]) {
        const prefix = `${shell.prefix}a b`;
        const terminal = new Interrupting({}, []);
        const options = ["--missing", "--unchecked", "--prefix", prefix, "--url", url];
        const { code, err } = await runHere(terminal, "restore", file, ...options);
        assertEquals(code, 130);
        const [, line] = /go on with: json-dict (.*)\n$/.exec(err) ?? [];
        const address = url.includes("@") ? "(the same address)" : url;
        const rest = line.replace(/--skip \d+/, "--skip N").replace(`--url ${address}`, "--url U");
        const quoted = `'${folder}/it'\\''s $HOME'`;
        assertEquals(rest, `restore ${quoted} --skip N --missing --unchecked --prefix '${prefix}' --url U`);
      }
      class Piped extends Interrupting {
        override readonly isInput: boolean = false;
      }
      const { err } = await runHere(new Piped(shell.env, [], items), "restore", "--missing", "--unchecked");
      assertMatch(
        err,
        /go on with: json-dict restore --skip \d+ --missing --unchecked < \(the same input\)\n$/,
      );
    });
  });

  it("dump writes a file that appears when it is whole, and replaces none", async () => {
    const shell = new Shell(redis);
    await fill(shell);
    await inFolder(async (folder) => {
      const file = `${folder}/d`;
      const terminal = new TestTerminal(shell.env);
      terminal.interruption.abort();
      assertEquals((await runHere(terminal, "dump", file)).code, 130);
      assertEquals([...Deno.readDirSync(folder)], []);
      assertEquals((await shell.run("dump", file)).code, 0);
      assertEquals((await Deno.stat(file)).mode! & 0o777, 0o600);
      assertEquals((await shell.run("dump", file)).code, 2);
      assertEquals((await shell.run("dump", file, "--force")).code, 0);
      assertEquals((await shell.run("dump", `${folder}/none/d`)).code, 2);
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["d"]);
    });
  });

  it("dump touches no file but its own", async () => {
    const shell = new Shell(redis);
    await fill(shell);
    await inFolder(async (folder) => {
      const [file, real] = [`${folder}/d`, `${folder}/real`];
      await Deno.writeTextFile(`${file}.part`, "mine");
      assertEquals((await shell.run("dump", file)).code, 0);
      assertEquals(await Deno.readTextFile(`${file}.part`), "mine");
      await Deno.remove(file);

      await Deno.writeTextFile(real, "mine");
      await Deno.symlink(real, file);
      assertEquals((await shell.run("dump", file)).code, 2);
      assertEquals(await Deno.readTextFile(real), "mine");
      assertEquals((await shell.run("dump", file, "--force")).code, 0);
      assert((await Deno.lstat(file)).isSymlink);
      assertMatch(await Deno.readTextFile(real), /^\{"dump":/);
      await Deno.remove(real);
      for (const more of [[], ["--force"]]) assertEquals((await shell.run("dump", file, ...more)).code, 2);
      assert((await Deno.lstat(file)).isSymlink);

      const pipe = `${folder}/pipe`;
      assert((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
      for (const odd of [pipe, folder]) {
        const { code, err } = await shell.run("dump", odd, "--force");
        assertEquals(code, 2);
        assertMatch(err, /no regular file; .* use a pipe/);
      }
      assert((await Deno.lstat(pipe)).isFifo);
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["d", "d.part", "pipe"]);
    });
  });

  it("dump replaces no file that appears while it writes", async () => {
    const shell = new Shell(redis);
    await fill(shell);
    await inFolder(async (folder) => {
      /** Somebody who writes the same file when the dump is about to be whole. */
      class Rival extends TestTerminal {
        override async tell(text: string): Promise<void> {
          if (/ dumped\n$/.test(text)) await Deno.writeTextFile(`${folder}/d`, "theirs");
          return await super.tell(text);
        }
      }
      const { code, err } = await runHere(new Rival(shell.env, []), "dump", `${folder}/d`);
      assertEquals(code, 2);
      assertMatch(err, /there is such a file/);
      assertEquals(await Deno.readTextFile(`${folder}/d`), "theirs");
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["d"]);
    });
  });

  it("dump says that the copy is not whole where nobody reads any more", async () => {
    const shell = new Shell(redis);
    const texts = Array.from({ length: 2000 }, (_, n) => [`${shell.prefix}${n}`, `"${"x".repeat(1000)}"`]);
    await redis.mset(Object.fromEntries(texts));
    const child = startProcess(["dump"], shell.env);
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel();
    await child.stdin.close();
    const stderr = await new Response(child.stderr).text();
    assertEquals((await child.status).code, 1);
    assertMatch(
      stderr,
      /^json-dict: Cannot dump: nobody reads the output any more, so the copy is not whole\n$/,
    );
  });

  it("dump and restore of 100,000 values take less memory than the values", async () => {
    const shell = new Shell(redis);
    const padding = "x".repeat(1000);
    for (let from = 0; from < 100_000; from += 1000) {
      const page = Array.from({ length: 1000 }, (_, n) => [`${shell.prefix}${from + n}`, `["${padding}"]`]);
      await redis.mset(Object.fromEntries(page));
    }
    await inFolder(async (folder) => {
      const file = `${folder}/d`;
      const run = async (...args: string[]): Promise<string> => {
        // The values are 100 MB; a program that kept them would be ended by the runtime.
        const child = startProcess(args, shell.env, ["--v8-flags=--max-old-space-size=96"]);
        await child.stdin.close();
        const { code, stdout, stderr } = await child.output();
        assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
        return new TextDecoder().decode(stdout);
      };
      await run("dump", file);
      await removeKeys(redis, shell.prefix);
      assertEquals(await run("restore", file, "--yes"), '{"items":100000,"written":100000}\n');
      const scan = redis.scanStream({ match: `${shell.prefix}*`, count: 1000 });
      const seen = new Set<string>();
      for await (const names of scan) for (const name of names) seen.add(name);
      assertEquals(seen.size, 100_000);
    });
  });
});

async function dumpOf(shell: Shell): Promise<string> {
  const { code, out, err } = await runProcess(["dump"], { env: shell.env });
  assertEquals([code, err], [0, ""]);
  return out;
}

function sorted(items: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(items).sort(([a], [b]) => a < b ? -1 : 1));
}
