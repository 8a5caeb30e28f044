/** Methods written as steps: what drives them by promises, and what could drive them by blocking. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DictScope, edit, type Local } from "../../src/api/edit.ts";
import { readOutcomes } from "../../src/call/answer.ts";
import type { Group } from "../../src/data/op.ts";
import type { Path } from "../../src/data/path.ts";
import { Replica } from "../../src/replica/replica.ts";
import { readOptions } from "../../src/run/options.ts";
import { Codec } from "../../src/store/codec.ts";
import { ask, drive, type Request, type Steps } from "../../src/store/request.ts";

const settings = readOptions({ prefix: "steps:" });
const local: Local = { settings, codec: new Codec(settings) };

/** Answers requests at once from texts that it holds, as a store behind a blocking call would. */
class Desk {
  readonly replica: Replica = new Replica([["a", '{"n": 1}'], ["b", '{"n": 5}']]);
  readonly kinds: string[] = [];
  /** Changes what it holds before the next group, as others would. */
  meanwhile: (() => void) | undefined;

  perform(request: Request): unknown {
    this.kinds.push(request.kind);
    switch (request.kind) {
      case "join":
        return 1;
      case "look":
        return { answers: request.places.map((path) => this.#read(path)), isCertain: true };
      case "extend":
        return true;
      case "commit":
      case "apply":
        return this.#apply(request.group);
      case "leave":
        return undefined;
      default:
        throw new Error(`Cannot ${request.kind} here`);
    }
  }

  #read(path: Path): unknown {
    return this.replica.read({ kind: "get", path });
  }

  #apply(group: Group): unknown {
    this.meanwhile?.();
    this.meanwhile = undefined;
    return readOutcomes([group], this.replica.apply(group))[0];
  }
}

/** Drives steps without any promise. */
function block<R>(desk: Desk, steps: Steps<R>): R {
  let step = steps.next();
  while (!step.done) {
    let answer: unknown;
    try {
      answer = desk.perform(step.value);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(answer as never);
  }
  return step.value;
}

interface Items {
  a: { n: number };
  b: { n: number };
}

function move(draft: Items): number {
  draft.a.n += draft.b.n;
  return draft.a.n;
}

describe("Steps", () => {
  it("edit() runs without a promise, on a value at a time and again after a conflict", () => {
    const desk = new Desk();
    desk.meanwhile = () => void desk.replica.apply([{ kind: "set", path: ["b", "n"], value: "7" }]);
    const steps = edit(local, new DictScope(local), move as (draft: never) => number, {});
    assertEquals(block(desk, steps), 8);
    assertEquals(desk.replica.text("a"), '{"n": 8}');
    assertEquals(desk.kinds, ["join", "look", "extend", "look", "commit", "look", "commit", "leave"]);
  });

  it("edit() leaves its place also where the recipe or a request fails", async () => {
    for (const fails of ["recipe", "look", "commit"]) {
      const desk = new Desk();
      const perform = (request: Request): unknown => {
        if (request.kind === fails) throw new RangeError(fails);
        return desk.perform(request);
      };
      const recipe = (draft: Items): number => {
        const sum = move(draft);
        if (fails === "recipe") throw new RangeError(fails);
        return sum;
      };
      const steps = (): Steps<number> =>
        edit(local, new DictScope(local, ["a", "b"]), recipe as (draft: never) => number, {});
      const blocking = Object.assign(Object.create(desk), { perform }) as Desk;
      assertThrows(() => block(blocking, steps()), RangeError, fails);
      assertEquals(desk.kinds.at(-1), "leave");
      const byPromise = drive(
        { perform: (request) => Promise.resolve().then(() => perform(request)) },
        steps(),
      );
      await assertRejects(() => byPromise, RangeError, fails);
      assertEquals(desk.kinds.at(-1), "leave");
      assertEquals(desk.replica.text("a"), '{"n": 1}');
    }
  });

  it("drive() performs the first request before it returns", async () => {
    const desk = new Desk();
    function* steps(): Steps<number> {
      return yield* ask("join", { keys: ["a"], places: [] });
    }
    const end = drive({ perform: (request) => Promise.resolve(desk.perform(request)) }, steps());
    assertEquals(desk.kinds, ["join"]);
    assert(await end === 1);
  });
});
