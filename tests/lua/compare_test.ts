import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import { APPLY } from "../../src/scripts.gen.ts";
import { testClient, uniquePrefix } from "../support/redis.ts";

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
  ["1152921504606846976", "1152921504606846976.0"],
  ["1152921504606847000"],
  ["1000000000000000000000", "1e21", "1e+21"],
  ["-1e21", "-1000000000000000000000"],
  ["1e400"],
];

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
});
