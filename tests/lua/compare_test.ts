import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Redis } from "ioredis";
import { APPLY, READ } from "../../src/call/scripts.gen.ts";
import { startRedis } from "../../tools/redis_server.ts";
import { run } from "../../tools/command.ts";
import { fuzz } from "../support/fuzz.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";
import { decimalOf } from "../support/text_model.ts";

const client = testClient();
const key = `${uniquePrefix("compare")}a`;

/** Spellings of numbers: equal ones stand in one row, and no other row equals it. */
const ROWS: readonly (readonly string[])[] = [
  ["0", "-0", "0.0", "0e5", "-0.0"],
  ["1", "1.0", "1e0", "10e-1"],
  ["100", "1e2", "1E+2", "100.0"],
  ["0.1", "1e-1", "0.10"],
  ["9007199254740992", "9007199254740992.0"],
  ["9007199254740993"],
  ["1152921504606846976"],
  ["1152921504606846977"],
  ["1152921504606847000", "1.152921504606847e+18", "1.1529215046068470e18", "1152921504606846976.0"],
  ["7922759470163628000", "7.922759470163628e+18", "7922759470163628032.0"],
  ["7922759470163628032"],
  ["1000000000000000000000", "1e21", "1e+21"],
  ["-1e21", "-1000000000000000000000"],
  ["1180591620717411303424"],
  ["1.1805916207174113e+21", "1180591620717411300000", "1180591620717411303424.0"],
  ["0.00001", "1e-05", "1e-5"],
  ["5e-324", "4.9406564584124654e-324"],
  ["1e400"],
];

/** A double as Python's repr writes it. */
function pythonText(value: number): string {
  const [, sign, digits, exponent] = /^(-?)([\d.]+)e([+-]\d+)$/.exec(value.toExponential())!;
  const power = Number(exponent);
  if (power >= -4 && power < 16) return Number.isInteger(value) ? `${value}.0` : String(value);
  return `${sign}${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

const anyDouble = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.bigInt({ min: 0n, max: (1n << 70n) - 1n }).map(Number),
  fc.tuple(fc.integer({ min: -1074, max: 1023 }), fc.constantFrom(1, 3, -1)).map(([power, factor]) =>
    Number.isFinite(factor * 2 ** power) ? factor * 2 ** power : 1
  ),
);

/** All the ways in which the usual writers spell a double; C writes an integer of up to 17 digits as one. */
function spellings(value: number): string[] {
  return [
    String(value),
    pythonText(value),
    value.toExponential(16),
    value.toPrecision(17),
    value.toExponential().toUpperCase(),
  ];
}

/** Whether the script takes the numbers at each two places of a list for equal. */
async function equalities(numbers: readonly string[]): Promise<boolean[]> {
  await client.set(key, `[${numbers.join(",")}]`);
  const tokens = numbers.flatMap((_, at) =>
    numbers.flatMap((other) => ["test", "1", String(at), other, ";"])
  );
  const replies = await client.eval(APPLY.text, 1, key, ...tokens.slice(0, -1)) as string[];
  return replies.map((reply) => reply === "");
}

describe("apply test", () => {
  for (const [row, spellings] of ROWS.entries()) {
    it(`apply test tells ${spellings[0]} from other numbers, however they are spelled`, async () => {
      for (const spelling of spellings) {
        await client.set(key, `[${spelling}]`);
        for (const [other, candidates] of ROWS.entries()) {
          for (const candidate of candidates) {
            const [reply] = await client.eval(APPLY.text, 1, key, "test", "1", "0", candidate) as string[];
            assertEquals(reply, row === other ? "" : "!TEST 1 ", `${spelling} and ${candidate}`);
          }
        }
      }
    });
  }

  it("apply test takes all spellings of a double for equal, except different integers", async () => {
    await fc.assert(
      fc.asyncProperty(anyDouble, async (value) => {
        const all = spellings(value);
        const isInteger = (text: string): boolean => /^-?\d+$/.test(text);
        const expected = all.flatMap((a) =>
          all.map((b) => !(isInteger(a) && isInteger(b)) || BigInt(a) === BigInt(b))
        );
        assertEquals(await equalities(all), expected, all.join(" "));
      }),
      fuzz(0.2),
    );
  });

  it("apply test is an equivalence: two numbers are equal where they stand for the same decimal", async () => {
    const near = fc.tuple(
      anyDouble,
      fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 2, maxLength: 4 }),
    ).map(
      ([value, steps]) => [
        ...spellings(value),
        ...(Number.isInteger(value) ? steps.map((step) => String(BigInt(value) + BigInt(step))) : []),
        ...(Number.isInteger(value) ? steps.map((step) => `${BigInt(value) + BigInt(step)}.0`) : []),
      ],
    );
    await fc.assert(
      fc.asyncProperty(near, async (all) => {
        const expected = all.flatMap((a) => all.map((b) => decimalOf(a) === decimalOf(b)));
        assertEquals(await equalities(all), expected, all.join(" "));
      }),
      fuzz(0.2),
    );
  });
});

/** Makes a locale in which many strings are equal that are not the same; nothing where this machine cannot. */
async function makeLocale(folder: string): Promise<string | undefined> {
  const made = `${folder}/en_US.UTF-8`;
  await run("localedef", ["-i", "en_US", "-f", "UTF-8", made]);
  return await Deno.stat(`${made}/LC_COLLATE`).then(() => "en_US.UTF-8", () => undefined);
}

describe("scripts and the locale of the server", () => {
  it("apply and read never sort or compare strings in an order", () => {
    for (const { text } of [APPLY, READ]) {
      const code = text.replace(/--.*/g, "");
      assert(!/\bsort\b/.test(code), "sort compares by strcoll");
      assert(!/[<>]=?\s*'|'\s*[<>]/.test(code), "a string is compared by strcoll");
    }
  });

  it("apply test and increment do not depend on the locale", async () => {
    const folder = await Deno.makeTempDir();
    const locale = await makeLocale(folder);
    const before = { LC_ALL: Deno.env.get("LC_ALL"), LOCPATH: Deno.env.get("LOCPATH") };
    if (locale !== undefined) {
      Deno.env.set("LC_ALL", locale);
      Deno.env.set("LOCPATH", folder);
    }
    await using server = await startRedis().finally(async () => {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) Deno.env.delete(name);
        else Deno.env.set(name, value);
      }
      await Deno.remove(folder, { recursive: true });
    });
    const own = new Redis(server.url);
    try {
      // On a server that is not linked to this machine's C library the locale may have no effect.
      const names = ["가", "나", "다", "라", "마", "바", "é", "e\u0301", "É", "a", "B", "_", "-", "a-", "-a"];
      const members = names.map((name, at) => `${JSON.stringify(name)}:${at}`);
      await own.set("k", `{${members.join(",")}}`);
      for (let turn = 0; turn < members.length; turn++) {
        const turned = [...members.slice(turn), ...members.slice(0, turn)];
        for (const order of [turned, turned.toReversed()]) {
          assertEquals(await own.eval(APPLY.text, 1, "k", "test", "0", `{${order.join(",")}}`), [""]);
        }
      }
      const swapped = `{${members.join(",").replace('"가":0', '"나":0').replace('"나":1', '"가":1')}}`;
      assertEquals(await own.eval(APPLY.text, 1, "k", "test", "0", swapped), ["!TEST 0 "]);
      await own.set("n", "-9007199254740993");
      assertEquals(await own.eval(APPLY.text, 1, "n", "increment", "0", "9007199254740992"), ["-1"]);
      assertEquals(await own.eval(APPLY.text, 1, "n", "increment", "0", "9007199254740993"), [
        "!NUMBER 0 integer",
      ]);
    } finally {
      own.disconnect();
    }
  });
});
