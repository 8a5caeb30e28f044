/** Random programs on a facade and on plain objects: the same results, and the same text in Redis after each statement. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { connect, dictionary, type Facade, toPlain } from "../../sync.ts";
import { fuzz } from "../support/fuzz.ts";
import { redisUrl, testClient, uniquePrefix } from "../support/redis.ts";

// deno-lint-ignore no-explicit-any -- programs without types are what it is for
type Any = any;

const client = testClient();

const NAMES = ["a", "b", "then", "length", "x y", "é", ""];

/** One statement: which container it is about, which of the uses of such containers, and what it uses. */
interface Statement {
  readonly container: number;
  readonly use: number;
  readonly name: string;
  readonly index: number;
  readonly value: Any;
}

type Use = (target: Any, statement: Statement) => unknown;

/** The index of an element, or of the place behind the last one. */
function within(list: Any, index: number): number {
  return index % (list.length + 1);
}

const ON_OBJECTS: readonly Use[] = [
  (it, { name, value }) => void (it[name] = value),
  (it, { name, value }) => void (it[name] = value),
  (it, { name, value }) => void (it[name] ??= value),
  (it, { name }) => void delete it[name],
  (it, { name }) => it[name],
  (it, { name }) => [name in it, Object.hasOwn(it, name)],
  (it) => Object.keys(it).sort(),
  (it) => Object.entries(it).sort(([a], [b]) => a < b ? -1 : 1),
  (it) => ({ ...it }),
  (it, { name, value }) => void Object.assign(it, { [name]: value, b: 1 }),
  (it, { name }) => {
    const { [name]: one, ...others } = it;
    return [one, others];
  },
  (it) => {
    const names = [];
    for (const name in it) names.push(name, it[name]);
    return names.length;
  },
];

const ON_ARRAYS: readonly Use[] = [
  (it, { value }) => it.push(value, 1),
  (it, { value }) => it.push(value),
  (it, { value }) => it.unshift(value),
  (it) => it.pop(),
  (it) => it.shift(),
  (it, { index, value }) => it.splice(index - 3, index % 3, value),
  (it, { index }) => it.splice(index),
  (it, { index, value }) => void (it[within(it, index)] = value),
  (it, { index }) => it[index],
  (it, { index }) => void (it.length = Math.min(it.length, index)),
  (it) => void it.sort((a: Any, b: Any) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1),
  (it) => void it.reverse(),
  (it, { value, index }) => void it.fill(value, index - 4),
  (it, { index }) => void it.copyWithin(0, index),
  (it) => it.length,
  (it) => [...it],
  (it) => it.map((each: Any, index: number) => [JSON.stringify(each), index]),
  (it) => it.filter((each: Any) => typeof each === "object"),
  (it, { index }) => it.at(index - 4),
  (it, { value }) => [it.includes(value), it.indexOf(value)],
  (it) => it.flat(2),
  (it) => it.toReversed().concat(it),
  (it) => it.reduce((sum: number, each: Any) => sum + (Array.isArray(each) ? each.length : 1), 0),
  (it) => Object.keys(it),
  (it) =>
    void it.forEach((each: Any, index: number, list: Any) =>
      typeof each === "number" && (list[index] = each + 1)
    ),
];

/** The ways to all containers of a value. */
function* containersOf(
  value: Any,
  way: readonly (string | number)[] = [],
): Generator<readonly (string | number)[]> {
  if (value === null || typeof value !== "object") return;
  yield way;
  for (const name of Object.keys(value)) {
    yield* containersOf(value[name], [...way, Array.isArray(value) ? Number(name) : name]);
  }
}

function follow(root: Any, way: readonly (string | number)[]): Any {
  return way.reduce((value, name) => value[name], root);
}

const scalar = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constantFrom(null, true, "", "text", "é\n"));
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("any"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie("any"), { maxKeys: 3, noNullPrototype: true }),
  ),
})).any;
const statement: fc.Arbitrary<Statement> = fc.record({
  container: fc.nat({ max: 1000 }),
  use: fc.nat({ max: 1000 }),
  name: fc.constantFrom(...NAMES),
  index: fc.nat({ max: 7 }),
  value,
});

describe("Programs on ./sync", () => {
  it("programs do what they do with plain objects, and leave the same text after each statement", async () => {
    const prefix = uniquePrefix("programs");
    using lab = connect(redisUrl, { prefix }) as Facade<object> & { [key: string]: Any };
    const program = fc.array(statement, { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(value, program, async (first, statements) => {
        dictionary(lab as Facade<Record<string, Any>>).clear();
        let model: Any = { a: structuredClone(first), b: [[1, 2], { a: [] }] };
        for (const key of Object.keys(model)) lab[key] = model[key];
        for (const each of statements) {
          const ways = [...containersOf(model)];
          const way = ways[each.container % ways.length];
          const uses = Array.isArray(follow(model, way)) ? ON_ARRAYS : ON_OBJECTS;
          const use = uses[each.use % uses.length];
          const copy = structuredClone(each);
          const expected = use(follow(model, way), copy);
          const found = toPlain(use(follow(lab, way), each));
          model = JSON.parse(JSON.stringify(model)); // in JSON, an element that was filled in twice is two
          assertEquals(found, structuredClone(expected), `${use} at ${JSON.stringify(way)}`);
          const texts = await client.mget(
            Object.keys(model).map((key) => prefix + key).concat(`${prefix}none`),
          );
          assertEquals(
            texts.slice(0, -1),
            Object.keys(model).map((key) => JSON.stringify(model[key])),
            `${use} at ${JSON.stringify(way)}`,
          );
        }
        assertEquals(toPlain(lab), model);
        assertEquals(Object.keys(lab).sort(), Object.keys(model).sort());
      }),
      fuzz(0.2),
    );
  });

  it("several processes at once lose nothing", async () => {
    const prefix = uniquePrefix("processes");
    using lab = connect(redisUrl, { prefix }) as Facade<object> & { [key: string]: Any };
    const [PROCESSES, TIMES] = [4, 40];
    lab.log = [];
    lab.run = { counts: {}, seen: 0 };
    const children = Array.from({ length: PROCESSES }, (_, index) =>
      new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "--quiet",
          new URL("writer.ts", import.meta.url).pathname,
          prefix,
          `${index}`,
          `${TIMES}`,
        ],
        env: { REDIS_URL: redisUrl },
      }).output());
    for (const { code, stderr } of await Promise.all(children)) {
      assertEquals([new TextDecoder().decode(stderr), code], ["", 0]);
    }
    const log: [number, number][] = toPlain(lab.log);
    assertEquals(log.length, PROCESSES * TIMES);
    for (let index = 0; index < PROCESSES; index++) {
      const own = log.filter(([writer]) => writer === index).map(([, time]) => time);
      assertEquals(own, Array.from({ length: TIMES }, (_, time) => time));
      assertEquals(lab.run.counts[index], TIMES);
    }
    assertEquals(lab.run.seen, PROCESSES * TIMES);
    assertEquals(dictionary(lab as Facade<{ total: number }>).get("total"), PROCESSES * TIMES);
  });

  it("10,000 statements leave no memory behind", async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--quiet", "--v8-flags=--expose-gc"],
        ...[new URL("many_statements.ts", import.meta.url).pathname, uniquePrefix("leak")],
      ],
      env: { REDIS_URL: redisUrl },
    }).output();
    assertEquals([new TextDecoder().decode(stderr), code], ["", 0]);
    const { heap, process } = JSON.parse(new TextDecoder().decode(stdout));
    // 60 bytes for each statement on the side of the caller; the worker and its messages are seen in the process only.
    assertEquals([heap < 600_000, process < 64 * 2 ** 20], [true, true], `${heap} and ${process} bytes`);
  });
});
